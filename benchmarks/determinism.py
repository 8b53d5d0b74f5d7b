"""Same seed, same answer: every detector and trainer with 1 and 2 threads, in 1 and 2 processes.

    python benchmarks/determinism.py               all four modalities, some minutes each
    python benchmarks/determinism.py graph text    only these
    python benchmarks/determinism.py graph --methods graphcleaner,plain-gcn

Each method runs on a small embedded data set in three ways: all methods after each other in one process with one
thread; the same with two threads; and in two processes that share the methods out. Answers must agree to the last bit,
but for the exceptions that docs/determinism.md lists with the size of the difference. Prints a table; the exit code is
1 where something differs that is not listed.
"""

from __future__ import annotations

import argparse
import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
DOMAINS = ("graph", "text", "audio", "segmentation")
SEED = 3

#: What makes methods short, where they have such an option.
SHORT = {"epochs": 2, "warmup": 0, "pretrain_epochs": 2, "rounds": 1, "max_epochs": 2, "steps": 20}


def listed(allowed: dict[tuple[str, str], float], domain: str, method: str) -> float:
    """The largest difference that is allowed; names in the list may stand for several, as in "train:unet+*"."""
    sizes = [size for (of, name), size in allowed.items() if of == domain and fnmatchcase(method, name)]
    return max(sizes, default=0.0)


def exceptions(page: Path = ROOT / "docs" / "determinism.md") -> dict[tuple[str, str], float]:
    """Domain and method of the listed exceptions, with the largest difference that is allowed."""
    rows = re.findall(r"^\| (\w+) \| `([^`]+)` \| ([0-9.e+-]+) \|", page.read_text(encoding="utf-8"), re.M)
    return {(domain, method): float(size) for domain, method, size in rows}


def small(domain: str) -> Any:
    """A data set on which every method takes seconds at most."""
    if domain == "graph":
        from labelnoise.graph.embedded import papers

        return papers(300)
    if domain == "text":
        from labelnoise.text.embedded import news

        return news(n_sentences=150)
    if domain == "audio":
        from labelnoise.audio.embedded import events

        return events(per_class=6)
    from labelnoise.segmentation.embedded import scenes

    return scenes(8, 32)


def fitting(domain: str, name: str, data: Any) -> tuple[Any, dict[str, Any]]:
    """The data as a trainer wants them (annotators, origins, tags), and options without which it refuses them."""
    from dataclasses import replace

    if name.endswith("self_distillation"):
        return data, {"epochs": 4}  # two for each of two networks
    if domain == "graph" and name == "curriculum":
        return data, {"parameters": {"warmup": 1}}
    if domain == "text" and name == "fine-tune":
        return data, {"model": tiny_model(data)}
    if domain == "audio" and name in ("curated-only", "ignore-origin", "noisy-then-curated"):
        return replace(data, origin=np.where(np.arange(data.n_clips) % 2, "curated", "noisy")), {}
    if domain == "audio" and name in (
        "loss-masking",
        "weak-negatives",
        "negative-target",
        "high-negative-target",
    ):
        held = np.eye(data.n_classes, dtype=np.int8)[data.given]
        made = type(data).from_tags(held, data.class_names, files=data.files, audio=data.audio)
        return made, {}
    if domain == "segmentation" and name == "unet+backward":
        k = data.n_classes
        return data, {"parameters": {"transition": np.full((k, k), 0.2 / k) + 0.8 * np.eye(k)}}
    if domain == "segmentation" and name in ("unet+forward", "unet+rent", "unet+dws"):
        return data, {"parameters": {"warmup": 1}}
    if domain == "segmentation" and name == "displacement-forward":
        return data, {"epochs": 7}
    if domain == "segmentation" and name == "clean-mask-stacker":
        return data, {"clean": {0: data.true_mask(0), 1: data.true_mask(1)}}
    if domain == "segmentation" and name == "annotators":
        votes = np.stack([data.given, data.true], axis=1)
        return replace(data, votes=votes, annotators=("a", "b")), {}
    return data, {}


