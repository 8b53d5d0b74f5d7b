"""The mean over what is labelled, and the two rules that drop large losses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.losses.weights import keep_below_maximum, keep_inliers, labelled_mean
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(8)
VALUES = torch.tensor(RNG.exponential(1, 64))
LABELS = torch.tensor(RNG.integers(-1, 5, 64))
KEPT = LABELS >= 0


def test_mean_over_labelled_units_only():
    z = torch.tensor(RNG.normal(0, 1, (64, 5)))
    values = cross_entropy(z, LABELS)
    expected = torch.nn.functional.cross_entropy(z, LABELS, ignore_index=-1)
    torch.testing.assert_close(labelled_mean(values, LABELS), expected)


def test_mean_of_cells_and_of_distributions():
    targets = torch.tensor([[1, -1], [0, 1]])
    assert float(labelled_mean(torch.tensor([[1.0, 9.0], [2.0, 3.0]]), targets)) == 2.0
    soft = torch.tensor([[0.5, 0.5], [-1.0, -1.0], [1.0, 0.0]])
    assert float(labelled_mean(torch.tensor([1.0, 9.0, 3.0]), soft)) == 2.0


def test_weights_are_renormalised():
    """Dropping half of the units leaves the mean, and with it the step, at the size of the other half."""
    weights = torch.tensor([1.0, 1.0, 0.0, 0.0])
    values = torch.tensor([2.0, 4.0, 100.0, 100.0], requires_grad=True)
    mean = labelled_mean(values, [0, 0, 0, 0], weights=weights)
    assert mean.item() == 3.0
    mean.backward()
    assert values.grad.tolist() == [0.5, 0.5, 0, 0]


def test_nothing_labelled_is_zero_with_a_zero_gradient():
    values = torch.ones(3, requires_grad=True)
    labelled_mean(values, [-1, -1, -1]).backward()
    assert values.grad.tolist() == [0, 0, 0]
    assert float(labelled_mean(torch.ones(3), [0, 0, 0], weights=[0, 0, 0])) == 0
    assert float(labelled_mean(torch.zeros(0), torch.zeros(0, dtype=torch.long))) == 0


def test_unlabelled_values_and_weights_are_not_read():
    nan = float("nan")
    values = torch.tensor([1.0, nan, 3.0], requires_grad=True)
    mean = labelled_mean(values, [0, -1, 0], weights=[1.0, nan, 1.0])
    mean.backward()
    assert mean.item() == 2.0
    assert values.grad.tolist() == [0.5, 0, 0.5]


def test_rules_against_numpy():
    seen = VALUES[KEPT].numpy()
    by_maximum = keep_below_maximum(VALUES, LABELS, share=0.6)
    np.testing.assert_array_equal(by_maximum[KEPT] == 1, seen <= 0.6 * seen.max())
    inliers = keep_inliers(VALUES, LABELS, spread=1.9)
    np.testing.assert_array_equal(inliers[KEPT] == 1, seen <= np.median(seen) + 1.9 * seen.std())
    for weights in (by_maximum, inliers):
        assert 0 < weights[KEPT].sum() < KEPT.sum()
        assert (weights[~KEPT] == 0).all()


@pytest.mark.parametrize("rule", [keep_below_maximum, keep_inliers])
def test_rules_do_not_see_what_has_no_label(rule):
    other = torch.where(KEPT, VALUES, float("inf"))
    assert torch.equal(rule(other, LABELS), rule(VALUES, LABELS))
    assert rule(torch.zeros(0), torch.zeros(0, dtype=torch.long)).shape == (0,)
    assert (rule(VALUES, torch.full((64,), -1)) == 0).all()
    assert rule(VALUES[:1], [0]).tolist() == ([0.0] if rule is keep_below_maximum else [1.0])
    assert not rule(VALUES.requires_grad_(), LABELS).requires_grad


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: labelled_mean(VALUES, LABELS[:3]), "of the same batch"),
        (lambda: labelled_mean(VALUES, LABELS, weights=[1.0]), "weights has shape"),
        (lambda: labelled_mean(VALUES, LABELS, weights=-torch.ones(64)), "negative"),
        (lambda: keep_below_maximum(VALUES, LABELS, share=1.5), "share is 1.5"),
        (lambda: keep_inliers(VALUES, LABELS, spread=-1), "spread is -1"),
    ],
)
def test_wrong_input_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
