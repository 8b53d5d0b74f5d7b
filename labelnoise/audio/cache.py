"""Features on disk: computed once per content and configuration, in half precision, and mapped into memory."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.features import LogMelConfig, as_config, log_mel
from labelnoise.core.dataset import hash_arrays
from labelnoise.core.download import cache_root
from labelnoise.core.files import replacing
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError

__all__ = ["CachedFeatures", "cached_log_mel", "config_key"]

#: Raised whenever `log_mel` gives other numbers for the same configuration.
_VERSION = 1
#: Bytes of features after which the index follows them to disk: what a kill can cost.
_COMMIT_BYTES = 8 << 20
#: Bytes of features that were asked for after which the files are mapped anew: what stays of them in memory.
_MAPPED_BYTES = 32 << 20

Place = tuple[Path, int, int]


class CachedFeatures(Sequence[NDArray[np.float16]]):
    """The features of clips as views of files; nothing is read before it is indexed.

    Attributes
    ----------
    frames : ndarray of int64, shape (m,)
        Frames of every clip.
    n_mels : int
    """

    def __init__(self, places: Sequence[Place], n_mels: int) -> None:
        self._places = list(places)
        self._maps: dict[Path, NDArray[np.float16]] = {}
        self._touched = 0
        self.n_mels = n_mels
        self.frames = np.array([frames for _, _, frames in self._places], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: Any) -> Any:
        """The spectrogram of a clip, float16 of shape (frames, n_mels), read-only; a slice gives a part."""
        if isinstance(index, slice):
            return CachedFeatures(self._places[index], self.n_mels)
        path, start, frames = self._places[index]
        self._touched += 2 * frames * self.n_mels
        if self._touched > _MAPPED_BYTES:
            # Pages of a map count as this process's memory until it is given up; views that are held keep theirs.
            self._maps, self._touched = {}, 0
        if path not in self._maps:
            # A killed run may have left half a number at the end, so the length is said.
            whole = path.stat().st_size // 2
            self._maps[path] = np.memmap(path, dtype=np.float16, mode="r", shape=(whole,))
        return self._maps[path][start : start + frames * self.n_mels].reshape(frames, self.n_mels)


def cached_log_mel(
    audio: LazyAudio, config: str | LogMelConfig = "16k64", *, folder: str | Path | None = None
) -> CachedFeatures:
    """Log-mel features of every clip, computed where they are not on disk yet.

    Clips are known by a hash of their content, so that renamed files are found again, changed ones are computed
    anew and copies are computed once. One clip is held in memory at a time. What a killed run has done stays:
    the next goes on where it ended, and several processes may fill one cache.

    Parameters
    ----------
    audio : LazyAudio
    config : str or LogMelConfig
        See `labelnoise.audio.features.log_mel`.
    folder : str or Path, optional
        Where the cache is; by default below the package's own (``$LABELNOISE_CACHE``).

    Returns
    -------
    CachedFeatures

    Raises
    ------
    InputError
        A clip that cannot be read, with its name; a folder that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.audio.embedded import events
    >>> features = cached_log_mel(events(per_class=1).audio, folder=tempfile.mkdtemp())
    >>> len(features), features[0].shape, features[0].dtype, int(features.frames.sum())
    (10, (101, 64), dtype('float16'), 1010)
    """
    settings = as_config(config)
    home = Path(folder) if folder is not None else cache_root() / "audio" / "log-mel"
    home = home / config_key(settings)
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "config.json").is_file():
            with replacing(home / "config.json") as temporary:
                temporary.write_text(json.dumps(asdict(settings), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The cache of features {str(home)!r} cannot be written ({error}); name another folder."
        ) from error
    clips = audio.at(settings.sample_rate)
    known = _read_index(home, settings.n_mels)
    digests = [clips.digest(i) for i in range(len(clips))]
    first_of = {digest: i for i, digest in reversed(list(enumerate(digests)))}
    missing = sorted(i for digest, i in first_of.items() if digest not in known)
    if missing:
        with _Shard(home, settings.n_mels) as shard:
            for i in track(missing, "log-mel features", len(missing)):
                shard.add(digests[i], _computed(clips, i, settings))
        known.update(shard.places)
    return CachedFeatures([known[digest] for digest in digests], settings.n_mels)


def config_key(config: str | LogMelConfig) -> str:
    """The name of a configuration's part of the cache: a hash of all its settings.

    Examples
    --------
    >>> config_key("16k64") == config_key("16k64"), config_key("16k64") == config_key("dcase")
    (True, False)
    """
    settings = json.dumps({"version": _VERSION, **asdict(as_config(config))}, sort_keys=True)
    return hash_arrays(config=np.array([settings], dtype=object))[:20]


def _computed(clips: LazyAudio, i: int, config: LogMelConfig) -> NDArray[np.float16]:
    try:
        return log_mel(clips[i], config).astype(np.float16)
    except InputError as error:
        name = clips.sources[i]
        if str(name) in str(error):
            raise
        raise InputError(f"{name}: {error}") from error


class _Shard:
    """A file of features that one process writes, and its index; the index never runs ahead of the features."""

    def __init__(self, home: Path, n_mels: int) -> None:
        name = f"{os.getpid()}-{uuid4().hex[:12]}"
        self.path = home / f"{name}.f16"
        self._index = home / f"{name}.jsonl"
        self._n_mels = n_mels
        self.places: dict[str, Place] = {}
        self._waiting: list[str] = []
        self._written = self._committed = 0

    def __enter__(self) -> _Shard:
        self._file = open(self.path, "wb")
        return self

    def add(self, digest: str, features: NDArray[np.float16]) -> None:
        """Append one clip."""
        data = np.ascontiguousarray(features)
        self._file.write(data.data)
        start = self._written // 2
        self._written += data.nbytes
        self.places[digest] = (self.path, start, len(data))
        self._waiting.append(json.dumps([digest, start, len(data)]))
        if self._written - self._committed >= _COMMIT_BYTES:
            self._commit()

    def __exit__(self, *_: Any) -> None:
        # After an error or an interrupt, too: what was computed is kept.
        try:
            self._commit()
        finally:
            self._file.close()
        if not self._written:
            self.path.unlink()

    def _commit(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._waiting:
            with open(self._index, "a", encoding="utf-8") as file:
                file.write("\n".join(self._waiting) + "\n")
        self._waiting, self._committed = [], self._written


def _read_index(home: Path, n_mels: int) -> dict[str, Place]:
    """Where each known clip's features are, out of all shards; entries without their features are left out."""
    known: dict[str, Place] = {}
    for index in sorted(home.glob("*.jsonl")):
        path = index.with_suffix(".f16")
        size = path.stat().st_size // 2 if path.is_file() else 0
        for line in index.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                digest, start, frames = json.loads(line)
                fits = type(start) is int and type(frames) is int
                fits = fits and start >= 0 and frames > 0 and start + frames * n_mels <= size
            except (ValueError, TypeError, RecursionError):
                continue  # the line that a kill cut off
            if fits:
                known[str(digest)] = (path, start, frames)
    return known
