"""Cases of the noise models and of the detectors that know nothing or everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from labelnoise.core.dataset import Dataset
from labelnoise.core.noise_fit import NoiseModel
from tests.checks.case import Case
from tests.checks.problem import CELLS, IDS, N_CLASSES, PER_UNIT, Arrays, Axes

#: An ``f(**options) -> partial`` of an entry, handed in so that this module needs no registry.
MakeFunction = Callable[..., Callable[..., Any]]

BY_POSITION = {
    "unit order": "draws go by position; the distribution is tested with each kind",
    "masks drop": "draws go by position; the distribution is tested with each kind",
    "class names": "draws go through classes in order; the distribution is tested with each kind",
    "shows NaN": "refuses it, which says more",
}
IDS_ONLY = {"refuses NaN": "class ids hold no NaN"}


def corruption(raw: Any) -> Arrays:
    """The arrays of a `Corruption` that are there; its own numbers must agree with them."""
    labelled = max(int((raw.labels >= 0).sum()), 1)
    if raw.status is None:
        assert np.isclose(raw.rate, raw.changed.sum() / labelled)
    assert raw.changed.dtype == bool
    found = {"labels": raw.labels, "changed": raw.changed}
    if raw.posterior is not None:
        found["posterior"] = raw.posterior
    if raw.status is not None:
        found["status"] = raw.status
    return found


def noise(
    name: str,
    make: MakeFunction,
    *takes: str,
    rate: Any = 0.3,
    labels: str = "true",
    without: Mapping[str, str] | None = None,
    word: str = "",
    keywords: Mapping[str, str] | None = None,
    **options: Any,
) -> Case:
    extra = dict(keywords or {})

    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        amount = arrays[rate] if isinstance(rate, str) else rate
        return function(arrays[labels], amount, seed, **{key: arrays[of] for key, of in extra.items()})

    reads = dict.fromkeys((labels, *takes, *extra.values(), *([rate] if isinstance(rate, str) else [])))
    floats = any(of in ("features", "transition", "annotators") for of in reads)
    per_cell = labels == "tags"
    return Case(
        label=f"NOISES[{name}]{' ' + word if word else ''}",
        function=make(**options),
        takes=tuple(reads),
        run=run,
        read=corruption,
        answers={
            "labels": CELLS if per_cell else IDS,
            "changed": CELLS if per_cell else PER_UNIT,
            "posterior": Axes(units=(0,)),
            "status": PER_UNIT,
        },
        neutral={"labels": -1, "changed": False},
        without={**BY_POSITION, **({} if floats else IDS_ONLY), **(without or {})},
    )


def fitted(make: MakeFunction, grouped: bool) -> Case:
    """Noise fitted to the very labels of the problem."""
    model = NoiseModel.fit(np.arange(60) % N_CLASSES, (np.arange(60) % N_CLASSES) ^ (np.arange(60) % 7 == 0))
    keywords = {"groups": "groups"} if grouped else {}
    return noise("fitted", make, keywords=keywords, word="grouped" if grouped else "", model=model)


def noises(make: Callable[[str], MakeFunction]) -> Iterator[Case]:
    """``make(name)(**options)`` is a partial of the entry."""
    k = N_CLASSES
    for name in ("symmetric", "pair", "random", "random-map"):
        yield noise(name, make(name), n_classes=k)
        yield noise(name, make(name), word="exact", n_classes=k, exact=True)
    yield noise("asymmetric", make("asymmetric"), n_classes=k, mapping={0: 1, 2: 3, 3: 2})
    yield noise("confusion", make("confusion"), n_classes=k, keywords={"matrix": "transition"})
    yield noise(
        "instance-dependent", make("instance-dependent"), n_classes=k, keywords={"features": "features"}
    )
    for grouped in (False, True):
        yield fitted(make("fitted"), grouped)
    for name in ("missing", "extra", "swapped", "single-positive", "set-level"):
        yield noise(name, make(name), labels="tags", rate=0.5)
    yield noise("missing", make("missing"), labels="tags", rate=0.7, word="one kept", keep_at_least_one=True)
    yield noise("open-set", make("open-set"), n_classes=k, n_outside=25, closed_share=0.4)
    yield noise("annotators", make("annotators"), rate="annotators")
    yield noise("annotators", make("annotators"), rate="annotators", word="two votes", n_votes=2)
    for name in ("dissenting-label", "dissenting-worker"):
        yield noise(name, make(name), labels="votes", rate=0.2)
        known = {"consensus": "true"}
        yield noise(name, make(name), labels="votes", rate=0.2, word="consensus", keywords=known)


def trivial(names: Mapping[str, Callable[..., Any]]) -> Iterator[Case]:
    def run(function: Callable[..., Any], arrays: Arrays, seed: int) -> Any:
        data = Dataset(
            name="checks",
            given=arrays["given"],
            true=arrays["true"],
            class_names=tuple("abcd"),
        )
        return function(data, seed)

    def read(raw: Any) -> Arrays:
        return {"quality": raw.quality, "flagged": raw.flagged, "suggested": raw.suggested}

    drawn = {
        "unit order": "draws go by position",
        "masks drop": "draws go by position",
    }
    for name, function in names.items():
        yield Case(
            label=f"TRIVIAL[{name}]",
            function=function,
            takes=("given", "true"),
            run=run,
            read=read,
            answers={"quality": PER_UNIT, "flagged": PER_UNIT, "suggested": IDS},
            neutral={"quality": 1.0, "flagged": False},
            without={
                **(drawn if name == "random" else {"seeded": "nothing is drawn"}),
                **IDS_ONLY,
                "shows NaN": "class ids hold no NaN",
            },
        )
