"""The cache of features: what is computed again and what is not, after renames, changes, kills and errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from labelnoise.audio import cache
from labelnoise.audio.cache import cached_log_mel, config_key
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.features import PRESETS, log_mel
from labelnoise.core.validation import InputError

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("torchaudio")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the waves that are transformed."""
    lengths: list[int] = []

    def counted(wave: np.ndarray, config: object) -> np.ndarray:
        lengths.append(len(wave))
        return log_mel(wave, config)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "log_mel", counted)
    return lengths


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Five clips of 0.1 to 0.5 s."""
    folder = tmp_path / "clips"
    folder.mkdir()
    made = []
    for i in range(5):
        made.append(folder / f"{i}.wav")
        wave = 0.1 * np.random.default_rng(i).standard_normal(1600 * (i + 1))
        soundfile.write(made[-1], wave, 16000)
    return made


def test_features_are_those_of_the_clips_in_half_precision(paths: list[Path], tmp_path: Path) -> None:
    audio = LazyAudio(paths)
    found = cached_log_mel(audio, folder=tmp_path / "cache")
    assert found.frames.tolist() == [11, 21, 31, 41, 51]
    for i, wave in enumerate(audio):
        assert found[i].dtype == np.float16
        np.testing.assert_array_equal(found[i], log_mel(wave).astype(np.float16))
    np.testing.assert_array_equal(found[1:3][1], found[2])
    np.testing.assert_array_equal(found[-1], found[4])
    with pytest.raises((ValueError, TypeError)):
        found[0][0, 0] = 1


def test_nothing_is_computed_twice(paths: list[Path], tmp_path: Path, computed: list[int]) -> None:
    folder = tmp_path / "cache"
    first = cached_log_mel(LazyAudio(paths), folder=folder)
    assert len(computed) == 5
    renamed = paths[0].with_name("other.wav")
    paths[0].rename(renamed)
    copy = paths[1].with_name("copy.wav")
    shutil.copy(paths[1], copy)
    again = cached_log_mel(LazyAudio([renamed, copy, *paths[1:]]), folder=folder)
    assert len(computed) == 5
    np.testing.assert_array_equal(again[0], first[0])
    np.testing.assert_array_equal(again[1], again[2])


def test_what_changed_is_computed_anew(paths: list[Path], tmp_path: Path, computed: list[int]) -> None:
    folder = tmp_path / "cache"
    audio = LazyAudio(paths)
    cached_log_mel(audio, folder=folder)
    soundfile.write(paths[2], np.full(3200, 0.25), 16000)
    found = cached_log_mel(LazyAudio(paths), folder=folder)
    assert computed[5:] == [3200]
    assert found.frames[2] == 21
    cached_log_mel(audio, "dcase", folder=folder)
    assert len(computed) == 11
    assert computed[6] == 4410
    assert len({config_key(name) for name in PRESETS}) == len(PRESETS)


def test_copies_within_a_run_are_computed_once(
    paths: list[Path], tmp_path: Path, computed: list[int]
) -> None:
    found = cached_log_mel(LazyAudio([paths[0]] * 4), folder=tmp_path)
    assert len(computed) == 1
    assert len(found) == 4


def test_a_broken_clip_is_named_and_the_others_are_kept(
    paths: list[Path], tmp_path: Path, computed: list[int]
) -> None:
    good = paths[3].read_bytes()
    paths[3].write_bytes(b"no sound at all")
    with pytest.raises(InputError, match=r"3\.wav"):
        cached_log_mel(LazyAudio(paths), folder=tmp_path / "cache")
    assert len(computed) == 3
    paths[3].write_bytes(good)
    cached_log_mel(LazyAudio(paths), folder=tmp_path / "cache")
    assert len(computed) == 5


def test_an_index_cut_off_by_a_kill_costs_one_clip(
    paths: list[Path], tmp_path: Path, computed: list[int]
) -> None:
    folder = tmp_path / "cache"
    first = cached_log_mel(LazyAudio(paths), folder=folder)
    expected = [np.array(one) for one in first]
    (index,) = folder.rglob("*.jsonl")
    index.write_text(index.read_text()[:-9], encoding="utf-8")
    found = cached_log_mel(LazyAudio(paths), folder=folder)
    assert len(computed) == 6
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_features_cut_off_by_a_kill_are_computed_anew(
    paths: list[Path], tmp_path: Path, computed: list[int]
) -> None:
    folder = tmp_path / "cache"
    expected = [np.array(one) for one in cached_log_mel(LazyAudio(paths), folder=folder)]
    (features,) = folder.rglob("*.f16")
    features.write_bytes(features.read_bytes()[:-200])
    found = cached_log_mel(LazyAudio(paths), folder=folder)
    assert computed[5:] == [8000]
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


def test_two_runs_may_fill_one_cache(paths: list[Path], tmp_path: Path, computed: list[int]) -> None:
    folder = tmp_path / "cache"
    cached_log_mel(LazyAudio(paths[:2]), folder=folder)
    cached_log_mel(LazyAudio(paths[2:]), folder=folder)
    found = cached_log_mel(LazyAudio(paths), folder=folder)
    assert len(computed) == 5
    assert found.frames.tolist() == [11, 21, 31, 41, 51]
    assert len(list(folder.rglob("*.f16"))) == 2


def test_a_folder_that_cannot_be_written_is_named(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        cached_log_mel(LazyAudio(paths), folder=tmp_path / "file")


def test_no_clip_at_all(tmp_path: Path) -> None:
    assert len(cached_log_mel(LazyAudio([]), folder=tmp_path)) == 0


def test_memory_does_not_grow_with_the_clips(tmp_path: Path) -> None:
    """600 clips of 2 s are 77 MB of sound and 15 MB of features."""
    import tracemalloc

    def read(source: int, rate: int) -> tuple[np.ndarray, int]:
        return np.full(2 * rate, source / 1000, dtype=np.float32), rate

    audio = LazyAudio(range(600), read=read, cache_bytes=1 << 20)
    tracemalloc.start()
    found = cached_log_mel(audio, folder=tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert int(found.frames.sum()) == 600 * 201
    assert peak < 8 << 20


def test_half_a_number_at_the_end_of_a_killed_run_harms_nothing(tmp_path: Path) -> None:
    from labelnoise.audio.cache import CachedFeatures, _read_index

    np.arange(128, dtype=np.float16).tofile(tmp_path / "a.f16")
    with open(tmp_path / "a.f16", "ab") as file:
        file.write(b"\x01")
    (tmp_path / "a.jsonl").write_text('["x", 0, 2]\n["y", 1.5, 1]\n["z", true, 1]\n' + "[" * 100_000 + "\n")
    known = _read_index(tmp_path, 64)
    assert list(known) == ["x"]
    assert CachedFeatures([known["x"]], 64)[0].sum() == sum(range(128))


def test_files_that_were_read_do_not_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labelnoise.audio.cache._MAPPED_BYTES", 40_000)
    audio = LazyAudio(range(8), read=lambda i, rate: (np.full(rate, (i + 1) / 9, np.float32), rate))
    found = cached_log_mel(audio, folder=tmp_path)
    held, mapped = [], []
    for i in range(8):  # 12,928 bytes each
        held.append(found[i])
        mapped.append(next(iter(found._maps.values())))
    assert len({id(one) for one in mapped}) == 3
    assert all((held[i] == found[i]).all() for i in range(8))
