"""Wrong entity tags found on NoisyNER: confident learning and the calibrated detector, on words and with an encoder.

    python experiments/text_detection.py --json text.jsonl [--encoder FOLDER] [--sets 1,4,7] [--sentences 5000]
    python experiments/text_detection.py --json spans.jsonl --spans [--encoder FOLDER] [--sets 1,4,7]

A seed means other sentences of the training file (and other folds); features of the whole file are made once.

Needs ``LABELNOISE_DATA``. One JSON line per run is added; runs that are there already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from labelnoise.core.crossval import fold_ids
from labelnoise.core.decision import decide
from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.random import generator
from labelnoise.text.baselines import tag_probs
from labelnoise.text.calibrated import judge_types, probability_right
from labelnoise.text.capitals import capitalised, raise_to_share
from labelnoise.text.dataset import TextDataset
from labelnoise.text.domain import TextDomain
from labelnoise.text.encoder import encode_tokens
from labelnoise.text.evidence import type_ids
from labelnoise.text.span_ranking import rank_spans, span_average_precision
from labelnoise.text.tagger import Tagger


def recall_at(precision: float, wrong: Any, suspicion: Any) -> float:
    """Largest recall over thresholds whose precision reaches the wanted one."""
    order = np.argsort(-suspicion, kind="stable")
    hits = np.cumsum(wrong[order])
    enough = hits / np.arange(1, len(order) + 1) >= precision
    return float(hits[enough].max(initial=0) / max(wrong.sum(), 1))


def some_sentences(data: TextDataset, chosen: Any) -> tuple[TextDataset, Any]:
    """A data set of the chosen sentences, and their tokens' rows."""
    rows = np.concatenate([np.arange(data.starts[i], data.starts[i + 1]) for i in chosen])
    part = TextDataset(
        name=data.name,
        given=data.given[rows],
        true=None if data.true is None else data.true[rows],
        class_names=data.class_names,
        tokens=data.tokens[rows],
        starts=np.concatenate([[0], np.cumsum(np.diff(data.starts)[chosen])]),
    )
    return part, rows


def drawn_sentences(data: TextDataset, number: int, seed: int) -> tuple[TextDataset, Any]:
    """Sentences drawn by the seed, in the text's order, and their tokens' rows."""
    drawn = generator(seed, "sentences").permutation(data.n_sentences)[:number]
    return some_sentences(data, np.sort(drawn))


