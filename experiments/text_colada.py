"""Entity F1 of transfer to other languages against direct transfer, WikiANN, on a frozen encoder.

    python experiments/text_colada.py --encoder FOLDER --json colada.jsonl [--source en] [--languages de,es,nl]
        [--seeds 0,1,2] [--draw 4000] [--methods colada,...]
    python experiments/text_colada.py --encoder FOLDER --json colada.jsonl --seeds ""      (the table of what is there)

CoLaDa with its two ablations, and this project's own transfer by two views. Needs ``LABELNOISE_DATA``;
``LABELNOISE_ENCODER`` may name the encoder. No word-by-word translation is at hand: the source's text stands in for it.
The heads' problem is convex, so a seed means another draw of the training sentences (``--draw`` of the 5,000 in both
languages). Features of all four languages are made in one space, once. All choices of the two views were made on
transfer into English (``--source es --languages en``), whose tags no reported figure uses. Runs that are in the JSON
file already are not repeated. The best round by the target's test tags is noted as ``best_round_f1`` to show what
selection costs; nothing uses it.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.random import generator
from labelnoise.text.bilingual import Bilingual, joined
from labelnoise.text.colada import chosen_round, colada_rounds, entity_f1
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain
from labelnoise.text.encoder import encode_tokens
from labelnoise.text.schemes import spans_of
from labelnoise.text.splits import draw_training, first_sentences
from labelnoise.text.two_views import two_view_rounds
from labelnoise.text.viterbi import best_tags

LANGUAGES = ("en", "de", "es", "nl")
#: Whether it is CoLaDa, and its options.
METHODS: dict[str, tuple[bool, dict[str, Any]]] = {
    "colada": (True, {}),
    "without model collaboration": (True, {"model": False}),
    "without instance collaboration": (True, {"instance": False}),
    "two views": (False, {}),
    "two views without words": (False, {"words": False}),
    "two views without shares": (False, {"shares": 0.0}),
    "hard tags": (True, {"soft": False}),
}
#: The head of the source's tags alone: with ``--beside 0``, the bar without neighbours' features.
DIRECT = "direct"
#: Draws of test sentences behind an interval.
DRAWS = 1000


def sentence_counts(data: TextDataset, tags: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Right, found and true entities of each sentence under the mask, shape (sentences, 3)."""
    found = spans_of(np.where(mask, tags, -1), starts=data.starts)
    true = spans_of(np.where(mask, data.given, -1).astype(np.int64), starts=data.starts)
    parts = (np.intersect1d(found, true), found, true)
    counts = [np.bincount(spans["sentence"], minlength=data.n_sentences) for spans in parts]
    return np.stack(counts, axis=1)[np.unique(np.asarray(data.groups)[mask])]


def gain_interval(before: NDArray[np.int64], after: NDArray[np.int64], seed: int) -> list[float]:
    """95% interval of the gain in F1 over draws of test sentences."""
    draw = generator(seed, "test sentences")
    gains = []
    for _ in range(DRAWS):
        rows = draw.integers(0, len(before), len(before))
        first, second = before[rows].sum(axis=0), after[rows].sum(axis=0)
        gains.append(2 * second[0] / (second[1] + second[2]) - 2 * first[0] / (first[1] + first[2]))
    return [round(float(value), 4) for value in np.quantile(gains, (0.025, 0.975))]


def measured(texts: Bilingual, method: str, rounds: int, seed: int) -> dict[str, Any]:
    """One method's F1 on the target's test sentences, by round."""
    target = texts.target
    test = target.masks["test"]
    if method == DIRECT:
        head, penalty, score = texts.direct()
        tags = best_tags(head.predict(texts.target_features), target.starts)
        scored = round(entity_f1(target, tags, test), 4)
        return {"direct_f1": scored, "chosen_f1": scored, "gain": 0.0, "l2": penalty, "source_val_f1": score}
    collaborates, options = METHODS[method]
    answers, records = [], []
    if collaborates:
        for one in colada_rounds(texts, rounds=rounds, **options):
            answers.append(best_tags(one.model.predict(texts.target_features), target.starts))
            records.append(one.record)
        chosen = chosen_round(tuple(records), "source")
    else:
        for two in two_view_rounds(texts, seed=seed, **options):
            answers.append(best_tags(two.probs, target.starts))
            records.append(two.record)
        chosen = len(records) - 1
    scores = [round(entity_f1(target, tags, test), 4) for tags in answers]
    before, after = (sentence_counts(target, answers[i], test) for i in (0, chosen))
    return {
        "direct_f1": scores[0],
        "chosen_f1": scores[chosen],
        "chosen_round": chosen,
        "last_f1": scores[-1],
        "best_round_f1": max(scores[1:]),
        "by_round": scores,
        "gain": round(scores[chosen] - scores[0], 4),
        "gain_interval": gain_interval(before, after, seed),
        "records": [{k: round(v, 4) for k, v in record.items()} for record in records],
    }


