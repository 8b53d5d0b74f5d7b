"""Biased outlines put right with a few clean masks: a small model from given to clean labels, then training on its answer.

No network sees in the labels alone that all outlines are drawn too wide; a few images with both masks show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import SoftmaxRegression, fit_softmax
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset

__all__ = ["Repaired", "clean_masks_of", "repair_by_clean_masks", "train_clean_masks"]

#: Distances beyond this, in parts of an image of 128 x 128, count as this.
_REACH = 12.0
#: Up to this many classes all products of two distances are used; beyond, the distances alone.
_PRODUCTS = 12
#: Pixels drawn from each clean image.
_PIXELS = 40_000
#: On the mean loss per pixel.
_L2, _ITERATIONS = 1e-5, 80


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """Labels after a repair.

    Attributes
    ----------
    labels : ndarray of int, shape (n,)
        In the clean images the clean masks; -1 stays elsewhere.
    changed : ndarray of bool, shape (n,)
        Where they differ from the given ones.
    agreement : float
        Share of pixels on which repaired and clean masks agree, each clean image judged by a model of the others;
        NaN with a single one.
    before : float
        The same share for the given labels.
    """

    labels: NDArray[Any]
    changed: NDArray[np.bool_]
    agreement: float
    before: float


def clean_masks_of(
    dataset: MaskDataset,
    clean: str | Path | Mapping[Any, ArrayLike] | None = None,
    images: Sequence[str | int] | None = None,
) -> dict[int, NDArray[Any]]:
    """Clean masks by image number, checked.

    Parameters
    ----------
    dataset : MaskDataset
    clean : path or mapping, optional
        A folder with a class map per clean image, named like the image (``.png``, ``.npy``); or image name or
        number to class map. None takes the true labels of ``dataset``.
    images : sequence of str or int, optional
        Names or numbers of the clean images; by default all that ``clean`` holds.

    Raises
    ------
    InputError
        No clean mask, an unknown image, a mask of another size or with other classes.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> {i: m.shape for i, m in clean_masks_of(scenes(4), images=["scene-002"]).items()}
    {2: (64, 64)}
    """
    numbers = {name: i for i, name in enumerate(dataset.image_ids)}

    def number(key: str | int) -> int:
        found = numbers.get(str(key), key if isinstance(key, int) else None)
        if found is None or not 0 <= found < dataset.n_images:
            raise InputError(
                f"There is no image {key!r}; names are such as {dataset.image_ids[0]!r}, numbers 0 to "
                f"{dataset.n_images - 1}."
            )
        return int(found)

    wanted = None if images is None else [number(key) for key in images]
    if clean is None:
        if wanted is None or dataset.true is None:
            raise InputError(
                "Clean masks are missing; give a folder of them (clean=), or name the images whose true labels are "
                "known (images=)."
            )
        made: dict[int, Any] = {i: dataset.true_mask(i) for i in wanted}
    elif isinstance(clean, Mapping):
        made = {number(key): np.asarray(mask) for key, mask in clean.items()}
    else:
        from labelnoise.segmentation.files import IGNORE, MASK_ENDINGS, files_by_stem
        from labelnoise.segmentation.images import read_index_png

        if not Path(clean).is_dir():
            raise InputError(f"There is no folder {str(clean)!r}; name the one with the clean masks.")
        files = files_by_stem(Path(clean), MASK_ENDINGS)
        made = {}
        for stem, path in sorted(files.items()):
            mask = read_index_png(path).astype(np.int64)
            made[number(stem)] = np.where(mask == IGNORE, -1, mask) if dataset.n_classes <= IGNORE else mask
    if wanted is not None:
        missing = [dataset.image_ids[i] for i in wanted if i not in made]
        if missing:
            raise InputError(
                f"There is no clean mask of image {missing[0]!r}; add it, or leave the image out."
            )
        made = {i: made[i] for i in wanted}
    if not made:
        raise InputError("There is no clean mask; one image at least must have one.")
    for i, mask in made.items():
        assert mask is not None
        if (
            mask.shape != dataset.size(i)
            or mask.dtype.kind not in "iu"
            or mask.max(initial=-1) >= dataset.n_classes
        ):
            raise InputError(
                f"The clean mask of {dataset.image_ids[i]!r} has shape {mask.shape} and classes up to "
                f"{mask.max(initial=-1)}; {dataset.size(i)} and at most {dataset.n_classes - 1} are needed."
            )
        if not (mask >= 0).any() or not (dataset.mask(i) >= 0).any():
            raise InputError(f"Image {dataset.image_ids[i]!r} has no label, given or clean; leave it out.")
    return {i: np.asarray(made[i]) for i in sorted(made)}


def repair_by_clean_masks(
    dataset: MaskDataset,
    seed: int = 0,
    *,
    clean: str | Path | Mapping[Any, ArrayLike] | None = None,
    images: Sequence[str | int] | None = None,
) -> Repaired:
    """Given masks turned into what clean ones would be, as learnt from a few images that have both; no image is seen.

    Parameters
    ----------
    dataset : MaskDataset
        ``given`` must be the noisy labels in the clean images too, drawn as in the others.
    seed : int
        Which pixels of large images are learnt from.
    clean, images
        Of `clean_masks_of`.

    Returns
    -------
    Repaired

    Notes
    -----
    ``argmax_c softmax(W [d, d_i d_j] + b)``, d the signed distances to the given outline of each class that occurs,
    clipped at 12 pixels of a 128 x 128 image and divided by that; W by L-BFGS on the pixels of the clean images.
    A repair is only as good as its clean images are like the others; if the repaired masks of left-out clean images
    agree less with the clean ones than the given masks do, nothing is repaired.

    References
    ----------
    This project; with Yao et al. 2023 (Spatial Correction, ICLR) it shares that a small clean set shows the bias.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> made = repair_by_clean_masks(scenes(8), images=[0, 1, 2, 3])
    >>> made.labels.shape, bool((made.labels[:4096] == scenes(8).true[:4096]).all())
    ((32768,), True)
    """
    found = clean_masks_of(dataset, clean, images)
    counts = dataset.class_counts()
    for mask in found.values():
        counts = counts + np.bincount(mask[mask >= 0].ravel(), minlength=dataset.n_classes)
    classes = np.flatnonzero(counts)
    rng = generator(seed, "clean masks")
    parts = {i: _examples(dataset, i, mask, classes, rng) for i, mask in found.items()}
    left_out, before = [], []
    for i, mask in found.items() if len(found) > 1 else ():
        model = _fitted([part for j, part in parts.items() if j != i], len(classes))
        known = (mask >= 0) & (dataset.mask(i) >= 0)
        left_out.append((_answer(model, dataset.mask(i), classes) == mask)[known])
        before.append((dataset.mask(i) == mask)[known])
    agreement = float(np.concatenate(left_out).mean()) if left_out else math.nan
    given = float(np.concatenate(before).mean()) if before else math.nan
    labels = dataset.given.copy()
    if not agreement < given:
        model = _fitted(list(parts.values()), len(classes))
        for i in range(dataset.n_images):
            mask = dataset.mask(i)
            if (mask >= 0).any():
                labels[dataset.window(i)] = np.where(mask >= 0, _answer(model, mask, classes), -1).ravel()
    for i, mask in found.items():
        labels[dataset.window(i)] = mask.ravel()
    return Repaired(labels=labels, changed=labels != dataset.given, agreement=agreement, before=given)


def train_clean_masks(
    dataset: MaskDataset,
    seed: int,
    *,
    clean: str | None = None,
    images: list[str] | None = None,
    method: str = "signed-distance",
    epochs: int = 60,
    **options: Any,
) -> Trained:
    """Repair the masks with a few clean ones, then train on the repaired ones.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    clean : str, optional
        Folder of clean masks, or a mapping; of `clean_masks_of`.
    images : list of str, optional
        Names of the clean images.
    method : str
        Trainer of the second step. "signed-distance" learns without offsets, as the bias is gone.
    epochs : int
    **options
        Of that trainer.

    Returns
    -------
    Trained
        ``info``: share of labels changed, and the agreement with left-out clean masks before and after.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_clean_masks(scenes(4, 32), 0, images=[0, 1], epochs=2)
    >>> result.method, sorted(result.info)
    ('clean-mask-stacker', ['agreement', 'agreement_before', 'changed', 'clean_images'])
    """
    from labelnoise.segmentation.trainers import TRAINERS

    if method == "clean-mask-stacker":
        raise InputError("The second step cannot be this trainer itself; name another (method=).")
    made = repair_by_clean_masks(dataset, seed, clean=clean, images=images)
    if method == "signed-distance":
        options = {"offsets": False, **options}
    entry = TRAINERS[method]
    repaired = replace(dataset, given=made.labels, true=None)
    trained: Trained = entry.load()(repaired, seed, **{**entry.options, "epochs": epochs, **options})
    warnings = list(trained.warnings)
    if made.agreement < made.before:
        warnings.append(
            "Nothing was repaired: on clean images that the repair had not seen, the given masks agree better with "
            "the clean ones than the repaired masks do. More clean images may help."
        )
    return replace(
        trained,
        method="clean-mask-stacker",
        warnings=tuple(warnings),
        info={
            "changed": round(float(made.changed.mean()), 4),
            "clean_images": len(clean_masks_of(dataset, clean, images)),
            "agreement": None if math.isnan(made.agreement) else round(made.agreement, 4),
            "agreement_before": None if math.isnan(made.before) else round(made.before, 4),
        },
    )


def _features(mask: NDArray[Any], classes: NDArray[np.intp]) -> NDArray[np.float32]:
    """Distances to the outline of each class and of all but the commonest, and their products, shape (h w, D)."""
    from labelnoise.segmentation.factorised import signed_distance, unit_of

    reach = _REACH * unit_of(mask.shape)
    columns = [signed_distance(mask == c, reach).ravel() / reach for c in classes]
    base = np.stack(columns, axis=1).astype(np.float32)
    if len(classes) > _PRODUCTS:
        return base
    rows, cols = np.triu_indices(base.shape[1])
    return np.concatenate([base, base[:, rows] * base[:, cols]], axis=1)


def _examples(
    dataset: MaskDataset, image: int, clean: NDArray[Any], classes: NDArray[np.intp], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    given = dataset.mask(image)
    pixels = np.flatnonzero(((clean >= 0) & (given >= 0)).ravel())
    if len(pixels) > _PIXELS:
        pixels = np.sort(rng.choice(pixels, _PIXELS, replace=False))
    return _features(given, classes)[pixels], np.searchsorted(classes, clean.ravel()[pixels])


def _fitted(parts: list[tuple[NDArray[np.float32], NDArray[np.intp]]], k: int) -> SoftmaxRegression:
    features, labels = (np.concatenate(column) for column in zip(*parts))
    return fit_softmax(
        features,
        np.eye(k, dtype=np.float32)[labels],
        l2=_L2 * len(labels),
        iterations=_ITERATIONS,
        tolerance=1e-9,
    )


def _answer(model: SoftmaxRegression, mask: NDArray[Any], classes: NDArray[np.intp]) -> NDArray[Any]:
    best = model.predict(_features(mask, classes)).argmax(axis=1)
    return classes[best].reshape(mask.shape).astype(mask.dtype)
