"""Features on disk: same numbers, computed once, whole after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.audio import cache
from labelnoise.audio.cache import cached_log_mel, config_key
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.features import log_mel
from labelnoise.core.validation import InputError

pytest.importorskip("torchaudio")


class Reader:
    """Noise of a length and seed; counts how often it is asked."""

    def __init__(self) -> None:
        self.failing: Any = None

    def __call__(self, source: int, rate: int) -> tuple[Any, int]:
        if source == self.failing:
            raise KeyboardInterrupt
        wave = np.random.default_rng(source).normal(0, 0.1, 1000 * (source + 1))
        return wave.astype(np.float32), rate


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def count(wave: Any, config: Any) -> Any:
        calls.append(len(wave))
        return log_mel(wave, config)

    monkeypatch.setattr(cache, "log_mel", count)
    return calls


def test_it_holds_what_is_computed_and_computes_once(tmp_path: Path, counted: list[int]) -> None:
    clips = LazyAudio([3, 1, 3, 2], 16000, Reader())
    found = cached_log_mel(clips, folder=tmp_path)
    assert len(counted) == 3  # a copy is computed once
    for i in range(4):
        assert (found[i] == log_mel(clips[i]).astype(np.float16)).all()
        assert found.frames[i] == len(found[i])
    again = cached_log_mel(LazyAudio([2, 1], 16000, Reader()), folder=tmp_path)
    assert len(counted) == 3
    assert (again[0] == found[3]).all()
    assert len(found[1:3]) == 2
    with pytest.raises((ValueError, TypeError)):
        found[0][0] = 1
    cached_log_mel(clips, "dcase", folder=tmp_path)
    assert len(counted) == 6  # another configuration has a part of its own
    assert {item.name for item in tmp_path.iterdir()} == {config_key("16k64"), config_key("dcase")}


def test_an_interrupt_keeps_what_was_done(tmp_path: Path, counted: list[int]) -> None:
    # In memory only, so that the digest reads every clip before the features do.
    reader = Reader()
    clips = LazyAudio([0, 1, 2, 3], 16000, reader, cache_bytes=0)
    digests = [clips.digest(i) for i in range(4)]
    clips.at(16000).digest = lambda i: digests[i]  # type: ignore[method-assign]
    reader.failing = 2
    with pytest.raises(KeyboardInterrupt):
        cached_log_mel(clips, folder=tmp_path)
    assert len(counted) == 2
    reader.failing = None
    found = cached_log_mel(clips, folder=tmp_path)
    assert len(counted) == 4
    assert (found[0] == log_mel(clips[0]).astype(np.float16)).all()


def test_features_and_lines_that_a_kill_cut_off_are_computed_again(
    tmp_path: Path, counted: list[int]
) -> None:
    clips = LazyAudio([0, 1, 2], 16000, Reader())
    cached_log_mel(clips, folder=tmp_path)
    [index] = tmp_path.glob("*/*.jsonl")
    [data] = tmp_path.glob("*/*.f16")
    lines = index.read_text().splitlines()
    data.write_bytes(data.read_bytes()[:-2])
    index.write_text("\n".join([lines[0], lines[2], lines[1][:-3]]))
    found = cached_log_mel(clips, folder=tmp_path)
    assert len(counted) == 5  # the second, whose line is cut, and the third, whose features are
    for i in range(3):
        assert (found[i] == log_mel(clips[i]).astype(np.float16)).all()


def test_bad_clips_are_named(tmp_path: Path) -> None:
    def silent(source: str, rate: int) -> tuple[Any, int]:
        return np.full(10, np.nan, np.float32), rate

    with pytest.raises(InputError, match="clip-7"):
        cached_log_mel(LazyAudio([("clip-7",)], 16000, silent), folder=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        cached_log_mel(LazyAudio([1], 16000, Reader()), folder=tmp_path / "file")
