"""From scores to decisions: every way of selecting wrong (or right) labels, by name."""

from __future__ import annotations

from labelnoise.core.agreement import consensus_filter, majority_filter, vote
from labelnoise.core.chunks import row_chunks
from labelnoise.core.confident_chunks import confident_learning_chunks
from labelnoise.core.confident_learning import confident_learning
from labelnoise.core.confident_multilabel import confident_learning_multilabel
from labelnoise.core.confident_stream import confident_learning_stream
from labelnoise.core.mixture import beta_mixture, gaussian_mixture
from labelnoise.core.neighbours import knn_vote
from labelnoise.core.recov import fast_recov_flags, recov_flags
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.simifeat import simifeat_mv, simifeat_rank
from labelnoise.core.small_loss import keep_schedule, small_loss
from labelnoise.core.two_source import two_source_selected

__all__ = [
    "SELECTORS",
    "beta_mixture",
    "confident_learning",
    "confident_learning_chunks",
    "confident_learning_multilabel",
    "confident_learning_stream",
    "consensus_filter",
    "fast_recov_flags",
    "gaussian_mixture",
    "keep_schedule",
    "knn_vote",
    "majority_filter",
    "recov_flags",
    "row_chunks",
    "simifeat_mv",
    "simifeat_rank",
    "small_loss",
    "two_source_selected",
    "vote",
]

_NORTHCUTT = "Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2"
_BRODLEY = "Brodley, Friedl (1999), Identifying mislabeled training data, JAIR 11, section 3.2"
_ZHU = "Zhu, Dong, Liu (2022), Detecting corrupted labels without training a model to predict, ICML"
_CHEN = "Chen, Ramanathan, Xu, Martel (2024), Detecting noisy labels with repeated cross-validations"
_CONFIDENT = "labelnoise.core.confident_learning:confident_learning"

