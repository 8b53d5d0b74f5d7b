"""The calibrated detector's evidence on large graphs: single precision, blocks of nodes, no power of the graph.

The same experts as in `labelnoise.graph.calibrated`, arranged so that time and memory grow linearly in nodes and
edges. What differs in substance from the exact arrangement is listed at `LargeNodeEvidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.experts import BlockedRidge, choose_lambda
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.stacking import StackerFit, fit_stacker, posterior, predict
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import FEW_COLUMNS, LargeFeatures
from labelnoise.graph.propagation import unit_weights
from labelnoise.graph.votes import LargeVotes, vote_scores

__all__ = ["LARGE", "LEAST_INFORMATION", "LargeNodeEvidence", "Plan", "Round", "plan_for"]

Labels = NDArray[np.int64]
Rows = NDArray[np.int64]
#: float32 throughout; typed loosely, since the functions shared with the exact arrangement take both.
Single = NDArray[Any]

#: Above this many nodes evidence is gathered in single precision and by blocks.
LARGE = 20_000
#: Above this many nodes the features' rank is the smaller one.
VERY_LARGE = 100_000
#: Nodes that all parameters of the stacker are searched with, and those its last fit sees; the parameters are a
#: few thousand at most, and T is re-estimated on all nodes afterwards.
SEARCH_ROWS, FIT_ROWS = 20_000, 60_000
#: Relative precision of the stacker's objective: about 1e-2 in log-likelihood, far below what the data tell.
TOLERANCE = 1e-7
#: Nodes that a simulated count is made of.
SIMULATED_ROWS = 400_000
#: Nodes that regularisation is chosen on.
CHOICE_ROWS = 20_000
#: Nodes per block.
BLOCK = 16_384
#: See `labelnoise.core.stacking.fit_stacker`. With 5 to 10% errors, uniform ones reach .02 to .05 of what pair errors could
#: tell (Cora, CiteSeer, DBLP), pair errors .27 to .63 (Cora, DBLP).
LEAST_INFORMATION = 0.12


@dataclass(frozen=True)
class Plan:
    """How much work a graph of some size is given.

    Attributes
    ----------
    large : bool
        Whether `LargeNodeEvidence` takes the place of the exact arrangement.
    folds, partitions, resamples, rank : int
        As in `labelnoise.graph.calibrated.detect_calibrated`.
    """

    large: bool
    folds: int
    partitions: int
    resamples: int
    rank: int


def plan_for(
    n: int,
    *,
    folds: int | None = None,
    partitions: int | None = None,
    resamples: int | None = None,
    rank: int | None = None,
) -> Plan:
    """What is done by default for ``n`` nodes; anything given is kept.

    With many nodes a random partition hardly changes anything, a simulated count hardly varies, and a label
    has enough neighbours outside its fold, so each of them can be fewer.

    Examples
    --------
    >>> plan_for(3_000)
    Plan(large=False, folds=10, partitions=2, resamples=5, rank=512)
    >>> plan_for(200_000, folds=5)
    Plan(large=True, folds=5, partitions=1, resamples=3, rank=128)
    """
    if n <= LARGE:
        usual = Plan(large=False, folds=10, partitions=2, resamples=5, rank=512)
    else:
        usual = Plan(large=True, folds=4, partitions=1, resamples=3, rank=256 if n <= VERY_LARGE else 128)
    asked: dict[str, Any] = {"folds": folds, "partitions": partitions, "resamples": resamples, "rank": rank}
    return replace(usual, **{name: value for name, value in asked.items() if value is not None})


@dataclass(frozen=True)
class Round:
    """A fitted stacker, the evidence it saw and what it makes of it.

    Attributes
    ----------
    fit : StackerFit
    spread : ndarray, shape (M,)
        Standard deviation of each expert's scores, which they were divided by.
    probs : ndarray, shape (len(rows), K)
        P(true class), the own label not used.
    rows : ndarray of int or None
        The nodes of ``probs``; None for all of them.
    """

    fit: StackerFit
    spread: NDArray[np.float64]
    probs: NDArray[Any]
    rows: Rows | None = None


def _blocks(n: int) -> Iterator[slice]:
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


class LargeNodeEvidence:
    """Experts on one large graph, for any number of label sets.

    Parameters
    ----------
    dataset : GraphDataset
    seed : int
        Of the features' sketch, the folds and the samples.
    folds : int
        Number of parts in which labels are hidden in turn while denoising.
    rank : int
        Largest number of feature columns kept.
    concentration : float, optional
        Of the stacker's errors; by default found from the labels.

    Notes
    -----
    Against the exact arrangement (`labelnoise.graph.calibrated.NodeEvidence`): features, scores and probabilities
    are float32; the regularisation is chosen on `CHOICE_ROWS` nodes and the stacker fitted on `SEARCH_ROWS`, then
    `FIT_ROWS`; simulated counts keep the kind of noise found on the data and are made of `SIMULATED_ROWS`
    nodes. Returning walks are removed exactly, as there.

    Memory per node is a few rows of K and of ``rank`` float32; per edge, the graph itself and one float32 copy.
    """

    def __init__(
        self,
        dataset: GraphDataset,
        *,
        seed: int = 0,
        folds: int = 4,
        rank: int = 128,
        concentration: float | None = None,
    ) -> None:
        self.n, self.k = dataset.n_nodes, dataset.n_classes
        self._concentration = concentration
        self._seed, self._n_folds = seed, min(folds, self.n)
        self._votes = LargeVotes(unit_weights(dataset.adjacency), dataset.arcs)
        features = LargeFeatures(dataset.x, self._votes.graph, dataset.degree, rank=rank, seed=seed)
        self._ridges = [BlockedRidge(features.diffused())]
        if features.width:
            self._ridges.append(BlockedRidge(features.own()))
        if 0 < dataset.x.shape[1] <= FEW_COLUMNS:
            self._ridges.append(BlockedRidge(features.curved()))
        del features
        size = np.log1p(dataset.degree.astype(np.float64))
        self.covariate = np.clip((size - size.mean()) / (size.std() or 1.0), -3, 3)

    def choose_lambdas(self, given: Labels) -> list[float]:
        """Regularisation of each linear expert, from the given labels of a sample of the nodes."""
        has = given >= 0
        rows = self._sample("regularisation", np.flatnonzero(has), CHOICE_ROWS)
        targets = self._one_hot(given, has)
        return [
            choose_lambda(
                lambda lam, ridge=ridge: ridge.leave_one_out(targets, lam=lam, used=has)(rows),  # type: ignore[misc]
                given[rows],
            )
            for ridge in self._ridges
        ]

    def first_round(self, given: Labels, lambdas: Sequence[float], start: StackerFit | None = None) -> Round:
        """A stacker on the labels as they are; probabilities only of the nodes it was fitted on."""
        has = given >= 0
        rows = self._sample("stacker", np.flatnonzero(has), FIT_ROWS)
        evidence = self._experts(given, has, lambdas, self._prior(given))(rows)
        spread, fit = self._fit(evidence, rows, given, start)
        return Round(fit, spread, predict(fit, evidence / _column(spread), self.covariate[rows]), rows)

    def denoised_round(
        self,
        given: Labels,
        first: Round,
        lambdas: Sequence[float],
        partition: int,
        start: StackerFit | None = None,
        rows: Rows | None = None,
    ) -> Round:
        """Experts on the first round's posterior, fold by fold with all labels of the fold hidden throughout.

        Parameters
        ----------
        rows : ndarray of int, optional
            Sorted nodes that probabilities are needed of; all by default.
        """
        has = given >= 0
        prior = self._prior(given)
        folds = np.empty(self.n, dtype=np.int16)
        folds[generator(self._seed, "folds", partition).permutation(self.n)] = (
            np.arange(self.n) % self._n_folds
        )
        wanted = np.arange(self.n) if rows is None else rows
        evidence = np.empty((len(self._ridges) + self._votes.columns, len(wanted), self.k), dtype=np.float32)
        for fold in track(range(self._n_folds), "denoising labels"):
            hidden = folds == fold
            soft = self._soft(given, has & ~hidden, first, lambdas, prior, np.where(hidden, -1, given))
            places = np.flatnonzero(hidden[wanted])
            asked = wanted[places]
            for m, (ridge, lam) in enumerate(zip(self._ridges, lambdas, strict=True)):
                scores = ridge.leave_one_out(soft, lam=lam, used=~hidden, own=True)
                for part in _blocks(len(asked)):
                    evidence[m, places[part]] = scores(asked[part])
            for m, vote in enumerate(self._votes(soft, asked), start=len(self._ridges)):
                for part in _blocks(len(asked)):
                    evidence[m, places[part]] = vote_scores(vote[part], prior)
        return self._stack(evidence, given, start, rows)

    def vote_weights(self, fit: StackerFit) -> list[float]:
        """Weight of each vote in a stacker (`labelnoise.graph.votes.Votes`); negative where neighbours differ."""
        first = len(self._ridges)
        return [round(float(w), 3) for w in fit.weights[first : first + self._votes.columns]]

    def simulated_rows(self, given: Labels) -> Rows:
        """Labelled nodes that a simulated count is made of, sorted."""
        return self._sample("simulated count", np.flatnonzero(given >= 0), SIMULATED_ROWS)

    def _soft(
        self,
        given: Labels,
        used: NDArray[np.bool_],
        first: Round,
        lambdas: Sequence[float],
        prior: NDArray[np.float64],
        seen: Labels,
    ) -> Single:
        """The first round's posterior of every node from the labels in ``used`` alone."""
        experts = self._experts(given, used, lambdas, prior)
        soft = np.empty((self.n, self.k), dtype=np.float32)
        for part in _blocks(self.n):
            rows = np.arange(part.start, part.stop)
            evidence = experts(rows) / _column(first.spread)
            soft[part] = posterior(
                predict(first.fit, evidence, self.covariate[part]), first.fit.transition, seen[part]
            )
        return soft

    def _experts(
        self, given: Labels, used: NDArray[np.bool_], lambdas: Sequence[float], prior: NDArray[np.float64]
    ) -> Callable[[Rows], Single]:
        """Scores of all experts for any nodes, shape (M, len(rows), K)."""
        targets = self._one_hot(given, used)
        votes = self._votes(targets)
        ridges = [
            ridge.leave_one_out(targets, lam=lam, used=used)
            for ridge, lam in zip(self._ridges, lambdas, strict=True)
        ]

        def scores(rows: Rows) -> Single:
            parts = [ridge(rows) for ridge in ridges]
            parts += [vote_scores(vote[rows], prior) for vote in votes]
            return np.stack(parts).astype(np.float32, copy=False)

        return scores

    def _stack(self, evidence: Single, given: Labels, start: StackerFit | None, rows: Rows | None) -> Round:
        """Fit on a sample, predict by blocks; the linear experts enter plain and as signed square roots."""
        wanted = np.arange(self.n) if rows is None else rows
        places = self._sample("stacker", np.flatnonzero(given[wanted] >= 0), FIT_ROWS)
        n_ridges = len(self._ridges)
        scale = np.maximum(evidence[:n_ridges, places].std(axis=(1, 2), dtype=np.float64), 1e-12)

        def bent(part: Single) -> Single:
            plain = part[:n_ridges] / _column(scale)
            return np.concatenate([part, np.sign(plain) * np.sqrt(np.abs(plain))])

        spread, fit = self._fit(bent(evidence[:, places]), wanted[places], given, start)
        probs = np.empty((len(wanted), self.k), dtype=np.float32)
        for part in _blocks(len(wanted)):
            probs[part] = predict(
                fit, bent(evidence[:, part]) / _column(spread), self.covariate[wanted[part]]
            )
        return Round(fit, spread, probs, rows)

    def _fit(
        self, evidence: Single, rows: Rows, given: Labels, start: StackerFit | None
    ) -> tuple[NDArray[np.float64], StackerFit]:
        spread = np.maximum(evidence.std(axis=(1, 2), dtype=np.float64), 1e-12)
        scaled = evidence / _column(spread)
        labels, covariate = given[rows], self.covariate[rows]
        if start is None:
            few = self._sample("search", np.arange(len(rows)), SEARCH_ROWS)
            start = fit_stacker(
                scaled[:, few],
                labels[few],
                covariate=covariate[few],
                concentration=self._concentration,
                tolerance=TOLERANCE,
                least_information=LEAST_INFORMATION,
            )
            if len(few) == len(rows):
                return spread, start
        fit = fit_stacker(
            scaled,
            labels,
            covariate=covariate,
            start=start,
            concentration=start.concentration,
            tolerance=TOLERANCE,
        )
        return spread, fit

    def _sample(self, purpose: str, rows: Rows, most: int) -> Rows:
        if len(rows) <= most:
            return rows
        return np.sort(generator(self._seed, purpose, len(rows)).choice(rows, size=most, replace=False))

    def _one_hot(self, given: Labels, used: NDArray[np.bool_]) -> Single:
        targets = np.zeros((self.n, self.k), dtype=np.float32)
        targets[used, given[used]] = 1.0
        return targets

    def _prior(self, given: Labels) -> NDArray[np.float64]:
        has = given >= 0
        return np.bincount(given[has], minlength=self.k) / has.sum() + 1e-3


def _column(spread: NDArray[np.float64]) -> Single:
    return spread[:, None, None].astype(np.float32)
