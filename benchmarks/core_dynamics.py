"""Mixtures and training dynamics beside scikit-learn and the official aum package: CPU seconds, as ratios.

    python benchmarks/core_dynamics.py             # all, a few minutes
    python benchmarks/core_dynamics.py --only gmm  # gmm, beta, aum, rates or digits

Run it where the package can be imported (installed, or PYTHONPATH set to the repository). One thread. CPU seconds are
the least of the repeats, in turns, after a first call on a small input.

``gmm``: one million losses, 30% from wrong labels; DivideMix's settings on both sides, posterior of every unit
included. F1 is of finding the wrong ones. ``beta``: the same losses, against the published steps on the losses
themselves, written here plainly with scipy. ``aum``: 50 000 units, 10 classes, 10 epochs of shuffled batches of 128.
``rates``: 20 000 such losses, less overlapping, five seeds per rate; and losses of one group.
``digits``: wrong labels among scikit-learn's digits (symmetric, 20% and 40%) found by the statistics of one network's
training (256 hidden units, SGD .1, five seeds), after 5, 20 and 60 epochs; threshold samples are part of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from labelnoise.core.mixture import fit_beta_mixture, fit_gaussian_mixture

Call = Callable[[], Any]


def cpu(calls: dict[str, Call], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Least CPU seconds of each call, and its last answer; the calls take turns."""
    seconds: dict[str, float] = {}
    answers: dict[str, Any] = {}
    for _ in range(repeats):
        for name, call in calls.items():
            start = time.process_time()
            answers[name] = call()
            seconds[name] = min(seconds.get(name, np.inf), time.process_time() - start)
    return seconds, answers


def losses(n: int) -> tuple[Any, Any]:
    """Low losses of right labels, high ones of wrong labels, overlapping."""
    rng = np.random.default_rng(0)
    wrong = rng.random(n) < 0.3
    return np.where(wrong, rng.normal(3, 1, n).clip(0), rng.exponential(0.5, n)), wrong


def f1(flagged: Any, wrong: Any) -> float:
    return float(2 * (flagged & wrong).sum() / (flagged.sum() + wrong.sum()))


def peer_gmm(values: Any, seed: int = 0) -> Any:
    from sklearn.mixture import GaussianMixture

    scaled = ((values - values.min()) / (values.max() - values.min()))[:, None]
    mixture = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed).fit(scaled)
    return mixture.predict_proba(scaled)[:, mixture.means_.argmin()]


def plain_beta(values: Any) -> Any:
    """The published algorithm on every loss: posterior of the low component."""
    from scipy.stats import beta

    low, high = np.percentile(values, [5, 95])
    inner = ((values[(values >= low) & (values <= high)] - low) / (high - low)).clip(1e-3, 1 - 1e-3)
    a, b, w = np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5])
    for _ in range(10):
        dense = np.maximum([w[k] * beta.pdf(inner, a[k], b[k]) for k in (0, 1)], 1e-12)
        share = dense / dense.sum(axis=0)
        mean = share @ inner / share.sum(axis=1)
        variance = np.array([share[k] @ (inner - mean[k]) ** 2 for k in (0, 1)]) / share.sum(axis=1)
        a = mean * (mean * (1 - mean) / variance - 1)
        b = a * (1 - mean) / mean
        w = share.sum(axis=1) / share.sum()
    grid = np.linspace(1e-12, 1 - 1e-12, 100)
    dense = np.array([w[k] * beta.pdf(grid, a[k], b[k]) for k in (0, 1)])
    table = dense[1] / (dense.sum(axis=0) + 1e-12)
    table[table.argmax() :] = table.max()
    scaled = ((values - low) / (high - low)).clip(1e-3, 1 - 1e-3)
    return 1 - table[(scaled * 100).astype(int)].clip(1e-4, 1 - 1e-4)


