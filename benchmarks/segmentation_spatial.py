"""Speed and strength of the noise of masks.

Run: ``LABELNOISE_DATA=... python benchmarks/segmentation_spatial.py`` (one thread, CPU time). The data folder is
needed for the shares of wrong pixels on chest X-rays only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy import ndimage

from labelnoise.core.domain import data_root
from labelnoise.segmentation.displacement import displace_boundaries
from labelnoise.segmentation.markov import markov_boundary, markov_mask
from labelnoise.segmentation.organ_scale import organ_scale

Kinds = dict[str, Callable[[np.ndarray, int], np.ndarray]]

KINDS: Kinds = {
    "markov T=180": lambda labels, i: markov_boundary(labels, 180, seed=0, image_id=str(i)),
    "organ scale": lambda labels, i: organ_scale(labels, seed=0, image_id=str(i)),
    "displacement 1 px": lambda labels, i: displace_boundaries(labels, 1.0, seed=0, image_id=str(i)),
    "displacement 2 px": lambda labels, i: displace_boundaries(labels, 2.0, seed=0, image_id=str(i)),
    "displacement 4 px": lambda labels, i: displace_boundaries(labels, 4.0, seed=0, image_id=str(i)),
    "displacement 2 px, bias 1": lambda labels, i: displace_boundaries(
        labels, 2.0, seed=0, image_id=str(i), bias=1.0
    ),
}


def blobs(size: int, classes: int, seed: int) -> np.ndarray:
    """A map of smooth regions, about half of it background."""
    rng = np.random.default_rng(seed)
    fields = [ndimage.gaussian_filter(rng.standard_normal((size, size)), size / 12) for _ in range(classes)]
    stack = np.stack(fields) / np.std(fields)
    return np.where(stack.max(axis=0) > 0.5, stack.argmax(axis=0) + 1, 0).astype(np.int8)


def rate(work: Callable[[], Any], pixels: int, least: float = 1.0) -> float:
    """Million pixels per second of CPU time."""
    work()
    start, runs = time.process_time(), 0
    while time.process_time() - start < least:
        work()
        runs += 1
    return runs * pixels / (time.process_time() - start) / 1e6


def main() -> None:
    square = np.zeros((256, 256), dtype=bool)
    square[64:192, 64:192] = True
    speed = rate(lambda: markov_mask(square, 180, np.random.default_rng(0)), square.size)
    print(f"markov, one mask of 256 x 256, T=180: {speed:.1f} MP/s")
    for size, classes in ((256, 1), (512, 3), (1024, 10)):
        labels = blobs(size, classes, 0)
        for name, made in KINDS.items():
            if name.startswith("markov") and size > 512:
                continue
            print(
                f"{size} x {size}, {classes} classes, {name}: {rate(partial(made, labels, 0), labels.size):.1f} MP/s"
            )
    root = data_root("segmentation")
    if root is None or not (root / "jsrt").is_dir():
        print("chest X-rays: not on this machine")
        return
    from labelnoise.segmentation.jsrt import read_jsrt

    data = read_jsrt(root / "jsrt", noise=None)
    for side in (None, 128):
        for name, made in KINDS.items():
            wrong = pixels = 0
            for i in range(data.n_images):
                labels = data.mask(i)
                if side is not None:
                    rows = ((np.arange(side) + 0.5) * labels.shape[0] / side).astype(int)
                    cols = ((np.arange(side) + 0.5) * labels.shape[1] / side).astype(int)
                    labels = labels[np.ix_(rows, cols)]
                wrong += int((made(labels, i) != labels).sum())
                pixels += labels.size
            print(f"JSRT {side or data.size(0)}, {data.n_images} images, {name}: {wrong / pixels:.3f} wrong")


if __name__ == "__main__":
    main()
