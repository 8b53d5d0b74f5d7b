"""Every noise model of the core, and its name in the registry `NOISES`.

An entry's target is ``f(labels, rate, seed, **options) -> Corruption``. Single-label kinds need
``n_classes``; the dissenting kinds take votes (n, A) for labels; ``"annotators"`` takes one transition matrix
per annotator for a rate.
"""

from __future__ import annotations

from labelnoise.core.corruption import Corruption, compare_labels
from labelnoise.core.noise_annotators import (
    annotate,
    annotator_transitions,
    dissenting_labels,
    dissenting_workers,
)
from labelnoise.core.noise_fit import NoiseModel
from labelnoise.core.noise_matrices import (
    class_transition,
    confusion_transition,
    pair_transition,
    random_map_transition,
    random_transition,
    symmetric_transition,
)
from labelnoise.core.noise_multilabel import (
    corrupt_multilabel,
    extra_labels,
    missing_labels,
    single_positive,
    swap_positives,
    swap_sets,
)
from labelnoise.core.noise_openset import CLEAN, CLOSED, OPEN, OpenSetCorruption, drop_classes, open_set
from labelnoise.core.noise_single import corrupt, instance_dependent
from labelnoise.core.registry import Entry, Registry

__all__ = [
    "CLEAN",
    "CLOSED",
    "NOISES",
    "OPEN",
    "Corruption",
    "NoiseModel",
    "OpenSetCorruption",
    "annotate",
    "annotator_transitions",
    "class_transition",
    "compare_labels",
    "confusion_transition",
    "corrupt",
    "corrupt_multilabel",
    "dissenting_labels",
    "dissenting_workers",
    "drop_classes",
    "extra_labels",
    "instance_dependent",
    "missing_labels",
    "open_set",
    "pair_transition",
    "random_map_transition",
    "random_transition",
    "single_positive",
    "swap_positives",
    "swap_sets",
    "symmetric_transition",
]

