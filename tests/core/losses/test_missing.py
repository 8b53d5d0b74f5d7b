"""Masking of likely missing tags, cell by cell against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from labelnoise.core.losses.missing import mask_likely_missing, negative_thresholds, partial_cross_entropy
from labelnoise.core.losses.plain import cross_entropy
from labelnoise.core.validation import InputError

RNG = np.random.default_rng(6)
TARGETS = RNG.choice([0, 0, 0, 1, -1], (200, 5)).astype(np.int8)
SCORES = RNG.random((200, 5))


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 1.0])
def test_each_tags_top_negatives_are_masked(share):
    masked = mask_likely_missing(TARGETS, SCORES, share=share)
    for k in range(5):
        negatives = np.flatnonzero(TARGETS[:, k] == 0)
        count = int(share * len(negatives))
        top = set(sorted(negatives, key=lambda i: -SCORES[i, k])[:count])
        assert set(np.flatnonzero((masked[:, k] == -1) & (TARGETS[:, k] != -1))) == top
    changed = masked != TARGETS
    assert (TARGETS[changed] == 0).all()
    assert (masked[changed] == -1).all()


def test_thresholds_mask_the_same_negatives():
    for share in (0.0, 0.02, 0.3, 1.0):
        bounds = negative_thresholds(TARGETS, SCORES, share=share)
        by_threshold = np.where((TARGETS == 0) & (bounds < SCORES), -1, TARGETS)
        np.testing.assert_array_equal(by_threshold, mask_likely_missing(TARGETS, SCORES, share=share))


def test_a_tag_without_negatives():
    targets = np.array([[1, 0], [-1, 0], [1, 1]])
    scores = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    np.testing.assert_array_equal(mask_likely_missing(targets, scores, share=0.5)[:, 0], targets[:, 0])
    assert negative_thresholds(targets, scores, share=0.5)[0] == np.inf


def test_scores_of_other_cells_are_not_read():
    poisoned = np.where(TARGETS == 0, SCORES, np.nan)
    np.testing.assert_array_equal(
        mask_likely_missing(TARGETS, poisoned, share=0.1), mask_likely_missing(TARGETS, SCORES, share=0.1)
    )


def test_equal_scores_are_masked_in_order():
    masked = mask_likely_missing(np.zeros((4, 1)), np.full((4, 1), 0.5), share=0.5)
    assert masked[:, 0].tolist() == [-1, -1, 0, 0]


def test_partial_loss_is_cross_entropy_without_the_suspects():
    z = torch.tensor(RNG.normal(0, 2, (200, 5)))
    targets = torch.tensor(TARGETS)
    bounds = np.array([0.5, 0.9, 0.1, np.inf, -np.inf])
    values = partial_cross_entropy(z, targets, thresholds=bounds)
    plain = cross_entropy(z, targets, multilabel=True)
    suspect = (targets == 0) & (torch.sigmoid(z) > torch.tensor(bounds))
    assert 0.1 < suspect.float().mean() < 0.9
    assert (values[suspect] == 0).all()
    torch.testing.assert_close(values[~suspect], plain[~suspect])


def test_partial_loss_with_a_teacher_equals_masked_targets():
    z = torch.tensor(RNG.normal(0, 2, (200, 5)))
    bounds = negative_thresholds(TARGETS, SCORES, share=0.2)
    teacher = np.where(TARGETS == -1, np.nan, SCORES)
    values = partial_cross_entropy(z, TARGETS, thresholds=bounds, scores=teacher)
    masked = mask_likely_missing(TARGETS, SCORES, share=0.2)
    torch.testing.assert_close(values, cross_entropy(z, masked, multilabel=True))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: mask_likely_missing(TARGETS, SCORES[:5]), "one per cell"),
        (lambda: mask_likely_missing(TARGETS, np.full((200, 5), np.nan)), "NaN"),
        (lambda: mask_likely_missing(TARGETS, SCORES, share=2), "share is 2"),
        (lambda: mask_likely_missing(TARGETS + 3, SCORES), "other than 0, 1 and -1"),
        (
            lambda: partial_cross_entropy(torch.zeros(2, 3), np.zeros((2, 3)), thresholds=[0.5]),
            "one per class",
        ),
        (lambda: partial_cross_entropy(torch.zeros(2, 3), np.zeros((2, 3)), thresholds=np.nan), "NaN"),
        (
            lambda: partial_cross_entropy(
                torch.zeros(2, 3), np.zeros((2, 3)), thresholds=0.5, scores=[[0.1]]
            ),
            "one per cell",
        ),
    ],
)
def test_wrong_input_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()
