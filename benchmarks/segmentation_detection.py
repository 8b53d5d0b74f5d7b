"""Speed and memory of the search for wrong pixels on given probabilities.

Run: ``python benchmarks/segmentation_detection.py`` (one thread, CPU time), or with ``--images 700`` for the memory of
a whole audit. Probabilities are those of eight images, seen again and again: what is measured is the audit.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy import ndimage

from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.pixel_audit import audit_pixels

SIZE, CLASSES, DIFFERENT = (360, 480), 11, 8


def images() -> tuple[np.ndarray, np.ndarray]:
    """Smooth class probabilities (8, K, h, w), and labels of which a twentieth is wrong."""
    rng = np.random.default_rng(0)
    fields = ndimage.gaussian_filter(rng.standard_normal((DIFFERENT, CLASSES, *SIZE)), (0, 0, 12, 12))
    logits = (fields / fields.std() * 4).astype(np.float32)
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    labels = probs.argmax(axis=1).astype(np.int8)
    wrong = rng.random(labels.shape) < 0.05
    labels[wrong] = rng.integers(0, CLASSES, int(wrong.sum()))
    return probs, labels


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--images", type=int, default=40)
    n = options.parse_args().images
    probs, labels = images()
    data = MaskDataset.from_masks(
        (labels[i % DIFFERENT] for i in range(n)), tuple(f"class {k}" for k in range(CLASSES))
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    found = audit_pixels(data, lambda i: probs[i % DIFFERENT])
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{n} images of {SIZE}, {CLASSES} classes: {data.n_units / seconds / 1e6:.1f} MP/s, peak {peak:.0f} MiB "
        f"({before:.0f} before the audit), {int(found.flagged.sum())} flagged"
    )


if __name__ == "__main__":
    main()
