"""Which units lie below which cut: the rankings behind the prune rules, for units that are read in pieces.

A ranking sorts units into groups (a class; a pair of given and other class; all together) and asks for the lowest so
many of each group. `flag_lowest` finds the cuts and marks what lies below them, with one byte per unit in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._radix import GroupCuts
from labelnoise.core._survey import SLACK, Floats, blocks, take_column

__all__ = ["CutSearch", "Cuts", "Pairs", "PerUnit", "Ranking", "count_at_cut", "flag_lowest", "mark_below"]

#: A piece of the units: their place, labels and probabilities.
Piece = tuple[slice, NDArray[Any], Floats]
#: Reads all pieces, in order, once more; says what for.
Readings = Callable[[str], Iterable[Piece]]
#: Per group the cut, how many at the cut are to be flagged, and whether those are all.
Cuts = tuple[Floats, NDArray[np.int64], NDArray[np.bool_]]
#: Rows, their groups and the number by which each is ranked there; rows ascend within a group.
Entries = tuple[NDArray[np.intp], NDArray[np.int64], Floats]

#: All numbers ranked lie within plus or minus this: differences of what passes for a probability.
_BOUND = 1.0001

#: Numbers of tied groups sorted together, at least one group.
_SORTED = 1 << 22


class Ranking(Protocol):
    """Units in groups, with ``ranks[g]`` to be flagged of the ``sizes[g]`` entries of group g, none above ``high``."""

    ranks: NDArray[np.int64]
    sizes: NDArray[np.int64]
    high: float

    def entries(self, ids: NDArray[Any], block: Floats, disputed: NDArray[np.bool_]) -> Entries:
        """What of these units may lie below a cut."""
        ...

    def members(self, group: int, ids: NDArray[Any], block: Floats) -> tuple[NDArray[np.intp], Floats]:
        """All units of the group in order, and their numbers."""
        ...

    def total(self, group: int) -> int:
        """How many members the group has."""
        ...


class PerUnit:
    """One number per labelled unit, ranked within its class, or among all.

    Parameters
    ----------
    group_of_class : ndarray of int, shape (K,)
        Group of the units given each class, -1 for none.
    ranks, sizes : ndarray of int, shape (G,)
        How many to flag, and how many units there are.
    score : callable
        ``score(block, columns)``, one number per row.
    """

    def __init__(
        self,
        group_of_class: NDArray[np.int64],
        ranks: NDArray[np.int64],
        sizes: NDArray[np.int64],
        score: Callable[[Floats, NDArray[np.intp]], Floats] = take_column,
    ) -> None:
        # The last entry, which the label -1 finds, is for units without one.
        self._group = np.append(group_of_class, -1)
        self.ranks, self.sizes, self.high, self._score = ranks, sizes, _BOUND, score

    def entries(self, ids: NDArray[Any], block: Floats, disputed: NDArray[np.bool_]) -> Entries:
        groups = self._group[ids]
        rows = np.flatnonzero(groups >= 0)
        values = self._score(block, np.maximum(ids, 0).astype(np.intp))
        return rows, groups[rows], values[rows]

    def members(self, group: int, ids: NDArray[Any], block: Floats) -> tuple[NDArray[np.intp], Floats]:
        rows, groups, values = self.entries(ids, block, np.empty(0, dtype=bool))
        mine = groups == group
        return rows[mine], values[mine]

    def total(self, group: int) -> int:
        return int(self.sizes[group])


class Pairs:
    """The lead of the given class over another one, ranked within each pair of the two.

    Most cuts fall among the disputed units, whose leads are then the only ones to look at.

    Parameters
    ----------
    wanted : ndarray of int, shape (K, K)
        ``wanted[c, j]``, how many units given c to flag for the lead of c over j; 0 where none.
    clear : ndarray of int, shape (K, K)
        How many disputed units given c have a lead over j below ``-2 SLACK``.
    per_class : ndarray of int, shape (K,)
        Units given each class.
    """

    def __init__(
        self, wanted: NDArray[np.int64], clear: NDArray[np.int64], per_class: NDArray[np.int64]
    ) -> None:
        k = len(wanted)
        self._pairs = np.argwhere(wanted > 0)
        given, other = self._pairs.T
        self.ranks = wanted[given, other]
        deep = self.ranks > clear[given, other]
        self._per_class = per_class
        # The narrower the range, the more of it a reading tells apart.
        self.high = _BOUND if deep.any() else -2 * SLACK
        self.sizes = np.where(deep, per_class[given], clear[given, other])
        self._shallow, self._deep = np.full((2, k, k), -1, dtype=np.int32)
        group = np.arange(len(self._pairs))
        self._shallow[given[~deep], other[~deep]] = group[~deep]
        self._deep[given[deep], other[deep]] = group[deep]
        # One more row, False, for the label -1.
        self._any_deep = np.append((self._deep >= 0).any(axis=1), False)

    def entries(self, ids: NDArray[Any], block: Floats, disputed: NDArray[np.bool_]) -> Entries:
        # Undisputed units lead by at least -1e-6, which is above a cut among the clear leads.
        rows, groups, leads = _leads(np.flatnonzero(disputed), ids, block, self._shallow, -2 * SLACK)
        further = np.flatnonzero(self._any_deep[ids])
        if len(further) == 0:
            return rows, groups, leads
        more = _leads(further, ids, block, self._deep, np.inf)
        return (
            np.concatenate([rows, more[0]]),
            np.concatenate([groups, more[1]]),
            np.concatenate([leads, more[2]]),
        )

    def members(self, group: int, ids: NDArray[Any], block: Floats) -> tuple[NDArray[np.intp], Floats]:
        given, other = self._pairs[group]
        rows = np.flatnonzero(ids == given)
        return rows, block[rows, given] - block[rows, other]

    def total(self, group: int) -> int:
        return int(self._per_class[self._pairs[group, 0]])


def _leads(
    rows: NDArray[np.intp], ids: NDArray[Any], block: Floats, groups: NDArray[np.int32], below: float
) -> Entries:
    """The leads of the rows, those below a bound, in the pairs that have a group."""
    own = ids[rows].astype(np.intp)
    # Negative where the other class is ahead, so that the units to flag are the lowest.
    leads = block[rows, own][:, None] - block[rows]
    which, other = np.nonzero(leads < below)
    group = groups[own[which], other]
    having = np.flatnonzero(group >= 0)
    which, other = which[having], other[having]
    return rows[which], group[having].astype(np.int64), leads[which, other]


def flag_lowest(
    readings: Readings, ranking: Ranking, flags: NDArray[np.uint8], bit: int, disputed: int, ties: str
) -> None:
    """Set ``bit`` in the flags of the lowest units of every group; ``disputed`` is the bit to read.

    With ``ties="numpy"`` a group whose cut falls on a tie is held in memory and sorted, else nothing is.
    """
    cuts = _find_cuts(readings, ranking, flags, disputed)
    if cuts is None:
        return
    _, left, whole = cuts
    tied = np.flatnonzero(~whole)
    if ties == "numpy":
        left[tied] = 0
    mark_below(readings("flags"), ranking, cuts, np.zeros(len(left), dtype=np.int64), flags, bit, disputed)
    if ties == "numpy":
        for batch in _batches(tied, ranking):
            _flag_as_sorted(readings, ranking, batch, flags, bit)


def mark_below(
    pieces: Iterable[Piece],
    ranking: Ranking,
    cuts: Cuts,
    taken: NDArray[np.int64],
    flags: NDArray[np.uint8],
    bit: int,
    disputed: int,
) -> None:
    """Set ``bit`` in the flags of what lies below its group's cut; ``taken`` counts what lies at it and came before."""
    cut, left, whole = cuts
    for piece in pieces:
        for some, (rows, groups, values) in _entries(ranking, piece, flags, disputed):
            below = values < cut[groups]
            equal = np.flatnonzero(values == cut[groups])
            below[equal] |= whole[groups[equal]]
            equal = equal[~below[equal]]
            if len(equal):
                below[equal] = _first(groups[equal], taken, left)
            part = flags[some]
            part[rows[below]] |= np.uint8(bit)


