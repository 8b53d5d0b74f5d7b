"""Trainers of networks on masks, by name; a target is ``f(dataset, seed, **options) -> Trained``.

Figures are mean IoU on 50 clean test images of JSRT at 128 x 128 after training on 40 images with the noise of SegTHOR
(Liu et al. 2022), or the biased noise published with JSRT (Yao et al. 2023): last epoch, the network "unet-half",
experiments/segmentation_jsrt.py.
"""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["TRAINERS"]

TRAINERS = Registry("segmentation trainer")
TRAINERS.add(
    Entry(
        "signed-distance",
        "labelnoise.segmentation.distance_methods:train_signed_distance",
        "Learns the distance to the outline and the class within, with an offset per image and class.",
        "this project, since outlines that are displaced both ways leave no most probable class near them",
        formula="4 mean (o_0 - clip(S_i - D_i, T) / T)^2 + CE(o_1.., y | y foreground), D_i = offset[i, class]",
        helps="Outlines too wide in some images and too narrow in others: .779 on three draws (.767 to .803), plain .498 "
        "on two of them, of which shifts, scales and class weights, which plain lacks, and 80 instead of 60 epochs "
        "are a part.",
        hurts="Needs a background class, else it is plain training; worse the more pixels are wrong; "
        "blind to outlines displaced alike in all images.",
    ),
    Entry(
        "plain",
        "labelnoise.segmentation.train_methods:train_network",
        "A small U-Net under cross-entropy, or under any strategy of the core (option strategy).",
        "Ronneberger, Fischer, Brox 2015, U-Net, MICCAI",
        formula="mean over labelled pixels of -log p[y]",
        helps="The row that the others have to beat: .491 and .505; any network, any size, any strategy of the core.",
        hurts="Learns displaced outlines, and misses small classes: IoU 0 on clavicles, whose pixels are few.",
    ),
    Entry(
        "adele",
        "labelnoise.segmentation.adele:train_adele",
        "Labels of a class are replaced by confident predictions once its training IoU has levelled off.",
        "Liu et al. 2022, Adaptive early-learning correction for segmentation from noisy annotations, CVPR, eq. 1 to 5",
        formula="g(x) = a (1 - exp(-x^b / c)); correct from |g'(x) - g'(1)| / g'(1) > .9; + KL over three scales",
        helps="Several classes that are learnt at different speeds; not measured here yet.",
        hurts="Its onset says that a curve levels off, not that labels are wrong; three forward passes a step.",
    ),
)
TRAINERS.add(
    Entry(
        "clean-mask-stacker",
        "labelnoise.segmentation.clean_masks:train_clean_masks",
        "A few clean masks teach how given outlines differ from right ones; all masks are repaired, then trained on.",
        "this project; after Yao et al. 2023, Spatial Correction, ICLR, a small clean set shows the bias",
        formula="argmax softmax(W [d, d_i d_j] + b), d_c the signed distance to the given outline of class c",
        helps="Outlines that are wrong in the same way in all images, which no training can see: .822 with 5 clean "
        "masks where plain has .632 (biased noise, one seed).",
        hurts="Needs clean masks of images that have noisy ones too; unbiased noise is smoothed at best.",
    ),
)
TRAINERS.add(
    Entry(
        "auto",
        "labelnoise.segmentation.auto:train_auto",
        "Candidates are trained without some images; whose predictions agree best with their labels is trained on all.",
        "this project; held-out noisy labels as in Chen et al. 2021, Robustness of accuracy metric, AAAI",
        formula="argmax over candidates of mean IoU(prediction, given) on held-out images, the first unless beaten by 1 SE",
        helps="When nobody knows the noise: signed distances where outlines are displaced both ways, else plain.",
        hurts="Costs two and a half trainings; blind to errors that all images share; not measured on real images yet.",
    ),
)
TRAINERS.add(
    Entry(
        "adele-tested",
        "labelnoise.segmentation.adele_tested:train_tested_adele",
        "ADELE that corrects only classes which a test on two halves finds memorised, always from the given labels.",
        "this project, after Liu et al. 2022 (ADELE), whose onset also comes on clean labels",
        formula="from P(IoU_seen - IoU_unseen > .2) >= .95 on: argmax p if p^(1/T) / Z > .8, T by unseen labels",
        helps="To leave right labels alone: what is not memorised is not corrected, and each correction is noted.",
        hurts="Two networks on half of the images before the training proper; outlines displaced alike are not found; "
        "the effect on the test IoU is not measured yet.",
    ),
)
