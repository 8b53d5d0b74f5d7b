"""Wrong node labels with calibrated probabilities, from given labels alone.

Linear experts on label-free features and label votes of the neighbourhood, each blind to the node's own label,
are combined under an estimated transition matrix; one round of denoising repeats this on the posterior of the
first. No clean labels, no validation set and no gradient training of a network are needed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.calibration import (
    OVERLAP,
    Reading,
    assumed_ambiguity,
    count_estimate,
    probability_wrong,
    read_with_ambiguity,
    shift_to_total,
    simulate_count_ratios,
)
from labelnoise.core.decision import decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.experts import RidgeExpert, choose_ridge
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.stacking import UNIFORM, StackerFit, fit_stacker, posterior, predict
from labelnoise.core.validation import InputError, choose
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.features import (
    FEW_COLUMNS,
    curved_features,
    diffused_features,
    own_features,
    weighted_features,
)
from labelnoise.graph.homophily import edge_homophily
from labelnoise.graph.propagation import unit_weights
from labelnoise.graph.scaling import LEAST_INFORMATION, LargeNodeEvidence, Round, plan_for
from labelnoise.graph.votes import Votes, vote_scores

__all__ = ["NodeEvidence", "detect_calibrated"]

#: Nodes whose neighbours' labels are looked at together.
NODES_AT_ONCE = 100_000

#: Below this adjusted homophily (1: neighbours always agree, 0: chance) the reader is told.
ALIKE = 0.1

#: What may be said of the errors beforehand.
ERRORS = ("auto", "uniform")

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


class NodeEvidence:
    """Experts on one graph: what does not depend on labels is computed once, for any number of label sets.

    Parameters
    ----------
    dataset : GraphDataset
    seed : int
        Of the features' sketch and the folds.
    folds : int
        Number of parts in which labels are hidden in turn while denoising.
    rank : int
        Largest number of feature columns kept.
    concentration : float, optional
        Of the stacker's errors (`labelnoise.core.stacking.fit_stacker`); by default found from the labels.
    """

    def __init__(
        self,
        dataset: GraphDataset,
        *,
        seed: int = 0,
        folds: int = 10,
        rank: int = 512,
        concentration: float | None = None,
    ) -> None:
        self.n, self.k = dataset.n_nodes, dataset.n_classes
        self._concentration = concentration
        self._seed, self._n_folds = seed, min(folds, self.n)
        weighted = weighted_features(dataset.x, dataset.degree)
        adjacency = unit_weights(dataset.adjacency)
        self._ridges = [RidgeExpert(diffused_features(weighted, adjacency, rank=rank, seed=seed))]
        if weighted.shape[1]:
            self._ridges.append(RidgeExpert(own_features(weighted, rank=rank, seed=seed)))
        if 0 < dataset.x.shape[1] <= FEW_COLUMNS:
            curved = curved_features(dataset.x, adjacency, width=rank, seed=seed)
            self._ridges.append(RidgeExpert(curved))
        self._votes = Votes(adjacency, dataset.arcs)
        size = np.log1p(dataset.degree.astype(np.float64))
        self.covariate = np.clip((size - size.mean()) / (size.std() or 1.0), -3, 3)

    def choose_lambdas(self, given: Labels) -> list[float]:
        """Regularisation of each linear expert, from the given labels alone."""
        targets, has = self._one_hot(given)
        return [choose_ridge(ridge, targets, given, used=has) for ridge in self._ridges]

    def first_round(self, given: Labels, lambdas: Sequence[float], start: StackerFit | None = None) -> Round:
        """Experts on the labels as they are."""
        targets, has = self._one_hot(given)
        return self._stack(self._experts(targets, has, lambdas, self._prior(given)), given, start)

    def denoised_round(
        self,
        given: Labels,
        first: Round,
        lambdas: Sequence[float],
        partition: int,
        start: StackerFit | None = None,
    ) -> Round:
        """Experts on the first round's posterior, fold by fold with all labels of the fold hidden throughout.

        The linear experts enter twice, plain and as signed square roots, so that the stacker can bend its link:
        with a straight one it takes part of the noise for ambiguity (on Cora with 5% uniform errors the count
        came out at .89 of the truth, with the bent one at 1.01).
        """
        targets, has = self._one_hot(given)
        prior = self._prior(given)
        folds = np.empty(self.n, dtype=np.int64)
        folds[generator(self._seed, "folds", partition).permutation(self.n)] = (
            np.arange(self.n) % self._n_folds
        )
        evidence = np.empty((len(self._ridges) + self._votes.columns, self.n, self.k))
        for fold in track(range(self._n_folds), "denoising labels"):
            hidden = folds == fold
            seen = self._experts(targets, has & ~hidden, lambdas, prior) / first.spread[:, None, None]
            soft = posterior(
                predict(first.fit, seen, self.covariate), first.fit.transition, np.where(hidden, -1, given)
            )
            parts = [
                ridge.leave_one_out(soft, lam=lam, used=~hidden, own=True)
                for ridge, lam in zip(self._ridges, lambdas, strict=True)
            ]
            parts += [vote_scores(vote, prior) for vote in self._votes(soft)]
            for m, part in enumerate(parts):
                evidence[m, hidden] = part[hidden]
        spread = evidence[: len(self._ridges)].std(axis=(1, 2), keepdims=True)
        bent = evidence[: len(self._ridges)] / np.maximum(spread, 1e-12)
        return self._stack(np.concatenate([evidence, np.sign(bent) * np.sqrt(np.abs(bent))]), given, start)

    def vote_weights(self, fit: StackerFit) -> list[float]:
        """Weight of each vote in a stacker (`labelnoise.graph.votes.Votes`); negative where neighbours differ."""
        first = len(self._ridges)
        return [round(float(w), 3) for w in fit.weights[first : first + self._votes.columns]]

    def _one_hot(self, given: Labels) -> tuple[Matrix, NDArray[np.bool_]]:
        has = given >= 0
        targets = np.zeros((self.n, self.k))
        targets[has, given[has]] = 1.0
        return targets, has

    def _prior(self, given: Labels) -> NDArray[np.float64]:
        has = given >= 0
        return np.bincount(given[has], minlength=self.k) / has.sum() + 1e-3

    def _experts(
        self, targets: Matrix, used: NDArray[np.bool_], lambdas: Sequence[float], prior: NDArray[np.float64]
    ) -> Matrix:
        parts = [
            ridge.leave_one_out(targets, lam=lam, used=used)
            for ridge, lam in zip(self._ridges, lambdas, strict=True)
        ]
        parts += [vote_scores(vote, prior) for vote in self._votes(np.where(used[:, None], targets, 0.0))]
        return np.stack(parts)

    def _stack(self, evidence: Matrix, given: Labels, start: StackerFit | None) -> Round:
        spread = np.maximum(evidence.std(axis=(1, 2)), 1e-12)
        evidence = evidence / spread[:, None, None]
        has = given >= 0
        fit = fit_stacker(
            evidence[:, has],
            given[has],
            covariate=self.covariate[has],
            concentration=self._concentration,
            start=start,
            least_information=LEAST_INFORMATION,
        )
        return Round(fit, spread, predict(fit, evidence, self.covariate))


def detect_calibrated(
    dataset: GraphDataset,
    seed: int = 0,
    *,
    partitions: int | None = None,
    resamples: int | None = None,
    folds: int | None = None,
    rank: int | None = None,
    ambiguity: float | None = None,
    errors: str = "auto",
) -> Detection:
    """Probability that each node's label is wrong, the expected number of wrong ones, and what they should be.

    Parameters
    ----------
    dataset : GraphDataset
        Nodes without a label (-1) are predicted, not judged.
    seed : int
    partitions : int, optional
        Random partitions into folds over which the denoised round is averaged, >= 1; by default 2, and 1 above
        20,000 nodes.
    resamples : int, optional
        Simulations of the whole estimate behind the count and its interval; 0 for the plain sum without
        interval, else at least 2. By default 5, and 3 above 20,000 nodes.
    folds : int, optional
        Folds per partition, >= 2; by default 10, and 4 above 20,000 nodes.
    rank : int, optional
        Largest number of feature columns; by default 512, 256 above 20,000 nodes and 128 above 100,000.
    ambiguity : float, optional
        Share of nodes whose label may legitimately contradict all evidence; by default 0.1% when errors look
        uniform over classes and 1% when they look class-dependent, 1% and 2% where classes overlap.
    errors : str
        ``"auto"``: whether errors depend on the class is found from the labels; they do if that tells enough per
        error (`labelnoise.graph.scaling.LEAST_INFORMATION`), so that classes which contradict the evidence by
        themselves (DBLP's) do not pass for errors. ``"uniform"``: they are known to hit all other classes
        alike. No difference with two classes.

    Returns
    -------
    Detection
            With ``p_wrong``, ``count``, ``transition`` and the evidence columns ``p_given`` (probability of the
        given label as seen from everything but itself) and ``neighbour_agreement`` (share of labelled
        neighbours with the same label, 0 without any). ``info`` holds the homophily and the weights of the votes,
        negative where neighbours differ.

    Raises
    ------
    InputError
        Fewer than two classes among the labels, fewer labelled nodes than folds, options out of range.

    Notes
    -----
    Experts: ridge regression on personalised-PageRank features and on own features (exact leave-one-out), and
    one- to three-hop label votes. Stacked by `labelnoise.core.stacking.fit_stacker`, denoised once,
    calibrated by `labelnoise.core.calibration`. A mode of this project beside the published GraphCleaner
    (Li et al. 2023), whose evidence (own prediction, neighbours' predictions and labels) it shares.

    Above `labelnoise.graph.scaling.LARGE` nodes the same is done in single precision and by blocks
    (`labelnoise.graph.scaling.LargeNodeEvidence`): time and memory grow linearly in nodes and edges.
    """
    started = time.process_time()
    given = dataset.given
    has = given >= 0
    plan = plan_for(dataset.n_nodes, folds=folds, partitions=partitions, resamples=resamples, rank=rank)
    _check(
        given,
        has,
        partitions=plan.partitions,
        resamples=plan.resamples,
        folds=plan.folds,
        rank=plan.rank,
        ambiguity=ambiguity,
    )
    node: NodeEvidence | LargeNodeEvidence
    concentration = UNIFORM if choose(errors, ERRORS, "kind of errors") == "uniform" else None
    if plan.large:
        node = LargeNodeEvidence(
            dataset, seed=seed, folds=plan.folds, rank=plan.rank, concentration=concentration
        )
    else:
        node = NodeEvidence(dataset, seed=seed, folds=plan.folds, rank=plan.rank, concentration=concentration)
    lambdas = node.choose_lambdas(given)
    first = node.first_round(given, lambdas)
    rounds: list[Round] = []
    for partition in range(plan.partitions):
        rounds.append(
            node.denoised_round(given, first, lambdas, partition, rounds[-1].fit if rounds else None)
        )
    fit = rounds[-1].fit

    def assumed(part: Round, judged: NDArray[np.bool_]) -> tuple[float, float]:
        usual, careful = assumed_ambiguity(part.fit.uniform, _overlap(part.probs, judged))
        return (usual, careful) if ambiguity is None else (ambiguity, max(careful, ambiguity))

    share, careful = assumed(rounds[-1], has)

    def read(parts: Sequence[Round], labels: Labels, odd: float) -> list[Reading]:
        return [read_with_ambiguity(part.probs, part.fit, labels, odd) for part in parts]

    readings = read(rounds, given, share)
    truth = _mean([reading.posterior for reading in readings])
    transition = _mean([reading.transition for reading in readings])
    del readings
    p_wrong = probability_wrong(truth, given).astype(np.float64)

    def total(odd: float) -> float:
        sums = [probability_wrong(reading.posterior, given).sum() for reading in read(rounds, given, odd)]
        return float(np.mean(sums))

    conflicts, cautious = total(0.0), total(careful)

    def refit(labels: Labels) -> float:
        again = node.first_round(labels, lambdas, first.fit)
        judged, portion = labels, 1.0
        if isinstance(node, LargeNodeEvidence):
            rows = node.simulated_rows(labels)
            later = node.denoised_round(labels, again, lambdas, 0, fit, rows)
            judged, portion = labels[rows], len(rows) / has.sum()
        else:
            later = node.denoised_round(labels, again, lambdas, 0, fit)
        posterior = read([later], judged, assumed(later, judged >= 0)[0])[0].posterior
        return float(probability_wrong(posterior, judged).sum()) / portion

    if plan.resamples:
        ratios = simulate_count_ratios(
            truth, transition, given, refit, n_simulations=plan.resamples, seed=seed
        )
        count = count_estimate(float(p_wrong.sum()), cautious, ratios)
        p_wrong = shift_to_total(p_wrong, count.expected)
    else:
        ratios = np.ones(0)
        plain = float(p_wrong.sum())
        count = CountEstimate(plain, plain, plain, 0.0, "sum of probabilities, no interval asked for")
    probs = _mean([part.probs for part in rounds])
    strata = (dataset.degree <= 1).astype(np.int64)
    suggested = truth.argmax(axis=1).astype(np.int64)
    overlap = _overlap(probs, has)
    agreement, adjusted = edge_homophily(dataset)
    return Detection(
        method="graphcleaner",
        quality=1.0 - p_wrong,
        flagged=decide(p_wrong, strata=strata),
        suggested=suggested,
        confidence=truth[np.arange(node.n), suggested].astype(np.float64),
        p_wrong=p_wrong,
        count=count,
        strata=strata,
        transition=transition,
        evidence={
            "p_given": np.where(has, probs[np.arange(node.n), np.maximum(given, 0)], 0.0).astype(np.float64),
            "neighbour_agreement": _agreement(dataset),
        },
        warnings=_warnings(dataset, count, adjusted, overlap, conflicts, cautious, share, careful),
        info={
            "mode": "calibrated",
            "errors": "uniform" if fit.uniform else "class-dependent",
            "ambiguity": share,
            "overlap": round(overlap, 4),
            "edge_homophily": agreement,
            "adjusted_homophily": adjusted,
            "vote_weights": node.vote_weights(fit),
            "expected_conflicts": round(conflicts, 2),
            "expected_errors_cautious": round(cautious, 2),
            "ridge": lambdas,
            "concentration": round(fit.concentration, 3),
            "simulated_count_ratios": [round(float(r), 4) for r in ratios],
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


def _check(given: Labels, has: NDArray[np.bool_], **options: Any) -> None:
    present = np.unique(given[has])
    if len(present) < 2:
        raise InputError(
            f"The labels hold {len(present)} class(es); a wrong label can only be told when there are at least 2."
        )
    if options["folds"] < 2:
        raise InputError(f"folds is {options['folds']}; at least 2 are needed to hide labels in turn.")
    if has.sum() < options["folds"]:
        raise InputError(
            f"Only {has.sum()} node(s) have a label; label at least {options['folds']} or lower folds."
        )
    if options["partitions"] < 1 or options["rank"] < 1:
        raise InputError(
            f"partitions ({options['partitions']}) and rank ({options['rank']}) must be at least 1."
        )
    if options["resamples"] < 0 or options["resamples"] == 1:
        raise InputError(f"resamples is {options['resamples']}; give 0 (no interval) or at least 2.")
    share = options["ambiguity"]
    if share is not None and not 0 <= share < 0.5:
        raise InputError(f"ambiguity is {share}; it is a share of nodes from 0 to below 0.5.")


def _mean(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Mean over the first axis; one part is not copied."""
    return parts[0] if len(parts) == 1 else np.asarray(np.mean(parts, axis=0))


def _overlap(probs: Matrix, has: NDArray[np.bool_]) -> float:
    """Share of labelled nodes that could as well belong to another class, by the model's own probabilities."""
    return float((1 - probs[has].max(axis=1)).mean())


def _agreement(dataset: GraphDataset) -> NDArray[np.float64]:
    """Share of each node's labelled neighbours that carry its own given label."""
    n, given = dataset.n_nodes, dataset.given
    adjacency = dataset.adjacency
    same, counted = np.zeros(n), np.zeros(n)
    for start in range(0, n, NODES_AT_ONCE):
        indptr = adjacency.indptr[start : start + NODES_AT_ONCE + 1]
        here = given[start : start + NODES_AT_ONCE]
        row = np.repeat(np.arange(len(here)), np.diff(indptr))
        label = given[adjacency.indices[indptr[0] : indptr[-1]]]
        both = (here[row] >= 0) & (label >= 0)
        part = slice(start, start + len(here))
        same[part] = np.bincount(row[both & (here[row] == label)], minlength=len(here))
        counted[part] = np.bincount(row[both], minlength=len(here))
    return same / np.maximum(counted, 1)


def _warnings(
    dataset: GraphDataset,
    count: CountEstimate,
    adjusted: float | None,
    overlap: float,
    conflicts: float,
    cautious: float,
    odd: float,
    share: float,
) -> tuple[str, ...]:
    """What the user has to know to read the count rightly."""
    found = []
    if overlap > OVERLAP:
        found.append(
            f"Classes overlap: {overlap:.0%} of the nodes could as well belong to another class, so read the count "
            f"as labels that conflict with the evidence, not as errors. Taken alone, {conflicts:.0f} labels conflict; "
            f"if {share:.0%} of the nodes are odd but right, {cautious:.0f} of them are errors."
        )
    elif conflicts > 1.3 * count.expected + 1:
        found.append(
            f"{conflicts:.0f} labels conflict with the evidence, but so few that most may be odd rather than wrong "
            f"({odd:.1%} of the nodes are allowed to be; --set ambiguity=0 allows none)."
        )
    if adjusted is not None and adjusted < ALIKE:
        found.append(
            f"Neighbours share labels hardly more often than by chance (adjusted homophily {adjusted:.2f}), so "
            "features decide, and neighbours by the weights that their votes were found to deserve."
        )
    if dataset.n_classes == 2:
        found.append(
            "Two classes: the noise rate is identified only by how well the evidence separates them; "
            "trust the ranking more than the count."
        )
    return tuple(found)
