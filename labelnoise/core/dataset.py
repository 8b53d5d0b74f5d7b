"""What the core knows of a data set: units with a given label, perhaps the true one, and ids to name them by."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError, as_labels

__all__ = ["Dataset", "hash_arrays"]

#: Entries that `hash_arrays` widens at a time: 8 MiB.
_BLOCK_ENTRIES = 1 << 20


def hash_arrays(**arrays: Any) -> str:
    """A 160-bit content hash of named arrays: dtype-width independent for integers, order of names irrelevant.

    Examples
    --------
    >>> import numpy as np
    >>> hash_arrays(a=np.array([1, 2], dtype=np.int32)) == hash_arrays(a=np.array([1, 2], dtype=np.int64))
    True
    """
    digest = hashlib.blake2b(digest_size=20)
    for name in sorted(arrays):
        value = arrays[name]
        if value is None:
            continue
        array = np.asarray(value)
        wide = {"i": "<i8", "u": "<i8", "b": "<i8", "f": "<f8"}.get(array.dtype.kind)
        if array.dtype.kind in "OU":
            joined = "\x00".join(str(item) for item in array.ravel()).encode("utf-8", "surrogatepass")
            array = np.frombuffer(joined, dtype=np.uint8)
        digest.update(f"{name}:{array.shape}:".encode())
        flat = array.reshape(-1)
        # In blocks: a hundred million narrow labels are never widened at once.
        for start in range(0, len(flat), _BLOCK_ENTRIES):
            block = flat[start : start + _BLOCK_ENTRIES]
            digest.update(np.ascontiguousarray(block if wide is None else block.astype(wide)).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Units with labels; a modality's data set extends it with what its units are made of.

    Attributes
    ----------
    name : str
        How reports call it.
    given : ndarray of int64, shape (n,)
        The labels as they are, -1 for "no label". A modality with very many units may pass int8, int16 or
        int32, which stay as they are; widen them before arithmetic such as ``true * K + given``.
    class_names : tuple of str
        Name of each class id.
    unit_ids : ndarray of shape (n,), optional
        How the user names each unit; row numbers by default.
    true : ndarray of int64, shape (n,), optional
        The true labels where they are known (after a simulated corruption, or from a gold set), -1 elsewhere.
    groups : ndarray of int64, shape (n,), optional
        The item (sentence, clip, image) that each unit belongs to.
    source : str
        Where it came from, for reports.
    meta : mapping
        Anything else worth printing (licence, corruption, ...), JSON-able.
    """

    name: str
    given: NDArray[Any]
    class_names: tuple[str, ...]
    unit_ids: NDArray[Any] | None = None
    true: NDArray[Any] | None = None
    groups: NDArray[np.int64] | None = None
    source: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        k = len(self.class_names)
        object.__setattr__(
            self, "given", as_labels(self.given, n_classes=k, name="given labels", keep_narrow=True)
        )
        if self.true is not None:
            object.__setattr__(
                self, "true", as_labels(self.true, n_classes=k, name="true labels", keep_narrow=True)
            )
        for name in ("true", "unit_ids", "groups"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.given):
                raise InputError(
                    f"{name} has {len(value)} entries for {len(self.given)} given labels; give one each."
                )

    @property
    def n_units(self) -> int:
        """Number of units, labelled or not."""
        return len(self.given)

    @property
    def n_classes(self) -> int:
        """Number of classes K."""
        return len(self.class_names)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Mask of the units that carry a given label."""
        return self.given >= 0

    @property
    def ids(self) -> NDArray[Any]:
        """The user's names of the units, or row numbers."""
        return np.arange(self.n_units) if self.unit_ids is None else self.unit_ids

    @property
    def is_wrong(self) -> NDArray[np.bool_] | None:
        """Mask of units whose given label differs from the known true one; None where no truth is known."""
        if self.true is None:
            return None
        return (self.given >= 0) & (self.true >= 0) & (self.given != self.true)

    def with_labels(self, given: NDArray[Any], *, true: NDArray[Any] | None = None, **meta: Any) -> Self:
        """A copy with other given labels (and, if passed, true ones); everything else is shared."""
        return replace(
            self, given=given, true=self.true if true is None else true, meta={**self.meta, **meta}
        )

    def arrays(self) -> dict[str, Any]:
        """The arrays that determine a result; a modality adds its own (features, edges, ...)."""
        return {
            "given": self.given,
            "groups": self.groups,
            "class_names": np.array(self.class_names, dtype=object),
        }

    def content_hash(self) -> str:
        """A hash of everything that determines a detection; true labels and names of units are left out."""
        return hash_arrays(**self.arrays())
