"""What the robust losses cost and what they save: CPU per call against cross-entropy, accuracy under label noise.

    python benchmarks/core_losses.py cost               # 100 000 units, 10 classes, under a minute
    python benchmarks/core_losses.py accuracy           # digits with wrong labels, ten seeds, about half an hour
    python benchmarks/core_losses.py accuracy --seeds 2 --only gce

Run it where the package can be imported (installed, or PYTHONPATH set to the repository). One thread.

``cost`` times the value and the gradient of the mean, as the median of the repeats in CPU seconds; losses take turns,
so that a busy machine slows all of them. ``torch`` is ``torch.nn.functional.cross_entropy`` itself.

``accuracy`` trains a network with one hidden layer of 256 on 1000 of scikit-learn's 1797 digits (8 x 8 pixels, real
handwriting) with wrong labels, 200 epochs of Adam, enough for cross-entropy to memorise, and tests on the other 797
with their true labels. Each loss has its default parameters, chosen elsewhere. Forward, backward and importance
know the true T; dynamic bootstrapping fits a mixture of two Gaussians to the last epoch's losses from epoch 20 on.
The standard deviation is over seeds, each with its own split, noise and initial weights. Regularisers are added to
cross-entropy with the weights of their papers.

``partial`` is for tags that are missing, so it has a task of its own: two digits laid over each other (the brighter
pixel counts), tags are the digits that are there; of 1000 such pairs four in ten tags are missing, on 797 others the
macro average precision is taken. Its teacher is the same network after 20 epochs of binary cross-entropy.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from labelnoise.core.losses import LOSSES, MULTILABEL_LOSSES, REGULARIZERS, get_loss
from labelnoise.core.losses.elr import EarlyLearning
from labelnoise.core.losses.missing import negative_thresholds
from labelnoise.core.losses.weights import labelled_mean
from labelnoise.core.noise_matrices import pair_transition, symmetric_transition
from labelnoise.core.noise_single import corrupt

Loss = Callable[..., torch.Tensor]
TRUNCATED = "gce, truncated from epoch 40"
#: Weights beside cross-entropy: Tanaka et al. (2018), symmetric noise on CIFAR-10; Li et al. (2020), warm-up.
WEIGHTS = {"entropy": 0.8, "negative_entropy": 1.0, "class_prior": 1.2}
#: What is masked of the negatives by ``partial``: its default, and about as many as are wrong in the task here.
SHARES = (0.02, 0.08)


def cost(n: int, k: int, repeats: int, only: str) -> list[dict[str, Any]]:
    """Median CPU seconds of value and gradient, for every loss."""
    draw = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(n, k, generator=draw)).requires_grad_()
    labels = torch.randint(k, (n,), generator=draw)
    targets = torch.randint(2, (n, k), generator=draw)
    noise = torch.rand(n, generator=draw), torch.rand(n, k, generator=draw)
    memory = torch.softmax(torch.randn(n, k, generator=draw), dim=1)

    def extra(name: str, multilabel: bool) -> dict[str, Any]:
        matrix = [[0.95, 0.05], [0.3, 0.7]] if multilabel else symmetric_transition(k, 0.4)
        return {
            "forward": {"transition": matrix},
            "backward": {"transition": matrix},
            "importance": {"transition": matrix},
            "dynamic_bootstrap": {"noise_probs": noise[multilabel]},
            "elr": {"memory": memory},
            "partial": {"thresholds": 0.9},
        }.get(name, {})

    calls: dict[str, Callable[[], torch.Tensor]] = {
        "torch": lambda: torch.nn.functional.cross_entropy(logits, labels, reduction="none"),
        "torch, multi-label": lambda: torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets.float(), reduction="none"
        ),
    }
    for multilabel, registry in ((False, LOSSES), (True, MULTILABEL_LOSSES)):
        for name in registry:
            if only in name:
                loss = get_loss(name, multilabel=multilabel, **extra(name, multilabel))
                given = targets if multilabel else labels
                calls[name + (", multi-label" if multilabel else "")] = (
                    lambda loss=loss, given=given: loss(logits, given)  # type: ignore[misc]
                )
    if not only:
        remembered = EarlyLearning(n, k)
        ids = torch.randperm(n, generator=draw)
        calls["elr with its memory"] = lambda: remembered(logits, labels, ids)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for name, call in calls.items():
            logits.grad = None
            start = time.process_time()
            call().mean().backward()
            if repeat:
                seconds[name].append(time.process_time() - start)
    median = {name: float(np.median(values)) for name, values in seconds.items()}
    rows = [
        {
            "loss": name,
            "cpu_ms": 1e3 * value,
            "of_torch": value / median["torch, multi-label" if "multi-label" in name else "torch"],
        }
        for name, value in median.items()
    ]
    for row in rows:
        print(f"{row['loss']:<32}{row['cpu_ms']:>9.2f} ms{row['of_torch']:>8.2f} x", flush=True)
    return rows


def accuracy(seeds: int, only: str) -> list[dict[str, Any]]:
    """Test accuracy of every loss under no noise, 40 % symmetric and 40 % pair noise; tags with some missing."""
    noises = {
        "clean": symmetric_transition(10, 0.0),
        "symmetric 0.4": symmetric_transition(10, 0.4),
        "pair 0.4": pair_transition(10, 0.4),
    }
    rows = []
    for name in (*LOSSES, TRUNCATED, *(f"ce + {name}" for name in REGULARIZERS)):
        if only in name:
            runs = {noise: functools.partial(train, name, t) for noise, t in noises.items()}
            rows.append(over_seeds(name, runs, seeds))
    for name, share in (("bce", 0.0), *(("partial", share) for share in SHARES)):
        if only in name:
            what = f"{name}, {share:.0%} masked" if share else f"{name}, macro AP"
            tasks = {"complete": 0.0, "missing 0.4": 0.4}
            rows.append(
                over_seeds(
                    what, {t: functools.partial(train_tags, m, share) for t, m in tasks.items()}, seeds
                )
            )
    return rows


def over_seeds(name: str, runs: Mapping[str, Callable[[int], float]], seeds: int) -> dict[str, Any]:
    """Mean and standard deviation of each run."""
    row: dict[str, Any] = {"loss": name}
    for task, run in runs.items():
        results = [run(seed) for seed in range(seeds)]
        row[task] = {
            "mean": float(np.mean(results)),
            "std": float(np.std(results, ddof=1)) if seeds > 1 else None,
            "seeds": results,
        }
    cells = "".join(f"   {task} {row[task]['mean']:.3f} ± {row[task]['std'] or 0:.3f}" for task in runs)
    print(f"{name:<30}{cells}", flush=True)
    return row


def train(
    name: str, transition: np.ndarray[Any, Any], seed: int, *, epochs: int = 200, **parameters: Any
) -> float:
    """Accuracy on clean test labels after training on noisy ones."""
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(digits))
    known, held = order[:1000], order[1000:]
    given = torch.as_tensor(corrupt(digits[known], transition, seed).labels)
    x = torch.as_tensor(pixels / 16, dtype=torch.float32)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    draw = torch.Generator().manual_seed(seed)
    doubt = torch.zeros(1000)
    if name == "elr":
        loss: Loss = EarlyLearning(1000, 10)
    elif name in ("forward", "backward", "importance"):
        loss = get_loss(name, transition=transition, **parameters)
    elif name == TRUNCATED:
        loss = get_loss("gce")
    elif name.startswith("ce + "):
        loss = regularised(name.removeprefix("ce + "))
    else:
        loss = get_loss(name, **parameters)
    for epoch in range(epochs):
        if name == TRUNCATED and epoch == 40:
            loss = get_loss("gce", truncate=0.5)
        if name == "dynamic_bootstrap" and epoch >= 20:
            doubt = noise_probabilities(model, x[known], given, seed)
        for batch in torch.randperm(1000, generator=draw).split(125):
            per_batch: dict[str, Any] = {}
            if name == "elr":
                per_batch = {"unit_ids": batch}
            elif name == "dynamic_bootstrap":
                per_batch = {"noise_probs": doubt[batch]}
            values = loss(model(x[known[batch]]), given[batch], **per_batch)
            optimiser.zero_grad()
            labelled_mean(values, given[batch]).backward()
            optimiser.step()
    with torch.no_grad():
        return float((model(x[held]).argmax(1).numpy() == digits[held]).mean())


def regularised(name: str) -> Loss:
    """Cross-entropy and a regulariser with its weight; one number per batch is added to every unit's."""
    term, weight, ce = REGULARIZERS[name].load(), WEIGHTS[name], get_loss("ce")
    return lambda logits, labels: ce(logits, labels) + weight * term(logits, labels)


