"""Trainers of networks on clips, by name; a target is ``f(dataset, seed, **options) -> Trained``.

Figures are test accuracies on 300 synthesised events after 30 epochs on 200 others with 30% wrong labels
(``experiments/audio_training.py``), and lwlrap on 300 mixtures of ESC-50 clips after training a linear head on 600
others with 40% of their tags missing, three draws (``experiments/audio_mixtures.py``); plain has .262 there.
"""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.training import STRATEGIES

__all__ = ["TRAINERS"]

_CLIPS = "labelnoise.audio.train_methods:train_clips"
_ORIGIN = "labelnoise.audio.train_methods:train_by_origin"
_FONSECA = "Fonseca et al. (2019), Learning sound event classifiers from web audio with noisy labels, ICASSP"
_WASPAA = "Fonseca, Font, Serra (2019), Model-agnostic approaches to handling noisy labels, WASPAA"
_DCASE = "Fonseca et al. (2019), Audio tagging with noisy labels and minimal supervision, DCASE"

TRAINERS = Registry("audio trainer")

TRAINERS.add(
    Entry(
        "plain",
        _CLIPS,
        "All clips alike under cross-entropy, binary for tags.",
        "Good (1952), Rational decisions, Journal of the Royal Statistical Society B: the logarithmic score",
        formula="mean over clips of -log p[y]; for tags the mean of both terms over known tags",
        helps="The row that every other trainer has to beat: 72.3% on the events.",
        hurts="Fits wrong labels when it trains for long.",
        options={"strategy": "plain"},
    ),
    Entry(
        "curated-only",
        _ORIGIN,
        "Clips of curated origin alone; the first of two rows that a use of noisy clips has to beat.",
        _DCASE,
        formula="as plain, over clips with origin = curated",
        helps="Labels that are right, where there are enough of them.",
        hurts="Throws the noisy clips away. Not measured yet.",
        options={"only_curated": True},
    ),
    Entry(
        "ignore-origin",
        _ORIGIN,
        "All clips as if they were of one origin; the second row to beat.",
        _DCASE,
        formula="as plain",
        helps="Noisy labels that are mostly right.",
        hurts="The noisy origin outweighs the curated one where it has more clips. Not measured yet.",
        options={"only_curated": False},
    ),
    Entry(
        "noisy-then-curated",
        "labelnoise.audio.train_methods:train_noisy_then_curated",
        "First the noisy clips, then on from there with the curated ones, labels smoothed in both.",
        _DCASE + ", baseline",
        formula="targets (1 - a) y + a / K (tags: a / 2), a = .3 then .1",
        helps="Many noisy and a few curated clips.",
        hurts="The second stage forgets what it has not enough clips of. Not measured yet.",
    ),
    Entry(
        "lq",
        _CLIPS,
        "Between cross-entropy and absolute error, so that a hopeless label pulls less.",
        "Zhang, Sabuncu (2018), Generalized cross entropy loss, NeurIPS; for sounds: " + _FONSECA,
        formula="(1 - p[y]^q) / q, q = .7; for tags on p or 1 - p of each",
        helps="Little: 73.7% on the events, where plain has 72.3% (one draw, within chance).",
        hurts="Tags: the many absences dominate its loss, lwlrap .207 where plain has .262 with tags missing.",
        options={"strategy": "lq"},
    ),
    Entry(
        "soft-bootstrap",
        _CLIPS,
        "Targets mixed with the network's own answer.",
        "Reed et al. (2015), Training deep neural networks on noisy labels with bootstrapping, ICLR workshop; for "
        "sounds: " + _FONSECA,
        formula="-sum_k (b y[k] + (1 - b) p[k]) log p[k], b = .3",
        helps="Clean labels lose nothing.",
        hurts="With the target held fixed it is plain training at a smaller step: lwlrap .267 where plain has .262.",
        options={"strategy": "soft-bootstrap"},
    ),
    Entry(
        "outlier-rejection",
        _CLIPS,
        "Lq at first; later clips whose loss is an outlier of its batch fade out.",
        _WASPAA + ", time-dependent loss; the rule for outliers: " + _FONSECA,
        formula="weight 1 - a(epoch) [loss > median + 1.9 deviations], a from 0 to 1",
        helps="Networks that learn before they memorise.",
        hurts="The deviation of a batch depends on its composition. Not measured yet.",
        options={"strategy": "outlier-rejection"},
    ),
    Entry(
        "ousm",
        _CLIPS,
        "Clips with the largest losses stay out: late, more and more of them, by a quota for each class.",
        "Xue et al. (2019), Robust learning at noisy labeled medical images, ISBI: online uncertainty sample mining; "
        "with quotas and a ramp over the whole split by this project, since batches hold few clips of a class",
        formula="keep the floor(R n_c) lowest losses of each class c, R from 1 to 1 - noise rate",
        helps="A noise rate that is known or visible in the losses.",
        hurts="Hard right clips go too; one scan of the training split per epoch. Not measured yet.",
        options={"strategy": "ousm"},
    ),
    Entry(
        "or-gate",
        _CLIPS,
        "Only clips take part whose label has been among the top outputs in some epoch.",
        "Fan et al. (2023), OR-Gate: a noisy label filtering method for speaker verification, Interspeech",
        formula="take part if sum over epochs of [rank(y) <= k] >= 1, k = 7% of the classes",
        helps="Many classes, where a hit by chance is rare.",
        hurts="With ten classes hits by chance let wrong labels in, and what is in stays in. Clips that are "
        "out still pass through batch normalisation. Not measured yet.",
        options={"strategy": "or-gate"},
    ),
    Entry(
        "loss-masking",
        "labelnoise.audio.teachers:train_loss_masking",
        "Missing tags: the absences that teachers doubt most are left out of a student's loss.",
        "Fonseca et al. (2020), Addressing missing labels in large-scale sound event recognition using a "
        "teacher-student framework with loss masking, IEEE Signal Processing Letters 27; with teachers that have not "
        "seen the clip by this project",
        formula="binary cross-entropy without each tag's highest-scored absences, .3 per present tag overall",
        helps="Missing tags: lwlrap .274 against .262 (linear head; +.012 with a standard error of .006).",
        hurts="Five trainings; weak teachers mask true absences, and weak-negatives gain twice as much.",
    ),
    Entry(
        "weak-negatives",
        _CLIPS,
        "Missing tags: absences count a quarter of presences.",
        "this project, as the plainest use of the fact that tags are forgotten more often than invented",
        formula="[y = 1] BCE + .25 [y = 0] BCE, divided by the weights",
        helps="Missing tags: lwlrap .285 against .262 (linear), .206 against .161 (CNN); 40% swapped: .269 against .252.",
        hurts="Probabilities are too high; with complete tags it gains, too, by .010.",
        options={"strategy": "unequal-tags", "parameters": {"weight": 0.25}},
    ),
    Entry(
        "negative-target",
        _CLIPS,
        "Missing tags: the target of an absent tag is 0.1.",
        "this project: label smoothing (Szegedy et al. 2016, CVPR) of absences only",
        formula="BCE towards .1 where y = 0, towards 1 where y = 1",
        helps="Nothing measured; it regularises.",
        hurts="Missing tags: lwlrap .259 where plain has .262; probabilities stay above .1.",
        options={"strategy": "unequal-tags", "parameters": {"target": 0.1}},
    ),
    Entry(
        "self-refining",
        "labelnoise.audio.teachers:train_self_refining",
        "Labels corrected by networks that have not seen them, then training on the result.",
        "Koo et al. (2023), Self-refining of pseudo labels for music source separation with noisy labeled data, ISMIR; "
        "with held-out networks in place of mixtures by this project",
        formula="label := argmax p if max p >= .7, none if p[y] < .1; p of four networks, each on the other folds",
        helps="Networks that are right more often than the labels.",
        hurts="Five trainings a round; confirms confusions that held-out networks share. Not measured yet.",
    ),
    Entry(
        "class-smoothing",
        _CLIPS,
        "Label smoothing, more of it for the noisier half of the classes.",
        _WASPAA + ", noise-dependent label smoothing; noisiness by the mean loss after a warm-up",
        formula="targets (1 - e_y) y + mean(e) / K, e = .2 or .1",
        helps="Classes that differ in how noisy they are.",
        hurts="A hard class looks like a noisy one. Not measured yet.",
        options={"strategy": "class-smoothing"},
    ),
    Entry(
        "mixup",
        _CLIPS,
        "Clips and losses mixed in pairs after a warm-up; a mixture's weight follows both parents' origins.",
        "Zhang et al. (2018), mixup: beyond empirical risk minimization, ICLR; for sounds: " + _WASPAA,
        formula="s loss(y_i) + (1 - s) loss(y_j) at s x_i + (1 - s) x_j, s ~ Beta(.3, .3)",
        helps="Few clips.",
        hurts="Spreads a wrong label over two clips; many epochs needed. Not measured yet.",
        options={"strategy": "mixup"},
    ),
)
TRAINERS.add(
    *(
        Entry(
            f"cnn+{name}",
            _CLIPS,
            strategy.summary,
            strategy.source,
            formula=strategy.formula,
            helps=f"On digits: {strategy.helps}",
            hurts=f"Not measured on sounds. On digits: {strategy.hurts}",
            options={"strategy": name},
        )
        for name, strategy in STRATEGIES.items()
        if name != "plain"
    )
)
TRAINERS.add(
    Entry(
        "high-negative-target",
        _CLIPS,
        "Missing tags: the target of an absent tag is 0.2.",
        "this project: label smoothing (Szegedy et al. 2016, CVPR) of absences only",
        formula="BCE towards .2 where y = 0, towards 1 where y = 1",
        helps="Nothing measured; it regularises more.",
        hurts="Missing tags: lwlrap .257 where plain has .262; probabilities stay above .2.",
        options={"strategy": "unequal-tags", "parameters": {"target": 0.2}},
    ),
    Entry(
        "chosen",
        "labelnoise.audio.chosen:train_chosen",
        "Several trainers tried on held-out clips, the best one by their labels as they are.",
        "this project; Stone (1974), Cross-validatory choice and assessment of statistical predictions, Journal of the "
        "Royal Statistical Society B",
        formula="argmax over trainers of lwlrap(given, held-out scores), accuracy for classes; then trained on all",
        helps="No true labels, nor knowledge of the kind of noise: picks weak-negatives in each of three draws with missing "
        "tags, lwlrap .285 against .262.",
        hurts="Folds x candidates more trainings. With 40% swapped it picks a method that loses in one draw of three.",
    ),
)
