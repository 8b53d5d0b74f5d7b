"""Features of words: shapes, windows that stop at sentences, unit rows, the same columns for new text."""

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.features import token_features, word_shape


def test_rows_do_not_depend_on_other_sentences():
    one = token_features(["Ada", "met", "Bob"], np.array([0, 3]))
    two = token_features(["Rome", "fell", "Ada", "met", "Bob", "x"], np.array([0, 2, 5, 6]))
    assert abs(one - two[2:5]).max() == 0


def test_neighbours_count_within_their_window():
    a = token_features(["a", "b", "c", "d"], np.array([0, 4]), window=1)
    b = token_features(["a", "b", "c", "e"], np.array([0, 4]), window=1)
    assert abs(a[:2] - b[:2]).max() == 0
    assert abs(a[2:3] - b[2:3]).max() > 0


def test_rows_have_unit_length():
    rows = token_features(["Zürich", "", "3,14", "-"], np.array([0, 2, 4]))
    np.testing.assert_allclose(rows.power(2).sum(axis=1), 1, rtol=1e-5)


def test_shapes():
    assert [word_shape(word) for word in ("ÄÖü", "", "a-B2")] == ["Xx", "", "x-X9"]


def test_refuses_starts_that_do_not_fit():
    with pytest.raises(InputError, match="rise from 0"):
        token_features(["a", "b"], np.array([0, 1]))
    with pytest.raises(InputError, match="window"):
        token_features(["a"], np.array([0, 1]), window=-1)
