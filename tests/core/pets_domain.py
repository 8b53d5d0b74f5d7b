"""A small modality that lives in memory and in JSON files, installed by the tests with an entry point."""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.domain import Corruption, DatasetInfo, Domain
from labelnoise.core.files import replacing
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError

CLASSES = ("cat", "dog", "=emu")
K = len(CLASSES)


@dataclass(frozen=True, kw_only=True)
class Pets(Dataset):
    x: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def arrays(self):
        return {**super().arrays(), "x": self.x}


def _draw(name, n):
    rng = generator(0, "pets", name)
    true = rng.integers(0, K, n)
    angle = 2 * np.pi * true / K
    x = np.c_[np.cos(angle), np.sin(angle)] + rng.normal(0, 0.5, (n, 2))
    ids = np.array([f"pet {i}" for i in range(n)])
    return Pets(name=name, given=true, class_names=CLASSES, unit_ids=ids, x=x, source="drawn")


def _corruption(old, new, transition=None):
    changed = (new != old) & (old >= 0)
    return Corruption(
        labels=new, changed=changed, rate=float(changed.sum() / (old >= 0).sum()), transition=transition
    )


def symmetric(dataset, rate, seed):
    transition = np.full((K, K), rate / (K - 1))
    np.fill_diagonal(transition, 1 - rate)
    draws = generator(seed, "symmetric").random(dataset.n_units)
    new = (draws[:, None] > transition.cumsum(axis=1)[dataset.given]).sum(axis=1)
    return _corruption(dataset.given, np.where(dataset.given >= 0, new, -1), transition)


def shift(dataset, rate, seed, *, step: int = 1, scale: float = 1.0):
    flip = generator(seed, "shift").random(dataset.n_units) < rate * scale
    return _corruption(
        dataset.given, np.where(flip & (dataset.given >= 0), (dataset.given + step) % K, dataset.given)
    )


def _judge(dataset, width, method, calibrated=True):
    assert dataset.true is None, "a detector must not see the truth"
    assert "corruption" not in dataset.meta
    means = np.stack([np.median(dataset.x[dataset.given == c], axis=0) for c in range(K)])
    logits = -((dataset.x[:, None] - means) ** 2).sum(axis=2) / width
    probs = np.exp(logits - logits.max(axis=1, keepdims=True))
    probs /= probs.sum(axis=1, keepdims=True)
    labelled = dataset.labelled
    quality = np.where(labelled, probs[np.arange(len(probs)), dataset.given], 1.0)
    p_wrong = 1 - quality
    total, half = p_wrong.sum(), 2 * np.sqrt((p_wrong * (1 - p_wrong)).sum())
    return Detection(
        method=method,
        quality=quality,
        flagged=(quality < 0.1) & labelled,
        suggested=probs.argmax(axis=1),
        confidence=probs.max(axis=1),
        p_wrong=p_wrong if calibrated else None,
        count=CountEstimate(float(total), float(total - half), float(total + half)) if calibrated else None,
        evidence={"distance": np.linalg.norm(dataset.x, axis=1)},
        warnings=("some pets look alike",) if calibrated else (),
    )


def nearest(
    dataset,
    seed: int = 0,
    *,
    width: float = 0.5,
    folds: int = 5,
    balanced: bool = False,
    kind: Literal["mean", "median"] = "median",
    limit: int | None = None,
    weights: tuple[float, ...] = (),
):
    for _ in track(range(folds), "folds"):
        pass
    return _judge(dataset, width, "nearest")


def ranker(dataset, seed: int = 0):
    return _judge(dataset, 0.5, "ranker", calibrated=False)


def unsaid(dataset, seed: int = 0):
    return _judge(dataset, 0.5, "unsaid", calibrated=False)


def broken(dataset, seed: int = 0):
    raise ZeroDivisionError("nothing to\ndivide by")


def impatient(dataset, seed: int = 0):
    raise KeyboardInterrupt


def needy(dataset, seed: int = 0):
    import no_such_module_here  # noqa: F401


def slow(dataset, seed: int = 0, *, seconds: float = 30.0):
    Path("slow-started").touch()
    for _ in track(range(int(seconds * 20)), "waiting"):
        time.sleep(0.05)
    return _judge(dataset, 0.5, "slow")