def table(rows: list[dict[str, Any]]) -> None:
    """F1 and gain over direct transfer by language, and the gain's mean over languages with what seeds say of it."""
    pairs = list(dict.fromkeys((row["source"], row["language"]) for row in rows))
    print(f"{'method':<40}", *(f"{a + ' > ' + b:>24}" for a, b in pairs), "mean gain")
    for beside, method in dict.fromkeys((row["beside"], row["method"]) for row in rows):
        cells, means = [], []
        for pair in pairs:
            mine = [r for r in rows if (r["source"], r["language"]) == pair]
            mine = [r for r in mine if (r["beside"], r["method"]) == (beside, method)]
            scores = [100 * r["chosen_f1"] for r in mine]
            gains = [100 * r["gain"] for r in mine]
            spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
            text = f"{np.mean(scores):.1f} ± {spread:.1f}" if scores else "-"
            if scores:
                text += f" ({np.mean(gains):+.1f}; {len(gains)})"
                means.append(float(np.mean(gains)))
            cells.append(f"{text:>24}")
        name = f"{method}, {beside} columns beside"
        print(f"{name:<40}", *cells, f"{np.mean(means):+.2f}" if means else "")


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_colada.jsonl"))
    parser.add_argument("--encoder", default=os.environ.get("LABELNOISE_ENCODER"))
    parser.add_argument("--source", default="en")
    parser.add_argument("--languages", default="de,es,nl")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--methods", default=",".join(list(METHODS)[:-1]))
    parser.add_argument("--draw", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=4, help="of CoLaDa")
    parser.add_argument("--k", type=int, default=500)
    parser.add_argument("--sample", type=int, default=8000, help="tokens that may be neighbours")
    parser.add_argument("--beside", type=int, default=128)
    asked = parser.parse_args()
    if not asked.encoder:
        parser.error("give --encoder FOLDER, or set LABELNOISE_ENCODER")
    lines = asked.json.read_text().splitlines() if asked.json.exists() else []
    done = [json.loads(line) for line in lines]
    seeds = [int(seed) for seed in asked.seeds.split(",") if seed]
    if seeds:
        domain = TextDomain()
        sizes = {language: {"train": 5000, "test": 2000} for language in LANGUAGES}
        sizes["en"] = {"train": 5000, "val": 2000, "test": 2000}
        data = {name: first_sentences(domain.load(f"wikiann-{name}"), sizes[name]) for name in LANGUAGES}
        encoded = encode_tokens(joined(*data.values()), asked.encoder)
        edges = np.cumsum([one.n_units for one in data.values()])[:-1]
        features = dict(zip(data, np.split(encoded, edges)))
    for seed in seeds:
        for language in asked.languages.split(","):
            setting = {
                "source": asked.source,
                "language": language,
                "seed": seed,
                "draw": asked.draw,
                "rounds": asked.rounds,
                "k": asked.k,
                "sample": asked.sample,
                "beside": asked.beside,
            }
            texts = None
            for method in asked.methods.split(","):
                key = {**setting, "method": method}
                if any(all(row.get(field) == value for field, value in key.items()) for row in done):
                    continue
                if texts is None:
                    texts = Bilingual(
                        draw_training(data[asked.source], asked.draw, seed),
                        None,
                        draw_training(data[language], asked.draw, seed),
                        encoded=np.concatenate([features[asked.source], features[language]]),
                        k=asked.k,
                        seed=seed,
                        beside=asked.beside,
                        sample=asked.sample,
                    )
                    texts.direct()
                started = time.process_time()
                row = {**key, **measured(texts, method, asked.rounds, seed)}
                row["cpu_seconds"] = round(time.process_time() - started, 1)
                done.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                shown = {k: v for k, v in row.items() if k not in ("records", *setting)}
                print(language, seed, json.dumps(shown), flush=True)
    table(done)


if __name__ == "__main__":
    main()