def train_tags(missing: float, share: float, seed: int, *, epochs: int = 200) -> float:
    """Macro average precision on complete test tags; the share of the negatives is masked, none with 0."""
    from sklearn.metrics import average_precision_score

    x, tags = overlaid_digits(seed)
    given = tags[:1000].copy()
    given[np.random.default_rng([seed, 1]).random(given.shape) < missing] = 0
    bce = get_loss("ce", multilabel=True)
    if not share:
        model = fit_tags(x[:1000], given, seed, epochs, lambda logits, targets, batch: bce(logits, targets))
    else:
        teacher = fit_tags(x[:1000], given, seed, 20, lambda logits, targets, batch: bce(logits, targets))
        with torch.no_grad():
            scores = teacher(x[:1000]).sigmoid()
        thresholds = negative_thresholds(given, scores.numpy(), share=share)
        loss = get_loss("partial", multilabel=True, thresholds=thresholds)
        model = fit_tags(
            x[:1000],
            given,
            seed,
            epochs,
            lambda logits, targets, batch: loss(logits, targets, scores=scores[batch]),
        )
    with torch.no_grad():
        return float(average_precision_score(tags[1000:], model(x[1000:]).numpy(), average="macro"))


def overlaid_digits(seed: int) -> tuple[torch.Tensor, np.ndarray[Any, Any]]:
    """1000 pairs of digits and, of other handwriting, 797 more; with their tags."""
    from sklearn.datasets import load_digits

    pixels, digits = load_digits(return_X_y=True)
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(digits))
    parts = (order[:1000], order[1000:])
    first = np.concatenate([draw.permutation(part) for part in parts])
    second = np.concatenate([draw.permutation(part) for part in parts])
    tags = np.zeros((len(digits), 10), dtype=np.int64)
    tags[np.arange(len(digits)), digits[first]] = tags[np.arange(len(digits)), digits[second]] = 1
    return torch.as_tensor(np.maximum(pixels[first], pixels[second]) / 16, dtype=torch.float32), tags


