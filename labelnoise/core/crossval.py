"""Out-of-fold probabilities for any classifier: every unit is judged by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_labels, check_same_length

__all__ = ["fold_ids", "out_of_fold"]


def fold_ids(
    labels: ArrayLike, n_folds: int = 5, *, groups: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Deal units to folds such that every fold holds about the same share of every class.

    Parameters
    ----------
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    n_folds : int
        Number of folds, at least 2 and at most the number of labelled units (of groups with such).
    groups : array_like of shape (n,), optional
        The item (sentence, clip, person ...) of each unit; no group is in two folds.
    seed : int
        Shuffles who goes where; the result does not depend on units without a label.

    Returns
    -------
    ndarray of int64, shape (n,)
        Fold from 0 to ``n_folds - 1``; -1 for units without a label. Without groups, fold sizes and
        the members of each class per fold differ by at most 1; with groups they are as even as dealing
        whole groups one after the other, the largest first, makes them.

    Raises
    ------
    InputError
        Fewer units (or groups) than folds, fewer than 2 folds, lengths that differ.

    Examples
    --------
    >>> fold_ids([0, 0, 0, 0, 1, 1, -1], 2).tolist()
    [0, 1, 0, 1, 0, 1, -1]
    >>> fold_ids([0, 0, 0, 0, 1, 1], 2, groups=["a", "a", "b", "b", "c", "d"]).tolist()
    [0, 0, 1, 1, 0, 1]
    """
    ids = as_labels(labels)
    known = np.flatnonzero(ids >= 0)
    if n_folds != int(n_folds) or n_folds < 2:
        raise InputError(f"n_folds is {n_folds}; it must be a whole number of at least 2.")
    rng = generator(seed, "folds")
    folds = np.full(len(ids), -1, dtype=np.int64)
    if groups is None:
        if len(known) < n_folds:
            raise InputError(f"n_folds is {n_folds} for {len(known)} labelled units; use fewer folds.")
        # Class after class in random order, dealt like cards: classes and sizes come out even together.
        shuffled = rng.permutation(known)
        deck = shuffled[np.argsort(ids[shuffled], kind="stable")]
        folds[deck] = np.arange(len(deck)) % n_folds
        return folds
    names = np.asarray(groups)
    check_same_length(labels=ids, groups=names)
    _, member_of = np.unique(names[known], return_inverse=True)
    n_groups = int(member_of.max(initial=-1)) + 1
    if n_groups < n_folds:
        raise InputError(f"n_folds is {n_folds} for {n_groups} groups with labelled units; use fewer folds.")
    folds[known] = _deal_groups(ids[known], member_of.reshape(-1), n_groups, n_folds, rng)[
        member_of.reshape(-1)
    ]
    return folds


