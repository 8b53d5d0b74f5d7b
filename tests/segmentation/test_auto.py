"""The choice of a trainer by held-out noisy labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from labelnoise.core.validation import InputError
from labelnoise.segmentation.auto import agreement_by_image, compared, train_auto
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.embedded import scenes

TINY = {"network_options": {"width": 4}, "epochs": 2}


def discs(n: int, pixels: int) -> MaskDataset:
    """Bright discs drawn alternately too wide and too narrow."""
    y, x = np.mgrid[:48, :48]
    rng = np.random.default_rng(0)
    true = [
        (((y - a) ** 2 + (x - b) ** 2) < r**2).astype(np.int8)
        for a, b, r in zip(rng.uniform(18, 30, n), rng.uniform(18, 30, n), rng.uniform(10, 14, n))
    ]
    both = (ndimage.binary_dilation, ndimage.binary_erosion)
    given = [both[i % 2](mask, iterations=pixels).astype(np.int8) for i, mask in enumerate(true)]
    images = [(mask + rng.normal(0, 0.3, mask.shape)).astype(np.float32) for mask in true]
    return MaskDataset.from_masks(given, ("background", "disc"), true=true, images=images)


def test_agreement_is_counted_image_by_image() -> None:
    data = MaskDataset.from_masks([[[0, 1, 1]], [[1, -1, 0]]], ("a", "b"))
    found = agreement_by_image(data, np.array([0, 0, 1, 1, 1, 1]), [0, 1])
    assert found.tolist() == [[[1, 2, 1], [1, 1, 2]], [[0, 0, 1], [1, 2, 1]]]


def test_the_standard_error_is_that_of_the_difference() -> None:
    """A gain that all images share has none, however much the images differ."""
    rng = np.random.default_rng(0)
    given = rng.integers(100, 900, (50, 2, 1))
    even = np.concatenate([given * 8 // 10, given, given], axis=2)
    found = compared({"a": even, "b": np.concatenate([given * 9 // 10, given, given], axis=2)})
    assert found["gain"]["b"] > 0.1
    assert found["standard_error"]["b"] < 0.002
    noisy = even.copy()
    noisy[..., 0] += rng.integers(-60, 61, (50, 2))
    assert compared({"a": even, "b": noisy})["standard_error"]["b"] > 0.002


def test_displaced_outlines_are_recognised_and_clean_ones_left_to_the_first() -> None:
    data = discs(24, 4)
    options = {"network_options": {"width": 6}, "epochs": 8, "longest": 48}
    chosen = train_auto(data, 0, **options)
    assert set(chosen.info["held_out_mean_iou"]) == {"plain", "signed-distance"}
    gain, error = chosen.info["gain"]["signed-distance"], chosen.info["standard_error"]["signed-distance"]
    assert chosen.info["chosen"] == ("signed-distance" if gain > 2 * error else "plain")
    assert chosen.method == "auto"


def test_labels_held_out_are_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import labelnoise.segmentation.auto as module

    seen = []
    trained = module._trained

    def spy(name: str, dataset: MaskDataset, *rest: object) -> object:
        labelled = [i for i in range(dataset.n_images) if (dataset.mask(i) >= 0).any()]
        seen.append((name, labelled, dataset.true is None))
        return trained(name, dataset, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_trained", spy)
    train_auto(replace(scenes(10, 32), splits={}), 0, **TINY)
    assert [len(rows) for _, rows, _ in seen] == [8, 8, 10]
    assert seen[0][1] == seen[1][1]
    assert all(blind for _, _, blind in seen[:2])
    seen.clear()
    data = scenes(10, 32)
    val = np.arange(10) >= 7
    train_auto(replace(data, splits={"train": ~val, "val": val}), 0, **TINY)
    assert seen[0][1] == list(range(7))


def test_without_a_choice_the_first_is_taken() -> None:
    few = train_auto(scenes(4, 32), 0, **TINY)
    assert few.info["chosen"] == "plain"
    assert any("too few" in sentence for sentence in few.warnings)
    unnamed = replace(scenes(9, 32), class_names=("sky", "disc", "square", "triangle", "cross"))
    assert train_auto(unnamed, 0, **TINY).info["chosen"] == "plain"


def test_what_is_refused() -> None:
    for wrong in (
        {"candidates": ("nothing",)},
        {"candidates": ("auto",)},
        {"candidates": ()},
        {"candidates": ("plain", "plain")},
        {"held_out": 1.0},
    ):
        with pytest.raises(InputError):
            train_auto(scenes(9, 32), 0, **wrong)
