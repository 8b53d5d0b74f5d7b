"""Every estimator of T by name, in the registry `TRANSITIONS`.

An entry's target answers a `TransitionEstimate`. ``"pairs"`` takes ``(true, given, n_classes)``; the others take
``(labels, probs)``, given labels and out-of-sample probabilities, and have ``n_bootstrap`` and ``seed``; ``"hoc"`` and
``"volume"`` take ``(labels, features)``.

Examples
--------
>>> from labelnoise.core.transition_estimators import TRANSITIONS
>>> entry = TRANSITIONS["anchors-quantile"]
>>> probs = [[0.8, 0.2], [0.7, 0.3], [0.4, 0.6], [0.3, 0.7]]
>>> entry.load()([0, 0, 1, 1], probs, **entry.options).matrix
array([[0.8, 0.2],
       [0.3, 0.7]])
"""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["TRANSITIONS"]

TRANSITIONS = Registry("estimator of T")

TRANSITIONS.add(
    Entry(
        "pairs",
        "labelnoise.core.transition_pairs:transition_from_pairs",
        "Counts units whose clean and given label are both known.",
        "Hedderich, Zhu, Klakow 2021, AAAI, section 3; errors of unseen entries by this project",
        formula="T[i, j] = #(true i, given j) / n_i, error sqrt(s (1 - s) / n_i), s = (count + 1) / (n_i + 2)",
        helps="Unbiased, and the only one that supposes nothing: buy clean labels for it (pairs_needed says how many).",
        hurts="Rare classes: on the distant labels of NoisyNER set 1, errors of 0.05 take 213 tokens chosen by their "
        "class but 2778 at random. Errors that repeat in a group (a word, an annotator) make it less sure than it says.",
    ),
    Entry(
        "anchors",
        "labelnoise.core.transition_anchors:transition_by_anchors",
        "Reads T off the unit that is most probable to be given each class.",
        "Patrini, Rozza, Menon, Nock, Qu 2017, CVPR, eq. 12-13",
        formula="T[i, j] = P(given j | x_i), x_i = argmax_x P(given i | x)",
        helps="Exact probabilities of classes that are apart.",
        hurts="The maximum of estimated probabilities is too high, so T is too clean: off by 0.10 to 0.12 per entry "
        "(three Gaussian classes 7 apart, 4000 units, 24% noise; logistic regression, neighbours and boosting).",
        options={"rule": "max"},
    ),
    Entry(
        "anchors-quantile",
        "labelnoise.core.transition_anchors:transition_by_anchors",
        "Reads T off the unit below the 3% of all units that are most probable to be given each class.",
        "Patrini, Rozza, Menon, Nock, Qu 2017, CVPR, section 5 (97% quantile against outliers)",
        formula="T[i, j] = P(given j | x_i), x_i at rank floor(0.03 n) of P(given i | x)",
        helps="Halves the error of the maximum (0.04 to 0.05 per entry in the setting of 'anchors').",
        hurts="A class rarer than 3% has no unit at that rank: its row becomes another class's.",
        options={"rule": "quantile"},
    ),
    Entry(
        "anchors-top",
        "labelnoise.core.transition_anchors:transition_by_anchors",
        "Reads T off the unit below the 3% most probable of the units that are given each class.",
        "Bae, Shin, Na, Moon 2024, RENT, ICLR (its anchor rule)",
        formula="T[i, j] = P(given j | x_i), x_i at rank floor(0.03 n_i) of P(given i | x) among those given i",
        helps="Outlier-proof with rare classes too (0.06 per entry in the setting of 'anchors').",
        hurts="Classes without anchors: T is too noisy by the overlap, as with every anchor rule.",
        options={"rule": "top"},
    ),
    Entry(
        "dual",
        "labelnoise.core.transition_anchors:transition_by_dual",
        "Reads the way to the predicted class off anchors and counts the way from there to the given class.",
        "Yao, Liu, Han, Gong, Deng, Niu, Sugiyama 2020, NeurIPS, eq. 4-6",
        formula="T = A B, A[i, l] = P(given l | x_i), B[l, j] = #(predicted l, given j) / #(predicted l)",
        helps="Over-confident models, as networks are: their anchors are nearly one class, and the rest is counted "
        "(0.03 to 0.04 per entry in the setting of 'anchors').",
        hurts="Calibrated probabilities: A is then nearly T itself and the answer nearly T T, too noisy.",
    ),
    Entry(
        "confident",
        "labelnoise.core.transition_confident:transition_confident",
        "Counts units by given class and the class that they confidently belong to.",
        "Northcutt, Jiang, Chuang 2021, JAIR 70, eq. 1-3; its errors by this project",
        formula="columns of the calibrated confident joint, normalised",
        helps="The nearest without clean labels where classes are apart: off by 0.010 to 0.015 per entry in the "
        "setting of 'anchors'.",
        hurts="Overlap: units near a border are confidently counted on the wrong side. The errors do not show that bias "
        "(they hold T in 63 to 89% of entries in that setting, in 46 to 69% with classes 4 apart, instead of 95%).",
    ),
    Entry(
        "hoc",
        "labelnoise.core.transition_hoc:hoc_transition",
        "Solves for T and the prior from the labels of each unit and its two nearest neighbours.",
        "Zhu, Song, Liu 2021, Clusterability as an alternative to anchor points, ICML; errors by this project",
        formula="min |c1 - T'p| + |c2 - sum p T x T| + |c3 - sum p T x T x T| over counts c of labels, pairs and triples",
        helps="Features only, no model: mean error 0.009 on 10,000 units of 10 classes in 0.6 s of CPU.",
        hurts="Neighbours of one true class are assumed and cannot be tested: where classes overlap evenly (26% of nearest "
        "neighbours in another) T was off by 0.13 without a warning. At most 200 classes.",
    ),
    Entry(
        "volume",
        "labelnoise.core.transition_volume:transition_by_volume",
        "Learns T beside a classifier, as the one of least volume that explains the labels.",
        "Li et al. 2021, Provably end-to-end label-noise learning without anchor points, ICML, equation 5",
        formula="min -log (T' p)[y] + lambda log |det T|",
        helps="No anchor points: off by 0.008 to 0.02 per entry on the digits with 30% symmetric or pair noise.",
        hurts="Few units per class: three Gaussian classes, 900 units, off by 0.03 to 0.06, towards too clean. Slow beside "
        "the others: seconds. Its errors leave out that bias.",
    ),
)
