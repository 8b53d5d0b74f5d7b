"""Measure training on text with wrong tags: test entity F1 after repairing, dropping or weighing the doubtful ones.

    python experiments/text_repair.py --store runs.jsonl [--sets 1,4,7] [--trainers all] [--seeds 0,1,2]
        [--encoder FOLDER | --features FILE.npy] [--sentences 5000] [--tail 0] [--cpu-minutes 6]
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


def with_test(number: int, sentences: int, tail: int = 0) -> Any:
    """The first training sentences with the given tags of one set, and test sentences with true ones.

    Those are the test file's, or the last ``tail`` of the training sentences, which then teach nothing.
    """
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
    test = read_conll(
        {"test": root / "noisyner" / "estner_clean.test"}, name="t", token_column=0, tag_column=1
    )
    assert train.types == test.types
    assert train.true is not None
    if tail:
        end, stop = int(train.starts[sentences - tail]), int(train.starts[sentences])
        given = np.concatenate([train.given[:end], train.true[end:stop]])
        true, tokens, starts, n = train.true[:stop], train.tokens[:stop], train.starts[: sentences + 1], stop
    else:
        end = int(train.starts[sentences])
        n = end + test.n_units
        given, true = (np.concatenate([tags[:end], test.given]) for tags in (train.given, train.true))
        tokens = np.concatenate([train.tokens[:end], test.tokens])
        starts = np.concatenate([train.starts[: sentences + 1], end + test.starts[1:]])
    return TextDataset(
        name=f"noisyner-{number}",
        given=given,
        true=true,
        class_names=train.class_names,
        tokens=tokens,
        starts=starts,
        masks={"train": np.arange(n) < end, "test": np.arange(n) >= end},
    )


def run_once(data: Any, trainer: str, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """One training and its entity F1 on the test sentences."""
    import numpy as np

    from labelnoise.text import train_methods
    from labelnoise.text.evaluation import entity_report
    from labelnoise.text.trainers import TRAINERS as REGISTRY

    assert data.true is not None
    start = time.process_time()
    if trainer == CLEAN:
        result = train_methods.train_plain(data.with_labels(data.true, true=data.true), seed, **options)
    else:
        result = REGISTRY[trainer].load()(data, seed, **options)
    seconds = time.process_time() - start
    found = {}
    for name, mask in data.masks.items():
        report = entity_report(
            np.where(mask, data.true, -1), result.predicted, types=data.types, starts=data.starts
        )
        found[f"{name}_f1"] = report["lenient"]["all"]["f1"]
        if name == "test":
            found |= {key: report["lenient"]["all"][key] for key in ("precision", "recall")}
            found["strict_f1"] = report["strict"]["all"]["f1"]
            found |= {kind: report["lenient"][kind]["f1"] for kind in data.types}
    said = {key: value for key, value in result.info.items() if key in ("doubtful", "left_out")}
    return {**found, **said, "cpu_seconds": seconds}


def read(store: Path) -> list[dict[str, Any]]:
    """The runs so far."""
    if not store.exists():
        return []
    return [json.loads(line) for line in store.read_text(encoding="utf-8").splitlines() if line.strip()]


def key_of(run: dict[str, Any]) -> tuple[Any, ...]:
    """What tells two runs apart."""
    return tuple(json.dumps(run[key], sort_keys=True) for key in _KEYS)


def table(runs: list[dict[str, Any]]) -> None:
    """Test F1 by set and trainer, mean and spread over seeds, and the share of the gap to the oracle that is closed."""
    import numpy as np

    of: dict[tuple[str, ...], list[float]] = {}
    names: dict[tuple[str, str], None] = {}
    for run in runs:
        options = json.dumps(run["options"], sort_keys=True) if run["options"] else ""
        of.setdefault((run["features"], str(run["set"]), run["trainer"], options), []).append(run["test_f1"])
        names[(run["trainer"], options)] = None
    for features in sorted({key[0] for key in of}):
        sets = sorted({key[1] for key in of if key[0] == features})
        print(f"\n{features}: test F1 (share of the gap {BAR} -> {GOAL} closed)")
        for trainer, options in names:
            cells = []
            for number in sets:
                scores = of.get((features, number, trainer, options))
                low = of.get((features, number, BAR, ""))
                high = of.get((features, number, GOAL, ""))
                if not scores:
                    cells.append(f"{'-':>24}")
                    continue
                gap = ""
                if low and high:
                    share = (np.mean(scores) - np.mean(low)) / (np.mean(high) - np.mean(low))
                    gap = f" ({100 * share:+.0f}%)"
                spread = np.std(scores, ddof=1) if len(scores) > 1 else 0.0
                cells.append(
                    f"{100 * np.mean(scores):6.2f} ± {100 * spread:.2f}, {len(scores)}{gap}".rjust(24)
                )
            print(f"{trainer + ' ' + options:<40}", *cells)


def main() -> None:
    """Run what is missing, then print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--sets", default="1,4,7")
    parser.add_argument("--trainers", default="all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--encoder", default=None)
    parser.add_argument("--features", default=None, help="one row per token, of any encoder")
    parser.add_argument(
        "--tail", type=int, default=0, help="test on so many of the training sentences instead"
    )
    parser.add_argument("--sentences", type=int, default=5000)
    parser.add_argument("--options", default="{}", help="JSON, for the named trainers")
    parser.add_argument("--cpu-minutes", type=float, default=6.0)
    args = parser.parse_args()
    trainers = TRAINERS if args.trainers == "all" else tuple(args.trainers.split(","))
    options = json.loads(args.options)
    runs = read(args.store)
    done = {key_of(run) for run in runs}
    data: dict[int, Any] = {}
    for seed in map(int, args.seeds.split(",")):
        for number in map(int, args.sets.split(",")):
            for trainer in trainers:
                run = {
                    "set": number,
                    "trainer": trainer,
                    "seed": seed,
                    "features": ("encoder" if args.encoder or args.features else "words")
                    + (f", last {args.tail}" if args.tail else ""),
                    "sentences": args.sentences,
                    "options": options,
                }
                if key_of(run) in done or time.process_time() > 60 * args.cpu_minutes:
                    continue
                if number not in data:
                    data[number] = with_test(number, args.sentences, args.tail)
                given = {"encoder": args.encoder, "features": args.features}
                with_features = {**{key: value for key, value in given.items() if value}, **options}
                run |= run_once(data[number], trainer, seed, with_features)
                with args.store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
                runs.append(run)
                print(
                    number, trainer, seed, round(run["test_f1"], 4), f"{run['cpu_seconds']:.0f} s", flush=True
                )
    table(runs)


if __name__ == "__main__":
    main()
