"""One case or more for every entry of the registries of the core."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

import labelnoise.core
from labelnoise.core.registry import Entry, Registry
from tests.checks.case import Case
from tests.checks.crowd_cases import crowds
from tests.checks.noise_cases import noises, trivial
from tests.checks.problem import PER_UNIT, Array, Arrays, Axes
from tests.checks.torch_cases import dynamics, losses, strategies
from tests.checks.transition_cases import transitions

#: Registries under construction: their entries may lack a case.
PENDING: set[str] = set()

#: Registries whose entries need a modality to work on; tests/core/bench tests them with one.
OF_A_DOMAIN = {"TRIVIAL_TRAINERS"}

DETERMINISTIC = {"seeded": "nothing is drawn"}
NAN_REFUSED = {"shows NaN": "refuses it, which says more"}


def registries() -> dict[str, Registry]:
    """Every registry of the core by its name."""
    found: dict[str, Registry] = {}
    for info in pkgutil.walk_packages(labelnoise.core.__path__, "labelnoise.core."):
        if info.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, Registry) and name not in OF_A_DOMAIN:
                assert found.setdefault(name, value) is value, f"two registries are called {name}"
    return found


REGISTRIES = registries()


def function_of(entry: Entry, **options: Any) -> Callable[..., Any]:
    return functools.partial(entry.load(), **{**entry.options, **options})


def selected(function: Callable[..., Any], arrays: Arrays, *names: str, **extra: Any) -> Array:
    """Call with these arrays in order; the mixtures' warning of one group only is meant for people."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("error", RuntimeWarning)
        result: Array = function(*(arrays[name] for name in names), **extra)
    return result


def positional(*names: str, **keywords: str) -> Callable[..., Any]:
    """``run`` of a function that takes these arrays in order, and those by keyword."""

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        extra = {key: arrays[name] for key, name in keywords.items()}
        return selected(function, arrays, *names, **extra)

    return run


def flags(raw: Array) -> Arrays:
    assert raw.dtype == bool
    return {"flags": raw}


def qualities(raw: Array) -> Arrays:
    assert raw.dtype == np.float64
    assert raw.size == 0 or (raw.min() >= 0 and raw.max() <= 1)
    return {"quality": raw}


def evaluated(per_unit: bool) -> Callable[..., Any]:
    """``run`` of the selectors that ask for a model: classes as near as their centres."""

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        given, x = arrays["given"], arrays["features"].astype(np.float64)

        def evaluate(train: Array, test: Array) -> Any:
            present = np.unique(given[train])
            centres = np.stack([x[train][given[train] == c].mean(axis=0) for c in present])
            nearness = np.exp(-((x[test][:, None] - centres) ** 2).sum(axis=2) / 4)
            own = np.where(given[test][:, None] == present, nearness, 0).sum(axis=1)
            probability = own / nearness.sum(axis=1)
            return probability if per_unit else probability.mean()

        return function(given, evaluate, seed=seed)

    return run


def seeded(*names: str) -> Callable[..., Any]:
    """``run`` of a function with a keyword ``seed``."""

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        return selected(function, arrays, *names, seed=seed)

    return run


def selector(
    name: str,
    takes: tuple[str, ...],
    run: Callable[..., Any],
    without: Mapping[str, str],
    word: str = "",
    **options: Any,
) -> Case:
    entry = REGISTRIES["SELECTORS"][name]
    return Case(
        label=f"SELECTORS[{name}]{' ' + word if word else ''}",
        function=function_of(entry, **options),
        takes=takes,
        run=run,
        read=flags,
        answers={"flags": PER_UNIT},
        neutral={"flags": False},
        without={**NAN_REFUSED, **without},
        memory_units=3000 if "features" in takes and "recov" not in name else 1000,
    )


