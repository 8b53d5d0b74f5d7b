"""Measure training on text with wrong tags: test entity F1 after repairing, dropping or weighing the doubtful ones.

    python experiments/text_repair.py --store runs.jsonl [--sets 1,4,7] [--trainers all] [--seeds 0,1,2]
        [--encoder FOLDER] [--sentences 5000] [--cpu-minutes 6]
    python experiments/text_repair.py --store runs.jsonl --cpu-minutes 0        (the table of what is there)

NoisyNER (Hedderich, Lange, Klakow 2021): the first sentences of the training file under three of its label sets, and
its clean test file, both from $LABELNOISE_DATA/text/noisyner. "clean" is the plain tagger on the true tags; "oracle-drop"
leaves out tokens that are known to be wrong. Every run is one line of the store; those already there are not repeated,
and no run starts once the CPU minutes are spent. CPU time is that of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

CLEAN, BAR, GOAL = "clean", "plain", "oracle-drop"
TRAINERS = (BAR, "repaired", GOAL, CLEAN, "self-training", "noise-channel", "crossweigh")
_KEYS = ("set", "trainer", "seed", "features", "sentences", "options")


def with_test(number: int, sentences: int) -> Any:
    """The first training sentences with the given tags of one set, and the test sentences with true ones."""
    import numpy as np

    from labelnoise.core.domain import data_root
    from labelnoise.text.conll import read_conll
    from labelnoise.text.dataset import TextDataset

    root = data_root("text")
    if root is None:
        raise SystemExit("Set LABELNOISE_DATA to the folder with text/noisyner.")
    train = read_conll(
        {"train": root / "noisyner" / f"estner_noisy_labelset{number}.train"},
        name="train",
        token_column=0,
        true_column=1,
        tag_column=2,
    )
    test = read_conll({"test": root / "noisyner" / "estner_clean.test"}, name="t", token_column=0, tag_column=1)
    assert train.types == test.types and train.true is not None
    end = int(train.starts[sentences])
    n = end + test.n_units
    return TextDataset(
        name=f"noisyner-{number}",
        given=np.concatenate([train.given[:end], test.given]),
        true=np.concatenate([train.true[:end], test.given]),
        class_names=train.class_names,
        tokens=np.concatenate([train.tokens[:end], test.tokens]),
        starts=np.concatenate([train.starts[: sentences + 1], end + test.starts[1:]]),
        masks={"train": np.arange(n) < end, "test": np.arange(n) >= end},
    )
