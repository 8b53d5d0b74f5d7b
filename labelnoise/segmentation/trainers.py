"""Trainers of networks on masks, by name; a target is ``f(dataset, seed, **options) -> Trained``.

Figures are mean IoU on 50 clean test images of JSRT at 128 x 128 after training on 40 images with the noise of SegTHOR
(Liu et al. 2022), or the biased noise published with JSRT (Yao et al. 2023): last epoch, the network "unet-half",
experiments/segmentation_jsrt.py.
"""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.training import STRATEGIES

__all__ = ["TRAINERS"]

TRAINERS = Registry("segmentation trainer")
TRAINERS.add(
    Entry(
        "signed-distance",
        "labelnoise.segmentation.distance_methods:train_signed_distance",
        "Learns the distance to the outline and the class within, with an offset per image and class.",
        "this project, since outlines that are displaced both ways leave no most probable class near them",
        formula="4 mean (o_0 - clip(S_i - D_i, T) / T)^2 + CE(o_1.., y | y foreground), D_i = offset[i, class]",
        helps="Outlines too wide in some images and too narrow in others: .813 on three draws (.799 to .831), plain .496. "
        "Without offsets .628 where it has .799 and plain .491: the rest is distances, shifts and scales, class weights "
        "and 160 instead of 60 epochs.",
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
        helps="Several classes that are learnt at different speeds; .520 where plain has .496 (outlines too wide or too "
        "narrow, three seeds).",
        hurts="Its onset says that a curve levels off, not that labels are wrong; three forward passes a step: four "
        "times the cost of plain.",
    ),
)
TRAINERS.add(
    Entry(
        "clean-mask-stacker",
        "labelnoise.segmentation.clean_masks:train_clean_masks",
        "A few clean masks teach how given outlines differ from right ones; all masks are repaired, then trained on.",
        "this project; after Yao et al. 2023, Spatial Correction, ICLR, a small clean set shows the bias",
        formula="argmax softmax(W [d, d_i d_j] + b), d_c the signed distance to the given outline of class c",
        helps="Outlines that are wrong in the same way in all images, which no training can see: .832 with 5 clean "
        "masks where plain has .635 (biased noise, three seeds).",
        hurts="Needs clean masks of images that have noisy ones too; unbiased noise is smoothed at best.",
    ),
)
TRAINERS.add(
    Entry(
        "auto",
        "labelnoise.segmentation.auto:train_auto",
        "Candidates are trained without some images; whose predictions agree best with their labels is trained on all.",
        "this project; held-out noisy labels as in Chen et al. 2021, Robustness of accuracy metric, AAAI",
        formula="argmax over candidates of mean IoU(prediction, given) on held-out images, the first unless beaten by 2 SE",
        helps="When nobody knows the noise: signed distances where outlines are displaced both ways, else plain.",
        hurts="Costs two and a half trainings; blind to errors that all images share; of real images measured on nuclei "
        "that are nearly right alone, where it took plain.",
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
TRAINERS.add(
    Entry(
        "annotators",
        "labelnoise.segmentation.annotator_network:train_annotators",
        "Masks of several annotators: the network's class goes through confusions of each that are learnt beside it.",
        "Zhang et al. 2020, Disentangling human error from ground truth in segmentation of medical images, NeurIPS, eq. 4",
        formula="mean over votes of -log (A_r' p)[y_r] + .01 mean diag A_r; A_r = softmax(B_r + sum_k u_k(x) V_kr)",
        helps="Annotators who err each in a way of their own, above all if an image was drawn by one of them: "
        ".586 where plain has .580 (JSRT at 64 x 64, one seed, within chance).",
        hurts="Errors that all annotators share are taken for the truth; classes may trade names where most votes are "
        "wrong. One seed is all that is measured; in one process only.",
    ),
)
TRAINERS.add(
    Entry(
        "two-views",
        "labelnoise.segmentation.two_views:train_two_views",
        "Two networks on two groups of channels or two views; labels count as far as both believe in them.",
        "Liu, Albrecht, Wang, Zhu 2025, CromSS, IEEE TGRS",
        formula="l_m <- (l_m + l_1 l_2) / 2; weight min(l_m / t_class, 1), t the keep-th share of a class in the batch; "
        "+ c_m KL(mean p | p_m), c_m = 1 - H(p_m) / log K entangled alike",
        helps="Wrong classes in some images: hearts called lung in two of five training images, .571 where plain has "
        ".525 (JSRT at 64 x 64, 30 epochs, one seed).",
        hurts="Two networks. Labels of rare classes are dropped with the rest of the share. Not measured on images of "
        "several sensors, which it was published for, nor on displaced outlines.",
    ),
    Entry(
        "displacement-forward",
        "labelnoise.segmentation.displacement_forward:train_displacement_forward",
        "The prediction is moved along a smooth field, learnt per image, before it meets the label.",
        "Zhang et al. 2023, PNT-Edge, ACM Multimedia; for classes, with a coarse field, by this project",
        formula="-log p(x + v(x))[y], v = r (sigmoid(o) - .5) / .5; + .05 mean |v / r|^2 + (mean outward step / r)^2",
        helps="Outlines displaced by a few pixels, both ways: .494 where plain has .479 (JSRT at 64 x 64, organ-scale, "
        "30 epochs, one seed).",
        hurts="A displacement that all images share cannot be seen and counts as the truth. Far from signed-distance, which "
        "has .813 to .496 at 128 x 128; one seed; in one process only.",
    ),
)
TRAINERS.add(
    *(
        Entry(
            f"unet+{name}",
            "labelnoise.segmentation.train_methods:train_network",
            strategy.summary,
            strategy.source,
            formula=strategy.formula,
            helps=f"On digits: {strategy.helps}",
            hurts=f"Not measured on masks. On digits: {strategy.hurts}",
            options={"strategy": name},
        )
        for name, strategy in STRATEGIES.items()
        if name != "plain"
    )
)