def mixtures(kind: str, n: int, repeats: int) -> dict[str, float]:
    values, wrong = losses(n)
    fit: Callable[..., Any] = fit_gaussian_mixture if kind == "gmm" else fit_beta_mixture
    peer: Callable[..., Any] = peer_gmm if kind == "gmm" else plain_beta
    for call in (lambda: fit(values[:9999]).posterior(values[:9999]), lambda: peer(values[:9999])):
        call()
    seconds, answers = cpu(
        {"ours": lambda: fit(values).posterior(values), "peer": lambda: peer(values)}, repeats
    )
    row = {"ours_s": seconds["ours"], "peer_s": seconds["peer"], "ratio": seconds["peer"] / seconds["ours"]}
    row["f1_ours"], row["f1_peer"] = f1(answers["ours"] <= 0.5, wrong), f1(answers["peer"] <= 0.5, wrong)
    row["max_difference"] = float(np.abs(answers["ours"] - answers["peer"]).max())
    if kind == "gmm":
        row["between_peer_seeds"] = float(np.abs(peer_gmm(values, 1) - answers["peer"]).max())
    return row


def rates(n: int, seeds: int) -> list[str]:
    """F1 of finding wrong labels per rate, and the share of right ones called wrong where no label is wrong."""
    lines = []
    for rate in (0.02, 0.05, 0.08, 0.1, 0.2, 0.3, 0.4, 0.5):
        sums: dict[str, float] = {}
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            wrong = rng.random(n) < rate
            values = np.where(wrong, rng.normal(3, 0.8, n).clip(0), rng.exponential(0.3, n))
            beta = fit_beta_mixture(values)
            for name, posterior in {
                "gaussian": fit_gaussian_mixture(values).posterior(values),
                "beta": beta.posterior(values),
                "beta_as_published": beta.posterior(values, monotone=False),
            }.items():
                sums[name] = sums.get(name, 0.0) + f1(posterior <= 0.5, wrong) / seeds
        lines.append(f"{rate:g} wrong  F1 " + line(sums))
    for shape in ("exponential", "normal", "lognormal"):
        values = getattr(np.random.default_rng(0), shape)(size=n)
        shares = {}
        for name, mixture in (
            ("gaussian", fit_gaussian_mixture(values)),
            ("beta", fit_beta_mixture(values)),
        ):
            shares[name] = float((mixture.posterior(values) <= 0.5).mean())
            shares[f"{name}_warns"] = float(not mixture.separated)
        lines.append(f"{shape}, none wrong  called wrong " + line(shares))
    return lines


