"""How good predicted entities are: entity F1, strict and lenient side by side, and shares of the kinds of error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError, as_labels
from labelnoise.text.schemes import bio_names, spans_of
from labelnoise.text.spans import KINDS, compare_spans

__all__ = ["entity_f1", "entity_report", "exclusive_kinds", "overlapping_kinds", "seqeval_report"]

#: Kinds of NoiseBench, which count a wrong extent twice: as missing and as no entity.
OVERLAPPING = ("missing", "non-entity", "type")


def entity_f1(
    tags: NDArray[Any], predicted: NDArray[Any], *, starts: NDArray[np.int64], strict: bool = False
) -> float:
    """Micro F1 of entities, by sentence, extent and type; from 0 to 1.

    Parameters
    ----------
    tags, predicted : ndarray of int, shape (n,)
        BIO tag ids, the reference and the guess. Tokens without a reference tag (-1) belong to no entity of either.
    starts : ndarray of int, shape (s + 1,)
    strict : bool
        Whether an entity that lacks its ``B-`` counts for nothing, as in seqeval's strict IOB2; by default it is
        an entity like any other, as in the CoNLL shared tasks.

    Returns
    -------
    float
        0 where neither has an entity.

    Examples
    --------
    >>> gold, guess, starts = np.array([1, 2, 0, 3]), np.array([2, 2, 0, 3]), np.array([0, 4])
    >>> entity_f1(gold, guess, starts=starts), round(entity_f1(gold, guess, starts=starts, strict=True), 3)
    (1.0, 0.667)
    """
    _, _, f1 = _scores(*_counts(*_both(tags, predicted), starts, strict))
    return f1


def entity_report(
    tags: NDArray[Any], predicted: NDArray[Any], *, types: Sequence[str], starts: NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 of entities, lenient and strict, in all and by type.

    Returns
    -------
    dict
        By "lenient" and "strict", then by "all" and each type: ``precision``, ``recall``, ``f1``, ``entities``
        (of the reference) and ``predicted`` (of the guess).

    Examples
    --------
    >>> report = entity_report(np.array([1, 2, 0, 3]), np.array([2, 2, 0, 0]), types=["LOC", "PER"],
    ...                        starts=np.array([0, 4]))
    >>> report["lenient"]["all"]
    {'precision': 1.0, 'recall': 0.5, 'f1': 0.6666666666666666, 'entities': 2, 'predicted': 1}
    >>> report["strict"]["LOC"]["f1"], report["lenient"]["LOC"]["f1"]
    (0.0, 1.0)
    """
    gold, guess = _both(tags, predicted)
    report: dict[str, dict[str, Any]] = {}
    for name, strict in (("lenient", False), ("strict", True)):
        left, right = _spans(gold, starts, strict), _spans(guess, starts, strict)
        rows: dict[str, Any] = {}
        for which, label in [(-1, "all"), *enumerate(types)]:
            a = left if which < 0 else left[left["type"] == which]
            b = right if which < 0 else right[right["type"] == which]
            right_ones = len(np.intersect1d(a, b))
            precision, recall, f1 = _scores(right_ones, len(a), len(b))
            rows[label] = {
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "entities": len(a),
                "predicted": len(b),
            }
        report[name] = rows
    return report


def seqeval_report(
    tags: NDArray[Any], predicted: NDArray[Any], *, types: Sequence[str], starts: NDArray[np.int64]
) -> dict[str, dict[str, Any]]:
    """The same figures by the package seqeval: its default, and ``mode="strict"`` with the scheme IOB2 said.

    Parameters and result are those of `entity_report`, which is many times faster and gives the same numbers.

    Raises
    ------
    InputError
        seqeval is not installed.

    Notes
    -----
    seqeval's strict mode guesses the scheme of each call from the tags that occur unless it is told, so that two
    systems may be scored by different rules; its default mode treats a stray ``I-`` as the beginning of an entity.
    """
    try:
        from seqeval.metrics import classification_report
        from seqeval.scheme import IOB2
    except ImportError:
        raise InputError(
            "seqeval is not installed. Run: pip install seqeval; or use entity_report."
        ) from None
    gold, guess = _both(tags, predicted)
    names = np.array(bio_names(types), dtype=object)
    lists = [[list(part) for part in np.split(names[ids], starts[1:-1])] for ids in (gold, guess)]
    report: dict[str, dict[str, Any]] = {}
    for name, mode in (("lenient", {}), ("strict", {"mode": "strict", "scheme": IOB2})):
        found: Mapping[str, Any] = classification_report(*lists, output_dict=True, zero_division=0, **mode)
        report[name] = {}
        for label in ("all", *types):
            row = found.get("micro avg" if label == "all" else label)
            if row is None:
                row = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0}
            report[name][label] = {
                "precision": float(row["precision"]),
                "recall": float(row["recall"]),
                "f1": float(row["f1-score"]),
                "entities": int(row["support"]),
            }
    return report


