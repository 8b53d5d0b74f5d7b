"""Cases of the losses, of the statistics of training, and of the strategies (in few checks: each run trains)."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.training.result import predict
from tests.checks.case import Case
from tests.checks.problem import CELLS, N_CLASSES, PER_UNIT, SCALAR, Array, Arrays, Axes

Make = Callable[[str], Callable[..., Callable[..., Any]]]

#: Arrays that a loss needs beside logits and labels: keyword of the loss to array of the problem.
BESIDE: dict[str, dict[str, str]] = {
    "forward": {"transition": "transition"},
    "backward": {"transition": "transition"},
    "importance": {"transition": "transition"},
    "dynamic_bootstrap": {"noise_probs": "noise_probs"},
    "elr": {"memory": "memory"},
    "partial": {"thresholds": "thresholds"},
    "class_prior": {"prior": "prior"},
}
BINARY_TRANSITION = np.array([[0.9, 0.1], [0.3, 0.7]])


def tensor(array: Array) -> torch.Tensor:
    """The array's own memory as a tensor, so that a loss that wrote to it would be seen."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(array))


def loss_case(registry: str, name: str, function: Callable[..., Any], *, multilabel: bool) -> Case:
    """The loss of every unit or cell, and the gradient of their sum."""
    labels = "tags" if multilabel else "given"
    beside = dict(BESIDE.get(name, {}))
    if name == "dynamic_bootstrap" and multilabel:
        beside["noise_probs"] = "probs"
    binary = multilabel and "transition" in beside
    if binary:
        del beside["transition"]

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        logits = tensor(arrays["logits"]).detach().requires_grad_()
        extra = {keyword: tensor(arrays[of]) for keyword, of in beside.items()}
        if binary:
            extra["transition"] = tensor(BINARY_TRANSITION)
        values = function(logits, tensor(arrays[labels]), **extra)
        (slope,) = torch.autograd.grad(values.sum(), logits)
        return values.detach(), slope

    shape = SCALAR if name == "class_prior" else CELLS if multilabel else PER_UNIT
    return Case(
        label=f"{registry}[{name}]",
        function=function,
        takes=("logits", labels, *beside.values()),
        run=run,
        read=lambda raw: {"values": raw[0].numpy(), "slope": raw[1].numpy()},
        answers={"values": shape, "slope": CELLS},
        neutral={"slope": 0.0} if shape is SCALAR else {"values": 0.0, "slope": 0.0},
        without={
            "seeded": "nothing is drawn",
            "refuses NaN": "a loss of NaN shows a network that diverged",
            "linear memory": "torch allocates where tracemalloc does not look; see benchmarks/core_losses.py",
        },
    )


def losses(make: Make, registry: str, names: Mapping[str, Any]) -> Iterator[Case]:
    multilabel = registry == "MULTILABEL_LOSSES"
    for name in names:
        yield loss_case(registry, name, make(name)(), multilabel=multilabel)


def follow(statistic: Any, arrays: Arrays, what: str) -> Any:
    """Three epochs of three batches each, every unit by its id."""
    n = len(arrays["given"])
    for values in arrays[what]:
        for ids in np.array_split(np.arange(n), 3):
            if what == "epoch_losses":
                statistic.update(values[ids], ids, arrays["given"][ids])
            else:
                statistic.update(values[ids], arrays["given"][ids], ids)
        if hasattr(statistic, "end_epoch"):
            statistic.end_epoch()
    return statistic


def per_unit(raw: Any) -> Arrays:
    found = {"values": raw.values(), "seen": raw.seen}
    if hasattr(raw, "learned"):
        found["learned"] = raw.learned
    return found