def _deal_groups(
    ids: NDArray[np.int64], member_of: NDArray[np.intp], n_groups: int, n_folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """A fold for every group: each goes where its classes are scarcest so far.

    What is made small is the sum over folds and classes of squared counts over the size of the class;
    the total counts as one more class, so that folds become equally large as well.
    """
    k = int(ids.max()) + 1
    cells, counts = np.unique(member_of * np.int64(k) + ids, return_counts=True)
    of_group, classes = np.divmod(cells, k)
    ends = np.searchsorted(of_group, np.arange(n_groups + 1))
    sizes = np.bincount(member_of, minlength=n_groups)
    per_class = np.bincount(ids, minlength=k)
    weights = counts / per_class[classes]

    shuffled = rng.permutation(n_groups)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    held = np.zeros((k, n_folds))
    totals = np.zeros(n_folds)
    empty = n_folds
    fold_of = np.empty(n_groups, dtype=np.int64)
    for rank, group in enumerate(order):
        entries = slice(ends[group], ends[group + 1])
        crowding = weights[entries] @ held[classes[entries]] + sizes[group] / len(ids) * totals
        if n_groups - rank <= empty:
            crowding = np.where(totals > 0, np.inf, crowding)  # no fold may end up empty
        fold = int(crowding.argmin())
        empty -= int(totals[fold] == 0)
        held[classes[entries], fold] += counts[entries]
        totals[fold] += sizes[group]
        fold_of[group] = fold
    return fold_of


def out_of_fold(
    estimator: Any,
    features: Any,
    labels: ArrayLike,
    *,
    n_folds: int = 5,
    groups: ArrayLike | None = None,
    seed: int = 0,
    n_classes: int | None = None,
) -> NDArray[np.float64]:
    """Class probabilities of every unit by a model trained on the other folds.

    Parameters
    ----------
    estimator : scikit-learn classifier with ``predict_proba``, or callable
        A classifier is cloned for every fold, unset random states set from ``seed``. A callable is
        called without arguments for every fold and returns a fresh classifier.
    features : array, sparse matrix, data frame or list, n rows
        Handed to the classifier, row by row selected.
    labels : array_like of int, shape (n,)
        Given labels, -1 for "no label".
    n_folds : int
        Number of models, at least 2.
    groups : array_like of shape (n,), optional
        Units of one group are never split between training and prediction.
    seed : int
        For the folds and for unset random states.
    n_classes : int, optional
        K; by default one more than the largest label.

    Returns
    -------
    ndarray of float64, shape (n, K)
        Rows sum to 1. Units without a label get the mean over the models of all folds. A class that the
        training folds do not hold gets probability 0, as does therefore the only unit of a class: its
        label looks wrong, and nothing in the data speaks for it.

    Raises
    ------
    InputError
        Lengths that differ, fewer than two classes given, more folds than labelled units (or groups), a
        classifier without ``predict_proba`` or one that returns NaN.

    Notes
    -----
    Where the training folds hold one class only, no model is fitted: that class has probability 1.

    References
    ----------
    Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3: out-of-sample probabilities
    by cross-validation.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> x = np.array([[0.0], [0.1], [0.2], [0.9], [1.0], [1.1], [0.5]])
    >>> probs = out_of_fold(LogisticRegression(), x, [0, 0, 0, 1, 1, 1, -1], n_folds=3, seed=1)
    >>> probs.argmax(axis=1).tolist(), probs.shape
    ([0, 0, 0, 1, 1, 1, 0], (7, 2))
    """
    ids = as_labels(labels, n_classes=n_classes)
    k = n_classes if n_classes is not None else int(ids.max(initial=-1)) + 1
    rows = _n_rows(features)
    if rows != len(ids):
        raise InputError(f"Lengths differ: features {rows}, labels {len(ids)}; give one row per unit.")
    if len(np.unique(ids[ids >= 0])) < 2:
        raise InputError(
            "All labelled units have the same class, or none is labelled; a classifier needs two classes."
        )
    folds = fold_ids(ids, n_folds, groups=groups, seed=seed)
    rows_of = _selector(features)
    unlabelled = np.flatnonzero(folds < 0)
    probs = np.zeros((len(ids), k))
    for fold in track(range(n_folds), "cross-validation folds", total=n_folds):
        training, held_out = np.flatnonzero((folds >= 0) & (folds != fold)), np.flatnonzero(folds == fold)
        asked = np.concatenate([held_out, unlabelled])
        present = np.unique(ids[training])
        if len(present) == 1:
            answer = np.zeros((len(asked), k))
            answer[:, present[0]] = 1
        else:
            model = _fresh(estimator, int(generator(seed, "model", fold).integers(2**31)))
            model.fit(rows_of(training), ids[training])
            answer = _spread(model, model.predict_proba(rows_of(asked)), len(asked), k)
        probs[held_out] = answer[: len(held_out)]
        probs[unlabelled] += answer[len(held_out) :] / n_folds
    return probs


def _fresh(estimator: Any, seed: int) -> Any:
    """An unfitted classifier for one fold."""
    if hasattr(estimator, "fit") and not isinstance(estimator, type):
        from sklearn.base import clone

        model = clone(estimator)
        unset = {
            name: seed
            for name, value in model.get_params(deep=True).items()
            if value is None and (name == "random_state" or name.endswith("__random_state"))
        }
        model.set_params(**unset)
    elif isinstance(estimator, Callable):  # type: ignore[arg-type]
        model = estimator()
    else:
        raise InputError(
            f"estimator is {type(estimator).__name__}; a scikit-learn classifier, or a function that "
            "returns one, is needed."
        )
    if not hasattr(model, "predict_proba"):
        raise InputError(
            f"{type(model).__name__} has no predict_proba; wrap it in "
            "sklearn.calibration.CalibratedClassifierCV or choose a classifier with probabilities."
        )
    return model


def _spread(model: Any, answer: Any, n: int, k: int) -> NDArray[np.float64]:
    """Put the columns of the classes that a model knows where they belong among all K."""
    known = np.asarray(model.classes_).astype(np.int64)
    values = np.asarray(answer, dtype=np.float64)
    if values.shape != (n, len(known)):
        raise InputError(
            f"{type(model).__name__}.predict_proba returned shape {values.shape} for {n} units and "
            f"{len(known)} classes; one column per class in classes_ is needed."
        )
    if not np.isfinite(values).all():
        raise InputError(
            f"{type(model).__name__}.predict_proba returned NaN or infinity; check its features."
        )
    spread = np.zeros((n, k))
    spread[:, known] = values
    return spread


def _n_rows(features: Any) -> int:
    shape = getattr(features, "shape", None)
    return int(shape[0]) if shape else len(features)


def _selector(features: Any) -> Callable[[NDArray[np.intp]], Any]:
    """A function that selects rows of whatever the features are."""
    if hasattr(features, "iloc"):
        return lambda rows: features.iloc[rows]
    if hasattr(features, "tocsr"):
        compressed = features.tocsr()
        return lambda rows: compressed[rows]
    if hasattr(features, "shape"):
        return lambda rows: features[rows]
    return lambda rows: [features[i] for i in rows]
