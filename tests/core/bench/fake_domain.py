"""A modality of coloured points, installed by the tests as a package of its own with an entry point."""

import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.domain import DatasetInfo, Domain, score_row
from labelnoise.core.noise import Corruption
from labelnoise.core.random import generator
from labelnoise.core.registry import Entry, Registry
from labelnoise.core.trained import Trained

N, K = 240, 4


@dataclass(frozen=True, kw_only=True)
class Points(Dataset):
    x: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    def arrays(self):
        return {**super().arrays(), "x": self.x}


def _points(name):
    rng = generator(0, "points", name)
    true = rng.integers(0, K, N)
    angle = 2 * np.pi * true / K
    spread = 0.45 + 0.25 * rng.random()
    x = np.c_[np.cos(angle), np.sin(angle)] + rng.normal(0, spread, (N, 2))
    return Points(
        name=name, given=true, class_names=("red", "green", "blue", "grey"), x=x, source="generated"
    )


def _corruption(old, new, transition):
    return Corruption(labels=new, changed=new != old, rate=float((new != old).mean()), transition=transition)


def symmetric(data, rate, seed):
    rng = generator(seed, "noise", "symmetric")
    transition = np.full((K, K), rate / (K - 1)) + np.eye(K) * (1 - rate - rate / (K - 1))
    new = (rng.random(len(data.given))[:, None] > transition.cumsum(1)[data.given]).sum(1)
    new = np.where(data.given < 0, -1, new)
    return _corruption(data.given, new, transition)


def pair(data, rate, seed):
    flip = generator(seed, "noise", "pair").random(len(data.given)) < rate
    transition = np.eye(K) * (1 - rate) + np.roll(np.eye(K), 1, axis=1) * rate
    return _corruption(data.given, np.where(flip, (data.given + 1) % K, data.given), transition)


def _posterior(data, softness=0.5):
    means = np.stack([np.median(data.x[data.given == c], axis=0) for c in range(K)])
    logits = -((data.x[:, None] - means) ** 2).sum(2) / softness
    probs = np.exp(logits - logits.max(1, keepdims=True))
    return probs / probs.sum(1, keepdims=True)


def _judge(data, probs, method, with_p=True):
    p_wrong = 1 - probs[np.arange(len(probs)), data.given]
    total = float(p_wrong.sum())
    margin = 2 * float(np.sqrt((p_wrong * (1 - p_wrong)).sum()))
    joint = np.stack([probs[data.given == c].sum(0) for c in range(K)], axis=1) + 1e-9
    return Detection(
        method=method,
        quality=1 - p_wrong,
        flagged=p_wrong > 0.5,
        suggested=probs.argmax(1),
        confidence=probs.max(1),
        p_wrong=p_wrong if with_p else None,
        count=CountEstimate(total, total - margin, total + margin) if with_p else None,
        transition=joint / joint.sum(1, keepdims=True) if with_p else None,
    )


def strong(data, seed=0, softness=0.5):
    assert data.true is None, "a detector must not see the truth"
    assert "corruption" not in data.meta
    return _judge(data, _posterior(data, softness), "strong")


def sure(data, seed=0):
    return _judge(data, _posterior(data, 0.12), "sure")


def weak(data, seed=0):
    probs = _posterior(data) + generator(seed, "weak").random((len(data.given), K)) * 1.5
    return replace(_judge(data, probs / probs.sum(1, keepdims=True), "weak", with_p=False), method="weak")


def noisy_blas(data, seed=0):
    """Long sums whose last digits depend on the number of threads."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(600, 600)).astype(np.float32)
    return replace(strong(data), quality=np.clip(0.5 + (a @ a).sum(1)[:N] / 1e5, 0, 1), p_wrong=None)


def slow(data, seed=0, seconds=60.0):
    time.sleep(seconds)
    return strong(data)


def logged(data, seed=0, mark=0):
    """Leaves a line when it begins; ``mark`` only tells cells apart."""
    with open(os.environ["LABELNOISE_TEST_LOG"], "a") as file:
        file.write(f"{mark} {seed}\n")
    time.sleep(0.01)
    return strong(data)


def hungry(data, seed=0):
    """Runs out of memory: its process may have no more than it has."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 26), before[1]))
    try:
        np.ones(1 << 28)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def dies(data, seed=0):
    print("a last word", file=__import__("sys").stderr, flush=True)
    os.kill(os.getpid(), 9)


