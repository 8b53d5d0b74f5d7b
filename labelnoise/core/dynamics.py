"""Training dynamics: what training reveals of each unit's label, by name.

Every statistic keeps arrays by unit id, gives the same answer for any order of the batches in an epoch (to the last bit
if units come once in it, up to rounding if several times), leaves out units without a label, and saves its state as
plain arrays. Logits, losses and ids may be arrays or tensors.
"""

from __future__ import annotations

from labelnoise.core.dynamics_curves import EarlyLearningCurves
from labelnoise.core.dynamics_learning import CorrectStreak, FirstLearning, ForgettingEvents, first_learned
from labelnoise.core.dynamics_loss import AdaptiveThreshold, MeanLoss
from labelnoise.core.dynamics_margin import (
    AreaUnderMargin,
    aum_flag,
    aum_flag_all,
    margins,
    threshold_samples,
)
from labelnoise.core.dynamics_topk import TopKCounts
from labelnoise.core.registry import Entry, Registry

__all__ = [
    "DYNAMICS",
    "AdaptiveThreshold",
    "AreaUnderMargin",
    "CorrectStreak",
    "EarlyLearningCurves",
    "FirstLearning",
    "ForgettingEvents",
    "MeanLoss",
    "TopKCounts",
    "aum_flag",
    "aum_flag_all",
    "first_learned",
    "margins",
    "threshold_samples",
]

_HERE = "labelnoise.core.dynamics_"

#: Statistics of training, each a class with ``update``, ``state_dict`` and ``load_state_dict``.
DYNAMICS = Registry("training dynamics")
DYNAMICS.add(
    Entry(
        "aum",
        _HERE + "margin:AreaUnderMargin",
        "Mean margin of the given class over the training passes; low is suspicious.",
        "Pleiss et al. (2020), Identifying mislabeled data using the area under the margin ranking, NeurIPS, eq. 2",
        formula="mean over passes of z[given] - max of the other z",
        helps="With threshold samples it decides without a noise rate: after 20 epochs on digits with 20% and 40% "
        "wrong labels F1 is 0.96 and 0.98, AUROC 0.999 and 0.998.",
        hurts="Margins of wrong labels grow once they are memorised: stop before the learning rate is first "
        "lowered. Two runs are needed to judge the threshold samples too.",
    ),
    Entry(
        "first_learning",
        _HERE + "learning:FirstLearning",
        "First epoch in which the unit had been predicted as given k times in a row; late is suspicious.",
        "Yuan, Feng, Liu (2023), Late Stopping: avoiding confidently learning from mislabeled examples, ICCV",
        formula="min {t : predicted = given in epochs t - k + 1 to t}",
        helps="Says which units to train on first, without a noise rate; AUROC 0.99 after 60 epochs on digits, 40% wrong.",
        hurts="Nothing is known early: AUROC 0.90 after 5 epochs. Rare classes are learnt late and called wrong.",
    ),
    Entry(
        "correct_streak",
        _HERE + "learning:CorrectStreak",
        "Longest row of epochs in which the unit was predicted as given; short is suspicious.",
        "Yuan, Feng, Liu (2023), Late Stopping, ICCV, section 3; its run length without the threshold k",
        formula="max length of a run of epochs with predicted = given",
        helps="As good as margins with predictions alone: AUROC 0.996 after 20 epochs on digits with 40% wrong.",
        hurts="Whole numbers with many ties; right but rare or hard units have short streaks too.",
    ),
    Entry(
        "forgetting",
        _HERE + "learning:ForgettingEvents",
        "Times that the unit was predicted as given and otherwise in the next epoch; many is suspicious.",
        "Toneva et al. (2019), An empirical study of example forgetting during deep neural network learning, ICLR",
        formula="#{t : predicted = given in epoch t, not in t + 1}; never learnt = all epochs",
        helps="Tells units that are learnt for good from those that are not; "
        "AUROC 0.97 after 5 epochs on digits with 40% wrong.",
        hurts="Fades once wrong labels are memorised for good: 0.77 after 60 epochs. Hard right units are forgotten too.",
    ),
    Entry(
        "mean_loss",
        _HERE + "loss:MeanLoss",
        "Moving average of the unit's loss over the epochs; high is suspicious.",
        "Laine, Aila (2017), Temporal ensembling for semi-supervised learning, ICLR, algorithm 1, applied to the loss",
        formula="m = beta m + (1 - beta) loss; m / (1 - beta^epochs)",
        helps="Steadier than the loss of one epoch, in any training; AUROC 0.997 after 20 epochs on digits with 40% wrong.",
        hurts="Follows the memorising as it goes on: 0.982 after 60 epochs. Hard classes have high losses.",
    ),
    Entry(
        "topk",
        _HERE + "topk:TopKCounts",
        "Passes in which the given class was among the k largest logits; a unit without one is suspicious.",
        "Fang et al. (2023), Robust training for speaker verification against noisy labels, Interspeech",
        formula="#{passes : rank of z[given] <= k} >= 1, k = 90 K / 1211 unless set",
        helps="Many classes, where the first place is easily missed by chance; units come back. "
        "F1 0.94 after 5 epochs on digits with 40% wrong.",
        hurts="The OR lets a wrong label in for good when it is predicted once: F1 0.89 after 20 epochs, 0.59 after 60.",
    ),
    Entry(
        "adaptive_k",
        _HERE + "loss:AdaptiveThreshold",
        "Threshold on the loss that follows the batches' mean; units above it sit the step out.",
        "Dedeoglu, Kesgin, Amasyali (2022), Adaptive-k, arXiv 2203.14165",
        formula="m = .9 m + .1 mu, v = .999 v + .001 mu^2; loss <= m / (sqrt(v) + 1e-8)",
        helps="Needs no noise rate and two numbers of state.",
        hurts="The threshold has no unit but is compared with nats: with losses that are large throughout nobody is "
        "selected, with small ones everybody. Without bias correction it is 6.6 in the twelfth batch and above 2 "
        "in the first 287, whatever the losses.",
    ),
    Entry(
        "early_learning_curves",
        _HERE + "curves:EarlyLearningCurves",
        "Per epoch, shares of units predicted as given; with the truth, wrong labels memorised and overruled.",
        "Liu et al. (2020), Early-learning regularization, NeurIPS, figure 1; Liu et al. (2022), ADELE, CVPR, figure 2",
        formula="#(predicted = given) / #units; of given != true: #(predicted = given), #(predicted = true), rest",
        helps="Shows when memorising begins, in whose epochs the other statistics stop telling right from wrong.",
        hurts="Says nothing of a single unit; the curves that matter need the true labels.",
    ),
)
