"""Real, class-dependent and fitted noise on the same text: how much it costs, and how well it is found.

    python experiments/text_simulated.py --encoder FOLDER --json simulated.jsonl [--sets 1,4,7] [--seeds 0,1,2]
    python experiments/text_simulated.py --encoder FOLDER --json simulated.jsonl --seeds ""      (the table of what is there)

Needs ``LABELNOISE_DATA``. A seed draws sentences of NoisyNER's training file; the last ``--tail`` of them are the test, with
true tags. The noise of the others is the real one; or drawn from the confusion matrix of their tags ("class-dependent",
as in NoiseBench, but at the real share of wrong entities); or fitted to the real one and replayed at that share ("fitted").
The tagger is plain, linear in frozen features of the encoder; tags are ranked by its confidence in them, three folds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from text_detection import noisyner, some_sentences
from text_repair import with_test

from labelnoise.core.crossval import fold_ids
from labelnoise.core.evaluation import detection_metrics
from labelnoise.text.consistency import form_consistency
from labelnoise.text.dataset import TextDataset, entity_noise
from labelnoise.text.encoder import encode_tokens
from labelnoise.text.evaluation import entity_report
from labelnoise.text.fit import fitted
from labelnoise.text.tagger import Tagger
from labelnoise.text.token_noise import class_dependent
from labelnoise.text.viterbi import best_tags

KINDS = ("clean", "real", "class-dependent", "fitted")
SHOWN = ("entity_noise", "consistency", "wrong_tags", "f1", "auroc", "average_precision")


def noisy(real: TextDataset, kind: str, seed: int) -> TextDataset:
    """The same text with another noise."""
    assert real.true is not None
    clean = real.with_labels(real.true, true=real.true)
    if kind in ("clean", "real"):
        return clean if kind == "clean" else real
    make = class_dependent if kind == "class-dependent" else fitted
    made = make(clean, entity_noise(real), seed, pair=real)
    return real.with_labels(made.labels, true=real.true)


def measure(train: TextDataset, test: TextDataset, encoded: Any, seed: int) -> dict[str, float]:
    """What the noise is, what it costs and how well it is found; the training tokens come first in ``encoded``."""
    wrong = train.is_wrong
    assert wrong is not None
    assert test.true is not None
    n = train.n_units
    targets = np.zeros((len(encoded), train.n_classes), dtype=np.float32)
    targets[np.arange(n), train.given] = 1.0
    every = TextDataset(
        name=train.name,
        given=np.concatenate([train.given, np.full(test.n_units, -1)]),
        class_names=train.class_names,
        tokens=np.concatenate([train.tokens, test.tokens]),
        starts=np.concatenate([train.starts, n + test.starts[1:]]),
    )
    tagger = Tagger(every, encoded)
    predicted = best_tags(tagger.fit(targets, seed)[n:], test.starts)
    report = entity_report(test.true, predicted, types=test.types, starts=test.starts)
    found = {
        "entity_noise": round(entity_noise(train), 4) if wrong.any() else 0.0,
        "wrong_tags": int(wrong.sum()),
        "f1": round(report["lenient"]["all"]["f1"], 4),
    }
    if not wrong.any():
        return found
    split = np.concatenate(
        [fold_ids(train.given, 3, groups=train.groups, seed=seed), np.full(test.n_units, -1)]
    )
    own = np.zeros(n)
    for fold in range(3):
        held = split == fold
        probs = tagger.fit(targets, seed, held=held)
        rows = np.flatnonzero(held)
        own[rows] = probs[rows, train.given[rows]]
    metrics = detection_metrics(wrong, 1.0 - own)
    observed = form_consistency(train)
    return {
        **found,
        "consistency": round(observed.share, 4),
        "consistency_if_independent": round(observed.expected, 4),
        "auroc": round(float(metrics["auroc"]), 4),
        "average_precision": round(float(metrics["average_precision"]), 4),
    }


def table(rows: list[dict[str, Any]]) -> None:
    """Mean and spread over seeds."""
    print("set kind", *SHOWN)
    for number in sorted({row["set"] for row in rows}):
        for kind in KINDS:
            cells = []
            for name in SHOWN:
                values = [r[name] for r in rows if r["set"] == number and r["kind"] == kind and name in r]
                spread = np.std(values, ddof=1) if len(values) > 1 else 0.0
                cells.append(f"{np.mean(values):.3f} ± {spread:.3f} ({len(values)})" if values else "-")
            print(number, kind, *cells, sep=" | ")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_simulated.jsonl"))
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--sets", default="1,4,7")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sentences", type=int, default=3000)
    parser.add_argument("--tail", type=int, default=600)
    asked = parser.parse_args()
    lines = asked.json.read_text().splitlines() if asked.json.exists() else []
    done = [json.loads(line) for line in lines]
    for seed in map(int, filter(None, asked.seeds.split(","))):
        for number in asked.sets.split(","):
            keys = [
                {"set": number, "seed": seed, "sentences": asked.sentences, "kind": kind} for kind in KINDS
            ]
            keys = [k for k in keys if not any(all(r[n] == v for n, v in k.items()) for r in done)]
            if not keys:
                continue
            both, rows = with_test(int(number), asked.sentences, asked.tail, seed)
            encoded = encode_tokens(noisyner(number), asked.encoder)[rows]
            real, _ = some_sentences(both, np.arange(asked.sentences - asked.tail))
            test, _ = some_sentences(both, np.arange(asked.sentences - asked.tail, asked.sentences))
            for key in keys:
                started = time.process_time()
                row = {**key, **measure(noisy(real, key["kind"], seed), test, encoded, seed)}
                row["cpu_seconds"] = round(time.process_time() - started, 1)
                done.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)
    table(done)


if __name__ == "__main__":
    main()
