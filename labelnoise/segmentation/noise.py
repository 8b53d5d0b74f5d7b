"""Noise kinds of masks, by name; a target is ``f(dataset, rate, seed, **options) -> Corruption``."""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["NOISES"]

NOISES = Registry("segmentation noise kind")

_HERE = "labelnoise.segmentation.spatial_noise:"

NOISES.add(
    Entry(
        "coco-n",
        _HERE + "coco",
        "Coarse, shaky, too wide or too tight outlines, and classes drawn anew, in pixels as published.",
        "Kimhi et al. 2024 (arXiv 2406.10891), COCO-N",
        "one of Douglas-Peucker, N(0, sigma^2) on the outline's points, k x k dilation or erosion; class ~ m/K + (1-m) I",
        "To repeat the published benchmark of instance segmentation.",
        "Strength depends on the size of the object: the mean IoU of altered outlines at level hard is "
        "0.43 / 0.73 / 0.90 for small / medium / large objects of COCO.",
    ),
    Entry(
        "relative",
        _HERE + "relative",
        "The same outlines relative to each object's size, so that all objects keep the same IoU.",
        "this project, since COCO-N hits small objects far harder than large ones",
        "strength by bisection per object so that IoU(before, after) = 1 - severity",
        "To compare methods over object sizes at one severity.",
        "Objects of a few pixels meet the IoU on average only; 13 to 16 ms per object make it "
        "ten times slower than coco-n.",
    ),
    Entry(
        "organ-scale",
        _HERE + "organ_scales",
        "All organs of a slice too large or too small, relative to their size.",
        "Liu et al. 2022 (CVPR, ADELE), noise of the SegTHOR experiments",
        "erode or dilate 2 to 4 times at a scale where the organ has 1000 pixels; radius times severity",
        "For medical slices, where over- and under-segmentation come in whole slices.",
        "Direction is drawn once per slice, so the rate of few slices depends on the seed; "
        "growing never crosses into another organ.",
    ),
    Entry(
        "markov",
        _HERE + "markov",
        "Boundaries that wander outwards or inwards step by step, then speckle and blur.",
        "Yao et al. 2023 (ICLR, spatial correction)",
        "T steps: outer ring with probability expand, else the inner; each of its pixels flips with probability flip",
        "For biased outlines, which training cannot average away.",
        "The slowest kind; at one step the speckle alone already changes pixels, so very low rates are missed.",
    ),
    Entry(
        "displacement",
        _HERE + "displacement",
        "Outlines displaced by a smooth random field, with or without a bias.",
        "this project, after the displacement fields of PNT-Edge (2023)",
        "label(x + amplitude g(x)), g a smooth Gaussian field of two components; with a bias objects first grow by it",
        "For unbiased or biased outlines with one parameter in pixels.",
        "Displacement is in pixels, so small objects lose more; an amplitude near the length tears outlines; "
        "67 to 122 million pixels per second, 11 to 56 with a bias.",
    ),
    Entry(
        "objects",
        _HERE + "of_objects",
        "Errors of whole objects: another class, missed, invented, merged, split.",
        "this project, the errors that audits of instance labels name",
        "each object draws an error with probability severity",
        "To test the search for wrong objects.",
        "A few large objects dominate the share of wrong pixels; a split alone changes none.",
    ),
    Entry(
        "polygons",
        _HERE + "coarse_polygons",
        "Outlines redrawn as coarse polygons.",
        "Douglas and Peucker 1973, tolerance relative to sqrt(area)",
        "the outline's points farther than severity * sqrt(area) from their chord are kept",
        "For hurried polygon annotation.",
        "Reaches low rates only, nothing on rectangles; fills holes even at the lowest severity.",
    ),
    Entry(
        "prompts",
        "labelnoise.segmentation.prompts:prompt_noise",
        "Objects redrawn by a promptable segmenter from a box, a click or a scribble.",
        "Kimhi et al. 2024 (arXiv 2406.10891), COCO-WAN; the classical segmenter is this project's",
        "mask = segmenter(image, prompt of the object); Gaussians over colours inside and outside by default",
        "For masks that a tool drew from weak prompts: errors follow the image's own edges; bring your own network "
        "as segmenter.",
        "The segmenter that ships knows colours alone, so textured objects come out in pieces; needs images.",
    ),
)
