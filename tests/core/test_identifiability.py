"""Constructed cases in which T is, and is not, known."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.identifiability import identifiability, kruskal_rank
from labelnoise.core.noise_matrices import pair_transition, symmetric_transition
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.transition_pairs import transition_from_pairs
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])


def gaussians(distance, transition, n=6000, seed=0):
    """Exact P(true | x) and P(given | x), and drawn given labels, of classes that far apart."""
    rng = np.random.default_rng(seed)
    k = len(transition)
    true = rng.integers(0, k, n)
    x = distance / np.sqrt(2) * np.eye(k)[true] + rng.normal(size=(n, k))
    odds = np.exp(distance / np.sqrt(2) * x)
    posterior = odds / odds.sum(axis=1, keepdims=True)
    given = (rng.random(n)[:, None] >= np.cumsum(transition, axis=1)[true][:, :-1]).sum(axis=1)
    return posterior, posterior @ transition, given


def test_separable_classes_with_t_are_identified():
    _, probs, given = gaussians(8, T3)
    answer = identifiability(given, probs, T3)
    assert answer.identified
    assert not answer.reasons
    assert not (answer.no_anchor | answer.overlapping | answer.swappable | answer.unknown).any()
    # Certain units reach the bound.
    np.testing.assert_allclose(answer.bounds, 1 - np.diag(T3), atol=0.02)
    assert "assuming" in str(answer)


def test_binary_overlap_is_not_told_from_noise():
    clean = np.eye(2)
    noisy = np.array([[0.85, 0.15], [0.25, 0.75]])
    # Weak evidence: probabilities never near 0 or 1, whether by overlap ...
    overlap, _, _ = gaussians(0.4, clean)
    assert not identifiability(probs=overlap).identified
    # ... and another T with other posteriors that gives the same probabilities.
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.3, 0.7, 4000)
    posterior = np.column_stack([truth, 1 - truth])
    probs = posterior @ noisy
    for candidate in (noisy, np.array([[0.7, 0.3], [0.38, 0.62]])):
        led_back = np.linalg.solve(candidate.T, probs.T).T
        assert led_back.min() >= 0  # both are possible worlds
    answer = identifiability(probs=probs, transition=noisy)
    assert not answer.identified
    assert answer.no_anchor.all()
    assert "at most" in answer.reasons[0]
    # The truth is within the bounds.
    assert (answer.bounds >= 1 - np.diag(noisy)).all()


def test_noisy_binary_labels_alone_do_not_tell_but_the_assumption_of_anchors_does():
    noisy = np.array([[0.7, 0.3], [0.4, 0.6]])
    _, probs, given = gaussians(8, noisy)
    alone = identifiability(given, probs)
    assert not alone.identified
    assumed = identifiability(given, probs, assume_anchors=True)
    assert assumed.identified
    assert any("for certain" in line for line in assumed.assumptions)
    np.testing.assert_allclose(assumed.bounds, [0.3, 0.4], atol=0.02)


def test_one_class_without_certain_units_is_named():
    posterior, _, _ = gaussians(8, T3)
    mixed = posterior.copy()
    mixed[:, 2] *= 0.5
    mixed[:, 1] = 1 - mixed[:, 0] - mixed[:, 2]
    answer = identifiability(probs=mixed @ T3, transition=T3)
    assert answer.no_anchor.tolist() == [False, False, True]
    assert "class 2 for certain" in answer.reasons[0]


def test_a_class_never_given_is_named():
    _, probs, given = gaussians(8, T3)
    answer = identifiability(np.where(given == 1, -1, given), probs, T3)
    assert answer.unknown.tolist() == [False, True, False]
    assert not answer.identified
    assert "class 1" in answer.reasons[0]


def test_pairs_need_no_anchors_but_every_class():
    true, given = np.repeat([0, 1], 50), np.repeat([0, 1, 0], [40, 30, 30])
    assert identifiability(true, evidence="pairs", n_classes=2).identified
    assert identifiability(transition=transition_from_pairs(true, given), evidence="pairs").identified
    partly = transition_from_pairs(true, given, 3)
    answer = identifiability(transition=partly, evidence="pairs")
    assert answer.unknown.tolist() == [False, False, True]
    # More wrong than right is no obstacle when clean labels were seen.
    swapped = transition_from_pairs(true, 1 - true)
    assert identifiability(transition=swapped, evidence="pairs").identified
    assert not identifiability(transition=swapped, evidence="views", n_views=3).identified


def test_names_are_settled_only_by_a_dominant_diagonal():
    answer = identifiability(evidence="views", n_views=5, transition=pair_transition(3, 0.55))
    assert answer.swappable.all()
    assert "exchanged" in answer.reasons[0]
    assert identifiability(evidence="views", n_views=5, transition=pair_transition(3, 0.4)).identified
    close = TransitionEstimate(
        matrix=np.array([[0.52, 0.48], [0.1, 0.9]]),
        standard_error=np.full((2, 2), 0.03),
        method="hoc",
        n_units=500,
    )
    answer = identifiability(evidence="views", n_views=3, transition=close)
    assert answer.swappable.tolist() == [True, False]


@pytest.mark.parametrize(("n_views", "known"), [(1, False), (2, False), (3, True), (7, True)])
def test_three_views_are_needed(n_views, known):
    assert identifiability(evidence="views", n_views=n_views, transition=T3).identified is known


def test_two_views_fit_another_t_exactly():
    """The sentence about two views is true: both T and T2 give the same pairs of labels."""
    prior = np.array([0.5, 0.5])
    first = np.array([[0.8, 0.2], [0.3, 0.7]])
    root = first.T * np.sqrt(prior)
    angle = 0.15
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    other = root @ turn
    weights = other.sum(axis=0) ** 2
    second = (other / other.sum(axis=0)).T
    assert (second >= 0).all()
    np.testing.assert_allclose(weights.sum(), 1)
    np.testing.assert_allclose((second.T * weights) @ second, (first.T * prior) @ first, atol=1e-12)
    assert np.abs(second - first).max() > 0.05


def test_neighbours_need_classes_that_do_not_overlap():
    _, far, given = gaussians(8, T3)
    assert identifiability(given, far, T3, evidence="neighbours").identified
    _, near, given = gaussians(1, T3)
    answer = identifiability(given, near, T3, evidence="neighbours")
    assert not answer.identified
    assert answer.overlapping.all()
    assert identifiability(given, near, T3, evidence="views", n_views=3).identified


def test_ill_conditioned_and_dependent_rows():
    flat = symmetric_transition(4, 0.7499)
    answer = identifiability(evidence="pairs", labels=[0, 1, 2, 3], transition=flat)
    assert not answer.identified
    assert answer.condition > 1e3
    twins = np.array([[0.6, 0.2, 0.2], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8]])
    answer = identifiability(evidence="views", n_views=3, transition=twins)
    assert np.isinf(answer.condition) or answer.condition > 1e12
    assert any("dependent" in line for line in answer.reasons)
    assert not identifiability(probs=gaussians(8, T3)[1], transition=twins).identified


def test_kruskal_rank():
    rng = np.random.default_rng(0)
    rows = rng.random((5, 5))
    assert kruskal_rank(rows) == 5
    rows[4] = rows[0] + rows[1] - 0.5 * rows[2]
    assert kruskal_rank(rows) == 3
    rows[4] = 2 * rows[0]
    assert kruskal_rank(rows) == 1
    rows[4] = 0
    assert kruskal_rank(rows) == 0
    assert kruskal_rank(rng.random((3, 6))) == 3
    assert kruskal_rank(np.vstack([np.eye(40), np.ones(40)])[:, :40]) >= 2


def test_invariances():
    _, probs, given = gaussians(2.5, T3)
    answer = identifiability(given, probs, T3)
    order = np.array([2, 0, 1])
    renamed = identifiability(np.argsort(order)[given], probs[:, order], T3[np.ix_(order, order)])
    for name in ("unknown", "no_anchor", "overlapping", "swappable"):
        np.testing.assert_array_equal(getattr(renamed, name), getattr(answer, name)[order])
    np.testing.assert_allclose(renamed.bounds, answer.bounds[order], atol=1e-12)
    masked = identifiability(np.append(given, -1), np.vstack([probs, [[1, 0, 0]]]), T3)
    np.testing.assert_array_equal(masked.bounds, answer.bounds)
    assert masked.reasons == answer.reasons


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Nothing was given"),
        ({"n_classes": 3}, "needs probs"),
        ({"evidence": "views", "n_classes": 3}, "needs n_views"),
        ({"evidence": "pairs", "n_classes": 3}, "needs labels"),
        ({"evidence": "votes"}, "evidence"),
        ({"probs": [[0.5, 0.5]], "transition": T3}, "Numbers of classes differ"),
        ({"probs": [[0.5, 0.5]], "labels": [0, 1]}, "Lengths differ"),
        ({"probs": [[0.5, 0.5]], "labels": [-1]}, "No unit is labelled"),
        ({"probs": [[0.5, 0.5]], "near_anchor": 0.2}, "near_anchor is 0.2"),
        ({"n_classes": 1, "evidence": "views", "n_views": 3}, "at least 2"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(arguments, message):
    with pytest.raises(InputError, match=message):
        identifiability(**arguments)
