"""The trainers for text by name, each with what it is good and bad for.

Figures are entity F1 (lenient micro F1, per cent) on clean test sentences, learnt from words alone, by
``experiments/text_repair.py``: NoisyNER set 1 (72% of its entities wrong, most of them missing), one seed, where the
plain tagger has 23.4 and true tags give 70.3; and the generated news of the package, two draws, where it has 98.0
(English) and 98.6 (German). From "oracle-sentences" on they are by ``experiments/text_noisebench.py`` (2,000 sentences,
words, two draws; plain beside them) and, for German and clean news, means of three splits.
"""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["TRAINERS"]

_HOME = "labelnoise.text.train_methods:"

#: Ways to train a tagger, by name.
TRAINERS = Registry("text trainer")
TRAINERS.add(
    Entry(
        "plain",
        _HOME + "train_plain",
        "The tagger on the given tags as they are.",
        "this project: the row that every other trainer has to beat",
        formula="min sum_i -log p(given_i | x_i), best valid BIO sequence",
        helps="Tags that are right: nothing is doubted that need not be.",
        hurts="Learns that names without a tag are none: recall falls with them.",
    ),
    Entry(
        "repaired",
        _HOME + "train_repaired",
        "Detects, learns from the probabilities of the true types, then from its own confident predictions.",
        "this project, on the entity-disjoint folds of Wang et al. 2019; rounds as Liang et al. 2020",
        formula="targets P(true | x, given) from models that never saw the name's tags",
        helps="Many missing names, most of all with an encoder: NoisyNER set 1 25.4 becomes 57.3, set 4 36.8 becomes "
        "55.1 (1,000 held-out sentences, one seed); by words 23.4 becomes 29.3 and 33.0 becomes 49.0.",
        hurts="Tags that are right, or names that only their own tags explain: 98.6 becomes 93.0 on German "
        "news, 99.6 becomes 98.2 on clean English ones.",
    ),
    Entry(
        "noise-channel",
        _HOME + "train_noise_channel",
        "A tagger of the true tags behind a channel that confuses types.",
        "Hedderich, Lange, Klakow 2021, AAAI (forward correction), by expectation and maximisation",
        formula="max sum_i log sum_t p(t | x_i) T[t, given_i]",
        helps="Confusions that depend on the type alone; can use a few clean pairs (pairs=500).",
        hurts="Errors that repeat with a name break its assumption; 97.8 on noisy English news, below plain.",
    ),
    Entry(
        "self-training",
        _HOME + "train_self",
        "Learns from its own predictions of the round before, sharpened, where they are confident.",
        "Liang et al. 2020, BOND, KDD, equations of stage II",
        formula="q[k] ~ p[k]^2 / f[k], tokens with max q > 0.9",
        helps="Near plain where tags are right and above it where not: 35.0 on NoisyNER set 1, 99.4 and 99.5 on noisy "
        "news, 99.6 on clean.",
        hurts="Confirms what the first fit got wrong; classes with few predictions are boosted, whether right or not: "
        "55.7 on English WikiANN (plain 58.0, one draw).",
    ),
    Entry(
        "crossweigh",
        _HOME + "train_crossweigh",
        "Sentences weigh less where models that never saw their names' tags disagree.",
        "Wang et al. 2019, CrossWeigh, EMNLP",
        formula="weight 0.7^(drawings that disagree)",
        helps="A few wrong tags: 98.5 on noisy English news, 98.8 on German.",
        hurts="Weighs whole sentences, right tags with wrong ones; ten fits where self-training has four.",
    ),
    Entry(
        "fine-tune",
        "labelnoise.text.fine_tune:train_fine_tuned",
        "All weights of a Hugging Face token classifier, under any strategy of the training loop.",
        "Devlin et al. 2019, BERT, NAACL, section 5.3 (first piece of each word); strategies as the core names them",
        formula="min sum_i loss(z_i, given_i), z at the first piece of token i",
        helps="More than frozen features can say; --set strategy=elr and others resist wrong tags.",
        hurts="Needs a model, and memorises wrong tags with strategy=plain.",
    ),
    Entry(
        "oracle-drop",
        _HOME + "train_oracle",
        "Leaves out tokens whose tags are known to be wrong: a bound, it looks at the true tags.",
        "this project: the oracle subset of Merdjanovska, Aynetdinov, Akbik 2024, by token",
        helps="Says what perfect detection without correction is worth: 34.5 on NoisyNER set 1.",
        hurts="Needs the true tags of the data it trains on, so it is a bound and no method.",
        sees_truth=True,
    ),
)
TRAINERS.add(
    Entry(
        "oracle-sentences",
        _HOME + "train_oracle_sentences",
        "Learns from the sentences without a wrong tag alone: a bound, it looks at the true tags.",
        "Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP: oracle subset",
        formula="min sum_i -log p(given_i | x_i) over sentences with given = true throughout",
        helps="Says what perfect filtering of sentences is worth.",
        hurts="Needs the true tags; what is left has few names: 12.4 on NoisyNER set 1, where plain has 19.7.",
        sees_truth=True,
    ),
)
TRAINERS.add(
    Entry(
        "co-regularisation",
        "labelnoise.text.coregularised:train_coregularised",
        "Taggers learn the given tags and to agree with each other.",
        "Zhou, Chen 2021, Learning from noisy labels for entity-centric information extraction, EMNLP",
        formula="(1/M) sum_m CE(p_m, given) + agree (1/M) sum_m KL(mean_m p_m || p_m)",
        helps="Errors that do not repeat: 98.6 on noisy English news (plain 97.8, one draw of text_noisebench).",
        hurts="Linear taggers memorise repeated errors alike, so they agree on them: 17.7 on NoisyNER set 1 "
        "and 27.6 on set 4 (plain 19.7, 30.6).",
    ),
)
TRAINERS.add(
    Entry(
        "bond",
        "labelnoise.text.teachers:train_bond",
        "A teacher stopped early, then a student on its sharpened confident answers, who becomes the teacher.",
        "Liang et al. 2020, BOND, KDD",
        formula="q[k] ~ p[k]^2 / f[k], tokens with max q > 0.9; teacher renewed from the student",
        helps="Many missing names: 40.2 on NoisyNER set 1, 46.8 on set 4 (plain 19.7, 30.6), more than without "
        "the wrong tags; with an encoder 53.8, 53.7 and 58.8 on sets 1, 4 and 7 (plain 21.7, 32.6, 46.5).",
        hurts="Tags that are right: 53.2 on UNER-EWT and 59.6 on German WikiANN (plain 59.3, 63.6), because rare tags "
        "are made more likely. Names that were only ever seen wrong stay lost (7 to 10% of them found).",
    ),
)
TRAINERS.add(
    Entry(
        "scdl",
        "labelnoise.text.teachers:train_scdl",
        "Two pairs of teacher and student that correct each other's tags.",
        "Zhang et al. 2021, SCDL, EMNLP",
        formula="teacher = .995 teacher + .005 student; tokens with argmax q = pseudo-tag and max q > 0.9",
        helps="Missing names: 27.2 on NoisyNER set 1, 40.3 on set 4 (plain 19.7, 30.6), well below bond.",
        hurts="Moves with the draw (by 3 to 4 points); 99.2 on clean English news, where plain has 99.6; twice "
        "the time of bond.",
    ),
)
TRAINERS.add(
    Entry(
        "dynamics",
        "labelnoise.text.tag_dynamics:train_dynamics",
        "Watches a training and changes or leaves out the tags that it was unsure of.",
        "Merdjanovska, Akbik 2025, Token-level metrics for detecting incorrect gold annotations, Findings of EMNLP",
        formula="mask O if agreed, std p(O) > .15 after 9 passes; relabel O if denied, mean p < .4 after 2, "
        "entities if denied, mean p < .3 after 4",
        helps="Errors that do not repeat: 98.9 on noisy German news (plain 98.5), and tags that are right stay "
        "as they are.",
        hurts="Errors that repeat with a name are memorised in the first pass and never doubted: 19.6 and 30.0 "
        "on NoisyNER sets 1 and 4, no better than plain. The thresholds are those of a large "
        "transformer.",
    ),
)
