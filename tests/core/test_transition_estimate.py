"""An estimate of T refuses what is not one, and says how far it can be inverted."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError


def make(matrix: list[list[float]], error: float = 0.0, **more: object) -> TransitionEstimate:
    values = np.array(matrix)
    return TransitionEstimate(
        matrix=values, standard_error=np.full(values.shape, error), method="test", n_units=10, **more
    )


def test_a_singular_matrix_has_an_infinite_condition_number() -> None:
    assert make([[0.5, 0.5], [0.5, 0.5]]).condition > 1e12
    assert make([[1.0, 0.0], [0.0, 1.0]]).condition == pytest.approx(1.0)


def test_the_rate_needs_a_prior() -> None:
    assert make([[0.9, 0.1], [0.3, 0.7]]).rate is None
    assert make([[0.9, 0.1], [0.3, 0.7]], prior=np.array([0.5, 0.5])).rate == pytest.approx(0.2)


def test_unknown_is_infinite_and_never_nan() -> None:
    assert "±inf" in str(make([[0.9, 0.1], [0.3, 0.7]], error=np.inf))
    with pytest.raises(InputError, match="NaN or negative"):
        make([[0.9, 0.1], [0.3, 0.7]], error=np.nan)
    with pytest.raises(InputError, match="sum to 1"):
        make([[0.9, 0.2], [0.3, 0.7]])
    with pytest.raises(InputError, match="one error per entry"):
        TransitionEstimate(matrix=np.eye(2), standard_error=np.zeros((3, 3)), method="test", n_units=1)
