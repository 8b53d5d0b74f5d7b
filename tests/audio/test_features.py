"""Log-mel spectrograms against torchaudio and a plain Fourier transform; frames, silence, settings."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np
import pytest

from labelnoise.audio.features import PRESETS, LogMelConfig, log_mel
from labelnoise.core.validation import InputError

torch = pytest.importorskip("torch")
pytest.importorskip("torchaudio")


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("preset", ["16k64", "icassp19"])
@pytest.mark.parametrize("samples", [5000, 16000, 44100, 100001])
def test_equals_torchaudio_where_frames_are_centred(preset: str, samples: int) -> None:
    from torchaudio.transforms import MelSpectrogram

    config = PRESETS[preset]
    kinds = {"hann": torch.hann_window, "hamming": torch.hamming_window}
    transform = MelSpectrogram(
        sample_rate=config.sample_rate, n_fft=config.n_fft, win_length=config.window, hop_length=config.hop,
        f_min=config.low, f_max=config.high, n_mels=config.n_mels, power=config.power,
        window_fn=kinds[config.window_kind], norm=None, mel_scale=config.mel_scale,
    )  # fmt: skip
    wave = noise(samples)
    # Loud enough that no band is near the offset; peak-normalised here as the recipe asks.
    level = wave - wave.mean() if config.peak else wave
    level = level * (config.peak / np.abs(level).max()) if config.peak else level
    power = transform(torch.from_numpy(level.astype(np.float32))) + config.log_offset
    expected = (power.log10() if config.log_base == "10" else power.log()).T.numpy()
    found = log_mel(wave, config)
    assert found.shape == expected.shape == (config.n_frames(samples), config.n_mels)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_dcase_is_the_recipe_of_the_baseline() -> None:
    """Whole frames, periodic Hann, magnitudes, HTK mel triangles with a peak of 1, log(mel + 0.001)."""
    wave = noise(30000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1102) / 1102)
    starts = np.arange(0, 30000 - 1102 + 1, 441)
    magnitude = np.abs(np.fft.rfft(wave[starts[:, None] + np.arange(1102)] * window, 2048))
    edges = 700 * (10 ** (np.linspace(*(2595 * np.log10(1 + np.array([20, 20000]) / 700)), 98) / 2595) - 1)
    bins = np.linspace(0, 22050, 1025)
    up = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    expected = np.log(magnitude @ np.maximum(0, np.minimum(up, down)) + 1e-3)
    found = log_mel(wave, "dcase")
    assert found.shape == (len(starts), 96)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("samples", [1, 100, 441, 1025, 5000, 44100])
def test_frames_are_as_many_as_announced_and_finite(preset: str, samples: int) -> None:
    for wave in (noise(samples), np.zeros(samples, dtype=np.float32), np.ones(samples, dtype=np.float32)):
        found = log_mel(wave, preset)
        assert found.shape == (PRESETS[preset].n_frames(samples), PRESETS[preset].n_mels)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


@pytest.mark.parametrize("preset", ["16k64", "dcase"])
def test_a_frame_depends_on_its_own_samples_only(preset: str) -> None:
    """Also beyond the number of frames that are transformed at once."""
    config, wave = PRESETS[preset], noise(200_000)
    changed = wave.copy()
    changed[150_000:] = 0
    same = (150_000 - config.n_fft) // config.hop
    assert same > 300
    np.testing.assert_array_equal(log_mel(wave, preset)[:same], log_mel(changed, preset)[:same])
    assert (log_mel(wave, preset)[-1] != log_mel(changed, preset)[-1]).all()


def test_only_the_recipe_that_asks_for_it_ignores_level_and_offset() -> None:
    wave = noise(20000)
    louder = 3 * wave + 0.2
    np.testing.assert_allclose(log_mel(louder, "icassp19"), log_mel(wave, "icassp19"), atol=2e-2)
    # Power scales by 9; bands at the offset do not count.
    quiet, loud = log_mel(wave), log_mel(3 * wave)
    np.testing.assert_allclose(loud - quiet, np.log(9), atol=1e-2)


def test_the_wave_is_not_changed_and_need_not_be_contiguous() -> None:
    wave = noise(40000)
    before = wave.copy()
    np.testing.assert_array_equal(log_mel(wave[::2], "icassp19"), log_mel(wave[::2].copy(), "icassp19"))
    np.testing.assert_array_equal(wave, before)


def test_settings_that_do_not_fit_are_refused() -> None:
    base = PRESETS["16k64"]
    for change, message in (
        ({"high": 9000.0}, "half the sample rate"),
        ({"window": 600}, "at most n_fft"),
        ({"hop": 0}, "hop"),
        ({"power": 3}, "power"),
        ({"log_offset": 0.0}, "offset"),
        ({"window_kind": "kaiser"}, "kaiser"),
    ):
        with pytest.raises(InputError, match=message):
            replace(base, **change)
    with pytest.raises(InputError, match="16k46"):
        log_mel(noise(100), "16k46")


@pytest.mark.parametrize("bad", [np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf, 0.0])])
def test_sound_that_is_none_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(InputError):
        log_mel(bad.astype(np.float32))


def test_features_are_quick_enough_for_a_laptop() -> None:
    wave = noise(16000 * 10)
    log_mel(wave)
    start = process_time()
    for _ in range(20):
        log_mel(wave)
    # 200 s of sound. One core did 7,800 s per second; a machine 17 times slower passes.
    assert 200 / (process_time() - start) > 450


def test_a_configuration_of_ones_own() -> None:
    config = LogMelConfig(8000, 200, 80, 256, n_mels=40, high=4000.0)
    assert log_mel(noise(8000), config).shape == (101, 40)
