"""Few passes of AdaGrad over sparse rows: it learns, it can be repeated, rows left out do not count."""

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.core.validation import InputError


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    words = (rng.random((600, 300)) < np.where(np.arange(300) % 3 == labels[:, None], 0.08, 0.02)).astype(
        np.float32
    )
    words /= np.maximum(np.linalg.norm(words, axis=1, keepdims=True), 1)
    return sp.csr_array(words), np.eye(3)[labels], labels


def test_learns_what_words_mean(problem):
    X, targets, labels = problem
    model = fit_sparse_softmax(X, targets, rows=np.arange(400))
    assert (model.predict(X[400:]).argmax(axis=1) == labels[400:]).mean() > 0.85


def test_the_seed_decides(problem):
    X, targets, _ = problem
    first, again, other = (fit_sparse_softmax(X, targets, seed=seed).weights for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_rows_left_out_and_rows_without_mass_change_nothing(problem):
    X, targets, _ = problem
    kept = np.arange(0, 600, 2)
    emptied = targets.copy()
    emptied[1::2] = 0
    chosen = fit_sparse_softmax(X, targets, rows=kept).weights
    np.testing.assert_array_equal(chosen, fit_sparse_softmax(X, emptied).weights)


def test_refuses(problem):
    X, targets, _ = problem
    with pytest.raises(InputError, match="rows of features"):
        fit_sparse_softmax(X, targets[:5])
    with pytest.raises(InputError, match="above 0"):
        fit_sparse_softmax(X, targets, epochs=0)
    with pytest.raises(InputError, match="NaN"):
        fit_sparse_softmax(X, -targets)
