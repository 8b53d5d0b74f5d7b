"""From scores to decisions: every way of selecting wrong (or right) labels, by name."""

from __future__ import annotations

from labelnoise.core.agreement import consensus_filter, majority_filter, vote
from labelnoise.core.chunks import row_chunks
from labelnoise.core.confident_chunks import confident_learning_chunks
from labelnoise.core.confident_learning import confident_learning
from labelnoise.core.confident_multilabel import confident_learning_multilabel
from labelnoise.core.confident_stream import confident_learning_stream
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.small_loss import keep_schedule, small_loss

__all__ = [
    "SELECTORS",
    "confident_learning",
    "confident_learning_chunks",
    "confident_learning_multilabel",
    "confident_learning_stream",
    "consensus_filter",
    "keep_schedule",
    "majority_filter",
    "row_chunks",
    "small_loss",
    "vote",
]

_NORTHCUTT = "Northcutt, Jiang, Chuang (2021), Confident Learning, JAIR 70, section 3.2"
_BRODLEY = "Brodley, Friedl (1999), Identifying mislabeled training data, JAIR 11, section 3.2"
_CONFIDENT = "labelnoise.core.confident_learning:confident_learning"

#: Ways to select units. Those of confident learning and the filters return the labels called wrong,
#: ``small_loss`` the units to keep.
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
)