def full_disk(dataset, seed: int = 0):
    raise OSError(28, "No space left on device", "/somewhere/cache.bin")


def centroids(dataset, seed: int = 0, *, width: float = 0.5):
    assert dataset.true is None, "a trainer must not see the truth"
    found = _judge(dataset, width, "centroids")
    means = np.stack([np.median(dataset.x[dataset.given == c], axis=0) for c in range(K)])
    logits = -((dataset.x[:, None] - means) ** 2).sum(axis=2) / width
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Trained(
        method="centroids",
        predicted=found.suggested,
        probs=probs,
        history=({"epoch": 0, "loss": 0.5},),
        selected_by="last epoch",
        chosen=0,
        warnings=("pets were few",),
    )


NOISES, DETECTORS = Registry("pets noise kind"), Registry("pets detector")
TRAINERS = Registry("pets trainer")
TRAINERS.add(Entry("centroids", "labelnoise_pets:centroids", "Distance to the class.", "tests"))
NOISES.add(
    Entry("symmetric", "labelnoise_pets:symmetric", "Any other class.", "tests"),
    Entry("next", "labelnoise_pets:shift", "The next class.", "tests", options={"step": 1}),
)
DETECTORS.add(
    Entry("nearest", "labelnoise_pets:nearest", "Distance to the class.", "tests", calibrated=True),
    Entry("ranker", "labelnoise_pets:ranker", "Ranks only.", "tests", calibrated=False),
)
for _name in ("unsaid", "broken", "impatient", "needy", "full_disk", "slow"):
    DETECTORS.add(Entry(_name, f"labelnoise_pets:{_name}", "For tests.", "tests"))


class PetsDomain(Domain):
    name = "pets"
    unit = "animal"
    summary = "Wrong labels of pets."
    default_dataset = "zoo"
    default_detector = "nearest"
    noises = NOISES
    detectors = DETECTORS
    trainers = TRAINERS
    default_trainer = "centroids"

    def datasets(self):
        return {
            "zoo": DatasetInfo("zoo", "Animals on a plane.", "CC0", "generated", embedded=True),
            "farm": DatasetInfo(
                "farm", "With real noise.", "CC0", "generated", embedded=True, real_noise=True
            ),
            "empty": DatasetInfo("empty", "Nobody has a label.", "CC0", "generated", embedded=True),
        }

    def load(self, source, *, root=None):
        if source == "zoo":
            return _draw("zoo", 300)
        if source == "farm":
            data = _draw("farm", 200)
            given = symmetric(data, 0.15, 3).labels
            given[:5] = -1
            return data.with_labels(given, true=data.given)
        if source == "empty":
            return replace(_draw("empty", 10), given=np.full(10, -1))
        path = Path(source)
        if not path.is_file():
            raise InputError(f"There is no pets data set {source!r}; choose zoo, farm or a .json file.")
        try:
            raw = json.loads(path.read_text())
        except ValueError:
            raise InputError(f"{source!r} is not JSON.") from None
        true = None if raw["true"] is None else np.array(raw["true"])
        return Pets(
            name=path.stem,
            given=np.array(raw["given"]),
            class_names=tuple(raw["class_names"]),
            unit_ids=np.array(raw["ids"]),
            true=true,
            x=np.array(raw["x"]),
            source=str(path),
            meta=raw["meta"],
        )

    def save(self, dataset, path):
        if path.suffix != ".json":
            raise InputError(f"{path.name!r} has the extension {path.suffix!r}; choose one of: .json.")
        raw = {
            "given": dataset.given.tolist(),
            "true": None if dataset.true is None else dataset.true.tolist(),
            "class_names": list(dataset.class_names),
            "ids": dataset.ids.tolist(),
            "x": dataset.x.tolist(),
            "meta": dict(dataset.meta),
        }
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(raw))
        return [path]

    def describe(self, dataset):
        return {"animals": dataset.n_units}

    def unit_context(self, dataset, units):
        return {"where": [f"{dataset.x[i, 0]:.1f}, {dataset.x[i, 1]:.1f}" for i in units]}