def dynamics(make: Make, names: Mapping[str, Any]) -> Iterator[Case]:
    whole = {
        "seeded": "nothing is drawn",
        "shows NaN": "refuses it, which says more",
    }
    for name in names:
        what = "epoch_losses" if name in ("mean_loss", "adaptive_k") else "epoch_logits"

        def run(
            function: Callable[..., Any], arrays: Arrays, seed: int, name: str = name, what: str = what
        ) -> Any:
            if name == "adaptive_k":
                statistic = function()
                found = [statistic.select(row, labels=arrays["given"]) for row in arrays[what]]
                return statistic, np.stack(found)
            sizes = (len(arrays["given"]), N_CLASSES)[: 2 if name == "topk" else 1]
            extra = {"true": arrays["true"]} if name == "early_learning_curves" else {}
            return follow(function(*sizes, **extra), arrays, what)

        label = f"DYNAMICS[{name}]"
        takes: tuple[str, ...] = (what, "given")
        if name == "adaptive_k":
            yield Case(
                label,
                make(name)(bias_correction=True),
                takes,
                run,
                lambda raw: {"flags": raw[1], "threshold": np.array(raw[0].threshold)},
                {"flags": Axes(units=(1,)), "threshold": SCALAR},
                {"flags": False},
                whole,
            )
        elif name == "early_learning_curves":
            curves = ("as_given", "right_as_given", "memorised", "correct", "wrong")
            yield Case(
                label,
                make(name)(),
                (*takes, "true"),
                run,
                lambda raw: raw.values(),
                dict.fromkeys(curves, SCALAR),
                {"as_given": 0.0},
                whole,
            )
        else:
            answers = {"values": PER_UNIT, "seen": PER_UNIT, "learned": PER_UNIT}
            # never learnt: the number of ended epochs
            neutral = {"seen": False, "values": 3.0 if name == "first_learning" else 0.0}
            yield Case(label, make(name)(), takes, run, per_unit, answers, neutral, whole)


#: Options with which two epochs go through every phase.
SHORT: dict[str, dict[str, Any]] = {
    "small_loss": {"warmup": 1, "ramp": 1},
    "co_teaching": {"warmup": 1, "ramp": 1},
    "adaptive_k": {"warmup": 1},
    "self_distillation": {"generations": 1},
    "cross_split": {"warmup": 1, "stage": 1},
    "divide_mix": {"warmup": 1},
    "bootstrapping": {"warmup": 1},
    "forward": {"warmup": 1},
    "backward": {"warmup": 1},
    "rent": {"warmup": 1},
    "dws": {"warmup": 1},
    "late_stopping": {"runs": (1, 1), "warmup": 0},
    "rescaling": {"warmup": 1},
}


def strategies(names: Mapping[str, Any]) -> Iterator[Case]:
    """Two epochs on forty units; whether a strategy is any good is asked in tests/core/training."""

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        torch.set_num_threads(1)
        task = ArrayTask(
            arrays["features"],
            arrays["given"],
            n_classes=N_CLASSES,
            test=(arrays["features"], arrays["given"]),
            batch_size=20,
        )
        settings = TrainConfig(epochs=2, lr=0.01, device="cpu", seed=seed)
        result = function(task, config=settings)
        return result, predict(result, task)

    for name in names:
        yield Case(
            label=f"STRATEGIES[{name}]",
            function=functools.partial(trained, name=name, options=SHORT.get(name, {})),
            takes=("features", "given"),
            run=run,
            read=lambda raw: {"logits": raw[1].logits.numpy()},
            answers={"logits": CELLS},
            without={
                "unit order": "batches are drawn by position",
                "class names": "initial weights differ between classes",
                "masks": "their features may be learnt from without labels",
                "masks drop": "batches are drawn by position",
                "single precision": "networks are in single precision anyway",
                "pickles": "checkpoints are written by the loop, see tests/core/training",
                "linear memory": "torch allocates where tracemalloc does not look",
                "shows NaN": "refuses it, which says more",
            },
        )


def trained(task: ArrayTask, *, config: TrainConfig, name: str, options: dict[str, Any]) -> Any:
    """`train` with the strategy's name behind the task."""
    return train(task, name, config, **options)