def selectors() -> Iterator[Case]:
    from labelnoise.core.confident_learning import RULES

    fixed = DETERMINISTIC
    for rule in RULES:
        yield selector(rule, ("given", "probs"), positional("given", "probs"), fixed)
    by_loss = (("losses", "given"), positional("losses", labels="given"), fixed)
    yield selector("small_loss", *by_loss, keep=0.7)
    yield selector("small_loss", *by_loss, "per class", keep=0.7, per_class=True)
    for name in ("gaussian_mixture", "beta_mixture"):
        yield selector(name, *by_loss)
        yield selector(name, *by_loss, "monotone or not", monotone=name == "gaussian_mixture")
    votes = (("given", "predictions"), positional("given", "predictions"))
    without = {**fixed, "refuses NaN": "class ids hold no NaN"}
    yield selector("majority_filter", *votes, without)
    yield selector("consensus_filter", *votes, without)
    near = ("given", "features")
    for name in ("simifeat_mv", "simifeat_rank"):
        yield selector(name, near, positional(*near), fixed, k=6)
        grouped = positional(*near, groups="groups")
        yield selector(name, (*near, "groups"), grouped, fixed, "grouped", k=6)
        drawn = {"unit order": "subsamples go by position", "masks drop": "subsamples go by position"}
        yield selector(name, near, seeded(*near), drawn, "subsampled", k=6, subsamples=3, fraction=0.6)
    yield selector("knn_vote", near, positional(*near), fixed, k=6)
    yield selector("knn_vote", (*near, "groups"), positional(*near, groups="groups"), fixed, "grouped", k=6)
    folds = {"unit order": "folds are drawn by position"}
    yield selector("recov", ("given", "features"), evaluated(False), folds, repeats=30, fdr=None)
    yield selector("fast_recov", ("given", "features"), evaluated(True), folds, count=9, runs=2)
    both = ("given", "probs", "other_probs")
    yield selector("two_source", both, positional(*both), fixed)


def quality_scores() -> Iterator[Case]:
    for name, entry in REGISTRIES["QUALITY_SCORES"].items():
        yield Case(
            label=f"QUALITY_SCORES[{name}]",
            function=function_of(entry),
            takes=("given", "probs"),
            run=positional("given", "probs"),
            read=qualities,
            answers={"quality": PER_UNIT},
            neutral={"quality": 1.0},
            without={**NAN_REFUSED, **DETERMINISTIC},
        )


def kernels() -> Iterator[Case]:
    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        return function(arrays["features"], arrays["features"], 2.0)

    for name, entry in REGISTRIES["KERNELS"].items():
        yield Case(
            label=f"KERNELS[{name}]",
            function=function_of(entry),
            takes=("features",),
            run=run,
            read=lambda raw: {"kernel": raw},
            answers={"kernel": Axes(units=(0, 1))},
            without={
                **DETERMINISTIC,
                "class names": "knows no classes",
                "few classes": "knows no classes",
                "masks": "knows no labels",
                "masks drop": "knows no labels",
                "all masked": "knows no labels",
                "refuses NaN": "KernelExpert refuses it at the edge",
                "linear memory": "the answer itself is n x n; KernelExpert takes landmarks for many units",
            },
        )


def maker(registry: str, name: str) -> Callable[..., Any]:
    """``f(**options)``: a partial of the entry."""
    return functools.partial(function_of, REGISTRIES[registry][name])


CASES: list[Case] = [
    *selectors(),
    *quality_scores(),
    *kernels(),
    *noises(functools.partial(maker, "NOISES")),
    *losses(functools.partial(maker, "LOSSES"), "LOSSES", REGISTRIES["LOSSES"]),
    *losses(
        functools.partial(maker, "MULTILABEL_LOSSES"), "MULTILABEL_LOSSES", REGISTRIES["MULTILABEL_LOSSES"]
    ),
    *losses(functools.partial(maker, "REGULARIZERS"), "REGULARIZERS", REGISTRIES["REGULARIZERS"]),
    *dynamics(functools.partial(maker, "DYNAMICS"), REGISTRIES["DYNAMICS"]),
    *strategies(REGISTRIES["STRATEGIES"]),
    *transitions(functools.partial(maker, "TRANSITIONS"), REGISTRIES["TRANSITIONS"]),
    *crowds(functools.partial(maker, "CROWD"), REGISTRIES["CROWD"]),
    *trivial({name: function_of(entry) for name, entry in REGISTRIES["TRIVIAL"].items()}),
]
