"""What a person decides at once: one unit of a table of issues, or several that are wrong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.issues import IssueTable
from labelnoise.core.validation import InputError

__all__ = ["Entries", "entries_of"]

#: Columns of which an entry shows the mean over its units.
_MEANS = ("p_wrong", "quality", "confidence")


@dataclass(frozen=True)
class Entries:
    """The entries of a review page, in the order in which they are decided.

    Attributes
    ----------
    table : IssueTable
        One row per entry, that of its most doubtful unit; probabilities, quality and confidence are means over the
        entry's units, ranks are those of the entries.
    members : sequence of ndarray of int64
        Per entry the rows of the data set that the decision is about, ascending, that of the table included.
    """

    table: IssueTable
    members: Sequence[NDArray[np.int64]]

    def __post_init__(self) -> None:
        if len(self.members) != len(self.table):
            raise InputError(
                f"{len(self.members)} groups of units for {len(self.table)} entries; give one per row of the table."
            )

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_units(self) -> int:
        """Units that all entries together are about."""
        return sum(map(len, self.members))

    def head(self, limit: int) -> Entries:
        """The first entries."""
        return Entries(self.table.head(limit), self.members[:limit])


def entries_of(table: IssueTable, groups: ArrayLike | None = None) -> Entries:
    """One entry per group of a table's rows, those that are expected to put most labels right first.

    Parameters
    ----------
    table : IssueTable
        r rows.
    groups : array_like of int, shape (r,), optional
        Rows with equal numbers are one entry; by default each row is its own.

    Raises
    ------
    InputError
        Groups of another length, or of rows with different labels, suggestions or kinds.

    Notes
    -----
    Entries come in the order of the sum over their units of P(wrong), or of 1 - quality where the method is not
    calibrated; equal sums in the order of the table. Where each unit is alone this is the table's own order.

    Examples
    --------
    >>> from labelnoise.core.dataset import Dataset
    >>> from labelnoise.core.detection import Detection
    >>> data = Dataset(name="d", given=np.array([0, 0, 0]), class_names=("cat", "dog"))
    >>> wrong = np.array([0.9, 0.5, 0.7])
    >>> found = Detection(method="m", quality=1 - wrong, flagged=wrong > 0, suggested=np.ones(3, int), confidence=wrong)
    >>> table = IssueTable.from_detection(data, found, found.flagged, decision="all")
    >>> table.columns["index"].tolist()
    [0, 2, 1]
    >>> entries = entries_of(table, [5, 3, 3])
    >>> [rows.tolist() for rows in entries.members], entries.table.columns["quality"].round(2).tolist()
    ([[1, 2], [0]], [0.4, 0.1])
    """
    index = table.columns["index"]
    numbers = np.arange(len(table)) if groups is None else np.asarray(groups)
    if numbers.shape != (len(table),):
        raise InputError(
            f"The groups have shape {numbers.shape}; give one number for each of the {len(table)} rows."
        )
    _, first, group = np.unique(numbers, return_index=True, return_inverse=True)
    if len(first) == len(table):
        return Entries(table, list(index[:, None]))
    for name in ("given", "suggested", "kind"):
        column = table.columns[name]
        if (column != column[first][group]).any():
            raise InputError(
                f"A group holds rows that differ in {name!r}; one decision cannot be about them."
            )
    doubt = table.columns["p_wrong"] if "p_wrong" in table.columns else 1 - table.columns["quality"]
    # Ties are left in the table's order, so that the page does not change with the numbering of groups.
    order = np.lexsort((first, -np.bincount(group, weights=doubt)))
    sizes = np.bincount(group)
    columns = {name: column[first[order]] for name, column in table.columns.items()}
    for name in _MEANS:
        if name in columns:
            columns[name] = (np.bincount(group, weights=table.columns[name]) / sizes)[order]
    columns["rank"] = np.arange(1, len(order) + 1)
    by_group = np.split(index[np.lexsort((index, group))], np.cumsum(sizes)[:-1])
    return Entries(replace(table, columns=columns), [by_group[g] for g in order])
