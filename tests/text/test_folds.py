"""No name is in two folds, sentences stay together for other words."""

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.embedded import news
from labelnoise.text.folds import form_folds


def test_a_name_is_in_one_fold_and_folds_are_even():
    data = news()
    folds = form_folds(data.tokens, data.starts, data.given, 3, seed=1)
    tagged = {str(token).lower() for token, tag in zip(data.tokens, data.given) if tag > 0}
    lower = np.array([str(token).lower() for token in data.tokens], dtype=object)
    capital = np.array([str(token)[:1].isupper() for token in data.tokens])
    names = [form for form in tagged if capital[lower == form].all()]
    assert len(names) > 100
    for form in names:
        assert len(set(folds[lower == form])) == 1
    assert set(folds) == {0, 1, 2}
    assert np.bincount(folds).min() > 0.2 * len(folds)


def test_the_seed_decides_and_too_few_folds_are_refused():
    data = news()
    first = form_folds(data.tokens, data.starts, data.given, seed=1)
    np.testing.assert_array_equal(first, form_folds(data.tokens, data.starts, data.given, seed=1))
    assert (first != form_folds(data.tokens, data.starts, data.given, seed=2)).any()
    with pytest.raises(InputError, match="at least 2"):
        form_folds(data.tokens, data.starts, data.given, 1)
