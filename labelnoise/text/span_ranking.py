"""Entities ranked by each kind of error: what could be missing, spurious, of another type or of another extent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.schemes import spans_of
from labelnoise.text.spans import KINDS, compare_spans

__all__ = ["RankedSpans", "rank_spans", "span_average_precision"]

#: Tokens without a tag that are names with less than this probability are not proposed.
LEAST = 0.002
#: A proposed entity ends where the probability falls below this share of its largest.
TRIM = 0.1


@dataclass(frozen=True, eq=False)
class RankedSpans:
    """Scores of the given entities, and entities that may be missing.

    Attributes
    ----------
    spurious, type, boundary : ndarray, shape (entities,)
        How much each given entity looks like this kind of error, from 0 to 1.
    missing : ndarray of `labelnoise.text.schemes.SPAN`
        Proposed entities, none of which touches a given one.
    missing_score : ndarray, shape (proposed,)
    """

    spurious: NDArray[np.float64]
    type: NDArray[np.float64]
    boundary: NDArray[np.float64]
    missing: NDArray[Any]
    missing_score: NDArray[np.float64]


def rank_spans(
    dataset: TextDataset, probs: NDArray[Any], unweighed: NDArray[Any] | None = None
) -> RankedSpans:
    """Score entities from P(type) of each token.

    Parameters
    ----------
    dataset : TextDataset
    probs : ndarray, shape (n, 1 + types)
        "O" first; with the given tag weighed in (``labelnoise.text.calibrated.judge_types(...).truth``) or not.
    unweighed : ndarray, shape (n, 1 + types), optional
        For missing entities instead: without the given tag weighed in, as fitted confusions that trust "O" too much
        hide them (``judge_types(...).probs``).

    Returns
    -------
    RankedSpans
        Spurious: mean P("O") over its tokens. Type: mean of the largest other type's probability. Boundary: the
        largest of P(type) at the untagged words beside it, and of 1 - P(type) at its first and last word where
        another word keeps the type. Missing: runs of untagged tokens, largest P(entity), cut where it falls below
        `TRIM` of that.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "met", "New", "York"]], [["B-PER", "O", "O", "O"]], name="d")
    >>> found = rank_spans(data, np.array([[0.8, 0.2], [1, 0], [0.4, 0.6], [0.7, 0.3]]))
    >>> found.spurious, found.missing[["start", "end"]].tolist(), found.missing_score
    (array([0.8]), [(2, 4)], array([0.6]))
    """
    p = np.asarray(probs, dtype=np.float64)
    kind = type_ids(np.asarray(dataset.given))
    spans = dataset.spans()
    spurious, other, extent = (np.zeros(len(spans)) for _ in range(3))
    for place, span in enumerate(spans):
        start, end, own = int(span["start"]), int(span["end"]), 1 + int(span["type"])
        inside = p[start:end]
        spurious[place] = inside[:, 0].mean()
        rest = inside.copy()
        rest[:, [0, own]] = 0.0
        other[place] = rest.mean(axis=0).max()
        first, last = dataset.starts[span["sentence"] : span["sentence"] + 2]
        doubts = [p[at, own] for at in (start - 1, end) if first <= at < last and kind[at] == 0]
        if end - start > 1:
            kept = float(inside[:, own].max())
            doubts += [kept * (1.0 - inside[0, own]), kept * (1.0 - inside[-1, own])]
        extent[place] = max(doubts, default=0.0)
    free = p if unweighed is None else np.asarray(unweighed, dtype=np.float64)
    missing, score = _proposed(dataset, kind, 1.0 - free[:, 0], free[:, 1:].argmax(axis=1))
    return RankedSpans(spurious, other, extent, missing, score)


def _proposed(
    dataset: TextDataset, kind: NDArray[np.int64], name: NDArray[np.float64], best: NDArray[np.int64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Runs of untagged tokens that may be names, and their largest probability."""
    alive = (kind == 0) & (name > LEAST)
    for _ in range(2):  # the second time after weak edges have gone
        joined = alive.copy()
        joined[1:] &= alive[:-1]
        joined &= dataset.position > 0
        run = np.cumsum(alive & ~joined) - 1
        most = np.zeros(int(run.max(initial=-1)) + 1)
        np.maximum.at(most, run[alive], name[alive])
        alive &= name >= TRIM * most[np.maximum(run, 0)] if len(most) else alive
    joined = alive.copy()
    joined[1:] &= alive[:-1]
    joined &= dataset.position > 0
    tags = np.where(alive, 2 - (~joined).astype(np.int64), 0)
    spans = spans_of(tags, starts=dataset.starts)
    score = np.array([name[s["start"] : s["end"]].max() for s in spans])
    spans["type"] = [best[s["start"] + int(name[s["start"] : s["end"]].argmax())] for s in spans]
    return spans, score


def span_average_precision(dataset: TextDataset, ranked: RankedSpans) -> dict[str, dict[str, float]]:
    """Average precision of each kind against the true tags.

    Parameters
    ----------
    dataset : TextDataset
        With true tags.
    ranked : RankedSpans

    Returns
    -------
    dict
        Per kind of `labelnoise.text.spans.KINDS`: "ap", "n" (true errors) and "chance" (errors per ranked entity).
        A proposed missing entity is right if it touches a truly missing one that none above it touched; missing
        ones that nothing touches count as never found. Kinds without an error have an "ap" of 1.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "met", "Bob"]], [["B-PER", "O", "O"]], name="d", true=[["B-PER", "O", "B-PER"]])
    >>> found = span_average_precision(data, rank_spans(data, np.array([[0.1, 0.9], [0.9, 0.1], [0.3, 0.7]])))
    >>> found["missing"]
    {'ap': 1.0, 'n': 1, 'chance': 1.0}
    """
    given, true = dataset.spans(), dataset.spans("true")
    kinds, left, right = compare_spans(given, true, dataset.n_units)
    result = {}
    for kind in KINDS:
        if kind == "missing":
            owner = np.full(dataset.n_units, -1, dtype=np.int64)
            for place in right[kinds == kind]:
                owner[true[place]["start"] : true[place]["end"]] = place
            order = np.argsort(-ranked.missing_score, kind="stable")
            seen: set[int] = set()
            hits = np.zeros(len(order), dtype=bool)
            for rank, place in enumerate(order):
                span = ranked.missing[place]
                met = {int(at) for at in owner[span["start"] : span["end"]] if at >= 0} - seen
                hits[rank] = bool(met)
                seen |= met
            total = int((kinds == kind).sum())
        else:
            wrong = np.zeros(len(given), dtype=bool)
            wrong[left[kinds == kind]] = True
            order = np.argsort(-getattr(ranked, kind), kind="stable")
            hits, total = wrong[order], int(wrong.sum())
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        result[kind] = {
            "ap": float(precision[hits].sum() / total) if total else 1.0,
            "n": total,
            "chance": round(total / max(len(hits), 1), 4),
        }
    return result