def span_rows(data: TextDataset, seed: int, encoded: Any, names: float) -> dict[str, Any]:
    """Average precision of each kind of wrong entity, for simple probabilities and for the calibrated ones."""
    given = type_ids(data.given)
    found = {}

    def note(method: str, types: Any, unweighed: Any = None) -> None:
        answer = span_average_precision(data, rank_spans(data, types, unweighed))
        found[method] = {kind: round(value["ap"], 4) for kind, value in answer.items()}
        found["errors"] = {kind: value["n"] for kind, value in answer.items()}
        found["chance"] = {kind: value["chance"] for kind, value in answer.items()}

    def by_type(probs: Any) -> Any:
        return np.concatenate([probs[:, :1], probs[:, 1::2] + probs[:, 2::2]], axis=1)

    note("self-confidence, words", by_type(tag_probs(data, seed, folds=3)))
    if encoded is not None:
        targets = np.eye(data.n_classes, dtype=np.float32)[data.given]
        tagger, split = Tagger(data, encoded), fold_ids(data.given, 3, groups=data.groups, seed=seed)
        probs = sum(tagger.fit(targets, seed, held=split == fold) for fold in range(3))
        note("self-confidence, encoder", by_type(probs))
    group = capitalised(data.tokens, data.starts)
    judged = judge_types(data, seed, encoded=encoded)
    note("calibrated", judged.truth, judged.probs)
    told = raise_to_share(judged.probs, given, group, names)
    note("calibrated, names told", raise_to_share(judged.truth, given, group, names), told)
    # The same answer that detection gives with names told, without judging again.
    p_wrong = 1.0 - probability_right(data, told)
    wrong = data.is_wrong
    assert wrong is not None
    found["names told, tags"] = {
        "wrong": int(wrong.sum()),
        "expected": round(float(p_wrong.sum())),
        **{
            name: round(float(value), 4)
            for name, value in detection_metrics(wrong, p_wrong, flagged=decide(p_wrong)).items()
            if name in ("auroc", "average_precision", "precision", "recall")
        },
        "recall_at_precision_75": round(recall_at(0.75, wrong, p_wrong), 4),
        "names_in_truth": round(float((np.asarray(data.true)[group] > 0).mean()), 4),
    }
    return found


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, default=Path("text_detection.jsonl"))
    parser.add_argument("--encoder", default="")
    parser.add_argument("--sets", default="1,2,3,4,5,6,7")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sentences", type=int, default=5000)
    parser.add_argument(
        "--names", type=float, default=1.0, help="told share of names among capitalised words"
    )
    parser.add_argument("--spans", action="store_true", help="rank entities by kind of error instead")
    parser.add_argument("--methods", default="", help="only methods whose name has this")
    parser.add_argument("--resamples", type=int, default=3)
    asked = parser.parse_args()
    lines = asked.json.read_text().splitlines() if asked.json.exists() else []
    done = [json.loads(line) for line in lines]
    domain = TextDomain()
    # label, method, options, whether the encoder judges too
    kinds: list[tuple[str, str, dict[str, Any], bool]] = [
        ("confident learning", "confident-learning", {}, False),
        ("calibrated, words", "calibrated", {"resamples": asked.resamples}, False),
        ("calibrated, words, names told", "calibrated", {"names": asked.names}, False),
        ("calibrated, encoder", "calibrated", {"resamples": asked.resamples}, True),
        ("calibrated, encoder, names told", "calibrated", {"names": asked.names}, True),
    ]
    kinds = [kind for kind in kinds if asked.methods in kind[0]]
    if asked.spans:
        kinds = [("spans", "", {}, bool(asked.encoder))]
    for number in asked.sets.split(","):
        whole = domain.load(f"NoisyNER-{number}")
        features = encode_tokens(whole, asked.encoder) if asked.encoder else None
        for seed in map(int, asked.seeds.split(",")):
            data, rows = drawn_sentences(whole, asked.sentences, seed)
            wrong = data.is_wrong
            assert wrong is not None
            for label, method, options, dense in kinds:
                key = {"set": number, "seed": seed, "sentences": data.n_sentences, "method": label}
                if dense and features is None:
                    continue
                if any(all(row[name] == value for name, value in key.items()) for row in done):
                    continue
                started = time.process_time()
                if asked.spans:
                    encoded = None if features is None else features[rows]
                    row = {**key, **span_rows(data, seed, encoded, asked.names)}
                else:
                    with tempfile.TemporaryDirectory() as folder:
                        if dense and features is not None:
                            options = {**options, "features": f"{folder}/features.npy"}
                            np.save(options["features"], features[rows])
                        found = domain.detect(data, method=method, seed=seed, **options)
                    metrics = detection_metrics(wrong, 1 - found.quality, flagged=found.flagged)
                    count = found.count
                    row = {
                        **key,
                        "wrong": int(wrong.sum()),
                        **{
                            name: round(float(metrics[name]), 4)
                            for name in ("auroc", "average_precision", "precision", "recall")
                        },
                        "recall_at_precision_75": round(recall_at(0.75, wrong, 1 - found.quality), 4),
                        "expected": None if count is None else round(count.expected),
                        "low": None if count is None else round(count.low),
                        "high": None if count is None else round(count.high),
                        "warnings": list(found.warnings),
                        "repeats": found.info.get("errors_repeat_with_names"),
                    }
                row["cpu_seconds"] = round(time.process_time() - started, 1)
                done.append(row)
                with asked.json.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
