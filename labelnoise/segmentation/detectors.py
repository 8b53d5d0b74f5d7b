"""Detectors of wrong pixels, by name; a target is ``f(dataset, seed, **options) -> Detection``."""

from __future__ import annotations

from labelnoise.core.bench.baselines import TRIVIAL_DETECTORS
from labelnoise.core.registry import Entry, Registry

__all__ = ["DETECTORS"]

DETECTORS = Registry("segmentation detector")
DETECTORS.add(
    *TRIVIAL_DETECTORS,
    Entry(
        "confident-learning",
        "labelnoise.segmentation.pixel_detectors:detect_confident_learning",
        "Confident learning per pixel on probabilities of a small U-Net that has not seen the image.",
        "Lad, Mueller 2023, Estimating label quality and errors in semantic segmentation data via any model",
        formula="flag the N lowest p[given], N the pixels confidently of another class; quality = p[given]",
        helps="Whole objects in a wrong class, any number of classes: AUROC .985, AP .53, F1 .52 "
        "on scenes (2.2 % wrong pixels).",
        hurts="Precision .39 there: taking all its suggestions lowers the masks' mean IoU from .867 to "
        ".826. Displaced outlines not measured.",
        calibrated=False,
    ),
    Entry(
        "network",
        "labelnoise.segmentation.pixel_detectors:detect_network",
        "Calibrated probabilities from the same out-of-fold U-Net.",
        "this project, after Northcutt, Jiang, Chuang 2021, Confident Learning, JAIR 70",
        formula="P(wrong) logistic in p[given], its total from the posterior under an estimated T",
        helps="A probability and a count per pixel where confident-learning only ranks; the ranking is the same.",
        hurts="Its count and probabilities are not measured against true labels yet; pixels of one object err together.",
        calibrated=True,
    ),
    Entry(
        "signed-distance",
        "labelnoise.segmentation.distance_methods:detect_signed_distance",
        "Labels against the outline on which label and network agree once each image's offset is taken out.",
        "this project, since outlines that are displaced both ways leave no most probable class near them",
        formula="p(foreground) = sigmoid((.25 (S - D) + .75 F) / s), S given and F out-of-fold distance, D the offset",
        helps="Meant for outlines too wide in some images and too narrow in others; its network leads as a trainer there.",
        hurts="Measured on scenes alone (40 epochs: AUROC .987, AP .55, F1 .59; "
        "4455 expected, 3543 wrong). Needs a background class; blind to outlines displaced alike in all images.",
        calibrated=True,
    ),
    Entry(
        "objects",
        "labelnoise.segmentation.object_detector:detect_objects",
        "Spurious, merged, split, badly outlined, misnamed and missing objects, each with a repair.",
        "this project; the share of errors after Saerens, Latinne, Decaestecker 2002, equation 2.7",
        formula="P(kind | evidence of probabilities, contrast, edges, watershed) by trees taught on planted errors",
        helps="A list of objects instead of pixels; takes probabilities of your own (probs=FILE.npy). 664 images "
        "of corrected nuclei: AP .022 against .005 of scores of pixels alone, 31 (2) of 100 errors in the first 500.",
        hurts="Expects too many wrong objects there (228, the volunteers changed 100), and none of its first 50 was right; "
        "needs about 60 objects to plant errors in.",
        calibrated=False,
    ),
)
DETECTORS.add(
    Entry(
        "affinity",
        "labelnoise.segmentation.affinity:detect_affinity",
        "Whether a pixel looks like pixels of its class in neighbouring slices, frames or similar images.",
        "Liang et al. 2023, MS-TFAL, MICCAI; between nearest images, on features of an out-of-fold U-Net, by this project",
        formula="p + 1 - n; p, n the mean cosine similarity to the neighbours' pixels of the same and of other classes",
        helps="Meant for slices and frames of which one differs from those around it; not measured on any yet.",
        hurts="Outlines, and classes of few pixels: AUROC .809, AP .051 on scenes (confident-learning .985, .53), nine of "
        "ten of its flags wrong; use it as a ranking beside another, not alone.",
        calibrated=False,
    ),
)
DETECTORS.add(
    Entry(
        "region-votes",
        "labelnoise.segmentation.region_voting:detect_region_votes",
        "Pixels that a picture holds together outvote labels among them; nothing is trained.",
        "SAModified 2024, arXiv 2412.12552, with watershed regions instead of a promptable network's",
        formula="flag where another class has > 3/4 of the region's other labels; quality = share of the given class",
        helps="Displaced outlines where colours part the classes, in milliseconds an image: nuclei, 5 % wrong pixels, "
        "AUROC .925, AP .479; chest X-rays, 10 %, .846, .438 (one draw each).",
        hurts="Outlines too wide or too narrow: taking its suggestions lowers mean IoU of X-rays from .661 to .631. "
        "Objects smaller than a region, whole objects in a wrong class: AUROC .665 on scenes, .867 to .786.",
        calibrated=False,
    ),
)
