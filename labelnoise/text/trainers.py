"""The trainers for text by name, each with what it is good and bad for.

Figures are entity F1 (lenient micro F1, per cent) on clean test sentences, learnt from words alone: 2,000 sentences of
NoisyNER (means of three draws), the generated news of the package (means of three splits), by
``experiments/text_noisebench.py``. There the plain tagger has 19.8 and 30.4 on NoisyNER sets 1 and 4 (72% and 59% of the
entities wrong, most of them missing), where true tags give 66.6, and 98.5 on the news in both languages. Those that say
"with an encoder" are by ``experiments/text_repair.py`` (three draws), those of "crossweigh", "noise-channel" and the news
of "repaired" by it too (one seed or two), those on UNER-EWT and WikiANN by ``experiments/text_default.py`` (two draws, one).
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
        helps="Many missing names, most of all with an encoder: on NoisyNER sets 1, 4 and 7 it has 49.4, 51.1 and 55.9 "
        "(plain 21.7, 32.6, 46.5; three draws).",
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
        helps="Near plain where tags are right and above it where not: 27.9 and 40.7 on NoisyNER sets 1 and 4 (plain 19.8, "
        "30.4), 99.4 on noisy news in both languages (plain 98.5), 99.7 on clean.",
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
        helps="More than words can say: 34.0 ± 2.5 on NoisyNER set 4 from 600 sentences, where words have 23.1 ± 3.9 "
        "(3 draws, multilingual-e5-small); --set strategy=elr and others are made to resist wrong tags (not measured).",
        hurts="No gain over the head of the frozen encoder there (35.5 ± 3.0) at 100 times the work; memorises wrong tags "
        "with strategy=plain; with fitted_head=no a small encoder says O throughout after 114 steps.",
    ),
    Entry(
        "oracle-drop",
        _HOME + "train_oracle",
        "Leaves out tokens whose tags are known to be wrong: a bound, it looks at the true tags.",
        "this project: the oracle subset of Merdjanovska, Aynetdinov, Akbik 2024, by token",
        helps="Says what perfect detection without correction is worth: 26.4 on NoisyNER set 1, where plain has 19.8.",
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
        hurts="Needs the true tags; what is left has few names: 12.9 on NoisyNER set 1, where plain has 19.8.",
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
        helps="Errors that do not repeat, by little: 98.7 on noisy English news (plain 98.5), 98.3 on German (98.5).",
        hurts="Linear taggers memorise repeated errors alike, so they agree on them: 18.3 on NoisyNER set 1 "
        "and 28.1 on set 4 (plain 19.8, 30.4).",
    ),
)
TRAINERS.add(
    Entry(
        "bond",
        "labelnoise.text.teachers:train_bond",
        "A teacher stopped early, then a student on its sharpened confident answers, who becomes the teacher.",
        "Liang et al. 2020, BOND, KDD",
        formula="q[k] ~ p[k]^2 / f[k], tokens with max q > 0.9; teacher renewed from the student",
        helps="Many missing names: 40.9 on NoisyNER set 1, 47.4 on set 4 (plain 19.8, 30.4), more than without "
        "the wrong tags; with an encoder 53.8, 53.7 and 58.8 on sets 1, 4 and 7 (plain 21.7, 32.6, 46.5).",
        hurts="Tags that are right: 53.1 on UNER-EWT and 59.6 on German WikiANN (plain 60.0, 63.6), because rare tags "
        "are made more likely. Names that were only ever seen wrong stay lost (8 to 12% of them found).",
    ),
)
TRAINERS.add(
    Entry(
        "scdl",
        "labelnoise.text.teachers:train_scdl",
        "Two pairs of teacher and student that correct each other's tags.",
        "Zhang et al. 2021, SCDL, EMNLP",
        formula="teacher = .995 teacher + .005 student; tokens with argmax q = pseudo-tag and max q > 0.9",
        helps="Missing names: 29.6 on NoisyNER set 1, 41.9 on set 4 (plain 19.8, 30.4), well below bond.",
        hurts="Moves with the draw (by 4 to 5 points); 99.2 on clean English news, where plain has 99.6; twice "
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
        hurts="Errors that repeat with a name are memorised in the first pass and never doubted: 20.0 and 30.6 "
        "on NoisyNER sets 1 and 4, no better than plain (19.8, 30.4). The thresholds are those of a large "
        "transformer.",
    ),
)
