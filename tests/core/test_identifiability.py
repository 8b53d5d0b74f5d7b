"""What cannot be known is said, class by class, with the number that shows it and what would help."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.core.identifiability import Identifiability, identifiability
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError

SYMMETRIC = 0.7 * np.eye(3) + 0.1
GIVEN = np.repeat([0, 1, 2], 100)
SURE = 0.9 * np.eye(3)[GIVEN] + 0.1 / 3


def reasons(verdict: Identifiability, *words: str) -> None:
    """Exactly one reason for each word, one sentence each."""
    assert len(verdict.reasons) == len(words), verdict
    for reason, word in zip(verdict.reasons, words, strict=True):
        assert word in reason
        assert reason.endswith(".")
        assert ";" in reason, "the remedy"
    assert verdict.identified == (not words) == bool(verdict.per_class.all())


def simulated(
    distance: float, transition: NDArray[np.float64], n: int = 6000
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Gaussian classes on the corners of a simplex: given labels, the exact posterior of them, true labels."""
    rng = np.random.default_rng(0)
    k = len(transition)
    true = rng.integers(0, k, n)
    x = rng.normal(size=(n, k)) + distance / np.sqrt(2) * np.eye(k)[true]
    logits = distance / np.sqrt(2) * x
    clean = np.exp(logits - logits.max(axis=1, keepdims=True))
    clean /= clean.sum(axis=1, keepdims=True)
    given = (rng.random((n, 1)) > transition[true].cumsum(axis=1)[:, :-1]).sum(axis=1)
    return given, clean @ transition, true


def test_separable_classes_with_anchors_are_identified() -> None:
    reasons(identifiability(GIVEN, SURE))


def test_labels_alone_are_not_enough() -> None:
    verdict = identifiability(GIVEN)
    reasons(verdict, "One label per unit")
    assert not verdict.per_class.any()


def test_one_class_only() -> None:
    verdict = identifiability(np.zeros(50, dtype=int), np.tile([0.9, 0.1], (50, 1)))
    assert not verdict.per_class.any()
    assert "Only 1 of 2 classes" in verdict.reasons[0]
    assert "Only 0 of 2" in identifiability([-1, -1], n_classes=2).reasons[0]


def test_a_class_that_nobody_is_given_costs_only_itself() -> None:
    given = np.where(GIVEN == 2, -1, GIVEN)
    verdict = identifiability(given, n_votes=3, n_classes=3)
    assert verdict.per_class.tolist() == [True, True, False]
    assert "Class 2 is never given among 200" in verdict.reasons[0]


def test_missing_anchors_are_named_by_class() -> None:
    probs = SURE.copy()
    probs[GIVEN == 1] = [0.13, 0.74, 0.13]
    verdict = identifiability(GIVEN, probs)
    reasons(verdict, "Class 1 has no near-anchors")
    assert "0.74 for class 1" in verdict.reasons[0]
    assert verdict.per_class.tolist() == [True, False, True]


def test_one_sure_unit_in_a_hundred_is_not_an_anchor() -> None:
    probs = np.tile([0.7, 0.3], (200, 1))
    probs[100:] = probs[100:, ::-1]
    given = np.repeat([0, 1], 100)
    probs[0] = [1.0, 0.0]
    assert "no near-anchors" in identifiability(given, probs).reasons[0]
    probs[:10] = [1.0, 0.0]
    assert "Class 1 has no near-anchors" in identifiability(given, probs).reasons[0]


def test_two_classes_that_look_alike_though_each_has_anchors() -> None:
    """Five sure units in a hundred pass for anchors; the other ninety-five are either class."""
    probs = SURE.copy()
    blur = (GIVEN > 0) & (np.arange(300) % 100 >= 5)
    probs[blur] = [0.02, 0.5, 0.48]
    probs[blur & (GIVEN == 2)] = [0.02, 0.48, 0.5]
    verdict = identifiability(GIVEN, probs)
    reasons(verdict, "Classes 1 and 2 are weakly separable")
    assert verdict.per_class.tolist() == [True, False, False]


@pytest.mark.parametrize("prior", [0.5, 0.9])
def test_proportional_posteriors_have_no_separation_at_any_prior(prior: float) -> None:
    verdict = identifiability([0, 1] * 50, np.tile([prior, 1 - prior], (100, 1)))
    assert any("separation 0.00" in reason for reason in verdict.reasons)


def test_swapped_classes() -> None:
    swapped = np.array([[0.4, 0.6, 0.0], [0.7, 0.3, 0.0], [0.0, 0.1, 0.9]])
    verdict = identifiability(GIVEN, n_votes=5, transition=swapped)
    reasons(verdict, "Classes 0, 1 are not clearly given the right name most often: T[1, 1] is 0.30")
    assert verdict.per_class.tolist() == [False, False, True]
    reasons(identifiability(GIVEN, n_votes=5, transition=SYMMETRIC))


