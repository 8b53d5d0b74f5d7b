"""Folds that are even and keep groups whole, and probabilities from models that have not seen the unit."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from labelnoise.core.crossval import fold_ids, out_of_fold
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError


class Memory(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Knows the units that it was trained on, and is sure of them."""

    def fit(self, x: Any, y: Any) -> Memory:
        self.classes_ = np.unique(y)
        self.seen_ = {float(row[0]): label for row, label in zip(np.asarray(x), y)}
        return self

    def predict_proba(self, x: Any) -> Any:
        flat = np.full((len(x), len(self.classes_)), 1 / len(self.classes_))
        for i, row in enumerate(np.asarray(x)):
            if float(row[0]) in self.seen_:
                flat[i] = self.classes_ == self.seen_[float(row[0])]
        return flat


def blobs(n: int = 200, k: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = generator(seed, "blobs")
    labels = rng.integers(0, k, n)
    return rng.normal(size=(n, 4)) + 3 * np.eye(4)[labels], labels


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_folds_are_even_in_size_and_in_every_class(n_folds: int) -> None:
    labels = np.repeat([0, 1, 2, 3], [100, 37, 4, 1])
    folds = fold_ids(labels, n_folds, seed=3)
    sizes = np.bincount(folds, minlength=n_folds)
    assert sizes.max() - sizes.min() <= 1
    for c in range(4):
        members = np.bincount(folds[labels == c], minlength=n_folds)
        assert members.max() - members.min() <= 1


def test_folds_depend_on_the_seed_and_on_labelled_units_only() -> None:
    labels = generator(1, "labels").integers(0, 3, 60)
    folds = fold_ids(labels, 4, seed=1)
    assert (fold_ids(labels, 4, seed=1) == folds).all()
    assert (fold_ids(labels, 4, seed=2) != folds).any()
    groups = np.arange(60) // 3
    for names in (None, groups):
        wide, wide_names = np.full(100, -1), np.arange(100) // 2 + 1000
        wide[20:80] = labels
        wide_names[20:80] = groups
        spread = fold_ids(wide, 4, groups=None if names is None else wide_names, seed=1)
        np.testing.assert_array_equal(spread[20:80], fold_ids(labels, 4, groups=names, seed=1))
        assert (spread[:20] == -1).all()


@pytest.mark.parametrize("seed", range(5))
def test_groups_stay_whole_and_folds_even(seed: int) -> None:
    rng = generator(seed, "grouped")
    sizes = rng.integers(1, 12, 150)
    groups = np.repeat(rng.permutation(150), sizes)
    labels = rng.choice(4, p=[0.7, 0.2, 0.08, 0.02], size=len(groups))
    folds = fold_ids(labels, 5, groups=groups, seed=seed)
    for g in range(150):
        assert len(np.unique(folds[groups == g])) == 1
    counts = np.array([np.bincount(labels[folds == f], minlength=4) for f in range(5)])
    assert counts.sum(axis=1).max() - counts.sum(axis=1).min() <= 6
    assert counts[:, 3].max() - counts[:, 3].min() <= 2


def test_no_fold_is_empty_even_with_one_large_group() -> None:
    groups = [0] * 50 + [1, 2, 3]
    folds = fold_ids([0, 1] * 26 + [0], 4, groups=groups)
    assert np.bincount(folds, minlength=4).tolist() == [50, 1, 1, 1]


def test_names_of_groups_may_be_anything() -> None:
    groups = np.array(["b", "b", "a", "a", "c", "c"])
    folds = fold_ids([0, 1, 0, 1, 0, 1], 3, groups=groups)
    assert sorted(folds[::2].tolist()) == [0, 1, 2]
    assert (folds[::2] == folds[1::2]).all()


def test_many_groups_are_quick() -> None:
    rng = generator(9, "many")
    groups = rng.integers(0, 20_000, 60_000)
    start = time.process_time()
    fold_ids(rng.integers(0, 9, 60_000), 5, groups=groups)
    assert time.process_time() - start < 3


@pytest.mark.parametrize("grouped", [False, True])
def test_no_model_has_seen_what_it_judges(grouped: bool) -> None:
    x, labels = np.arange(90.0)[:, None], generator(2, "labels").integers(0, 3, 90)
    x = x // 3 if grouped else x  # three units look alike and would give each other away
    groups = np.arange(90) // 3 if grouped else None
    probs = out_of_fold(Memory(), x, labels, groups=groups, seed=4)
    np.testing.assert_allclose(probs, 1 / 3)


def test_leak_without_groups_shows() -> None:
    labels = np.repeat(generator(2, "labels").integers(0, 3, 30), 3)
    probs = out_of_fold(Memory(), np.arange(90.0)[:, None] // 3, labels)
    assert probs[np.arange(90), labels].mean() > 0.9


def test_good_classifier_gives_good_probabilities() -> None:
    x, labels = blobs(300)
    probs = out_of_fold(LogisticRegression(), x, labels, seed=1)
    np.testing.assert_allclose(probs.sum(axis=1), 1)
    assert (probs.argmax(axis=1) == labels).mean() > 0.9


def test_every_kind_of_features_gives_the_same() -> None:
    x, labels = blobs()
    x[x < 0] = 0
    expected = out_of_fold(LogisticRegression(), x, labels)
    for same in (x.tolist(), sp.csr_matrix(x), sp.coo_array(x), pd.DataFrame(x)):
        np.testing.assert_allclose(out_of_fold(LogisticRegression(), same, labels), expected, atol=1e-6)


def test_factory_is_called_for_every_fold() -> None:
    x, labels = blobs()
    calls = []

    def factory() -> Any:
        calls.append(LogisticRegression())
        return calls[-1]

    probs = out_of_fold(factory, x, labels, n_folds=4)
    assert len(calls) == 4
    np.testing.assert_array_equal(probs, out_of_fold(LogisticRegression(), x, labels, n_folds=4))
    np.testing.assert_array_equal(probs, out_of_fold(LogisticRegression, x, labels, n_folds=4))


def test_random_classifiers_are_seeded_also_within_pipelines() -> None:
    x, labels = blobs(80)
    forest = RandomForestClassifier(n_estimators=5)
    for model in (forest, make_pipeline(StandardScaler(), forest)):
        first = out_of_fold(model, x, labels, seed=5)
        np.testing.assert_array_equal(first, out_of_fold(model, x, labels, seed=5))
        assert (first != out_of_fold(model, x, labels, seed=6)).any()
    assert forest.random_state is None
    assert not hasattr(forest, "classes_")


def test_unlabelled_units_get_the_mean_and_change_nothing() -> None:
    x, labels = blobs(60)
    known = np.arange(60) >= 10
    masked = np.where(known, labels, -1)
    probs = out_of_fold(LogisticRegression(), x, masked, n_folds=3, seed=2)
    alone = out_of_fold(LogisticRegression(), x[10:], labels[10:], n_folds=3, seed=2)
    np.testing.assert_allclose(probs[10:], alone)
    folds = fold_ids(masked, 3, seed=2)
    models = [
        LogisticRegression().fit(x[f], labels[f]) for f in ((folds >= 0) & (folds != i) for i in range(3))
    ]
    np.testing.assert_allclose(probs[:10], np.mean([m.predict_proba(x[:10]) for m in models], axis=0))


def test_the_only_unit_of_a_class_has_probability_zero() -> None:
    x, labels = blobs(50, 2)
    labels[7] = 4
    probs = out_of_fold(LogisticRegression(), x, labels, n_classes=6)
    assert probs.shape == (50, 6)
    assert probs[7, 4] == 0
    assert (probs[:, [2, 3, 5]] == 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1)


def test_a_training_set_of_one_class_needs_no_model() -> None:
    x, labels = np.arange(6.0)[:, None], np.array([0, 0, 0, 0, 0, 1])
    probs = out_of_fold(LogisticRegression(), x, labels, n_folds=3, seed=0)
    assert probs[5].tolist() == [1, 0]


class Broken(Memory):
    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x) * np.nan


class Narrow(Memory):
    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x)[:, :1]


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (LinearSVC(), "no predict_proba"),
        (Broken(), "NaN"),
        (Narrow(), "one column per class"),
        ("logistic", "estimator is str"),
    ],
)
def test_unfit_classifiers_are_refused(estimator: Any, message: str) -> None:
    x, labels = blobs(30)
    with pytest.raises(InputError, match=message):
        out_of_fold(estimator, x, labels)


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        ([0, 0, 0, -1], {}, "needs two classes"),
        ([-1, -1, -1, -1], {}, "needs two classes"),
        ([0, 1, 0], {}, "Lengths differ"),
        ([0, 1, 0, 1], {"n_folds": 5}, "n_folds is 5 for 4 labelled units"),
        ([0, 1, 0, 1], {"n_folds": 1}, "at least 2"),
        ([0, 1, 0, 1], {"n_folds": 3, "groups": [0, 0, 1, 1]}, "n_folds is 3 for 2 groups"),
        ([0, 1, 0, 1], {"n_folds": 2, "groups": [0, 0, 1]}, "Lengths differ"),
        ([0, 1, 0, 5], {"n_classes": 3}, "class id 5"),
    ],
)
def test_bad_input_is_refused(labels: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        out_of_fold(LogisticRegression(), np.arange(4.0)[:, None], labels, **options)
