"""Every registered estimator of T answers alike and finds T where its conditions hold."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.transition_estimators import TRANSITIONS
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])


def test_names():
    assert set(TRANSITIONS) >= {"pairs", "anchors", "anchors-quantile", "anchors-top", "dual", "confident"}
    with pytest.raises(InputError, match="Did you mean 'anchors'"):
        TRANSITIONS["anchor"]


@pytest.mark.parametrize("name", sorted(TRANSITIONS))
def test_each_finds_t_within_three_errors(name):
    rng = np.random.default_rng(0)
    true = rng.choice(3, 6000, p=[0.5, 0.3, 0.2])
    given = (rng.random(6000)[:, None] >= np.cumsum(T3, axis=1)[true][:, :-1]).sum(axis=1)
    entry = TRANSITIONS[name]
    assert entry.helps
    assert entry.hurts
    if name == "pairs":
        estimate = entry.load()(true, given, 3, **entry.options)
    else:
        # Some units are undecided between two classes.
        posterior = np.eye(3)[true]
        posterior[::9] = (posterior[::9] + posterior[::9][:, [1, 2, 0]]) / 2
        estimate = entry.load()(given, posterior @ T3, **entry.options)
    assert isinstance(estimate, TransitionEstimate)
    # The errors of a fitted classifier leave its bias out, and say so.
    bias = 0.06 if name == "volume" else 0.0
    assert (np.abs(estimate.matrix - T3) <= 3 * estimate.standard_error + bias).all()
    assert estimate.prior.sum() == pytest.approx(1)
    assert estimate.n_units == 6000