#: Ways to select units. Those of confident learning and the filters return the labels called wrong,
#: ``small_loss``, the mixtures and ``two_source`` the units to keep.
SELECTORS = Registry("selector")
SELECTORS.add(
    Entry(
        "prune_by_noise_rate",
        _CONFIDENT,
        "For every pair of classes, the estimated number of labels with the widest margin against them.",
        _NORTHCUTT + ", method 4",
        formula="for i != j: the C[i, j] units given i with the largest p[j] - p[i]",
        helps="Noise between particular pairs of classes; the default of cleanlab.",
        hurts="Many classes with few units each: most off-diagonal counts are rounded 0s and 1s.",
        options={"rule": "prune_by_noise_rate"},
    ),
    Entry(
        "prune_by_class",
        _CONFIDENT,
        "For every class, the estimated number of wrong labels with the lowest probability.",
        _NORTHCUTT + ", method 3",
        formula="for every i: the n_i - C[i, i] units given i with the lowest p[i]",
        helps="Noise that goes everywhere: only the diagonal of the joint is used.",
        hurts="Hard but right units have low probability too.",
        options={"rule": "prune_by_class"},
    ),
    Entry(
        "both",
        _CONFIDENT,
        "What prune_by_noise_rate and prune_by_class agree on.",
        _NORTHCUTT + ", method 5",
        formula="intersection of the two",
        helps="Precision, when each flag costs a person's time.",
        hurts="Recall: flags fewer than either.",
        options={"rule": "both"},
    ),
    Entry(
        "confident_learning",
        _CONFIDENT,
        "The units counted off the diagonal of the confident joint.",
        _NORTHCUTT + ", method 2",
        formula="guess != given, guess the most probable of the classes whose threshold p reaches",
        helps="No ranking and no calibration: each unit is judged by itself.",
        hurts="The number of flags is not calibrated to the size of the classes.",
        options={"rule": "confident_learning"},
    ),
    Entry(
        "predicted_neq_given",
        _CONFIDENT,
        "The most probable class is not the given one.",
        _NORTHCUTT + ", method 1",
        formula="argmax p != given",
        helps="The baseline to beat; recall.",
        hurts="Precision: flags every error of the model.",
        options={"rule": "predicted_neq_given"},
    ),
    Entry(
        "low_self_confidence",
        _CONFIDENT,
        "As many units as confident_learning flags, those with the least probable labels.",
        "cleanlab 2.9, cleanlab.filter.find_label_issues(filter_by='low_self_confidence')",
        formula="the N lowest p[given], N = number of confident off-diagonal units",
        helps="Units that belong to no class of the set.",
        hurts="Classes that the model finds hard take most of the flags.",
        options={"rule": "low_self_confidence"},
    ),
    Entry(
        "low_normalized_margin",
        _CONFIDENT,
        "As many units as confident_learning flags, those with the lowest margins.",
        "cleanlab 2.9, cleanlab.filter.find_label_issues(filter_by='low_normalized_margin')",
        formula="the N lowest (p[given] - max of the others + 1) / 2, N as for low_self_confidence",
        helps="Labels swapped with one other class.",
        hurts="Units between two right classes come before plain outliers.",
        options={"rule": "low_normalized_margin"},
    ),
    Entry(
        "small_loss",
        "labelnoise.core.small_loss:small_loss",
        "Keep the fraction of units with the lowest losses.",
        "Han et al. (2018), Co-teaching, NeurIPS, algorithm 1",
        formula="the floor(R m) lowest losses",
        helps="During training, before wrong labels are memorised; needs only a loss.",
        hurts="Needs the noise rate; hard and rare classes are dropped unless per_class is set.",
    ),
    Entry(
        "majority_filter",
        "labelnoise.core.agreement:majority_filter",
        "More than half of several cross-validated classifiers predict another class.",
        _BRODLEY,
        formula="#(prediction != given) > m / 2",
        helps="A cheap baseline from any classifiers; finds more of the wrong labels than consensus.",
        hurts="Throws out right labels where most classifiers share a weakness.",
    ),
    Entry(
        "consensus_filter",
        "labelnoise.core.agreement:consensus_filter",
        "All of several cross-validated classifiers predict another class.",
        _BRODLEY,
        formula="#(prediction != given) = m",
        helps="Where right data are scarce: seldom throws out a right label.",
        hurts="Keeps many wrong ones; the more classifiers, the more.",
    ),
    Entry(
        "gaussian_mixture",
        "labelnoise.core.mixture:gaussian_mixture",
        "Keep the units that belong to the lower of two Gaussians of the losses.",
        "Li, Socher, Hoi (2020), DivideMix, ICLR, section 3.1",
        formula="P(low component | loss) > 0.5, two Gaussians by expectation-maximisation on the scaled losses",
        helps="Needs no noise rate: the losses tell it. A million units in 0.014 s of CPU, 1/87 of scikit-learn's.",
        hurts="One group of losses is split too, with a warning: 18% of clean exponential losses called wrong, 49% of "
        "normal ones. One outlier that sets the scale keeps everything.",
    ),
    Entry(
        "beta_mixture",
        "labelnoise.core.mixture:beta_mixture",
        "Keep the units that belong to the lower of two beta distributions of the losses.",
        "Arazo et al. (2019), Unsupervised label noise modeling and loss correction, ICML, section 3.1",
        formula="P(low component | loss) > 0.5, two betas by moments between the 5th and the 95th percentile",
        helps="Skewed losses, which early training has; outliers have no say. Posterior never rises with the loss.",
        hurts="One group of losses is split too, with a warning: 20% of clean exponential losses called wrong; with "
        "2% of wrong labels F1 is 0.21 where Gaussians reach 0.60.",
    ),
    Entry(
        "simifeat_mv",
        "labelnoise.core.simifeat:simifeat_mv",
        "The similarity-weighted vote of the unit and its nearest neighbours is for another class.",
        _ZHU + ", section 4, majority vote",
        formula="argmax_c sum (1 - d)[label = c] != given, over 9 neighbours and itself at 2 d1 - d2",
        helps="Good features and no model: no training, no rate, no probabilities.",
        hurts="Pairs of classes: on the pixels of scikit-learn's digits (5 seeds) F1 0.98 with 40% symmetric "
        "noise, 0.59 with 40% pair noise.",
    ),
    Entry(
        "simifeat_rank",
        "labelnoise.core.simifeat:simifeat_rank",
        "Per class as many labels as T estimated from neighbours says, those with the weakest votes.",
        _ZHU + ", algorithm 1, ranking",
        formula="the floor(n_c (1 - P(true = c | given = c))) weakest votes of class c, the share in [.05, .95]",
        helps="Pairs of classes, where the majority leans to the wrong one: digits with 40% pair noise, F1 0.65 "
        "against 0.59 of simifeat_mv (knn_vote reaches 0.65 too).",
        hurts="Flags 5% of every class at least, clean ones too, and stands on T: digits with 20% symmetric noise, "
        "F1 0.93 against 0.98 of simifeat_mv.",
    ),
    Entry(
        "knn_vote",
        "labelnoise.core.neighbours:knn_vote",
        "Another class has more of the k nearest neighbours than the given one (edited nearest neighbours).",
        "Wilson (1972), Asymptotic properties of nearest neighbor rules using edited data, IEEE SMC 2, 408-421",
        formula="max_c votes_c > votes_given, the unit's own label left out",
        helps="The plainest use of features; the baseline that SimiFeat has to beat.",
        hurts="Rare classes: of the right labels of a digit with 7 units among 1626 it flags 36%, simifeat_mv 12%.",
    ),
)
SELECTORS.add(
    Entry(
        "recov",
        "labelnoise.core.recov:recov_flags",
        "Units that are in the worst fold of repeated cross-validation more often than chance.",
        _CHEN,
        formula="worst_i ~ Bin(N, 1/k) by chance; Benjamini-Hochberg on its upper tail",
        helps="Any task with a score per fold: survival, regression, retrieval.",
        hurts="Weak with few repeats, and the more errors there are, the less each shows: on 300 digits with ridge, 200 "
        "repeats (1,000 models) give AUROC .92 / .89 / .80 and F1 .25 / .19 / .00 at 5 / 10 / 40% uniform errors, "
        "where one cross-validation's probabilities reach .99 / .99 / .96.",
    ),
    Entry(
        "fast_recov",
        "labelnoise.core.recov:fast_recov_flags",
        "Suspects are gathered in one fold, run after run; the labels least probable on average are flagged.",
        _CHEN + ", fastReCoV",
        formula="m <- .3 p[given] + .7 m; next order drawn with probability ~ exp(m / .1)",
        helps="Steadier than one cross-validation at ten times its cost: F1 .81 / .85 / .90 against .79 / .82 / .88 on 300 "
        "digits with ridge at 5 / 10 / 40% uniform errors, five seeds.",
        hurts="Needs the number of wrong labels (the figures above know it) and a probability per unit.",
    ),
    Entry(
        "two_source",
        "labelnoise.core.two_source:two_source_selected",
        "Keep the labels that two models of different views believe in, class by class.",
        "Liu et al. (2025), CromSS, IEEE TGRS",
        formula="l_m <- (l_m + l_1 l_2) / 2; keep the top fraction of each class by both",
        helps="Two views with errors of their own: on the left and right halves of 300 digits with 40% uniform "
        "errors, of the 63% of labels kept 13.1% are wrong, against 14.4% kept by one half alone.",
        hurts="No better than the plain product of both probabilities (11.3% wrong there; equal at 5 and 10%). "
        "Two views that err alike agree on wrong labels.",
    ),
)
