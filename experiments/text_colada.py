"""Entity F1 of CoLaDa and its ablations against direct transfer, WikiANN from English, on a frozen encoder.

    python experiments/text_colada.py --encoder FOLDER --json colada.jsonl [--languages de,es,nl] [--pool 2000]

Needs ``LABELNOISE_DATA``. No word-by-word translation is at hand: the English text stands in for it. The head's
problem is convex, so a seed means another draw of the training sentences (``--draw`` of ``--pool`` in both
languages). Runs that are in the JSON file already are not repeated. The best round by the target's test tags is
noted as ``best_round_f1`` to show what selection costs; nothing uses it.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.random import generator
from labelnoise.text.colada import Bilingual, chosen_round, colada_rounds, entity_f1, joined
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain
from labelnoise.text.encoder import encode_tokens
from labelnoise.text.viterbi import best_tags

#: Options of the rounds, and whether each language is centred.
VARIANTS: dict[str, tuple[dict[str, Any], bool]] = {
    "colada": ({}, True),
    "without model collaboration": ({"model": False}, True),
    "without instance collaboration": ({"instance": False}, True),
    "hard tags": ({"soft": False}, True),
}


def part(data: TextDataset, sizes: dict[str, int]) -> TextDataset:
    """The first sentences of some splits."""
    first = data.starts[:-1]
    chosen = np.concatenate(
        [np.flatnonzero(data.masks[split][first])[:size] for split, size in sizes.items()]
    )
    chosen.sort()
    rows = np.flatnonzero(np.isin(data.groups, chosen))
    return TextDataset(
        name=data.name,
        given=data.given[rows],
        class_names=data.class_names,
        tokens=data.tokens[rows],
        starts=np.concatenate([[0], np.cumsum(np.diff(data.starts)[chosen])]),
        masks={split: data.masks[split][rows] for split in sizes},
    )


def drawn(data: TextDataset, size: int, seed: int) -> TextDataset:
    """The same data set with a training split of fewer sentences."""
    sentences = np.unique(data.groups[data.masks["train"]])
    kept = generator(seed, "draw", data.name).choice(sentences, min(size, len(sentences)), replace=False)
    return TextDataset(
        name=data.name,
        given=data.given,
        class_names=data.class_names,
        tokens=data.tokens,
        starts=data.starts,
        masks={**data.masks, "train": np.isin(data.groups, kept)},
    )


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_colada.jsonl"))
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--languages", default="de,es,nl")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--pool", type=int, default=2000)
    parser.add_argument("--draw", type=int, default=1500)
    parser.add_argument("--held-out", type=int, default=500, help="validation and test sentences")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--k", type=int, default=500)
    asked = parser.parse_args()
    lines = asked.json.read_text().splitlines() if asked.json.exists() else []
    done = [json.loads(line) for line in lines]
    domain = TextDomain()
    for language in asked.languages.split(","):
        source = part(domain.load("wikiann-en"), {"train": asked.pool, "val": asked.held_out})
        target = part(domain.load(f"wikiann-{language}"), {"train": asked.pool, "test": asked.held_out})
        started = time.process_time()
        encoded = encode_tokens(joined(source, target), asked.encoder)
        print(language, encoded.shape, f"encoded in {time.process_time() - started:.0f} CPU s", flush=True)
        for seed in map(int, asked.seeds.split(",")):
            setting = {
                "language": language,
                "seed": seed,
                "pool": asked.pool,
                "draw": asked.draw,
                "held_out": asked.held_out,
                "rounds": asked.rounds,
                "k": asked.k,
            }
            goal = drawn(target, asked.draw, seed)
            chosen = drawn(source, asked.draw, seed)
            texts: dict[bool, Bilingual] = {}
            for name, (options, centred) in VARIANTS.items():
                key = {**setting, "method": name}
                if any(all(row.get(field) == value for field, value in key.items()) for row in done):
                    continue
                started, records, scores = time.process_time(), [], []
                if centred not in texts:
                    texts[centred] = Bilingual(
                        chosen, None, goal, encoded=encoded, k=asked.k, seed=seed, centred=centred
                    )
                both = texts[centred]
                for one in colada_rounds(both, rounds=asked.rounds, **options):
                    tags = best_tags(one.model.predict(both.target_features), goal.starts)
                    scores.append(round(entity_f1(goal, tags, goal.masks["test"]), 4))
                    records.append(one.record)
                row = {
                    **key,
                    "direct_f1": scores[0],
                    "source_selected_f1": scores[chosen_round(tuple(records), "source")],
                    "last_f1": scores[-1],
                    "best_round_f1": max(scores[1:]),
                    "by_round": scores,
                    "source_val": [round(record["source_val_f1"], 4) for record in records],
                    "target_weight": records[-1]["target_weight"],
                    "cpu_seconds": round(time.process_time() - started, 1),
                }
                done.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
