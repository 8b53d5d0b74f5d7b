"""Measure training on text with wrong tags: test entity F1 after repairing, dropping or weighing the doubtful ones.

    python experiments/text_repair.py --store runs.jsonl [--sets 1,4,7] [--trainers all] [--seeds 0,1,2]
        [--encoder FOLDER --tail 1000] [--sentences 5000] [--cpu-minutes 6]
    python experiments/text_repair.py --store runs.jsonl --cpu-minutes 0        (the table of what is there)

NoisyNER (Hedderich, Lange, Klakow 2021): sentences of the training file, drawn by the seed, under three of its label
sets, and its clean test file or (with an encoder) the last of the drawn sentences, from $LABELNOISE_DATA/text/noisyner.
"clean" is the plain tagger on the true tags; "oracle-drop"
leaves out tokens that are known to be wrong. Every run is one line of the store; those already there are not repeated,
and no run starts once the CPU minutes are spent. CPU time is that of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # figures are for one thread

CLEAN, BAR, GOAL = "clean", "plain", "oracle-drop"
TRAINERS = (BAR, "repaired", GOAL, CLEAN, "self-training", "noise-channel", "crossweigh")
_KEYS = ("set", "trainer", "seed", "features", "sentences", "options")


def with_test(number: int, sentences: int, tail: int, seed: int) -> tuple[Any, Any]:
    """Training sentences drawn by the seed with the given tags of one set, and test sentences with true ones.

    The latter are the test file's, or the last ``tail`` of the drawn sentences, which then teach nothing. Also the
    rows of the drawn tokens in the training file.
    """
    import numpy as np

    from labelnoise.core.random import generator
    from labelnoise.text.dataset import TextDataset
    from labelnoise.text.domain import TextDomain

    whole = TextDomain().load(f"NoisyNER-{number}")
    assert whole.true is not None
    drawn = generator(seed, "sentences").permutation(whole.n_sentences)[:sentences]
    rows = np.concatenate([np.arange(whole.starts[i], whole.starts[i + 1]) for i in drawn])
    sizes = np.diff(whole.starts)[drawn]
    given, true, tokens = whole.given[rows], whole.true[rows], whole.tokens[rows]
    taught = int(sizes[: len(sizes) - tail].sum())
    if not tail:
        test = _test_file()
        assert whole.types == test.types
        given, true = np.concatenate([given, test.given]), np.concatenate([true, test.given])
        tokens, sizes = np.concatenate([tokens, test.tokens]), np.concatenate([sizes, np.diff(test.starts)])
    else:
        given = np.where(np.arange(len(true)) < taught, given, true)
    place = np.arange(len(given))
    data = TextDataset(
        name=f"noisyner-{number}",
        given=given,
        true=true,
        class_names=whole.class_names,
        tokens=tokens,
        starts=np.concatenate([[0], np.cumsum(sizes)]),
        masks={"train": place < taught, "test": place >= taught},
    )
    return data, rows


def _test_file() -> Any:
    from labelnoise.core.domain import data_root
    from labelnoise.text.conll import read_conll

    root = data_root("text")
    if root is None:
        raise SystemExit("Set LABELNOISE_DATA to the folder with text/noisyner.")
    return read_conll(
        {"test": root / "noisyner" / "estner_clean.test"}, name="t", token_column=0, tag_column=1
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
    import numpy as np

    from labelnoise.text.domain import TextDomain
    from labelnoise.text.encoder import encode_tokens

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--sets", default="1,4,7")
    parser.add_argument("--trainers", default="all")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--encoder", default=None)
    parser.add_argument(
        "--tail", type=int, default=0, help="test on so many of the training sentences instead"
    )
    parser.add_argument("--sentences", type=int, default=5000)
    parser.add_argument("--options", default="{}", help="JSON, for the named trainers")
    parser.add_argument("--cpu-minutes", type=float, default=6.0)
    args = parser.parse_args()
    if args.encoder and not args.tail:
        raise SystemExit("With an encoder, test on --tail sentences: only the training file is encoded.")
    trainers = TRAINERS if args.trainers == "all" else tuple(args.trainers.split(","))
    options = json.loads(args.options)
    runs = read(args.store)
    done = {key_of(run) for run in runs}
    for seed in map(int, args.seeds.split(",")):
        for number in map(int, args.sets.split(",")):
            for trainer in trainers:
                run = {
                    "set": number,
                    "trainer": trainer,
                    "seed": seed,
                    "features": ("encoder" if args.encoder else "words")
                    + (f", last {args.tail}" if args.tail else ""),
                    "sentences": args.sentences,
                    "options": options,
                }
                if key_of(run) in done or time.process_time() > 60 * args.cpu_minutes:
                    continue
                data, rows = with_test(number, args.sentences, args.tail, seed)
                with tempfile.TemporaryDirectory() as folder:
                    dense = {}
                    if args.encoder:
                        dense = {"features": f"{folder}/features.npy"}
                        np.save(
                            dense["features"],
                            encode_tokens(TextDomain().load(f"NoisyNER-{number}"), args.encoder)[rows],
                        )
                    run |= run_once(data, trainer, seed, {**dense, **options})
                with args.store.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
                runs.append(run)
                print(
                    number, trainer, seed, round(run["test_f1"], 4), f"{run['cpu_seconds']:.0f} s", flush=True
                )
    table(runs)


if __name__ == "__main__":
    main()
