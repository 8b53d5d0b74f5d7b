"""Wrong entities as a person names them: missing, spurious, of the wrong type, of the wrong extent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.schemes import spans_of

__all__ = [
    "KINDS",
    "SpanIssue",
    "compare_spans",
    "rank_sentences",
    "span_issues",
    "suggest_tags",
    "token_kinds",
]

#: The exclusive kinds: no given entity there; nothing true there; same extent, other type; other extent.
KINDS = ("missing", "spurious", "type", "boundary")


@dataclass(frozen=True)
class SpanIssue:
    """An entity that is probably wrong.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    score : float
        From 0 to 1, the largest of its tokens' 1 - quality.
    sentence : int
    given, suggested : tuple of (int, int, str) or None
        First row, row behind the last and type; None where there is no entity.
    text : str
        Its words.
    """

    kind: str
    score: float
    sentence: int
    given: tuple[int, int, str] | None
    suggested: tuple[int, int, str] | None
    text: str


def suggest_tags(
    dataset: TextDataset, probs: NDArray[Any], *, doubted: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """BIO tags of the most probable types; an entity goes on where its neighbour has its type, unless one was given.

    Parameters
    ----------
    dataset : TextDataset
    probs : ndarray, shape (n, 1 + types)
        Of "O" and of each type.
    doubted : ndarray of bool, shape (n,), optional
        Tokens whose given type is not suggested again: what else it would be if it is wrong.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["New", "York", "sleeps"]], [["B-LOC", "O", "O"]], name="d")
    >>> suggest_tags(data, np.array([[0, 1], [0.2, 0.8], [1, 0]]))
    array([1, 2, 0])
    >>> suggest_tags(data, np.array([[0.4, 0.6], [0.2, 0.8], [1, 0]]), doubted=np.array([True, False, False]))
    array([0, 1, 0])
    """
    given = np.asarray(dataset.given, dtype=np.int64)
    likely = np.array(probs, dtype=np.float64)
    if doubted is not None:
        rows = np.flatnonzero(doubted & (given >= 0))
        likely[rows, type_ids(given[rows])] = -1.0
    kind = likely.argmax(axis=1)
    first = dataset.position == 0
    before = np.concatenate([[0], kind[:-1]])
    begins = (kind > 0) & (first | (before != kind) | ((given % 2 == 1) & ((given + 1) // 2 == kind)))
    return np.where(kind == 0, 0, 2 * kind - begins.astype(np.int64)).astype(np.int64)


def compare_spans(
    given: NDArray[Any], other: NDArray[Any], n: int
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """Pair the entities of two taggings and name how they differ.

    Parameters
    ----------
    given, other : ndarray of `labelnoise.text.schemes.SPAN`
    n : int
        Number of tokens.

    Returns
    -------
    kinds : ndarray of str
        One of `KINDS` per differing pair or single entity.
    left, right : ndarray of int64
        Place in ``given`` and in ``other``; -1 for none. An entity appears once: where several overlap, the first
        overlapping one is its partner, and the rest stand alone as missing or spurious.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> words = [["Ada", "of", "New", "York"]]
    >>> data = from_sentences(words, [["B-LOC", "O", "O", "B-LOC"]], name="d",
    ...                       true=[["B-PER", "O", "B-LOC", "I-LOC"]])
    >>> compare_spans(data.spans(), data.spans("true"), 4)[0].tolist()
    ['type', 'boundary']
    """
    owner = np.full(n, -1, dtype=np.int64)
    for index, span in enumerate(given):
        owner[span["start"] : span["end"]] = index
    taken = np.zeros(len(given), dtype=bool)
    rows: list[tuple[str, int, int]] = []
    for index, span in enumerate(other):
        met = owner[span["start"] : span["end"]]
        met = met[met >= 0]
        met = met[~taken[met]] if len(met) else met
        if not len(met):
            rows.append(("missing", -1, index))
            continue
        exact = [m for m in met if given[m]["start"] == span["start"] and given[m]["end"] == span["end"]]
        partner = int(exact[0] if exact else met[0])
        taken[partner] = True
        same_extent = bool(exact)
        if same_extent and given[partner]["type"] == span["type"]:
            continue
        rows.append(("type" if same_extent else "boundary", partner, index))
    rows += [("spurious", int(place), -1) for place in np.flatnonzero(~taken)]
    kinds = np.array([row[0] for row in rows], dtype=object)
    places = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 2)
    return kinds, places[:, 0], places[:, 1]


def token_kinds(dataset: TextDataset, suggested: NDArray[np.int64]) -> NDArray[Any]:
    """The kind of issue that each token is part of, "" where given and suggested tags agree; shape (n,)."""
    given, other = dataset.spans(), spans_of(suggested, starts=dataset.starts)
    found = np.full(dataset.n_units, "", dtype=object)
    for kind, left, right in zip(*compare_spans(given, other, dataset.n_units), strict=True):
        for place, spans in ((left, given), (right, other)):
            if place >= 0:
                found[spans[place]["start"] : spans[place]["end"]] = kind
    found[np.asarray(dataset.given) == suggested] = ""
    return found


def span_issues(
    dataset: TextDataset,
    suggested: NDArray[np.int64],
    quality: NDArray[Any],
    *,
    chosen: NDArray[np.bool_] | None = None,
) -> list[SpanIssue]:
    """Entities where given and suggested tags differ, the worst first.

    Parameters
    ----------
    dataset : TextDataset
    suggested : ndarray of int, shape (n,)
        Suggested BIO tags.
    quality : ndarray of float, shape (n,)
        Of each given tag, from 0 to 1.
    chosen : ndarray of bool, shape (n,), optional
        Only entities with such a token, for instance the flagged ones.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "met", "Bob"]], [["B-PER", "O", "B-LOC"]], name="d")
    >>> issues = span_issues(data, np.array([1, 0, 3]), np.array([0.9, 1.0, 0.2]))
    >>> [(issue.kind, issue.text, issue.given, issue.suggested) for issue in issues]
    [('type', 'Bob', (2, 3, 'LOC'), (2, 3, 'PER')), ('type', 'Ada', (0, 1, 'PER'), (0, 1, 'LOC'))]
    """
    given, other = dataset.spans(), spans_of(suggested, starts=dataset.starts)
    doubt = 1.0 - np.asarray(quality, dtype=np.float64)
    assert dataset.groups is not None
    found = []
    for kind, left, right in zip(*compare_spans(given, other, dataset.n_units), strict=True):
        ends = [spans[place] for place, spans in ((left, given), (right, other)) if place >= 0]
        first, last = min(int(s["start"]) for s in ends), max(int(s["end"]) for s in ends)
        rows = slice(first, last)
        if chosen is not None and not chosen[rows].any():
            continue
        found.append(
            SpanIssue(
                kind=str(kind),
                score=float(doubt[rows].max()),
                sentence=int(dataset.groups[first]),
                given=_named(given, int(left), dataset.types),
                suggested=_named(other, int(right), dataset.types),
                text=" ".join(map(str, dataset.tokens[rows])),
            )
        )
    return sorted(found, key=lambda issue: -issue.score)


def rank_sentences(dataset: TextDataset, quality: NDArray[Any]) -> NDArray[np.float64]:
    """Quality of each sentence: that of its worst tag (cleanlab's minimum), shape (sentences,).

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["a", "b"], ["c"]], [["O", "O"], ["O"]], name="d")
    >>> rank_sentences(data, np.array([0.9, 0.2, 0.7])).tolist()
    [0.2, 0.7]
    """
    worst: NDArray[np.float64] = np.minimum.reduceat(
        np.asarray(quality, dtype=np.float64), dataset.starts[:-1]
    )
    return worst


def _named(spans: NDArray[Any], place: int, types: Sequence[str]) -> tuple[int, int, str] | None:
    if place < 0:
        return None
    span = spans[place]
    return int(span["start"]), int(span["end"]), types[int(span["type"])]
