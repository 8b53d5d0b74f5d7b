"""Taggers that learn the given tags and to agree with each other: where they do not, tags are doubtful."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.stepping import BATCH, Learner, one_pass, step_features
from labelnoise.text.tagger_run import TaggerRun

__all__ = ["agreement_slopes", "train_coregularised"]


def train_coregularised(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    models: int = 2,
    agree: float = 5.0,
    alone: float = 0.2,
    hide: float = 0.2,
) -> Trained:
    """Taggers on the given tags with a penalty for disagreeing; the mean of them answers.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `labelnoise.text.train_methods.train_plain`.
    models : int
        How many, >= 2.
    agree : float
        Weight of the penalty, >= 0.
    alone : float
        Share of the steps, from the first on, without it; 0 to 1.
    hide : float
        Share of the columns that each tagger does not see, drawn for each; 0 to less than 1. Networks differ by
        their first weights; linear taggers would soon be the same.

    Returns
    -------
    Trained
        ``history`` has the mean disagreement of each pass, in nats.

    Raises
    ------
    InputError
        No tag in the training split, unreadable features, numbers out of range.

    Notes
    -----
    Zhou & Chen 2021, EMNLP: the loss ``(1/M) sum_m CE(p_m, given) + agree (1/M) sum_m KL(q || p_m)`` with
    ``q = (1/M) sum_m p_m``, the second part left out at first. Its slope is taken through q as well.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> train_coregularised(news(n_sentences=60), epochs=2).method
    'co-regularisation'
    """
    if models < 2 or not agree >= 0:
        raise InputError(
            f"models is {models} and agree is {agree}; give 2 or more models and a weight from 0."
        )
    if not (0.0 <= alone <= 1.0 and 0.0 <= hide < 1.0):
        raise InputError(f"alone is {alone} and hide is {hide}; give shares from 0 to 1 (hide below 1).")
    run = TaggerRun(dataset, seed, encoder, features, epochs)
    rows = np.flatnonzero(run.has)
    base = step_features(run.tagger)
    k = run.targets.shape[1]
    learners = [Learner(base, k, seed * 1000 + m, hide=hide, spread=0.01) for m in range(models)]
    steps = -(-len(rows) // BATCH) * epochs
    history: list[dict[str, Any]] = []
    done, apart = 0, 0.0

    def slopes(batch: NDArray[np.int64], probs: list[NDArray[Any]]) -> list[NDArray[Any]]:
        nonlocal done, apart
        weight = agree if done >= alone * steps else 0.0
        done += 1
        pulls, value = agreement_slopes(np.stack(probs))
        apart += value
        # Each tagger takes a step of its own, so the factor 1/M of the mean is left out for all.
        return [p - run.targets[batch] + weight * models * pull for p, pull in zip(probs, pulls)]

    for epoch in track(range(epochs), "passes over the tokens"):
        apart = 0.0
        for _ in one_pass(learners, rows, generator(seed, "order of tokens", epoch), slopes):
            pass
        history.append({"epoch": epoch, "disagreement": round(apart / len(rows), 6)})
    probs = np.mean([learner.predict() for learner in learners], axis=0)
    return run.result("co-regularisation", probs, history=tuple(history), models=models, agree=agree)


def agreement_slopes(probs: NDArray[Any]) -> tuple[NDArray[np.float64], float]:
    """Slope in each model's logits of ``(1/M) sum_m KL(q || p_m)``, summed over tokens, and that sum.

    Parameters
    ----------
    probs : ndarray of float, shape (M, n, K)
        Rows sum to 1.

    Returns
    -------
    (ndarray of float64, shape (M, n, K), float)

    Examples
    --------
    >>> slope, value = agreement_slopes(np.array([[[0.9, 0.1]], [[0.5, 0.5]]]))
    >>> slope.round(3).tolist(), round(value, 3)
    ([[[0.089, -0.089]], [[-0.131, 0.131]]], 0.118)
    """
    p = np.maximum(np.asarray(probs, dtype=np.float64), 1e-12)
    q = p.mean(axis=0)
    gap = np.log(q)[None] - np.log(p)
    m = len(p)
    through_q = gap.mean(axis=0)[None]
    moved = p * (through_q - (p * through_q).sum(axis=2, keepdims=True))
    return (p - q + moved) / m, float((q * gap).sum() / m)