def margins(n: int, k: int, epochs: int, repeats: int) -> dict[str, float]:
    import torch
    from aum import AUMCalculator

    from labelnoise.core.dynamics import AreaUnderMargin

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, k, n)
    batches = []
    for _ in range(epochs):
        logits = rng.normal(size=(n, k)).astype(np.float32)
        for ids in np.array_split(rng.permutation(n), n // 128):
            batches.append((torch.from_numpy(logits[ids]), torch.from_numpy(labels[ids]), ids))

    def ours() -> Any:
        state = AreaUnderMargin(n)
        for logits, given, ids in batches:
            state.update(logits, given, ids)
        return state.values()

    lists = [ids.tolist() for _, _, ids in batches]

    def peer() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            state = AUMCalculator(folder, compressed=True)
            for (logits, given, _), ids in zip(batches, lists):
                state.update(logits, given, ids)
        return np.array([state.sums[i] / state.counts[i] for i in range(n)])

    seconds, answers = cpu({"ours": ours, "peer": peer}, repeats)
    return {
        "ours_s": seconds["ours"],
        "peer_s": seconds["peer"],
        "ratio": seconds["peer"] / seconds["ours"],
        "max_difference": float(np.abs(answers["ours"] - answers["peer"]).max()),
    }


def digits(rate: float, seeds: int) -> dict[str, dict[str, float]]:
    """AUROC of finding wrong labels of scikit-learn's digits by each statistic, mean over seeds, per epoch."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.metrics import roc_auc_score

    from labelnoise.core import dynamics
    from labelnoise.core.noise_matrices import symmetric_transition
    from labelnoise.core.noise_single import corrupt
    from labelnoise.core.random import generator

    torch.set_num_threads(1)
    features, true = load_digits(return_X_y=True)
    x = torch.from_numpy((features / 16).astype(np.float32))
    n, k, moments = len(true), 10, (5, 20, 60)
    table: dict[str, dict[str, float]] = {}
    for seed in range(seeds):
        given = corrupt(true, symmetric_transition(k, rate), seed=seed).labels
        fakes, threshold = dynamics.threshold_samples(given, k, seed=seed)
        wrong = (given != true) & ~threshold
        judged = ~threshold
        torch.manual_seed(seed)
        net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, k + 1))
        descent = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        y = torch.from_numpy(fakes)
        aum, losses = dynamics.AreaUnderMargin(n), dynamics.MeanLoss(n)
        learning: dict[str, Any] = {
            "first_learning": dynamics.FirstLearning(n, k=3),
            "correct_streak": dynamics.CorrectStreak(n),
            "forgetting": dynamics.ForgettingEvents(n),
            "topk": dynamics.TopKCounts(n, k + 1),
        }
        draw = generator(seed, "batches")
        for epoch in range(1, moments[-1] + 1):
            for ids in torch.from_numpy(draw.permutation(n)).split(64):
                z = net(x[ids])
                loss = torch.nn.functional.cross_entropy(z, y[ids], reduction="none")
                descent.zero_grad()
                loss.mean().backward()
                descent.step()
                aum.update(z, y[ids], ids)
                losses.update(loss, ids)
                for statistic in learning.values():
                    statistic.update(z, y[ids], ids)
            losses.end_epoch()
            for name in ("first_learning", "correct_streak", "forgetting"):
                learning[name].end_epoch()
            if epoch in moments:
                suspicion = {
                    "aum": -aum.values(),
                    "mean_loss": losses.values(),
                    "first_learning": learning["first_learning"].values(),
                    "forgetting": learning["forgetting"].values(),
                    "correct_streak": -learning["correct_streak"].values(),
                    "topk": -learning["topk"].values(),
                }
                for name, score in suspicion.items():
                    row = table.setdefault(name, {})
                    area = roc_auc_score(wrong[judged], score[judged]) / seeds
                    row[f"auroc@{epoch}"] = row.get(f"auroc@{epoch}", 0.0) + area
                for name, flagged in {
                    "aum": dynamics.aum_flag(aum.values(), threshold, seen=aum.seen),
                    "topk": ~learning["topk"].selected(),
                }.items():
                    row = table[name]
                    row[f"f1@{epoch}"] = row.get(f"f1@{epoch}", 0.0) + f1(flagged & judged, wrong) / seeds
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("gmm", "beta", "aum", "rates", "digits"))
    parser.add_argument("--n", type=int, default=1_000_000, help="losses of the mixtures")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with threadpool_limits(1):
        for name in ("gmm", "beta", "aum"):
            if options.only in (None, name):
                row = (
                    margins(50_000, 10, 10, options.repeats)
                    if name == "aum"
                    else mixtures(name, options.n, options.repeats)
                )
                print(f"{name:<5}" + line(row), flush=True)
        if options.only in (None, "rates"):
            print("\n".join(rates(20_000, seeds=5)), flush=True)
        if options.only in (None, "digits"):
            for rate in (0.2, 0.4):
                for name, row in digits(rate, seeds=5).items():
                    print(f"digits {rate} {name:<15}" + line(row), flush=True)


def line(row: dict[str, float]) -> str:
    return "  ".join(f"{key} {value:.3g}" for key, value in row.items())


if __name__ == "__main__":
    main()
