"""Wrong objects as a detector: the issues of objects, told pixel by pixel and as a list with repairs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from labelnoise.core.detection import Detection
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.instance_issues import ObjectIssue, find_object_issues, network_warning
from labelnoise.segmentation.object_probs import with_gaps
from labelnoise.segmentation.objects import paint_ids

__all__ = ["detect_objects"]


def detect_objects(
    dataset: MaskDataset,
    seed: int,
    *,
    probs: ArrayLike | str | Path | None = None,
    background: int = 0,
    listed: int = 500,
    **options: Any,
) -> Detection:
    """Wrong objects as a detection of pixels: each pixel has the quality of its most doubtful object.

    Parameters
    ----------
    dataset : MaskDataset
        With images; without objects, the connected parts of its classes are taken.
    seed : int
    probs : array_like or path, optional
        Of `labelnoise.segmentation.object_probs.probabilities_of`; by default out-of-fold ones of a small U-Net that
        is shown gaps between objects.
    background : int
    listed : int
        How many objects ``info["objects"]`` lists, with kind, box and the repair's boxes and areas.
    **options
        Of `labelnoise.segmentation.pixel_detectors.out_of_fold_probs`.

    Returns
    -------
    Detection
        ``flagged`` are pixels that repairs of objects with a probability above one half change, and ``suggested``
        what they change them to. Evidence: "object" (id, 0 for none) and "p_wrong_object". A warning where doubtful
        objects crowd in images that the network does not know (`labelnoise.segmentation.instance_issues.network_warning`).

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> data = scenes(24)
    >>> found = detect_objects(data, 0, probs=(0.9 * np.eye(5)[data.true] + 0.02).astype("float32"))
    >>> sorted(found.info["objects"][0])
    ['box', 'image', 'kind', 'object', 'p_wrong', 'repair', 'replaced']
    """
    started = time.process_time()
    if dataset.objects is None:
        from labelnoise.segmentation.repaint import objects_of_classes

        dataset = replace(
            dataset,
            objects=[
                objects_of_classes(dataset.mask(i), background=background) for i in range(dataset.n_images)
            ],
        )
    if probs is None:
        from labelnoise.segmentation.pixel_detectors import out_of_fold_probs

        probs = out_of_fold_probs(with_gaps(dataset, background=background), seed, **options)
    elif options:
        raise InputError(
            f"{sorted(options)[0]!r} is an option of the network, and probs are given; leave one out."
        )
    issues = find_object_issues(dataset, probs, seed, background=background)
    doubt = np.zeros(dataset.n_units, dtype=np.float64)
    suggested = dataset.given.copy()
    object_of = np.zeros(dataset.n_units, dtype=np.int64)
    assert dataset.objects is not None
    for i in range(dataset.n_images):
        object_of[dataset.window(i)] = paint_ids(dataset.objects[i], dataset.size(i)).ravel()
    # The least doubtful first, so that more doubtful ones have the last word.
    for issue in reversed(issues):
        size, window = dataset.size(issue.image), dataset.window(issue.image)
        own = issue.object.full(size).ravel()
        touched = own.copy()
        for item in issue.repair:
            touched |= item.full(size).ravel()
        doubt[window][touched] = np.maximum(doubt[window][touched], issue.p_wrong)
        if issue.p_wrong > 0.5:
            answer = suggested[window]
            if issue.kind != "missing":
                answer[own] = background
            for item in issue.repair:
                answer[item.full(size).ravel()] = item.label
            suggested[window] = answer
    labelled = dataset.given >= 0
    warning = network_warning(issues)
    suggested = np.where(labelled, suggested, dataset.given)
    return Detection(
        method="objects",
        quality=np.where(labelled, 1.0 - doubt, 1.0),
        flagged=labelled & (suggested != dataset.given),
        suggested=suggested,
        confidence=np.where(suggested != dataset.given, doubt, 1.0 - doubt),
        evidence={"object": object_of, "p_wrong_object": doubt},
        warnings=() if warning is None else (warning,),
        info={
            "objects": [_row(issue, dataset) for issue in issues[:listed]],
            "expected_wrong_objects": round(sum(issue.p_wrong for issue in issues), 1),
            "cpu_seconds": round(time.process_time() - started, 2),
        },
    )


def _row(issue: ObjectIssue, dataset: MaskDataset) -> dict[str, Any]:
    return {
        "image": dataset.image_ids[issue.image],
        "object": None if issue.kind == "missing" else issue.object.object_id,
        "kind": issue.kind,
        "p_wrong": round(issue.p_wrong, 4),
        "box": list(issue.object.box),
        "repair": [{"label": r.label, "box": list(r.box), "area": r.area} for r in issue.repair],
        "replaced": list(issue.replaced),
    }
