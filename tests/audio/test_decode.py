"""Decoding, resampling, and clips that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.audio.decode import LazyAudio, read_audio, resample
from labelnoise.core.validation import InputError

soundfile = pytest.importorskip("soundfile")


def tone(rate: int, seconds: float = 0.2) -> Any:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg"])
def test_formats(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    soundfile.write(path, tone(16000), 16000)
    wave, rate = read_audio(path)
    assert rate == 16000
    assert wave.shape == (3200,)
    assert np.abs(wave - tone(16000)).max() < (0.1 if ending == ".ogg" else 1e-4)


def test_channels_are_averaged_and_rates_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone(44100), 0 * tone(44100)], axis=1), 44100, "FLOAT")
    wave, rate = read_audio(path, 16000)
    assert rate == 16000
    assert np.abs(wave - 0.5 * tone(16000))[50:-50].max() < 2e-3
    assert read_audio(path)[0].max() == pytest.approx(0.25, abs=1e-3)


def bad(path: Path, kind: str) -> None:
    if kind == "empty":
        soundfile.write(path, np.zeros(0), 16000)
    elif kind == "nan":
        soundfile.write(path, np.array([0.0, np.nan], np.float32), 16000, "FLOAT")
    elif kind == "infinite":
        soundfile.write(path, np.array([0.0, np.inf, -np.inf], np.float32), 16000, "FLOAT")
    elif kind == "broken":
        path.write_bytes(b"this is no sound")
    elif kind == "nothing":
        path.write_bytes(b"")


@pytest.mark.parametrize("kind", ["empty", "nan", "infinite", "broken", "nothing", "missing"])
def test_bad_clips_are_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad-clip.wav"
    bad(path, kind)
    with pytest.raises(InputError, match="bad-clip"):
        read_audio(path)


def test_a_cut_off_flac_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 48000), 16000)
    path.write_bytes(path.read_bytes()[:30000])
    with pytest.raises(InputError, match="cut.flac"):
        read_audio(path)


def test_rates_are_whole_numbers() -> None:
    with pytest.raises(InputError, match="sample rate"):
        resample(tone(16000), 16000, 0)
    with pytest.raises(InputError, match="sample rate"):
        LazyAudio([], 0)


def test_clips_are_kept_up_to_a_number_of_bytes() -> None:
    calls: list[int] = []

    def read(source: int, rate: int) -> tuple[Any, int]:
        calls.append(source)
        return np.full(10, source, np.float32), rate

    clips = LazyAudio([1, 2, 3], 8, read, cache_bytes=80)
    for i in (0, 1, 0, 2, 0, 1):
        assert clips[i][0] == i + 1
    # Room for two: the second clip gave way to the third, the first was used in between.
    assert calls == [1, 2, 3, 2]
    assert [wave[0] for wave in clips[1:]] == [2, 3]


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    for name, level in (("a", 1), ("b", 1), ("c", 2)):
        soundfile.write(tmp_path / f"{name}.wav", level * 0.1 * tone(16000), 16000)
    clips = LazyAudio([tmp_path / f"{name}.wav" for name in "abc"])
    assert clips.digest(0) == clips.digest(1) == clips.at(8000).digest(0)
    assert clips.digest(0) != clips.digest(2)
    before = clips.digest(0)
    soundfile.write(tmp_path / "a.wav", tone(16000, 0.3), 16000)
    assert clips.digest(0) != before


def test_odd_rates_take_no_gigabytes() -> None:
    wave = np.sin(2 * np.pi * 440 * np.arange(44101) / 44101).astype(np.float32)
    made = resample(wave, 44101, 16000)
    expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert made.shape == (16000,)
    assert np.abs(made - expected)[200:-200].max() < 0.01


@pytest.mark.parametrize("rate", [1, 999, 2_000_001, 2**31 - 1])
def test_rates_that_no_sound_has_are_refused(rate: int, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    assert read_audio(tmp_path / "a.wav")[1] == rate
    with pytest.raises(InputError, match=f"{rate:,} samples per second"):
        read_audio(tmp_path / "a.wav", 16000)
