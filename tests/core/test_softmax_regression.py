"""Softmax regression against scikit-learn, and what it must refuse."""

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.validation import InputError


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    return rng.normal(size=(300, 5)) + 1.5 * np.eye(3, 5)[labels], labels


@pytest.mark.parametrize("sparse", [False, True])
def test_equal_to_scikit_learn_on_hard_labels(problem, sparse):
    from sklearn.linear_model import LogisticRegression

    X, labels = problem
    ours = fit_softmax(
        sp.csr_array(X) if sparse else X, np.eye(3)[labels], l2=2.0, iterations=500, tolerance=1e-12
    )
    theirs = LogisticRegression(C=0.5, tol=1e-8, max_iter=1000).fit(X, labels)
    np.testing.assert_allclose(ours.predict(X), theirs.predict_proba(X), atol=2e-3)


def test_soft_targets_are_a_mixture_of_hard_ones(problem):
    X, labels = problem
    soft = 0.7 * np.eye(3)[labels] + 0.3 * np.eye(3)[(labels + 1) % 3]
    twice = np.vstack([X, X])
    hard = np.vstack([np.eye(3)[labels], np.eye(3)[(labels + 1) % 3]])
    weights = np.repeat([0.7, 0.3], len(X))
    mixed = fit_softmax(X, soft, iterations=300, tolerance=1e-12).predict(X)
    weighted = fit_softmax(twice, hard, weights=weights, iterations=300, tolerance=1e-12).predict(X)
    np.testing.assert_allclose(mixed, weighted, atol=2e-3)


def test_rows_without_mass_change_nothing(problem):
    X, labels = problem
    targets = np.eye(3)[labels]
    targets[::3] = 0
    X2 = X.copy()
    X2[::3] = 99.0
    np.testing.assert_allclose(
        fit_softmax(X, targets).predict(X), fit_softmax(X2, targets).predict(X), atol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"targets": np.ones((3, 2))}, "rows of features"),
        ({"weights": np.ones(3)}, "one per row"),
        ({"l2": 0.0}, "above 0"),
        ({"weights": np.full(300, np.nan)}, "NaN"),
    ],
)
def test_refuses(problem, change, why):
    X, labels = problem
    with pytest.raises(InputError, match=why):
        fit_softmax(X, **{"targets": np.eye(3)[labels], **change})
