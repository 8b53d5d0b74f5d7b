"""Memorisation found by seen and unseen labels: the curves, the test, and what ADELE makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from labelnoise.core.training.loop import Run
from labelnoise.core.validation import InputError
from labelnoise.segmentation.adele_tested import TestedAdele, tempered, train_tested_adele
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.mask_task import MaskTask
from labelnoise.segmentation.onset import Curves, cross_fit_curves, memorisation_onsets, onsets_of
from labelnoise.segmentation.train_methods import fit

TINY = {"task_options": {"network_options": {"width": 4}}, "epochs": 4, "points": 4}


def curves(own: NDArray[np.float64], other: NDArray[np.float64], spread: float = 0.0) -> Curves:
    """Curves (e, K) of a hundred images with about these IoU."""
    rng = np.random.default_rng(0)
    made = []
    for iou in (own, other):
        values = np.clip(iou[:, None] + spread * rng.normal(size=(1, 100, 1)), 0, 1)
        shared = np.rint(2000 * values / (1 + values)).astype(np.int64)
        made.append(np.stack([shared, np.full_like(shared, 1000), np.full_like(shared, 1000)], axis=-1))
    names = tuple(f"c{i}" for i in range(own.shape[1]))
    return Curves(epochs=np.arange(1, len(own) + 1) * 4, own=made[0], other=made[1], class_names=names)


def test_iou_is_pooled_over_images() -> None:
    found = curves(np.full((2, 1), 0.5), np.full((2, 1), 0.25))
    assert found.iou("own")[:, 0] == pytest.approx([0.5, 0.5], abs=0.002)
    weights = np.zeros((3, 100))
    weights[:, 0] = 1
    assert found.iou("other", weights).shape == (3, 2, 1)


def test_what_a_finite_number_of_images_costs_is_no_memorisation() -> None:
    own = np.array([[0.3, 0.3], [0.6, 0.6], [0.8, 0.8], [0.9, 0.9], [0.9, 0.9]])
    other = np.array([[0.3, 0.3], [0.55, 0.6], [0.5, 0.7], [0.45, 0.75], [0.4, 0.75]])
    found = onsets_of(curves(own, other, 0.05))
    assert found.epoch == (12, None)
    assert found.peak[0] in (8, 12)
    assert found.ahead[-1] == pytest.approx([0.5, 0.15], abs=0.02)
    assert onsets_of(curves(own, other, 0.05), threshold=0.6).epoch == (None, None)


def test_a_few_images_do_not_make_it_sure() -> None:
    """Two images of a hundred are far ahead, the others are not: the mean says yes, the bootstrap no."""
    own, other = np.full((4, 1), 0.9), np.full((4, 1), 0.75)
    found = curves(own, other)
    other_counts = found.other.copy()
    other_counts[:, :2, :, 0] = 0
    large = found.own.copy()
    large[:, :2], other_counts[:, :2, :, 1:] = large[:, :2] * 20, 20000
    found = replace(found, own=large, other=other_counts)
    assert (found.iou("own") - found.iou("other"))[-1, 0] > 0.2
    assert onsets_of(found).epoch == (None,)


def test_once_is_not_enough_and_neither_is_a_class_not_learnt() -> None:
    own = np.array([[0.3], [0.8], [0.5], [0.5]])
    other = np.array([[0.3], [0.4], [0.45], [0.45]])
    assert onsets_of(curves(own, other)).epoch == (None,)
    assert onsets_of(curves(own, other), runs=1).epoch == (8,)
    assert onsets_of(curves(own, np.full((4, 1), 0.02))).epoch == (None,)
    with pytest.raises(InputError, match="threshold"):
        onsets_of(curves(own, other), threshold=2.0)


def test_curves_count_every_image_once_by_each_network() -> None:
    data = replace(scenes(6, 32), splits={})
    found, same = (cross_fit_curves(data, 3, **TINY) for _ in range(2))
    assert found.own.shape == (4, 6, 5, 3)
    labelled = np.stack([np.bincount(data.mask(i).ravel(), minlength=5) for i in range(6)])
    assert (found.own[..., 2] == labelled).all()
    assert (found.other[..., 2] == labelled).all()
    assert (found.own[..., 0] <= found.own[..., 1:].min(axis=-1)).all()
    assert (found.own == same.own).all()
    result, again = memorisation_onsets(data, 3, **TINY)
    assert len(result.epoch) == 5
    assert (again.own == found.own).all()
    assert data.true is not None
    told = cross_fit_curves(data, 3, unseen_against="true", **TINY)
    truly = np.stack([np.bincount(data.true_mask(i).ravel(), minlength=5) for i in range(6)])
    assert (told.own == found.own).all()
    assert (told.other[..., 2] == truly).all()
    assert (truly != labelled).any()
    with pytest.raises(InputError, match="True labels"):
        cross_fit_curves(replace(data, true=None), 3, unseen_against="true", **TINY)
    for wrong in ({"epochs": 3}, {"points": 2}, {"rows": np.arange(3)}):
        with pytest.raises(InputError):
            cross_fit_curves(data, 0, **{**TINY, **wrong})


def test_a_temperature_makes_confidence_that_of_unseen_labels() -> None:
    logits = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * 6
    temperature = tempered(logits, 0.6)
    assert temperature > 1
    assert float((logits / temperature).softmax(1).amax(1).mean()) == pytest.approx(0.6, abs=1e-4)
    assert tempered(logits, 0.9999) == 1.0


def test_corrections_start_from_what_was_given_and_are_noted() -> None:
    task = MaskTask(scenes(4, 32), network_options={"width": 4})
    kept: dict[str, torch.Tensor] = {}

    def look(run: Run) -> None:
        kept.update({name: value.clone() for name, value in run.units.state_dict().items()})

    strategy = TestedAdele(onsets={1: 6, 2: 6, 3: 8, 4: 8}, threshold=0.3)
    result = fit(task, 0, strategy=strategy, epochs=12, lr=1e-2, callbacks=(look,))
    changed = kept["labels"].long().numpy() != task.given
    assert changed.any()
    assert ((kept["since"].numpy() >= 0) == changed).all()
    assert kept["since"].max() <= 11
    assert result.history[-1]["corrected"] == changed.sum()
    assert result.history[0]["corrected"] == 0
    idle = fit(task, 0, strategy=TestedAdele(), epochs=2)
    assert [entry["corrected"] for entry in idle.history] == [0, 0]


def test_the_trainer_says_what_it_found() -> None:
    result = train_tested_adele(scenes(6, 32), 0, epochs=4, network_options={"width": 4})
    assert set(result.info) == {"onsets", "peaks", "ahead", "corrected"}
    for wrong in ({"parameters": {"agreement": 2.0}}, {"parameters": {"form": "segthor"}}):
        with pytest.raises((InputError, TypeError)):
            train_tested_adele(scenes(6, 32), 0, epochs=4, network_options={"width": 4}, **wrong)
