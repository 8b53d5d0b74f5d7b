"""Log-mel features against torchaudio's own transform, and their shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.audio.features import PRESETS, LogMelConfig, log_mel
from labelnoise.core.validation import InputError

torchaudio = pytest.importorskip("torchaudio")


@pytest.mark.parametrize("name", ["16k64", "icassp19"])
def test_it_equals_torchaudio(name: str) -> None:
    import torch

    c = replace(PRESETS[name], peak=0.0)
    # More frames than one block.
    wave = np.random.default_rng(0).normal(0, 0.1, 6 * c.sample_rate).astype(np.float32)
    make = {"hann": torch.hann_window, "hamming": torch.hamming_window}[c.window_kind]
    transform = torchaudio.transforms.MelSpectrogram(
        c.sample_rate,
        c.n_fft,
        c.window,
        c.hop,
        c.low,
        c.high,
        n_mels=c.n_mels,
        window_fn=make,
        power=float(c.power),
        mel_scale=c.mel_scale,
    )
    mel = transform(torch.from_numpy(wave)).T.numpy() + c.log_offset
    expected = np.log(mel) if c.log_base == "e" else np.log10(mel)
    found = log_mel(wave, c)
    assert found.shape == expected.shape == (c.n_frames(len(wave)), c.n_mels)
    assert np.abs(found - expected).max() < 1e-4


def test_dcase_by_hand() -> None:
    c = PRESETS["dcase"]
    wave = np.random.default_rng(1).normal(0, 0.1, 5000).astype(np.float32)
    found = log_mel(wave, c)
    assert found.shape == (1 + (5000 - 1102) // 441, 96) == (c.n_frames(5000), 96)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1102) / 1102)
    spectrum = np.abs(np.fft.rfft(wave[441 * 3 : 441 * 3 + 1102] * window, 2048))
    edges = 700 * (np.exp(np.linspace(*(1127 * np.log(1 + np.array([20, 20000]) / 700)), 98) / 1127) - 1)
    frequencies = np.linspace(0, 22050, 1025)
    rise = (frequencies - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - frequencies) / np.diff(edges)[1:, None]
    expected = np.log(np.clip(np.minimum(rise, fall), 0, None) @ spectrum + 1e-3)
    assert np.abs(found[3] - expected).max() < 1e-3


@pytest.mark.parametrize("name", list(PRESETS))
@pytest.mark.parametrize("samples", [1, 255, 256, 257, 1102, 5000])
def test_any_length_works(name: str, samples: int) -> None:
    wave = np.random.default_rng(2).normal(0, 0.1, samples).astype(np.float32)
    found = log_mel(wave, name)
    assert found.shape == (PRESETS[name].n_frames(samples), PRESETS[name].n_mels)
    assert np.isfinite(found).all()
    assert np.isfinite(found.astype(np.float16)).all()


def test_silence_is_the_offset_and_level_is_taken_out_where_asked() -> None:
    assert log_mel(np.zeros(16000, np.float32)) == pytest.approx(np.log(1e-6))
    assert np.isfinite(log_mel(np.zeros(44100, np.float32), "icassp19")).all()
    wave = np.random.default_rng(3).normal(0, 0.1, 44100).astype(np.float32)
    quiet = log_mel(0.1 * wave + np.float32(0.02), "icassp19")
    assert np.abs(log_mel(wave, "icassp19") - quiet).max() < 1e-2


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="Did you mean '16k64'"):
        log_mel(np.zeros(10, np.float32), "16k46")
    with pytest.raises(InputError, match="no sample"):
        log_mel(np.zeros(0, np.float32))
    with pytest.raises(InputError, match="nan at sample 1"):
        log_mel(np.array([0, np.nan], np.float32))
    with pytest.raises(InputError, match="do not fit together"):
        LogMelConfig(16000, 600, 160, 512)
    with pytest.raises(InputError, match="half the sample rate"):
        LogMelConfig(8000, 200, 80, 256)