def fit_tags(
    x: torch.Tensor, given: np.ndarray[Any, Any], seed: int, epochs: int, loss: Loss
) -> torch.nn.Module:
    """The network of `train` on tags; ``loss`` is also told which units the batch holds."""
    targets = torch.as_tensor(given)
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-3)
    draw = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for batch in torch.randperm(len(x), generator=draw).split(125):
            values = loss(model(x[batch]), targets[batch], batch)
            optimiser.zero_grad()
            labelled_mean(values, targets[batch]).backward()
            optimiser.step()
    return model


@torch.no_grad()
def noise_probabilities(
    model: torch.nn.Module, x: torch.Tensor, given: torch.Tensor, seed: int
) -> torch.Tensor:
    """Posterior of the component with the higher mean of two Gaussians fitted to the losses."""
    from sklearn.mixture import GaussianMixture

    losses = get_loss("ce")(model(x), given).numpy().astype(np.float64)[:, None]
    losses = (losses - losses.min()) / (losses.max() - losses.min())
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed).fit(losses)
    return torch.as_tensor(mixture.predict_proba(losses)[:, mixture.means_.argmax()], dtype=torch.float32)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("cost", "accuracy"))
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", default="", help="losses whose name contains this")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.what == "cost":
        rows = cost(options.units, options.classes, options.repeats, options.only)
    else:
        rows = accuracy(options.seeds, options.only)
    out = options.out or Path(f"labelnoise-results/core_losses_{options.what}.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    versions = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    partial.write_text(json.dumps({**versions, "rows": rows}, indent=1) + "\n")
    os.replace(partial, out)
    print(f"written to {out}")


if __name__ == "__main__":
    main()
