"""What known true labels say: of a decision, of a table of issues, of a corruption; and hiding them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.issues import IssueTable
from labelnoise.core.validation import InputError

__all__ = ["blind", "judge_table", "judge_truth", "realised_transition"]


def blind(dataset: Dataset) -> Dataset:
    """What a detector may see: no truth, and no note of how the labels were corrupted."""
    meta = {name: value for name, value in dataset.meta.items() if name != "corruption"}
    return replace(dataset, true=None, meta=meta)


def judge_truth(
    dataset: Dataset,
    flagged: NDArray[np.bool_],
    *,
    quality: NDArray[np.float64] | None = None,
    p_wrong: NDArray[np.float64] | None = None,
    count: Any = None,
    suggested: NDArray[np.int64] | None = None,
) -> dict[str, float | None]:
    """Measure a decision, and the ranking where there is one, against the known true labels.

    Parameters
    ----------
    dataset : Dataset
        With ``true``; units without a given or true label are left out.
    flagged : ndarray of bool, shape (n,)
    quality, p_wrong, suggested : ndarray of shape (n,), optional
        Without ``quality`` the measures of the ranking are left out.
    count : CountEstimate, optional
        Used only if the truth of every labelled unit is known.

    Returns
    -------
    dict of str to float or None
        The measures of `labelnoise.core.evaluation`, the ends of the 95 % intervals of precision and recall,
        and ``suggestion_accuracy``: the share of right suggestions among the wrong labels that were flagged.
    """
    from labelnoise.core.evaluation import detection_metrics, wilson_interval

    assert dataset.true is not None
    known = dataset.labelled & (dataset.true >= 0)
    wrong = known & (dataset.given != dataset.true)
    covered = bool(known.sum() == dataset.labelled.sum())
    found = detection_metrics(
        np.where(known, wrong, np.int8(-1)),
        None if quality is None else 1 - quality,
        flagged=flagged,
        p_wrong=p_wrong,
        count=count if covered else None,
    )
    if quality is None:
        ranking = ("auroc", "average_precision", "precision_at_true_count")
        found = {name: value for name, value in found.items() if name not in ranking}
    hits, n_flagged, n_wrong = int((wrong & flagged).sum()), int((known & flagged).sum()), int(wrong.sum())
    for name, total in (("precision", n_flagged), ("recall", n_wrong)):
        found[f"{name}_low"], found[f"{name}_high"] = wilson_interval(hits, total) if total else (None, None)
    if suggested is not None and hits:
        caught = wrong & flagged
        found["suggestion_accuracy"] = float(np.mean(suggested[caught] == dataset.true[caught]))
    return found


def judge_table(table: IssueTable, dataset: Dataset) -> tuple[dict[str, float | None], str]:
    """Measure a table of issues; the ranking only if it lists every labelled unit. Returns a note, too.

    Raises
    ------
    InputError
        Rows that the data set does not have, or that are listed twice.
    """
    columns, n = table.columns, dataset.n_units
    index = columns["index"]
    labelled = dataset.labelled
    whole = len(index) == int(labelled.sum()) and np.array_equal(np.sort(index), np.flatnonzero(labelled))
    if len(np.unique(index)) != len(index) or (len(index) and not 0 <= index.min() <= index.max() < n):
        raise InputError("The table's rows do not fit the data set; write it anew with detect.")

    def spread(values: NDArray[Any], fill: Any) -> NDArray[Any]:
        result = np.full(n, fill, dtype=values.dtype)
        result[index] = values
        return result

    flagged = spread(columns["flagged"], False)
    ids = {name: i for i, name in enumerate(dataset.class_names)}
    suggested = spread(np.array([ids.get(name, -1) for name in columns["suggested"]], dtype=np.int64), -1)
    found = judge_truth(
        dataset,
        flagged,
        quality=spread(columns["quality"], 1.0) if whole else None,
        p_wrong=spread(columns["p_wrong"], 0.0) if whole and "p_wrong" in columns else None,
        count=table.header.expected,
        suggested=suggested,
    )
    note = (
        ""
        if whole
        else "The table holds the flagged units only; detect --all-units lets the ranking be measured."
    )
    return found, note


def realised_transition(true: NDArray[np.int64], given: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Shares of given labels per true class; the identity's row for a class that never occurs.

    Examples
    --------
    >>> realised_transition(np.array([0, 0, -1, 1]), np.array([0, 1, -1, 1]), 3)
    array([[0.5, 0.5, 0. ],
           [0. , 1. , 0. ],
           [0. , 0. , 1. ]])
    """
    known = (true >= 0) & (given >= 0)
    cells = true[known].astype(np.int64) * k + given[known]  # labels may be narrow, a product of them not
    counts = np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.maximum(totals, 1), np.eye(k))
