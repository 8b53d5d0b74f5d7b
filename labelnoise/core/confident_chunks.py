"""Confident learning on more units than memory holds: every rule, the same masks, one byte per unit.

The units are read several times instead of being kept. Thresholds come from a mean that is NumPy's to the last bit,
cuts from counting digits, so the masks are those of `confident_learning` on all units together, ties included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core._confident_cuts import Pairs, PerUnit, Ranking, flag_lowest
from labelnoise.core._streamed_mean import ReadingsDiffer, StreamedMean
from labelnoise.core._survey import (
    SLACK,
    Floats,
    blocks,
    by_class,
    clip_thresholds,
    given_probability,
    guess_of_unsure,
    most_probable,
    prefers_another,
    take_column,
)
from labelnoise.core.chunks import Chunk, Passes
from labelnoise.core.confident_learning import PRUNE_RULES, Ties, check_options, prune_counts
from labelnoise.core.quality import margin_of
from labelnoise.core.transition import joint_of_counts
from labelnoise.core.validation import InputError

__all__ = ["confident_learning_chunks"]

#: What the byte of a unit says while the rules are at work.
DISPUTED, COUNTED, BY_CLASS, BY_PAIR = 1, 2, 4, 8


def confident_learning_chunks(
    chunks: Callable[[], Iterable[Chunk]] | Iterable[Chunk],
    *,
    rule: str = "prune_by_noise_rate",
    frac_noise: float = 1.0,
    min_per_class: int = 1,
    ties: Ties = "first",
    out: NDArray[np.bool_] | None = None,
    description: str = "confident learning",
) -> NDArray[np.bool_]:
    """Flag the labels that confident learning calls wrong, of units that do not fit in memory together.

    Parameters
    ----------
    chunks : callable or iterable
        ``(labels, probs)`` pairs with shapes (m,) and (m, K), as an iterable that can be read several times (a list)
        or a function without arguments that returns one each time, for instance `row_chunks` of two memory maps.
        Labels of -1 are never flagged and change nothing. All probs have one type, float32 or float64.
    rule, frac_noise, min_per_class
        As for `~labelnoise.core.confident_learning.confident_learning`.
    ties : {"first", "numpy"}
        As there, but ``"first"`` by default: with ``"numpy"`` a class (for the two ``low_`` rules: all units) whose cut
        falls on a tie is sorted in memory, some 16 bytes per unit of it.
    out : ndarray of bool, shape (n,), optional
        Where to write the mask, for instance a memory map. What it holds after an error is False everywhere.
    description : str
        What the progress bar says.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where the label is called wrong, over all chunks in their order. Equal to
        ``confident_learning(labels, probs, rule=rule, ties=ties, ...)`` of all chunks together, bit for bit, however
        they are cut.

    Raises
    ------
    InputError
        Chunks that are not such pairs, that differ in K or type, that change between readings or can be read only
        once; an ``out`` of another shape or type; otherwise as for `confident_learning`.

    Notes
    -----
    In memory: one byte per unit (none if ``out`` is a memory map), a chunk, some 50 MiB for the cuts, and 200 bytes per
    pair of classes. Chunks are read to check them, for the thresholds, for the joint; rules with cuts then read them
    for those, once or twice (up to four times with float64, more with some hundred thousand pairs of classes that have
    a cut), and for the flags. ``"both"`` has two kinds of cuts and pays twice.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1, 1, -1])
    >>> p0 = np.array([0.9, 0.8, 0.7, 0.1, 0.2, 0.1, 0.8, 0.3])
    >>> probs = np.stack([p0, 1 - p0], axis=1)
    >>> confident_learning_chunks([(labels[:5], probs[:5]), (labels[5:], probs[5:])]).nonzero()[0].tolist()
    [3, 6]
    >>> from labelnoise.core.chunks import row_chunks
    >>> confident_learning_chunks(row_chunks(labels, probs, units=3), rule="both").nonzero()[0].tolist()
    [3, 6]
    """
    fraction = check_options(rule, frac_noise, min_per_class, ties)
    passes = Passes(chunks, description)
    passes.check()
    n, k = passes.n, passes.k
    mask = np.zeros(n, dtype=bool) if out is None else _as_out(out, n)
    if k == 0 or n == 0:
        mask[:] = False
        return mask
    flags = mask.view(np.uint8)
    try:
        need = _run(passes, rule, fraction, min_per_class, ties, flags)
        for some in blocks(n, 1):
            mask[some] = (flags[some] & np.uint8(need)) == need
    except BaseException as error:
        mask[:] = False
        if isinstance(error, ReadingsDiffer):
            raise passes.changed() from error
        raise
    return mask


def _as_out(out: Any, n: int) -> NDArray[np.bool_]:
    if not isinstance(out, np.ndarray) or out.dtype != np.bool_ or out.shape != (n,):
        what = f"{out.dtype} of shape {out.shape}" if isinstance(out, np.ndarray) else type(out).__name__
        raise InputError(f"out is {what}; pass an array of bool of shape ({n},), one entry per unit.")
    if not out.flags.writeable:
        raise InputError("out may not be written to; open a memory map with mode 'r+' or 'w+'.")
    return out


def _run(
    passes: Passes, rule: str, fraction: float, min_per_class: int, ties: Ties, flags: NDArray[np.uint8]
) -> int:
    """Set the bits of every unit; returns those that a flagged one has."""
    by_pair = rule in ("prune_by_noise_rate", "both")
    plain = rule == "predicted_neq_given"
    lowered = None if plain else _thresholds(passes) - SLACK
    counts, clear = survey_pieces(passes.again("joint"), passes.k, lowered, flags, with_clear=by_pair)
    if plain:
        return DISPUTED
    if rule not in PRUNE_RULES:
        if rule == "confident_learning":
            return COUNTED
        count = sum(int(np.count_nonzero(flags[some] & np.uint8(COUNTED))) for some in blocks(len(flags), 1))
        score = take_column if rule == "low_self_confidence" else margin_of
        everyone = np.zeros(passes.k, dtype=np.int64)
        ranking = per_unit(everyone, np.array([count]), np.array([passes.per_class.sum()]), score)
        flag_lowest(passes.again, ranking, flags, BY_CLASS, DISPUTED, ties)
        return BY_CLASS

    to_prune = prune_counts(joint_of_counts(counts, passes.per_class), fraction, min_per_class)
    prunable = passes.per_class > max(min_per_class, 1)
    need = DISPUTED
    if rule in ("prune_by_class", "both"):
        ranks = np.where(prunable, passes.per_class - to_prune.diagonal(), 0)
        classes = np.arange(passes.k)
        flag_lowest(
            passes.again,
            per_unit(classes, ranks, passes.per_class, take_column),
            flags,
            BY_CLASS,
            DISPUTED,
            ties,
        )
        need |= BY_CLASS
    if by_pair:
        wanted = np.where(prunable[:, None], to_prune.T, 0)
        np.fill_diagonal(wanted, 0)
        flag_lowest(passes.again, Pairs(wanted, clear, passes.per_class), flags, BY_PAIR, DISPUTED, ties)
        need |= BY_PAIR
    return need


def per_unit(
    group_of_class: NDArray[np.int64],
    ranks: NDArray[np.int64],
    sizes: NDArray[np.int64],
    score: Callable[[Floats, NDArray[np.intp]], Floats],
) -> Ranking:
    """A ranking of the groups that are to lose any units."""
    kept = np.flatnonzero((ranks > 0) & (sizes > 0))
    renamed = np.full(len(ranks), -1, dtype=np.int64)
    renamed[kept] = np.arange(len(kept))
    return PerUnit(renamed[group_of_class], ranks[kept], sizes[kept], score)


def _thresholds(passes: Passes) -> Floats:
    """Confident threshold of every class."""
    means = [StreamedMean(int(count)) if count else None for count in passes.per_class]
    for _, ids, probs in passes.again("thresholds"):
        given = given_probability(ids, probs)
        for mean, members in zip(means, by_class(ids, passes.k)):
            if len(members):
                if mean is None:
                    raise passes.changed()
                mean.add(given[members])
    return clip_thresholds([2 if mean is None else mean.value() for mean in means])


def survey_pieces(
    pieces: Iterable[tuple[slice, NDArray[Any], Floats]],
    k: int,
    lowered: Floats | None,
    flags: NDArray[np.uint8],
    *,
    with_clear: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Mark disputed and counted units; counts of [true, given], and of clear leads of [given, other]."""
    counts = np.zeros(k * k, dtype=np.int64)
    clear = np.zeros(k * k if with_clear else 0, dtype=np.int64)
    for where, ids, probs in pieces:
        for rows in blocks(*probs.shape):
            block, own = probs[rows], ids[rows]
            best, top = most_probable(block)
            columns = np.maximum(own, 0).astype(np.intp)
            mine = take_column(block, columns)
            disputed = (best != own) & (own >= 0) & prefers_another(own, mine, best, top)
            marks = disputed.view(np.uint8) * np.uint8(DISPUTED)
            if lowered is not None:
                guess = _guess(block, best.astype(ids.dtype), top, lowered)
                counted = (guess >= 0) & (own >= 0)
                _tally(counts, guess[counted].astype(np.int64) * k + own[counted])
                marks |= ((guess >= 0) & (guess != own) & disputed).view(np.uint8) * np.uint8(COUNTED)
            if with_clear:
                rivals = np.flatnonzero(disputed)
                lead = mine[rivals, None] - block[rivals]
                which, other = np.nonzero(lead < -2 * SLACK)
                _tally(clear, columns[rivals[which]] * k + other)
            flags[where.start + rows.start : where.start + rows.stop] = marks
    return counts, clear.reshape(k, k) if with_clear else clear


def _guess(block: Floats, best: NDArray[Any], top: Floats, lowered: Floats) -> NDArray[Any]:
    """The class that each unit confidently belongs to, -1 where there is none."""
    unsure = np.flatnonzero(top < lowered[best])
    if len(unsure):
        best[unsure] = guess_of_unsure(block, unsure, best[unsure], top[unsure], lowered)
    return best


def _tally(counts: NDArray[np.int64], cells: NDArray[np.int64]) -> None:
    """Count the cells; without a pass over all counts where cells are few."""
    if len(counts) <= len(cells):
        counts += np.bincount(cells, minlength=len(counts))
    else:
        np.add.at(counts, cells, 1)
