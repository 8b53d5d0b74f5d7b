"""The trainers for text by name, each with what it is good and bad for."""

from __future__ import annotations

from labelnoise.core.registry import Entry, Registry

__all__ = ["TRAINERS"]

_HOME = "labelnoise.text.train_methods:"

#: Ways to train a tagger, by name.
TRAINERS = Registry("text trainer")
TRAINERS.add(
    Entry("plain", _HOME + "train_plain", "The tagger on the given tags as they are.", "the usual way"),
    Entry(
        "repaired",
        _HOME + "train_repaired",
        "Detect, then learn from P(true type) instead of the given tags.",
        "this project",
    ),
    Entry(
        "noise-channel",
        _HOME + "train_noise_channel",
        "A tagger of true tags behind a channel that confuses types.",
        "Hedderich, Lange, Klakow 2021",
    ),
    Entry(
        "self-training",
        _HOME + "train_self",
        "Learns from its own sharpened confident predictions.",
        "Liang et al. 2020, BOND",
    ),
    Entry(
        "crossweigh",
        _HOME + "train_crossweigh",
        "Sentences weigh less where models that never saw their names disagree.",
        "Wang et al. 2019",
    ),
    Entry("oracle-drop", _HOME + "train_oracle", "Leaves out tags known to be wrong.", "a bound"),
)
