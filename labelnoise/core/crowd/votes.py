"""Several judgements per unit as three flat arrays, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.validation import InputError, as_labels, check_same_length

__all__ = ["CrowdResult", "Votes"]

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Votes:
    """Who said what about which unit; O(votes) memory.

    Make one by `from_arrays`, `from_matrix` or `from_frame`.

    Attributes
    ----------
    unit, annotator, label : ndarray of int64, shape (m,)
        One entry per vote, sorted by unit, then annotator. Ids run from 0; labels from 0 to ``n_classes - 1``.
    n_units, n_annotators, n_classes : int
        Units without any vote count too.
    unit_names, annotator_names, class_names : tuple
        What the ids stand for, in order; empty if they are the ids themselves.
    """

    unit: Ids
    annotator: Ids
    label: Ids
    n_units: int
    n_annotators: int
    n_classes: int
    unit_names: tuple[Any, ...] = ()
    annotator_names: tuple[Any, ...] = ()
    class_names: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def from_arrays(
        cls,
        unit: ArrayLike,
        annotator: ArrayLike,
        label: ArrayLike,
        *,
        n_units: int | None = None,
        n_annotators: int | None = None,
        n_classes: int | None = None,
    ) -> Votes:
        """Votes as three vectors of ids; a label of -1 is no vote and is dropped.

        Parameters
        ----------
        unit, annotator, label : array_like of int, shape (m,)
        n_units, n_annotators, n_classes : int, optional
            By default the largest id + 1.

        Raises
        ------
        InputError
            Lengths that differ, ids below 0 or too large, an annotator who votes twice on one unit.

        Examples
        --------
        >>> votes = Votes.from_arrays([1, 0, 0], [0, 0, 1], [1, 0, -1], n_units=3)
        >>> len(votes), votes.unit.tolist(), votes.label.tolist(), votes.n_units
        (2, [0, 1], [0, 1], 3)
        """
        units, annotators = as_labels(unit, name="unit"), as_labels(annotator, name="annotator")
        labels = as_labels(label, n_classes=n_classes, name="label")
        check_same_length(unit=units, annotator=annotators, label=labels)
        for name, ids, most in (("unit", units, n_units), ("annotator", annotators, n_annotators)):
            if ids.size and ids.min() < 0:
                raise InputError(
                    f"{name} holds {int(ids.min())}; ids start at 0. Only a label may be -1 (no vote)."
                )
            if most is not None and ids.size and ids.max() >= most:
                raise InputError(
                    f"{name} holds id {int(ids.max())} but there are {most}; ids run to {most - 1}."
                )
        cast = labels >= 0
        n_units = int(units.max(initial=-1)) + 1 if n_units is None else n_units
        n_annotators = int(annotators.max(initial=-1)) + 1 if n_annotators is None else n_annotators
        n_classes = int(labels.max(initial=-1)) + 1 if n_classes is None else n_classes
        units, annotators, labels = units[cast], annotators[cast], labels[cast]
        key = units * max(n_annotators, 1) + annotators
        order = np.argsort(key, kind="stable")
        twice = np.flatnonzero(np.diff(key[order]) == 0)
        if twice.size:
            at = order[twice[0]]
            raise InputError(
                f"Annotator {annotators[at]} votes twice on unit {units[at]}; keep one vote per annotator and unit."
            )
        return cls(units[order], annotators[order], labels[order], n_units, n_annotators, n_classes)

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, *, n_classes: int | None = None) -> Votes:
        """Votes as a matrix (units, annotators), -1 for no vote.

        Examples
        --------
        >>> votes = Votes.from_matrix([[0, 1, -1], [1, 1, 1]])
        >>> len(votes), votes.n_annotators, votes.counts().tolist()
        (5, 3, [[1, 1], [0, 3]])
        """
        array = np.asarray(matrix)
        if array.ndim != 2:
            raise InputError(f"The votes have shape {array.shape}; a matrix (units, annotators) is needed.")
        n, a = array.shape
        units, annotators = np.divmod(np.arange(n * a), max(a, 1))
        return cls.from_arrays(
            units, annotators, array.reshape(-1), n_units=n, n_annotators=a, n_classes=n_classes
        )

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        unit: str = "unit",
        annotator: str = "annotator",
        label: str = "label",
        classes: Sequence[Any] | None = None,
    ) -> Votes:
        """Votes as a table with one row per vote; names are mapped to ids in sorted order.

        Parameters
        ----------
        frame : pandas.DataFrame
        unit, annotator, label : str
            Names of the columns. Rows whose label is missing are dropped.
        classes : sequence, optional
            All labels there are, in the order of their ids; by default those that occur, sorted.

        Examples
        --------
        >>> import pandas as pd
        >>> table = pd.DataFrame({"unit": ["b", "a"], "annotator": ["x", "x"], "label": ["dog", "cat"]})
        >>> votes = Votes.from_frame(table)
        >>> votes.unit_names, votes.class_names, votes.label.tolist()
        (('a', 'b'), ('cat', 'dog'), [0, 1])
        """
        for name in (unit, annotator, label):
            if name not in frame.columns:
                raise InputError(
                    f"The table has no column {name!r}; it has {', '.join(map(str, frame.columns))}. "
                    "Say which columns hold unit, annotator and label."
                )
        rows = frame[[unit, annotator, label]].dropna(subset=[label])
        if rows[[unit, annotator]].isna().any().any():
            raise InputError(
                f"The columns {unit!r} and {annotator!r} have empty cells; every vote needs both."
            )
        unit_names, unit_ids = np.unique(rows[unit].to_numpy(), return_inverse=True)
        annotator_names, annotator_ids = np.unique(rows[annotator].to_numpy(), return_inverse=True)
        if classes is None:
            class_names, label_ids = np.unique(rows[label].to_numpy(), return_inverse=True)
            names = tuple(class_names.tolist())
        else:
            names = tuple(classes)
            place = {name: i for i, name in enumerate(names)}
            unknown = [value for value in rows[label].unique() if value not in place]
            if unknown:
                raise InputError(
                    f"The label {unknown[0]!r} is none of the classes: {', '.join(map(str, names))}."
                )
            label_ids = rows[label].map(place).to_numpy(dtype=np.int64)
        votes = cls.from_arrays(
            unit_ids,
            annotator_ids,
            label_ids,
            n_units=len(unit_names),
            n_annotators=len(annotator_names),
            n_classes=len(names),
        )
        return cls(
            votes.unit,
            votes.annotator,
            votes.label,
            votes.n_units,
            votes.n_annotators,
            votes.n_classes,
            tuple(unit_names.tolist()),
            tuple(annotator_names.tolist()),
            names,
        )

    def counts(self) -> NDArray[np.int64]:
        """Votes per unit and class, (n_units, n_classes)."""
        cells = self.unit * self.n_classes + self.label
        return np.bincount(cells, minlength=self.n_units * self.n_classes).reshape(
            self.n_units, self.n_classes
        )

    def per_unit(self) -> NDArray[np.int64]:
        """Number of votes per unit, (n_units,)."""
        return np.bincount(self.unit, minlength=self.n_units)

    def per_annotator(self) -> NDArray[np.int64]:
        """Number of votes per annotator, (n_annotators,)."""
        return np.bincount(self.annotator, minlength=self.n_annotators)


@dataclass(frozen=True, kw_only=True)
class CrowdResult:
    """What the crowd says, as one method sees it.

    Attributes
    ----------
    method : str
    posterior : ndarray, shape (n_units, n_classes)
        P(true class) per unit; the prior for units without votes. Rows sum to 1.
    labels : ndarray of int64, shape (n_units,)
        Most probable class; -1 for units without votes.
    accuracy : ndarray, shape (n_annotators,)
        Estimated probability that a vote of the annotator is right; NaN-free, the mean for those without votes.
    accuracy_error : ndarray, shape (n_annotators,)
        Its standard error; infinite without votes.
    prior : ndarray, shape (n_classes,)
    transitions : ndarray, shape (n_annotators, n_classes, n_classes), optional
        ``T[a, i, j] = P(a says j | true = i)`` for methods that estimate it.
    difficulty : ndarray, shape (n_units,), optional
        Higher is harder, for methods that estimate it.
    iterations : int
    converged : bool
    warnings : tuple of str
        Sentences that the user must see.
    """

    method: str
    posterior: NDArray[np.float64]
    labels: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    accuracy_error: NDArray[np.float64]
    prior: NDArray[np.float64]
    transitions: NDArray[np.float64] | None = None
    difficulty: NDArray[np.float64] | None = None
    iterations: int = 0
    converged: bool = True
    warnings: tuple[str, ...] = field(default=())
