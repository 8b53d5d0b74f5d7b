"""Confident learning on given probabilities, against the stream of the core."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.confident_stream import confident_learning_stream
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.domain import SegmentationDomain
from labelnoise.segmentation.pixel_audit import audit_pixels


def drawn(k: int, seed: int, *, coarse: bool = False) -> tuple[MaskDataset, list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    probs, masks = [], []
    for shape in ((120, 90), (33, 70), (1, 5)):
        part = rng.dirichlet(np.full(k, 0.4), shape).astype(np.float32)
        if coarse:
            part = np.round(part * 4) / 4
            part[..., 0] += 1 - part.sum(axis=-1)
            part = np.abs(part)
            part /= part.sum(axis=-1, keepdims=True)
        mask = part.argmax(axis=-1)
        wrong = rng.random(shape) < 0.3
        mask[wrong] = rng.integers(0, k, int(wrong.sum()))
        mask[rng.random(shape) < 0.05] = -1
        probs.append(np.ascontiguousarray(np.moveaxis(part, 2, 0)).astype(np.float32))
        masks.append(mask)
    return MaskDataset.from_masks(masks, tuple(map(str, range(k)))), probs


@pytest.mark.parametrize("k", [2, 11, 130])
@pytest.mark.parametrize("coarse", [False, True])
def test_equal_to_the_stream_of_the_core(k: int, coarse: bool) -> None:
    data, probs = drawn(k, k, coarse=coarse)
    found = audit_pixels(data, lambda i: probs[i])

    def chunks() -> list[tuple[np.ndarray, np.ndarray]]:
        return [(data.given[data.window(i)], probs[i].reshape(k, -1).T) for i in range(3)]

    expected = np.concatenate(confident_learning_stream(chunks, ties="first"))
    assert (found.flagged != expected).mean() < 1e-4
    flat = np.concatenate([part.reshape(k, -1).T for part in probs])
    assert (found.suggested == flat.argmax(axis=1)).all()
    labelled = data.given >= 0
    assert np.allclose(found.quality[labelled], flat[labelled, data.given[labelled]])
    assert (found.quality[~labelled] == 1).all()
    assert not found.flagged[~labelled].any()


def test_what_is_no_probability_is_refused() -> None:
    data, probs = drawn(3, 0)
    for bad in (probs[0] * 2, np.full_like(probs[0], np.nan), probs[0][:, :-1], probs[0] - 0.5):
        with pytest.raises(InputError):
            audit_pixels(data, lambda i, bad=bad: bad)


def test_views_that_are_not_contiguous_give_the_same() -> None:
    data, probs = drawn(4, 1)
    wide = [np.moveaxis(np.ascontiguousarray(np.moveaxis(part, 0, 2)), 2, 0) for part in probs]
    a, b = audit_pixels(data, lambda i: probs[i]), audit_pixels(data, lambda i: wide[i])
    assert (a.flagged == b.flagged).all()
    assert (a.quality == b.quality).all()


def test_the_detector_takes_a_file(tmp_path: Path) -> None:
    data, probs = drawn(4, 2)
    np.save(tmp_path / "p.npy", np.concatenate([part.reshape(4, -1).T for part in probs]))
    found = SegmentationDomain().detect(data, method="confident-learning", probs=tmp_path / "p.npy")
    assert (found.flagged == audit_pixels(data, lambda i: probs[i]).flagged).all()
    with pytest.raises(InputError, match="epochs"):
        SegmentationDomain().detect(data, method="confident-learning", probs=tmp_path / "p.npy", epochs=2)
