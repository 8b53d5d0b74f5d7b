"""Noise kinds of tagged text, by name. The rate is the share of wrong entities, 1 - micro F1, not of wrong tokens."""

from labelnoise.core.registry import Entry, Registry

__all__ = ["NOISES"]

#: Noise kinds. An entry's target is ``f(dataset, rate, seed, **options) -> Corruption``.
NOISES = Registry("text noise kind")

_SPAN = "labelnoise.text.span_noise:"
_TOKEN = "labelnoise.text.token_noise:"
_FIT = "labelnoise.text.fit:"
_NOISEBENCH = "the error types of Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench; calibration: this project"

NOISES.add(
    Entry(
        "missing",
        _SPAN + "missing",
        "Entities without their tags.",
        _NOISEBENCH,
        "2 N r / (1 + r) of N entities lose their tags, so that 1 - F1 = r",
        "What hurried annotators and gazetteers do most: six in ten errors of NoiseBench's crowd and distant sets.",
        "With consistency=0 each form is still tagged somewhere, which real omissions are not: "
        "at 0.3, 0.14 of NoisyNER's forms are uniform instead of 1.00 with consistency=1.",
    ),
    Entry(
        "spurious",
        _SPAN + "spurious",
        "Words tagged that are no entities: capitalised runs first.",
        _NOISEBENCH,
        "2 N r / (1 - r) extents outside of entities get tags, weighted by how the word looks",
        "What rules and language models do: 0.43 of the errors of NoiseBench's llm set.",
        "Bounded by the words there are: on the news set 0.59 is the most. The look of a word is a poor "
        "stand-in for what a model would take for a name.",
    ),
    Entry(
        "type",
        _SPAN + "wrong_type",
        "Entities of the right extent under another type.",
        _NOISEBENCH,
        "N r entities get another type, uniform or by the weights of confusion",
        "Guidelines that differ: 0.74 of the errors of the original CoNLL-03 labels.",
        "Needs two types; uniform types are less plausible than real ones (pass confusion).",
    ),
    Entry(
        "boundary",
        _SPAN + "boundary",
        "Entities that begin or end one token too early or too late.",
        _NOISEBENCH,
        "N r entities grow into free tokens, or shrink, by one token at one end",
        "Titles, articles and suffixes that annotators treat differently.",
        "An entity of one token between others cannot move, so forms are not all uniform even with consistency=1: "
        "0.95 of the news set's at 0.6.",
    ),
    Entry(
        "mixed",
        _SPAN + "mixed",
        "Missing, spurious, mistyped and misplaced entities in given shares.",
        _NOISEBENCH,
        "D = 2 N r / ((s - m)(1 - r) + 2 (1 - s)) errors, m and s the shares of missing and spurious",
        "The default choice: as many errors of each kind as real sets have on average, at an exact rate.",
        "Which form is wrong is random, not those that are hard; learn that from a pair (fitted) where you have one.",
    ),
    Entry(
        "uniform",
        _TOKEN + "uniform",
        "Every token errs alike, to any tag that may follow.",
        "this project: the token-wise baseline, kept valid",
        "P(wrong) the same for all tokens, renormalised over tags that BIO allows, by bisection to 1 - F1 = r",
        "The baseline that token-wise methods are tried on.",
        "Nearly all errors are spurious (10 times the missing ones on the news set at 0.1), as most tokens are no entities.",
    ),
    Entry(
        "class-dependent",
        _TOKEN + "class_dependent",
        "Tags drawn token by token from a confusion matrix.",
        "Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench: simulated noise; calibration: this project",
        "row of the true tag over the tags BIO allows, wrong weights times one factor such that 1 - F1 = r",
        "Repeats the published simulation, but at the level that was asked for (there 41.3 for 36.6 %).",
        "Shreds entities of several words and never repeats per form: 0.22 of NoisyNER's forms uniform at 0.3.",
    ),
    Entry(
        "fitted",
        _FIT + "fitted",
        "Kinds, types, boundaries and repetition learned from real wrong tags.",
        "this project: simulators draw errors one by one, real ones repeat per surface form",
        "quotas per kind and type; a form's mentions share one fate with the learned probability",
        "At NoisyNER set 7's own rate, 0.461, the share of forms (3 mentions or more) that are always right or always "
        "wrong is 0.96, replayed 0.96, with independent errors 0.12.",
        "Learns how many forms repeat their errors, not which; an entity that errs in extent and type keeps its type.",
    ),
)