def chatty(data, seed=0):
    print("this line is not an answer")
    os.write(1, b"nor is this\n")
    return strong(data)


def greedy(data, seed=0):
    data.x[:] *= 2
    return strong(data)


def fails(data, seed=0):
    raise ZeroDivisionError("nothing to divide by")


def exits(data, seed=0):
    raise SystemExit(3)


def threads(data, seed=0):
    from threadpoolctl import threadpool_info

    used = max([pool["num_threads"] for pool in threadpool_info()], default=1)
    return replace(strong(data), p_wrong=np.full(N, 1 / used), count=None)


def _trained(data, probs, method):
    return Trained(
        method=method, predicted=probs.argmax(1), probs=probs, history=(), selected_by="last epoch", chosen=0
    )


def plain(data, seed=0, neighbours=1):
    """Nearest neighbours; one neighbour believes every label."""
    assert data.true is None, "a trainer must not see the truth"
    train = np.arange(N) % 3 != 0
    gaps = ((data.x[:, None] - data.x[None, train]) ** 2).sum(2)
    gaps[train, np.arange(train.sum())] = 0
    near = np.argsort(gaps + generator(seed, "ties").random(gaps.shape) * 1e-9, axis=1)[:, :neighbours]
    probs = np.stack([(data.given[train][near] == c).mean(1) for c in range(K)], axis=1)
    return _trained(data, probs, "plain")


def robust(data, seed=0):
    return replace(plain(data, seed, neighbours=15), method="robust")


def constant(data, seed=0):
    return _trained(data, np.tile(np.eye(K)[0], (N, 1)), "constant")


def short(data, seed=0):
    found = plain(data, seed)
    return replace(found, predicted=found.predicted[1:], probs=found.probs[1:])


NOISES, DETECTORS, TRAINERS = Registry("fake noise kind"), Registry("fake detector"), Registry("fake trainer")
for _name in ("plain", "robust", "constant", "short"):
    TRAINERS.add(Entry(_name, f"labelnoise_fake_domain:{_name}", "A trainer.", "tests"))
for _name in ("symmetric", "pair"):
    NOISES.add(Entry(_name, f"labelnoise_fake_domain:{_name}", "A noise.", "tests"))
for _name in (
    *("strong", "sure", "weak", "noisy_blas", "slow", "dies"),
    *("chatty", "greedy", "fails", "exits", "threads", "logged", "hungry"),
):
    DETECTORS.add(Entry(_name, f"labelnoise_fake_domain:{_name}", "A detector.", "tests"))


class FakeDomain(Domain):
    name = "fake"
    unit = "point"
    summary = "Points with a colour."
    default_dataset = "disc"
    default_detector = "strong"
    noises = NOISES
    detectors = DETECTORS
    trainers = TRAINERS

    def datasets(self):
        names = ("disc", "ring", "square", "star", "moon", "cross", "spiral", "planted", "gone")
        return {name: DatasetInfo(name, "Points.", "CC0", "generated", embedded=True) for name in names}

    def load(self, source, *, root=None):
        if source == "gone":
            raise OSError("the file went away")
        if Path(source).suffix == ".txt":
            source = Path(source).read_text().strip()
        data = _points(source)
        if source == "planted":
            noisy, _ = self.corrupt(data, kind="symmetric", rate=0.15, seed=7)
            return noisy
        return data

    def save(self, dataset, path):
        raise NotImplementedError

    def describe(self, dataset):
        return {}

    def training_scores(self, dataset, trained):
        test = np.arange(N) % 3 == 0
        return [score_row(dataset, trained, name, mask) for name, mask in (("train", ~test), ("test", test))]