def tiny_model(data: Any) -> str:
    """A folder with an encoder of two small layers that knows nothing, and the words of the data."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tempfile.mkdtemp(prefix="labelnoise-tiny-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(set(data.tokens))]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), vocabulary))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(vocabulary), pad_token_id=0, **size)).save_pretrained(folder)
    return folder


def methods(domain: str) -> list[str]:
    """``detect:NAME`` and ``train:NAME`` of all that is registered."""
    from labelnoise.core.domain import get_domain

    found = get_domain(domain)
    return [f"detect:{name}" for name in found.detectors] + [f"train:{name}" for name in found.trainers]


def answer(domain: str, method: str, data: Any) -> dict[str, np.ndarray]:
    """All numbers of a method's answer, or why there is none."""
    import inspect

    from labelnoise.core.domain import get_domain
    from labelnoise.core.truth import blind
    from labelnoise.core.validation import InputError

    found = get_domain(domain)
    verb, _, name = method.partition(":")
    entry = (found.detectors if verb == "detect" else found.trainers)[name]
    known = inspect.signature(entry.load()).parameters
    options = {key: value for key, value in SHORT.items() if key in known}
    try:
        if verb == "detect":
            made = found.detect(blind(data), method=name, seed=SEED)
            parts = {
                key: getattr(made, key)
                for key in ("quality", "flagged", "suggested", "p_wrong", "transition")
            }
            if made.count is not None:
                parts["count"] = np.array([made.count.expected, made.count.low, made.count.high])
        else:
            fitted, needed = fitting(domain, name, data)
            seen = fitted if entry.sees_truth else blind(fitted)
            made = found.train(seen, method=name, seed=SEED, **{**options, **needed})
            parts = {"predicted": made.predicted, "probs": made.probs}
    except InputError as reason:
        return {"refused": np.array([str(reason)])}
    return {key: np.asarray(value) for key, value in parts.items() if value is not None}


def child(domain: str, wanted: list[str], out: Path) -> None:
    """Run methods one after the other and keep their answers."""
    threads = int(os.environ["OMP_NUM_THREADS"])
    import torch

    torch.set_num_threads(threads)
    data = small(domain)
    for method in wanted:
        np.savez(out / f"{method.replace(':', '__')}.npz", allow_pickle=False, **answer(domain, method, data))


def run(domain: str, wanted: list[str], out: Path, threads: int, processes: int) -> None:
    """Start the processes of one way to run."""
    out.mkdir(parents=True)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    # Threads that wait must not take the other one's core.
    patient = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
    environment = {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(names, str(threads)), **patient}
    running = []
    for part in range(processes):
        mine = wanted[part::processes]
        if mine:
            command = [sys.executable, __file__, domain, "--child", str(out), "--methods", ",".join(mine)]
            running.append(subprocess.Popen(command, env=environment))
    if any(process.wait() for process in running):
        raise SystemExit(f"a process of {domain} with {threads} threads failed")


def difference(one: Path, other: Path) -> float:
    """0 if two answers agree to the last bit, else the largest difference; infinite if they cannot be compared."""
    with np.load(one, allow_pickle=False) as a, np.load(other, allow_pickle=False) as b:
        if sorted(a.files) != sorted(b.files):
            return float("inf")
        worst = 0.0
        for key in a.files:
            x, y = a[key], b[key]
            if x.tobytes() == y.tobytes() and x.shape == y.shape:
                continue
            if x.shape != y.shape or x.dtype.kind == "U":
                return float("inf")
            gap = np.abs(x.astype(np.float64) - y.astype(np.float64))
            worst = max(worst, float(np.nanmax(gap)), np.finfo(np.float64).tiny)
        return worst


def compare(domain: str, wanted: list[str]) -> list[tuple[str, float, float, bool]]:
    """Per method the difference with two threads and with two processes, and whether it gave an answer at all."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name, threads, processes in (("one", 1, 1), ("threads", 2, 1), ("processes", 1, 2)):
            run(domain, wanted, base / name, threads, processes)
        rows = []
        for method in wanted:
            file = f"{method.replace(':', '__')}.npz"
            with np.load(base / "one" / file, allow_pickle=False) as found:
                refused = "refused" in found.files
            by_threads = difference(base / "one" / file, base / "threads" / file)
            rows.append(
                (method, by_threads, difference(base / "one" / file, base / "processes" / file), refused)
            )
        return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("domains", nargs="*", default=list(DOMAINS))
    parser.add_argument("--methods", help="detect:NAME or train:NAME, separated by commas")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child is not None:
        child(asked.domains[0], asked.methods.split(","), asked.child)
        return 0
    allowed, failed = exceptions(), 0
    for domain in asked.domains:
        wanted = asked.methods.split(",") if asked.methods else methods(domain)
        for method, threads, processes, refused in compare(domain, wanted):
            limit = listed(allowed, domain, method)
            worst = max(threads, processes)
            verdict = "same" if worst == 0 else "listed" if worst <= limit else "DIFFERS"
            failed += verdict == "DIFFERS"
            note = " (refuses this data)" if refused else ""
            print(f"{domain:13}{method:36}{threads:10.2g}{processes:10.2g}  {verdict}{note}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