def exclusive_kinds(given: NDArray[Any], true: NDArray[Any], n: int) -> dict[str, float]:
    """Shares of the kinds of `labelnoise.text.spans.compare_spans` among all wrong entities; they add up to 1.

    Parameters
    ----------
    given, true : ndarray of `labelnoise.text.schemes.SPAN`
    n : int
        Number of tokens.

    Examples
    --------
    >>> starts = np.array([0, 4])
    >>> given, true = spans_of(np.array([1, 0, 0, 3]), starts=starts), spans_of(np.array([1, 2, 0, 1]), starts=starts)
    >>> exclusive_kinds(given, true, 4)
    {'missing': 0.0, 'spurious': 0.0, 'type': 0.5, 'boundary': 0.5}
    """
    kinds = compare_spans(given, true, n)[0]
    return {kind: float((kinds == kind).sum()) / max(len(kinds), 1) for kind in KINDS}


def overlapping_kinds(given: NDArray[Any], true: NDArray[Any]) -> dict[str, float]:
    """Shares of missing, no entity and wrong type as NoiseBench counts them, by exact extent.

    A wrong extent counts twice: its true entity is missing, its given one is none.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP.

    Examples
    --------
    >>> starts = np.array([0, 4])
    >>> given, true = spans_of(np.array([1, 0, 0, 3]), starts=starts), spans_of(np.array([1, 2, 0, 1]), starts=starts)
    >>> {kind: round(share, 3) for kind, share in overlapping_kinds(given, true).items()}
    {'missing': 0.333, 'non-entity': 0.333, 'type': 0.333}
    """
    left, right = {tuple(s): t for *s, t in given.tolist()}, {tuple(s): t for *s, t in true.tolist()}
    counts = {
        "missing": len(right.keys() - left.keys()),
        "non-entity": len(left.keys() - right.keys()),
        "type": sum(left[key] != right[key] for key in left.keys() & right.keys()),
    }
    total = max(sum(counts.values()), 1)
    return {kind: counts[kind] / total for kind in OVERLAPPING}


def _both(tags: NDArray[Any], predicted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    gold, guess = as_labels(tags, name="tags"), as_labels(predicted, name="predicted tags")
    if gold.shape != guess.shape:
        raise InputError(f"There are {len(guess)} predicted tags for {len(gold)} tags; give one each.")
    known = gold >= 0
    return np.where(known, gold, 0), np.where(known & (guess >= 0), guess, 0)


def _spans(ids: NDArray[np.int64], starts: NDArray[np.int64], strict: bool) -> NDArray[Any]:
    spans = spans_of(ids, starts=starts)
    # Strict reading: an entity is one that its B- begins.
    return spans[ids[spans["start"]] % 2 == 1] if strict else spans


def _counts(
    gold: NDArray[np.int64], guess: NDArray[np.int64], starts: NDArray[np.int64], strict: bool
) -> tuple[int, int, int]:
    left, right = _spans(gold, starts, strict), _spans(guess, starts, strict)
    return len(np.intersect1d(left, right)), len(left), len(right)


def _scores(both: int, gold: int, guess: int) -> tuple[float, float, float]:
    """Precision, recall and F1, 0 where nothing is there to divide by."""
    return both / max(guess, 1), both / max(gold, 1), 2.0 * both / max(gold + guess, 1)
