"""Sound clips with one class each, or with tags of which each is present, absent or not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.audio.decode import LazyAudio
from labelnoise.core.dataset import Dataset
from labelnoise.core.made_ids import MadeIds
from labelnoise.core.validation import InputError, as_multilabel

__all__ = ["PRESENCE", "AudioDataset", "TagIds"]

#: Class names of a (clip, tag) pair.
PRESENCE = ("absent", "present")
#: Columns with one entry per clip that a data set may carry.
COLUMNS = ("origin", "verified", "annotator", "recordings")


@dataclass(frozen=True, kw_only=True)
class AudioDataset(Dataset):
    """Clips of sound, whose units are the clips (one class each) or the (clip, tag) pairs, clip after clip.

    Make one by `single` or `from_tags`.

    Attributes
    ----------
    files : tuple of str, length m
        Names of the clips, as paths relative to their folder.
    tag_names : tuple of str, length K
        Names of the tags. Empty: every clip has one class, and the units are clips.
    audio : LazyAudio, optional
        The clips, decoded when read. None: labels only.
    origin : ndarray of str, shape (m,), optional
        The process that each clip's labels come from ("curated", "noisy" ...).
    verified : ndarray of bool, shape (m,), optional
        Whether a person has confirmed the labels of the clip.
    annotator : ndarray of str, shape (m,), optional
        Who labelled the clip.
    recordings : ndarray of str, shape (m,), optional
        The recording or uploader that each clip is from; clips of one should lie in one fold.
    splits : mapping of str to ndarray of bool, shape (m,)
        Published splits of the clips.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 0], [-1, 1]], ("dog", "rain"), files=("x/a.wav", "x/b.wav"))
    >>> data.n_clips, data.n_units, data.given.tolist(), data.groups.tolist()
    (2, 4, [1, 0, -1, 1], [0, 0, 1, 1])
    >>> data.ids[[0, 3]].tolist(), data.tags.tolist()
    (['x/a.wav#dog', 'x/b.wav#rain'], [[1, 0], [-1, 1]])
    """

    files: tuple[str, ...]
    tag_names: tuple[str, ...] = ()
    audio: LazyAudio | None = None
    origin: NDArray[Any] | None = None
    verified: NDArray[np.bool_] | None = None
    annotator: NDArray[Any] | None = None
    recordings: NDArray[Any] | None = None
    splits: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        m, per_clip = len(self.files), max(len(self.tag_names), 1)
        if m == 0:
            raise InputError("The data set has no clip; name at least one.")
        if len(set(self.files)) != m:
            twice = Counter(self.files).most_common(1)[0][0]
            raise InputError(f"The clip {twice!r} is listed twice; list every clip once, with all its tags.")
        if m * per_clip != self.n_units:
            raise InputError(
                f"There are {self.n_units} labels for {m} clips of {per_clip} each; give {m * per_clip}."
            )
        if self.multilabel and self.class_names != PRESENCE:
            raise InputError(f"Tags are 'absent' or 'present', not {self.class_names}; use from_tags.")
        names = self.tag_names or self.class_names
        if len(set(names)) != len(names):
            raise InputError("Two tags or classes have the same name; give each a name of its own.")
        columns = {name: getattr(self, name) for name in (*COLUMNS, "audio")}
        splits = {f"The split {key!r}": mask for key, mask in self.splits.items()}
        for what, value in {**columns, **splits}.items():
            if value is not None and len(value) != m:
                raise InputError(f"{what} has {len(value)} entries for {m} clips; give one per clip.")
        if self.groups is None and self.multilabel:
            object.__setattr__(self, "groups", np.repeat(np.arange(m, dtype=np.int32), per_clip))
        elif self.groups is None and self.recordings is not None:
            object.__setattr__(self, "groups", self.recording_codes())

    @classmethod
    def single(
        cls,
        given: ArrayLike,
        class_names: Sequence[str],
        *,
        files: Sequence[str],
        name: str = "clips",
        true: ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """A data set whose clips have one class each.

        Parameters
        ----------
        given : array_like of int, shape (m,)
            Class ids, -1 for no label.
        class_names : sequence of str
        files : sequence of str, length m
        name : str
        true : array_like of int, shape (m,), optional
        **fields
            Any other attribute of the class.

        Examples
        --------
        >>> AudioDataset.single([0, 1], ("dog", "rain"), files=("a.wav", "b.wav")).ids.tolist()
        ['a.wav', 'b.wav']
        """
        return cls(
            name=name,
            given=np.asarray(given),
            true=None if true is None else np.asarray(true),
            class_names=tuple(class_names),
            files=tuple(files),
            **fields,
        )

    @classmethod
    def from_tags(
        cls,
        tags: ArrayLike,
        tag_names: Sequence[str],
        *,
        files: Sequence[str],
        name: str = "tags",
        true: ArrayLike | None = None,
        **fields: Any,
    ) -> Self:
        """A data set of (clip, tag) pairs.

        Parameters
        ----------
        tags : array_like, shape (m, K)
            1 present, 0 absent, -1 not known.
        tag_names : sequence of str, length K
        files : sequence of str, length m
        name : str
        true : array_like, shape (m, K), optional
        **fields
            Any other attribute of the class.

        Raises
        ------
        InputError
            Another shape or other values.
        """
        shape = (len(files), len(tag_names))
        if not tag_names:
            raise InputError("There is no tag; name at least one.")
        flat: list[NDArray[np.int8] | None] = []
        for what, values in (("tags", tags), ("true tags", true)):
            matrix = None if values is None else as_multilabel(values, name=what)
            if matrix is not None and matrix.shape != shape:
                raise InputError(f"{what} has shape {matrix.shape}; {shape} (clips, tags) is needed.")
            flat.append(None if matrix is None else matrix.reshape(-1))
        assert flat[0] is not None
        return cls(
            name=name,
            given=flat[0],
            true=flat[1],
            class_names=PRESENCE,
            tag_names=tuple(tag_names),
            files=tuple(files),
            **fields,
        )

    @property
    def multilabel(self) -> bool:
        """Whether the units are (clip, tag) pairs."""
        return bool(self.tag_names)

    @property
    def n_clips(self) -> int:
        """Number of clips m."""
        return len(self.files)

    @property
    def n_tags(self) -> int:
        """Number of tags K, or of classes where every clip has one."""
        return len(self.tag_names) or self.n_classes

    @property
    def tags(self) -> NDArray[np.int8]:
        """The given tags, shape (m, K): 1 present, 0 absent, -1 not known; a view, do not write to it.

        A clip with one class has that tag present and the others absent; without a label all are unknown.
        """
        return self._matrix(self.given)

    @property
    def true_tags(self) -> NDArray[np.int8] | None:
        """The true tags, shape (m, K), or None."""
        return None if self.true is None else self._matrix(self.true)

    @property
    def ids(self) -> Any:
        """Names of the units: ``file``, or ``file#tag`` made when indexed."""
        if self.unit_ids is not None:
            return self.unit_ids
        return TagIds(self) if self.multilabel else np.array(self.files, dtype=object)

    def clip_of(self, units: ArrayLike) -> NDArray[np.int64]:
        """The clip that each of these units belongs to."""
        return np.asarray(units, dtype=np.int64) // max(len(self.tag_names), 1)

    def tag_of(self, units: ArrayLike) -> NDArray[np.int64]:
        """The tag of each of these (clip, tag) pairs."""
        if not self.multilabel:
            raise InputError("The clips of this data set have one class each, no tags; use clip_of.")
        return np.asarray(units, dtype=np.int64) % len(self.tag_names)

    def recording_codes(self) -> NDArray[np.int64]:
        """A number for the recording of every clip, shape (m,); each clip its own where that is not known."""
        if self.recordings is None:
            return np.arange(self.n_clips)
        return np.unique(np.asarray(self.recordings, dtype=str), return_inverse=True)[1].astype(np.int64)

    def take(self, clips: ArrayLike) -> Self:
        """The data set of some clips, by number or mask, in that order."""
        chosen = np.asarray(clips)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        if not len(chosen):
            raise InputError("No clip was chosen; a data set has at least one.")
        per_clip = max(len(self.tag_names), 1)
        units = (chosen[:, None] * per_clip + np.arange(per_clip)).reshape(-1)
        columns: dict[str, Any] = {}
        for name in COLUMNS:
            value = getattr(self, name)
            columns[name] = None if value is None else value[chosen]
        return replace(
            self,
            given=self.given[units],
            true=None if self.true is None else self.true[units],
            unit_ids=None if self.unit_ids is None else self.unit_ids[units],
            groups=None,
            files=tuple(self.files[i] for i in chosen),
            audio=None if self.audio is None else self.audio.take(chosen.tolist()),
            splits={name: mask[chosen] for name, mask in self.splits.items()},
            **columns,
        )

    def arrays(self) -> dict[str, Any]:
        found = {
            **super().arrays(),
            "files": np.array(self.files, dtype=object),
            "tag_names": np.array(self.tag_names, dtype=object),
            **{name: getattr(self, name) for name in COLUMNS},
        }
        if self.audio is not None:
            found["audio"] = np.array([self.audio.digest(i) for i in range(self.n_clips)], dtype=object)
        return found

    def _matrix(self, flat: NDArray[Any]) -> NDArray[np.int8]:
        if self.multilabel:
            return np.asarray(flat.reshape(self.n_clips, -1), dtype=np.int8)
        matrix = (flat[:, None] == np.arange(self.n_classes)).astype(np.int8)
        matrix[flat < 0] = -1
        return matrix


class TagIds(MadeIds):
    """Names of (clip, tag) pairs, ``file#tag``, made when read."""

    def __init__(self, data: AudioDataset) -> None:
        self._data = data

    def __len__(self) -> int:
        return self._data.n_units

    def named(self, units: NDArray[np.int64]) -> list[str]:
        clips, tags = np.divmod(units, len(self._data.tag_names))
        files, names = self._data.files, self._data.tag_names
        return [f"{files[clip]}#{names[tag]}" for clip, tag in zip(clips.tolist(), tags.tolist())]