NOISES = Registry("noise kind")
NOISES.add(
    # One label per unit, from a transition matrix
    Entry(
        name="symmetric",
        target="labelnoise.core.noise_kinds:symmetric",
        summary="Every wrong class is equally likely.",
        source="van Rooyen, Menon and Williamson 2015, Learning with symmetric label noise",
        formula="T = (1 - r) I + r / (K - 1) (1 1' - I)",
        helps="The baseline that every method is tried on; a million labels of 10 classes in 0.02 s.",
        hurts="Easier than real noise: errors carry no structure that a model could learn.",
    ),
    Entry(
        name="pair",
        target="labelnoise.core.noise_kinds:pair",
        summary="Each class is mistaken for one neighbour.",
        source="Han et al. 2018, Co-teaching, section 4",
        formula="T[i, i] = 1 - r, T[i, (i + step) mod K] = r",
        helps="A hard case: at 0.45 the wrong class is almost as frequent as the right one.",
        hurts="Above 0.5 no method can tell right from wrong without clean labels.",
    ),
    Entry(
        name="asymmetric",
        target="labelnoise.core.noise_kinds:asymmetric",
        summary="Named classes are mistaken for named others.",
        source="Patrini et al. 2017, Making deep neural networks robust to label noise, section 5",
        formula="T[i, m(i)] = r, T[i, i] = 1 - r for mapped classes, else T[i, i] = 1",
        helps="Mistakes that make sense (cat and dog), with a map that you write.",
        hurts="The rate is per mapped class: over all labels it is r times their share (r / 2 on CIFAR-10).",
    ),
    Entry(
        name="random",
        target="labelnoise.core.noise_kinds:random",
        summary="A random matrix with one error rate for all classes.",
        source="Wang et al. 2024, NoisyGL, random noise",
        formula="T[i, j != i] proportional to U(0, 1), sum r; T[i, i] = 1 - r",
        helps="Shows whether a method relies on symmetry; the matrix changes with the seed.",
        hurts="Every seed is another problem: compare methods on equal seeds only.",
    ),
    Entry(
        name="random-map",
        target="labelnoise.core.noise_kinds:random_map",
        summary="Each class is mistaken for one other, chosen at random.",
        source="this project: pair flip without an order of the classes",
        formula="T[i, m(i)] = r, T[i, i] = 1 - r, m(i) uniform over the other classes",
        helps="Pair flip for classes whose order means nothing; two classes may collide in one.",
        hurts="Above 0.5 no method can tell right from wrong without clean labels.",
    ),
    Entry(
        name="confusion",
        target="labelnoise.core.noise_kinds:confusion",
        summary="The mistakes of a confusion matrix, at its own rate or at another.",
        source="Goswami et al. 2023, AQuA, class-dependent noise",
        formula="T[i, j != i] = s C[i, j] / sum_j C[i, j], one s for all rows such that the rate is met",
        helps="Noise as plausible as the model, or the people, that the matrix comes from.",
        hurts="A row without errors stays clean; errors still do not repeat within groups (see fitted).",
    ),
    # One label per unit, from features, or from real noise
    Entry(
        name="instance-dependent",
        target="labelnoise.core.noise_kinds:instance",
        summary="Which unit is wrong, and how, depends on its features.",
        source="Xia et al. 2020, Part-dependent label noise, algorithm 2; centre and logits rescaled here",
        formula="q ~ N(m, std) cut to [0, 1] with mean r; P(wrong class) = q softmax(x W_y) without y",
        helps="Noise that class-conditional corrections get wrong; the truth per unit is returned.",
        hurts="The features decide: with useless ones it is symmetric noise of varying rate.",
    ),
    Entry(
        name="fitted",
        target="labelnoise.core.noise_kinds:fitted",
        summary="Real noise learned from clean and noisy labels, with errors that repeat within a group.",
        source="this project: simulators draw errors one by one, real ones repeat per word or annotator",
        formula="error of a (group, class) ~ Beta, its wrong labels ~ Dirichlet, around T; fitted by pairs",
        helps=(
            "On NoisyNER set 7 the share of PER forms (seen 3 times or more) that are always right or always "
            "wrong is 0.97, replayed 0.97, from the matrix alone 0.30."
        ),
        hurts="Needs pairs of clean and noisy labels; with few large groups the realised rate scatters.",
    ),
    # Several labels per unit
    Entry(
        name="missing",
        target="labelnoise.core.noise:missing_labels",
        summary="Positives are dropped.",
        source="Natarajan et al. 2013, class-conditional noise, NeurIPS; one 2 x 2 T per class",
        formula="P(given = 0 | true = 1) = r_k",
        helps="The usual fault of tagging: what nobody thought of.",
        hurts="keep_at_least_one lowers the realised rate: a unit with one positive never loses it.",
    ),
    Entry(
        name="extra",
        target="labelnoise.core.noise:extra_labels",
        summary="Negatives are added.",
        source="Natarajan et al. 2013, class-conditional noise, NeurIPS; one 2 x 2 T per class",
        formula="P(given = 1 | true = 0) = r_k",
        helps="Tags by rule or by a loose search.",
        hurts="Small rates do much: with 80 classes and 3 positives, 0.005 adds 0.39 wrong tags per unit.",
    ),
    Entry(
        name="swapped",
        target="labelnoise.core.noise:swap_positives",
        summary="Positives are replaced by classes that often occur beside them.",
        source="this project: co-occurrence stands in for confusability",
        formula="k -> k' proportional to C[k, k'] over the classes that the unit does not have",
        helps="Keeps the number of tags per unit, so that counting them gives nothing away.",
        hurts="Co-occurrence is not confusion: pass weights where you know what is mistaken for what.",
    ),
    Entry(
        name="single-positive",
        target="labelnoise.core.noise:single_positive",
        summary="Only one positive of a unit is left.",
        source="Cole et al. 2021, Multi-label learning from single positive labels",
        formula="one positive at random stays, m - 1 of m are dropped",
        helps="Data collected as one label per item although several apply.",
        hurts="Units with one positive stay clean; the realised rate follows from the data.",
    ),
    Entry(
        name="set-level",
        target="labelnoise.core.noise:swap_sets",
        summary="A unit gets the whole tag set of another.",
        source="this project: rows that slipped, files that were mixed up",
        formula="set of i <- set of j, j uniform over the units whose set differs",
        helps="Errors that no single class shows.",
        hurts="Frequent sets are copied most; units with an unknown cell take no part.",
    ),
    # Outside of the label set
    Entry(
        name="open-set",
        target="labelnoise.core.noise:open_set",
        summary="Features of outside items under known labels, mixed with closed noise if asked.",
        source="Wang et al. 2018, Iterative learning with open-set noisy labels; mix: Sachdeva et al. 2021",
        formula="n r (1 - w) units get outside features, n r w a wrong known label",
        helps="Data scraped by name: some items are none of the classes. The truth is three-valued.",
        hurts="No relabelling can mend an open unit: score detection and repair separately.",
    ),
    # Several annotators
    Entry(
        name="annotators",
        target="labelnoise.core.noise:annotate",
        summary="Each annotator votes by a transition matrix of their own.",
        source="Dawid and Skene 1979; Raykar et al. 2010 for two-coin annotators",
        formula="vote of a ~ T_a[y, .], n_votes annotators per unit",
        helps="To test aggregation with the truth at hand, with votes and workloads like yours.",
        hurts="Votes are independent given the truth; real annotators share mistakes on hard units.",
    ),
    Entry(
        name="dissenting-label",
        target="labelnoise.core.noise:dissenting_labels",
        summary="Some units get one of the real votes against their label.",
        source="Goswami et al. 2023, AQuA",
        formula="n r units with dissent, at random, get one of their dissenting votes",
        helps="Mistakes that a person really made.",
        hurts="The rate is bounded by the share of units on which anybody disagrees.",
    ),
    Entry(
        name="dissenting-worker",
        target="labelnoise.core.noise:dissenting_workers",
        summary="The dissent of a few real workers stands, until the rate is reached.",
        source="Goswami et al. 2023, AQuA",
        formula="workers in random order; their votes against the label replace it",
        helps="Errors with the habits of the people who made them.",
        hurts="Results depend much on which workers the seed puts first.",
    ),
)
