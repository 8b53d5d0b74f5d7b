"""A network and the confusions of its annotators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from labelnoise.core.validation import InputError
from labelnoise.segmentation.annotator_network import (
    AnnotatorNetwork,
    AnnotatorTask,
    train_annotators,
    vote_losses,
)
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.networks import build_network
from labelnoise.segmentation.trainers import TRAINERS

TINY = {"network_options": {"width": 4}, "batch_size": 4, "lr": 0.01}


def blocks(n: int = 12) -> MaskDataset:
    """Bright squares on dark ground; "good" draws them, "blind" calls two squares in three ground."""
    rng = np.random.default_rng(0)
    true = np.zeros((n, 24, 24), dtype=np.int8)
    for i in range(n):
        y, x = rng.integers(2, 12, 2)
        true[i, y : y + 10, x : x + 10] = 1
    images = [(0.5 * t + rng.normal(0, 0.1, t.shape)).astype(np.float32) for t in true]
    blind = true * (rng.random((n, 24, 24)) < 1 / 3)
    votes = np.stack([true.ravel(), blind.ravel(), blind.ravel()], axis=1).astype(np.int8)
    # Only a third of the images were shown to the one who sees.
    votes[: 24 * 24 * (2 * n // 3), 0] = -1
    return MaskDataset.from_masks(
        blind, ("ground", "square"), true=true, images=images, votes=votes, annotators=("good", "b", "c")
    )


def test_losses_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(6, 3)))
    votes = torch.from_numpy(rng.integers(-1, 3, (6, 2)))
    matrices = torch.from_numpy(rng.dirichlet(np.ones(3), (2, 6, 3)))
    values, seen = vote_losses(logits, votes, matrices)
    p = logits.softmax(1)
    for u in range(6):
        for a in range(2):
            y = int(votes[u, a])
            expected = 0.0 if y < 0 else -float(torch.log(p[u] @ matrices[a, u, :, y]))
            assert float(values[u, a]) == pytest.approx(expected)
    assert (seen == (votes >= 0)).all()


def test_who_errs_is_found_and_the_network_is_right_where_most_votes_are_wrong() -> None:
    data = blocks()
    blind = replace(data, true=None)
    result = TRAINERS["annotators"].load()(blind, 0, epochs=20, **TINY)
    right = result.info["annotators"]
    assert right["good"]["square"] > right["b"]["square"] + 0.3
    assert right["b"]["square"] < 0.5
    plain = TRAINERS["plain"].load()(blind, 0, epochs=20, **TINY)
    squares = data.true == 1
    assert result.predicted[squares].mean() > 0.8
    assert plain.predicted[squares].mean() < 0.5


def test_confusions_may_vary_over_the_image() -> None:
    data = blocks(4)
    result = train_annotators(data, 0, rank=2, epochs=3, warmup=1, **TINY)
    assert result.probs.shape == (data.n_units, 2)
    net = AnnotatorNetwork(build_network("unet-half", 1, 4, width=4), 2, 3, rank=2)
    with torch.no_grad():
        net.varying.normal_()
    place = torch.randn(7, 2)
    made = net.confusions(place)
    assert torch.allclose(made.sum(-1), torch.ones(3, 7, 2))
    assert (made[:, 0] - made[:, 1]).abs().max() > 1e-3


def test_what_does_not_fit_is_refused() -> None:
    data = blocks(4)
    with pytest.raises(InputError, match="one mask per image"):
        train_annotators(scenes(4, 32), 0, epochs=1)
    with pytest.raises(InputError, match="trace"):
        train_annotators(data, 0, epochs=1, trace=-1.0, **TINY)
    with pytest.raises(InputError, match="diagonal"):
        AnnotatorTask(data, diagonal=0.4).build()