def test_a_lead_within_its_error_does_not_count() -> None:
    def estimate(error: float) -> TransitionEstimate:
        return TransitionEstimate(
            matrix=SYMMETRIC, standard_error=np.full((3, 3), error), method="test", n_units=300
        )

    reasons(identifiability(GIVEN, n_votes=3, transition=estimate(0.1)))
    reasons(identifiability(GIVEN, n_votes=3, transition=estimate(0.3)), "standard error of the lead 0.42")
    assert not identifiability(GIVEN, n_votes=3, transition=estimate(np.inf)).per_class.any()


def test_merged_classes() -> None:
    merged = np.array([[0.5001, 0.4999, 0.0], [0.4999, 0.5001, 0.0], [0.0, 0.1, 0.9]])
    verdict = identifiability(GIVEN, n_votes=3, transition=merged)
    reasons(verdict, "condition number")
    assert "the rows of classes 0, 1 are" in verdict.reasons[0]
    assert verdict.per_class.tolist() == [False, False, True]


@pytest.mark.parametrize(("votes", "fine"), [(1, False), (2, False), (3, True)])
def test_three_votes(votes: int, fine: bool) -> None:
    reasons(identifiability(GIVEN, n_votes=votes), *([] if fine else ["too few units of 3 votes"]))


def test_votes_are_counted_by_class() -> None:
    votes = np.where((GIVEN == 0) | (np.arange(300) % 4 == 0), 3, 2)
    verdict = identifiability(GIVEN, n_votes=votes)
    reasons(verdict, "Classes 1, 2 have too few units of 3 votes: 50 % of units")
    assert verdict.per_class.tolist() == [True, False, False]


def test_one_way_to_know_is_enough() -> None:
    flat = np.full((300, 3), 1 / 3)
    assert not identifiability(GIVEN, flat).identified
    reasons(identifiability(GIVEN, flat, n_votes=3))
    reasons(identifiability(GIVEN, SURE, n_votes=1))


def test_clean_pairs_overrule_everything_for_their_class() -> None:
    swapped = np.array([[0.4, 0.6, 0.0], [0.7, 0.3, 0.0], [0.0, 0.1, 0.9]])
    true = np.repeat([0, 1, 2], [30, 29, 40])
    pairs = np.column_stack([np.zeros_like(true), true])
    verdict = identifiability(np.zeros(9, dtype=int), transition=swapped, pairs=pairs)
    assert verdict.per_class.tolist() == [True, False, True]
    assert "Class 1 has too few clean pairs: 29 of class 1 where 30 are needed; collect 1 more" in str(
        verdict
    )
    reasons(identifiability(GIVEN, transition=swapped, pairs=np.vstack([pairs, [[1, 1]]])))


def test_simulated_overlap_is_seen_and_noise_alone_is_not_taken_for_it() -> None:
    given, probs, _ = simulated(4.0, SYMMETRIC)
    reasons(identifiability(given, probs, transition=SYMMETRIC))
    reasons(identifiability(given, simulated(4.0, np.eye(3))[1]))
    given, probs, _ = simulated(0.7, SYMMETRIC)
    assert not identifiability(given, probs, transition=SYMMETRIC).per_class.any()
    # Strong noise between classes that never overlap: identified if T is passed, undecided without.
    strong = 0.4 * np.eye(3) + 0.2
    given, probs, _ = simulated(6.0, strong)
    assert not identifiability(given, probs).identified
    reasons(identifiability(given, probs, transition=strong))


def test_simulated_verdicts_agree_with_what_anchors_recover() -> None:
    """The row of T read off at the 97th percentile is right where the verdict is yes and wrong where it is no."""
    errors = {}
    for distance in (0.7, 5.0):
        given, probs, _ = simulated(distance, SYMMETRIC)
        top = probs.argmax(axis=1)
        peak = [np.percentile(probs[top == c, c], 97) for c in range(3)]
        verdict = identifiability(given, probs, transition=SYMMETRIC)
        errors[verdict.identified] = np.abs(np.array(peak) - 0.8).max()
    assert errors[True] < 0.01
    assert errors[False] > 0.1


def test_units_without_a_label_change_nothing() -> None:
    probs = np.vstack([SURE, np.eye(3)[[1]]])
    votes = np.full(301, 3)
    for more in ({}, {"n_votes": votes}):
        less = {name: value[:300] for name, value in more.items()}
        masked = identifiability(np.append(GIVEN, -1), probs, **more)
        assert str(masked) == str(identifiability(GIVEN, SURE, **less))


def test_refusals() -> None:
    with pytest.raises(InputError, match="Numbers of classes differ: probs 3, transition 2"):
        identifiability(GIVEN, SURE, transition=np.eye(2))
    with pytest.raises(InputError, match="pass n_classes"):
        identifiability([-1, -1])
    with pytest.raises(InputError, match="n_votes must be"):
        identifiability(GIVEN, n_votes=2.5)
    with pytest.raises(InputError, match="Lengths differ"):
        identifiability(GIVEN, n_votes=[3, 3])
    with pytest.raises(InputError, match="pairs has shape"):
        identifiability(GIVEN, pairs=[0, 1])
    with pytest.raises(InputError, match="class id 3"):
        identifiability(GIVEN, pairs=[[0, 3]])