def count_at_cut(
    pieces: Iterable[Piece], ranking: Ranking, cuts: Cuts, flags: NDArray[np.uint8], disputed: int
) -> NDArray[np.int64]:
    """How many entries of each group lie at a cut that takes some of those and not all."""
    cut, _, whole = cuts
    found = np.zeros(len(cut), dtype=np.int64)
    for piece in pieces:
        for _, (_, groups, values) in _entries(ranking, piece, flags, disputed):
            found += np.bincount(groups[(values == cut[groups]) & ~whole[groups]], minlength=len(cut))
    return found


def _entries(
    ranking: Ranking, piece: Piece, flags: NDArray[np.uint8], disputed: int
) -> Iterator[tuple[slice, Entries]]:
    where, ids, probs = piece
    for rows in blocks(*probs.shape):
        some = slice(where.start + rows.start, where.start + rows.stop)
        yield some, ranking.entries(ids[rows], probs[rows], (flags[some] & np.uint8(disputed)) > 0)


def _find_cuts(readings: Readings, ranking: Ranking, flags: NDArray[np.uint8], disputed: int) -> Cuts | None:
    """Per group the cut, how many at the cut are still to be flagged, and whether all of those are."""
    if len(ranking.ranks) == 0:
        return None
    search: CutSearch | None = None
    while search is None or search.open:
        for piece in readings("cuts"):
            if search is None:
                search = CutSearch(ranking, piece[2].dtype)
                if not search.open:
                    break
                search.begin()
            search.add([piece], flags, disputed)
        if search is None or not search.open:
            break
        search.end()
        if search.open:
            search.begin()
    return (search or CutSearch(ranking, np.float64)).cuts()


