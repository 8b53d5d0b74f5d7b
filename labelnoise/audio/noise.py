"""Noise kinds of clips and tags, by name; a target is ``f(dataset, rate, seed, **options) -> Corruption``."""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["NOISES"]

_HERE = "labelnoise.audio.noise_clips:"

NOISES = Registry("audio noise kind")
NOISES.add(
    Entry(
        "symmetric",
        _HERE + "swap_labels",
        "Another class or tag of the vocabulary, all equally likely.",
        "van Rooyen, Menon and Williamson 2015, Learning with symmetric label noise",
        "T = (1 - r) I + r / (K - 1) (1 1' - I); of tags, a present one gives way to an absent one",
        "The baseline that every method is tried on.",
        "Easier than real noise: on ESC-50 wrong classes are found at AUROC .99, listeners' mistakes at .9.",
    ),
    Entry(
        "human-confusion",
        _HERE + "human_confusion",
        "What listeners take a sound for, at any rate.",
        "Piczak 2015, ESC-50, counts of its listening test; even rates over the classes are this project's",
        "T = (1 - r) I + r C, C the off-diagonal confusions by row; hardness 'human': C's own rates, times a factor",
        "Mistakes between sounds that are alike, the kind that people make; any K x K CSV by matrix=.",
        "Classes with few mistakes counted have few goals: pairs swap in one direction, which hides them.",
    ),
    Entry(
        "out-of-vocabulary",
        _HERE + "out_of_vocabulary",
        "Sounds of none of the classes under labels of theirs.",
        "Fonseca et al. 2019, FSDnoisy18k, out-of-vocabulary noise; sounds from leaving classes are this project's",
        "a share r of the clips takes the sound of a clip of a class that leaves, or of a file of a folder",
        "The commonest error of clips tagged on the web.",
        "Labels stay as they are, so embeddings made before do not fit the new sounds.",
    ),
    Entry(
        "missing-tags",
        _HERE + "drop_tags",
        "Each present tag is dropped with one probability.",
        "Meire et al. 2019 and FSD50K's unlabelled events, as one rate",
        "P(given absent | present) = r",
        "Tagging that is not exhaustive.",
        "Real annotators drop quiet and common sounds first; here all tags alike.",
    ),
    Entry(
        "extra-tags",
        _HERE + "add_tags",
        "Each absent tag is added with one probability.",
        "this project: the counterpart of missing tags",
        "P(given present | absent) = r",
        "Automatic tags with false alarms.",
        "Absent pairs are many: r = .005 over 80 tags adds .4 wrong tags to a clip.",
    ),
    Entry(
        "single-positive",
        _HERE + "keep_one_tag",
        "Clips keep one of their tags, chosen at random.",
        "Cole et al. 2021, Multi-label learning from single positive labels, CVPR",
        "of m present tags of a share r of the clips m - 1 become absent",
        "Clips labelled by their main event.",
        "Changes nothing where most clips have one tag.",
    ),
    Entry(
        "challenge-mix",
        "labelnoise.audio.noise_challenge:challenge_mix",
        "A curated part that is right beside a noisy part with errors in and out of the vocabulary and missing tags.",
        "Fonseca et al. 2019, FSDKaggle2019 and FSDnoisy18k (the kinds of errors); shares are options",
        "origin ~ curated share c by recording; of the noisy part a share r is hit: open with probability o, else closed",
        "To try methods that know where a clip comes from (curated-only, noisy-then-curated, robust on the noisy part).",
        "Both parts sound alike here; in the challenge they come from different sites, which costs as much as the noise.",
    ),
)
