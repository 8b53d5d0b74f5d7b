"""Confident learning on partitions that lie with several workers: the same masks as one process, bit for bit.

Units stay where they are. What travels is what merges exactly: counts, the sums of whole branches of NumPy's mean,
histograms of the digits in which the cuts are sought.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._confident_cuts import Cuts, CutSearch, Pairs, Piece, Ranking, count_at_cut, mark_below
from labelnoise.core._streamed_mean import ReadingsDiffer, leaves, mean_of_leaves
from labelnoise.core._survey import SLACK, Floats, by_class, clip_thresholds, given_probability, take_column
from labelnoise.core.chunks import Chunk, Passes
from labelnoise.core.confident_chunks import BY_CLASS, BY_PAIR, COUNTED, DISPUTED, per_unit, survey_pieces
from labelnoise.core.confident_learning import PRUNE_RULES, check_options, prune_counts
from labelnoise.core.quality import margin_of
from labelnoise.core.transition import joint_of_counts
from labelnoise.core.validation import InputError

__all__ = ["Partition", "confident_learning_partitions", "dask_partitions"]

#: A pair of labels and probabilities, a function that returns one or several, or what an executor turns into these.
Partition = Any

_Step = Callable[..., Any]


def confident_learning_partitions(
    partitions: Sequence[Partition],
    *,
    rule: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    min_per_class: int = 1,
    executor: Executor | None = None,
) -> list[NDArray[np.bool_]]:
    """Flag the labels that confident learning calls wrong, of units that several workers hold.

    Parameters
    ----------
    partitions : sequence
        Each a pair ``(labels, probs)`` with shapes (m,) and (m, K); or a function without arguments that returns such
        a pair, or an iterable of pairs, each time it is called; or, on a Dask cluster, a future of either
        (`dask_partitions` makes them of Dask arrays). Labels of -1 are never flagged and change nothing. All probs
        have one type, float32 or float64.
    rule, frac_noise, min_per_class
        As for `~labelnoise.core.confident_learning.confident_learning`.
    executor : concurrent.futures.Executor, optional
        Where the units are read: a process pool, ``client.get_executor()`` of a Dask client. This process without one.

    Returns
    -------
    list of ndarray of bool
        One mask per partition. Joined, they equal ``confident_learning(labels, probs, rule=rule, ties="first", ...)``
        of all units together, in the order of the partitions, bit for bit, however the units are cut and wherever
        they are read.

    Raises
    ------
    InputError
        Partitions that are not such pairs, that differ in K or type, or that change between readings; otherwise as for
        `confident_learning`. Errors of the executor are its own.

    Notes
    -----
    Every partition is read to check it, for the thresholds, for the joint, for the flags, and for rules with cuts once
    or twice in between for each kind of cut (up to four times with float64), once more where a cut falls on a tie. A
    pair is sent to a worker at each reading; a function that opens a file there, or a future, is not. Workers hold one
    partition and a byte for each of its units.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, -1])
    >>> p0 = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.1, 0.8, 0.3])
    >>> probs = np.stack([p0, 1 - p0], axis=1)
    >>> halves = [(labels[:5], probs[:5]), lambda: (labels[5:], probs[5:])]
    >>> with ThreadPoolExecutor(2) as pool:
    ...     [mask.nonzero()[0].tolist() for mask in confident_learning_partitions(halves, executor=pool)]
    [[3], [1]]
    """
    fraction = check_options(rule, frac_noise, min_per_class, "first")
    work = _Work(list(partitions), executor)
    checked = work.each(_check)
    _check_alike(checked)
    k = max((found.k for found in checked), default=0)
    if k == 0 or not sum(found.n for found in checked):
        return [np.zeros(found.n, dtype=bool) for found in checked]
    try:
        plan = _plan(work, checked, rule, fraction, min_per_class)
        return work.each(_flag, [(found, plan, place) for place, found in enumerate(checked)])
    except ReadingsDiffer as error:
        raise Passes([], "").changed() from error


def dask_partitions(labels: Any, probs: Any, client: Any) -> list[Any]:
    """Partitions of two Dask arrays, to be computed and kept by the workers of a cluster.

    Parameters
    ----------
    labels : dask.array.Array, shape (n,)
    probs : dask.array.Array, shape (n, K)
        Cut along the units as it is; ``labels`` are cut likewise.
    client : distributed.Client

    Returns
    -------
    list of distributed.Future
        One per chunk of units, for `confident_learning_partitions` with ``executor=client.get_executor()``.

    Raises
    ------
    InputError
        Arrays whose shapes do not go together.

    Examples
    --------
    With Dask arrays ``labels`` and ``probs`` and a client of the cluster::

        parts = dask_partitions(labels, probs, client)
        masks = confident_learning_partitions(parts, executor=client.get_executor())
    """
    if getattr(probs, "ndim", 0) != 2 or getattr(labels, "shape", None) != probs.shape[:1]:
        shapes = f"{getattr(labels, 'shape', None)} and {getattr(probs, 'shape', None)}"
        raise InputError(f"labels and probs have shapes {shapes}; (n,) and (n, K) are needed.")
    probs = probs.rechunk({1: -1})
    given = labels.rechunk((probs.chunks[0],)).to_delayed().ravel().tolist()
    found = probs.to_delayed().ravel().tolist()
    futures: list[Any] = client.map(_pair, client.compute(given), client.compute(found))
    return futures


def _pair(labels: Any, probs: Any) -> tuple[Any, Any]:
    return labels, probs


class _Work:
    """Calls a function for every partition, where the partitions are."""

    def __init__(self, partitions: list[Partition], executor: Executor | None) -> None:
        self._partitions, self._executor = partitions, executor

    def each(self, step: _Step, more: Sequence[tuple[Any, ...]] | None = None) -> list[Any]:
        calls = [(part, *(() if more is None else more[i])) for i, part in enumerate(self._partitions)]
        if self._executor is None:
            return [step(*call) for call in calls]
        futures = [self._executor.submit(step, *call) for call in calls]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise


# ---------------------------------------------------------------------------------- on the worker


@dataclass(frozen=True)
class _Checked:
    """What a first reading of a partition found."""

    lengths: tuple[int, ...]
    k: int
    dtype: str
    per_class: NDArray[np.int64]

    @property
    def n(self) -> int:
        return sum(self.lengths)


@dataclass(frozen=True)
class _Plan:
    """What the last reading needs to flag the units of a partition."""

    lowered: Floats | None
    need: int
    rankings: tuple[tuple[Ranking, Cuts, int, NDArray[np.int64]], ...] = ()


def _chunks(partition: Partition) -> list[Chunk] | Iterable[Chunk]:
    found = partition() if callable(partition) else partition
    pair = isinstance(found, tuple | list) and len(found) == 2 and not isinstance(found[0], tuple)
    return [tuple(found)] if pair else found  # type: ignore[list-item]


def _passes(partition: Partition, found: _Checked | None = None) -> Passes:
    passes = Passes(lambda: _chunks(partition), "partition")
    if found is not None:
        passes.known(found.lengths, found.k, np.dtype(found.dtype), found.per_class)
    return passes


def _check(partition: Partition) -> _Checked:
    passes = _passes(partition)
    passes.check()
    return _Checked(passes.lengths, passes.k, str(np.dtype(passes.dtype or float)), passes.per_class)


def _leaf_sums(
    partition: Partition, found: _Checked, starts: NDArray[np.int64], totals: NDArray[np.int64]
) -> list[tuple[list[tuple[int, Any]], list[tuple[int, Floats]]]]:
    """Per class the sums of the leaves that lie in this partition, by their start, and the values of parts of others."""
    values: list[list[Floats]] = [[] for _ in range(found.k)]
    for _, ids, probs in _passes(partition, found).again("thresholds"):
        own = given_probability(ids, probs)
        for mine, members in zip(values, by_class(ids, found.k)):
            mine.append(own[members])
    result = []
    for c, pieces in enumerate(values):
        joined = np.concatenate(pieces) if pieces else np.empty(0)
        first, last = int(starts[c]), int(starts[c]) + len(joined)
        if len(joined) != found.per_class[c]:
            raise ReadingsDiffer("another number of units of a class")
        sums: list[tuple[int, Any]] = []
        parts: list[tuple[int, Floats]] = []
        for start, size in leaves(int(totals[c]), first, last):
            branch = joined[max(start - first, 0) : start + size - first]
            if first <= start and start + size <= last:
                sums.append((start, np.add.reduce(branch)))
            else:
                parts.append((start, branch.copy()))
        result.append((sums, parts))
    return result


def _survey(
    partition: Partition, found: _Checked, lowered: Floats | None, with_clear: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    flags = np.zeros(found.n, dtype=np.uint8)
    pieces = _passes(partition, found).again("joint")
    counts, clear = survey_pieces(pieces, found.k, lowered, flags, with_clear=with_clear)
    return counts, clear, int(np.count_nonzero(flags & np.uint8(COUNTED)))


def _disputed(partition: Partition, found: _Checked) -> tuple[Passes, NDArray[np.uint8]]:
    """The partition once more, and its flags with the disputed units marked."""
    flags = np.zeros(found.n, dtype=np.uint8)
    passes = _passes(partition, found)
    survey_pieces(passes.again("disputed"), found.k, None, flags, with_clear=False)
    return passes, flags


def _look(partition: Partition, found: _Checked, search: CutSearch) -> tuple[NDArray[Any], ...]:
    # Threads are handed the same object, and each fills it.
    search = copy.deepcopy(search)
    passes, flags = _disputed(partition, found)
    search.add(passes.again("cuts"), flags, DISPUTED)
    return search.partial()


def _at_cut(partition: Partition, found: _Checked, ranking: Ranking, cuts: Cuts) -> NDArray[np.int64]:
    passes, flags = _disputed(partition, found)
    return count_at_cut(passes.again("ties"), ranking, cuts, flags, DISPUTED)


def _flag(partition: Partition, found: _Checked, plan: _Plan, place: int) -> NDArray[np.bool_]:
    flags = np.zeros(found.n, dtype=np.uint8)
    passes = _passes(partition, found)
    survey_pieces(passes.again("flags"), found.k, plan.lowered, flags, with_clear=False)
    for ranking, cuts, bit, before in plan.rankings:
        pieces: Iterator[Piece] = passes.again("flags")
        mark_below(pieces, ranking, cuts, before[place].copy(), flags, bit, DISPUTED)
    flagged: NDArray[np.bool_] = (flags & np.uint8(plan.need)) == plan.need
    return flagged


# ------------------------------------------------------------------------------- in this process


def _check_alike(checked: list[_Checked]) -> None:
    first = next((found for found in checked if found.n), None)
    for place, found in enumerate(checked):
        if first is not None and found.n and found.k != first.k:
            raise InputError(
                f"Partition {place} has {found.k} classes, those before it {first.k}; all need the same classes."
            )
        if first is not None and found.n and found.dtype != first.dtype:
            raise InputError(
                f"Partition {place} holds {found.dtype} probabilities, those before it {first.dtype}; "
                "all need the same type."
            )


def _plan(work: _Work, checked: list[_Checked], rule: str, fraction: float, min_per_class: int) -> _Plan:
    """All readings but the first and the last."""
    if rule == "predicted_neq_given":
        return _Plan(None, DISPUTED)
    k = max(found.k for found in checked)
    dtype = np.dtype(next(found.dtype for found in checked if found.n))
    counted = [found.per_class if len(found.per_class) else np.zeros(k, np.int64) for found in checked]
    per_class = np.sum(counted, axis=0)
    by_pair = rule in ("prune_by_noise_rate", "both")
    lowered = _thresholds(work, checked, np.array(counted), per_class) - SLACK
    surveys = work.each(_survey, [(found, lowered, by_pair) for found in checked])
    if rule == "confident_learning":
        return _Plan(lowered, COUNTED)

    def ranked(ranking: Ranking, bit: int) -> tuple[Ranking, Cuts, int, NDArray[np.int64]]:
        return ranking, *_cuts(work, checked, ranking, dtype, bit)

    if rule not in PRUNE_RULES:
        count = sum(found for _, _, found in surveys)
        score = take_column if rule == "low_self_confidence" else margin_of
        everyone = np.zeros(k, dtype=np.int64)
        ranking = per_unit(everyone, np.array([count]), np.array([per_class.sum()]), score)
        return _Plan(lowered, BY_CLASS, (ranked(ranking, BY_CLASS),))
    counts = np.sum([found for found, _, _ in surveys if len(found) == k * k], axis=0)
    to_prune = prune_counts(joint_of_counts(counts, per_class), fraction, min_per_class)
    prunable = per_class > max(min_per_class, 1)
    rankings, need = [], DISPUTED
    if rule in ("prune_by_class", "both"):
        ranks = np.where(prunable, per_class - to_prune.diagonal(), 0)
        rankings.append(ranked(per_unit(np.arange(k), ranks, per_class, take_column), BY_CLASS))
        need |= BY_CLASS
    if by_pair:
        wanted = np.where(prunable[:, None], to_prune.T, 0)
        np.fill_diagonal(wanted, 0)
        clear = np.sum([found for _, found, _ in surveys if found.shape == (k, k)], axis=0)
        rankings.append(ranked(Pairs(wanted, clear, per_class), BY_PAIR))
        need |= BY_PAIR
    return _Plan(lowered, need, tuple(rankings))


def _thresholds(
    work: _Work, checked: list[_Checked], counted: NDArray[np.int64], per_class: NDArray[np.int64]
) -> Floats:
    """The confident threshold of every class: NumPy's mean over all partitions, to the last bit."""
    starts = np.cumsum(counted, axis=0) - counted
    found = work.each(_leaf_sums, [(one, starts[place], per_class) for place, one in enumerate(checked)])
    means: list[Any] = []
    for c, total in enumerate(per_class.tolist()):
        if not total:
            means.append(2)
            continue
        sums: dict[int, Any] = {}
        parts: dict[int, list[Floats]] = {}
        for classes in found:
            if c < len(classes):
                sums.update(classes[c][0])
                for start, branch in classes[c][1]:
                    parts.setdefault(start, []).append(branch)
        sums.update((start, np.add.reduce(np.concatenate(pieces))) for start, pieces in parts.items())
        means.append(mean_of_leaves(total, iter([sums[start] for start in sorted(sums)])))
    return clip_thresholds(means)


def _cuts(
    work: _Work, checked: list[_Checked], ranking: Ranking, dtype: Any, bit: int
) -> tuple[Cuts, int, NDArray[np.int64]]:
    """The cuts of a ranking, its bit, and how many entries at each cut come before each partition."""
    search = CutSearch(ranking, dtype)
    while search.open:
        search.begin()
        for partial in work.each(_look, [(found, search) for found in checked]):
            search.merge(partial)
        search.end()
    cuts = search.cuts()
    before = np.zeros((len(checked), len(ranking.ranks)), dtype=np.int64)
    if not cuts[2].all():
        at_cut = np.array(work.each(_at_cut, [(found, ranking, cuts) for found in checked]))
        before = np.cumsum(at_cut, axis=0) - at_cut
    return cuts, bit, before