class CutSearch:
    """The search for the cut of every group; while `open`: `begin`, `add` all pieces, `end`."""

    def __init__(self, ranking: Ranking, dtype: Any) -> None:
        self.ranking, self._dtype = ranking, dtype
        # Groups that are flagged whole need no cut.
        self._sought = np.flatnonzero(ranking.ranks < ranking.sizes)
        self._place = np.full(len(ranking.ranks), -1, dtype=np.int64)
        self._place[self._sought] = np.arange(len(self._sought))
        ranks, sizes = ranking.ranks[self._sought], ranking.sizes[self._sought]
        self._search = GroupCuts(ranks, sizes, dtype, -_BOUND, ranking.high)
        self.begin, self.end = self._search.begin, self._search.end
        self.partial, self.merge = self._search.partial, self._search.merge

    @property
    def open(self) -> bool:
        """Another reading is needed."""
        return self._search.open

    def add(self, pieces: Iterable[Piece], flags: NDArray[np.uint8], disputed: int) -> None:
        """Look at pieces whose units are flagged where they are disputed."""
        for piece in pieces:
            for _, (_, groups, values) in _entries(self.ranking, piece, flags, disputed):
                at = self._place[groups]
                known = at >= 0
                self._search.add(at[known], values[known])

    def cuts(self) -> Cuts:
        """When no longer open: the cuts, how many at them are still to be flagged, and whether all of those are."""
        g = len(self.ranking.ranks)
        cut, left = np.full(g, np.inf, dtype=self._dtype), np.zeros(g, dtype=np.int64)
        whole = np.ones(g, dtype=bool)
        if len(self._sought):
            cut[self._sought], left[self._sought] = self._search.cuts(), self._search.left
            whole[self._sought] = self._search.left == self._search.inside
        return cut, left, whole


def _first(groups: NDArray[np.int64], taken: NDArray[np.int64], left: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of these entries are among the first ``left`` of their group; counts them in ``taken``."""
    order = np.argsort(groups, kind="stable")
    inorder = groups[order]
    starts = np.flatnonzero(np.append(True, inorder[1:] != inorder[:-1]))
    lengths = np.diff(np.append(starts, len(inorder)))
    place = np.arange(len(inorder)) - np.repeat(starts, lengths)
    chosen = np.empty(len(groups), dtype=bool)
    chosen[order] = taken[inorder] + place < left[inorder]
    taken[inorder[starts]] += lengths
    return chosen


def _batches(groups: NDArray[np.intp], ranking: Ranking) -> Iterator[list[int]]:
    """Groups to sort together: one, or several with at most `_SORTED` members."""
    batch: list[int] = []
    held = 0
    for group in groups.tolist():
        size = ranking.total(group)
        if batch and held + size > _SORTED:
            yield batch
            batch, held = [], 0
        batch.append(group)
        held += size
    if batch:
        yield batch


def _flag_as_sorted(
    readings: Readings, ranking: Ranking, batch: list[int], flags: NDArray[np.uint8], bit: int
) -> None:
    """Flag the units that NumPy's sort of all members of a group puts first."""
    parts: dict[int, list[Floats]] = {group: [] for group in batch}
    for _, ids, probs in readings("ties"):
        for group in batch:
            parts[group].append(ranking.members(group, ids, probs)[1])
    low: dict[int, NDArray[np.bool_]] = {}
    for group in batch:
        values = np.concatenate(parts.pop(group))
        low[group] = np.zeros(len(values), dtype=bool)
        low[group][np.argsort(values)[: ranking.ranks[group]]] = True
        del values
    start = dict.fromkeys(batch, 0)
    for where, ids, probs in readings("ties"):
        for group in batch:
            rows = ranking.members(group, ids, probs)[0]
            some = low[group][start[group] : start[group] + len(rows)]
            flags[where][rows[some]] |= np.uint8(bit)
            start[group] += len(rows)
