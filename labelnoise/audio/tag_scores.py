"""How likely each tag is on each clip, as clips of other recordings tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.flips import logistic_fit, sigmoid
from labelnoise.core.from_features import EXPERTS, scale_rows
from labelnoise.core.kernels import KernelExpert
from labelnoise.core.validation import InputError, as_multilabel, check_same_length

__all__ = ["tag_probabilities"]

Array = NDArray[np.float64]

#: (clip, tag) pairs on which the scale of the scores is learnt; more change its five numbers by nothing.
_SAMPLE = 200_000


def tag_probabilities(
    features: ArrayLike,
    tags: ArrayLike,
    groups: ArrayLike | None = None,
    seed: int = 0,
    *,
    scaling: str = "auto",
) -> Array:
    """P(tag is given) of every (clip, tag) pair, from clips of other recordings: exact leave-one-group-out ridge.

    Parameters
    ----------
    features : array_like of float, shape (m, d)
        One vector per clip.
    tags : array_like, shape (m, K)
        1 present, 0 absent, -1 not known. An unknown pair stands at its tag's mean while the others are fitted;
        a clip without any known tag is predicted and teaches nothing.
    groups : array_like, shape (m,), optional
        The recording of each clip.
    seed : int
        Of the landmarks, above 4,000 clips.
    scaling : {"auto", "hellinger", "unit", "none"}
        See `labelnoise.core.from_features.scale_rows`.

    Returns
    -------
    ndarray of float64, shape (m, K)

    Raises
    ------
    InputError
        Fewer than two clips with a known tag, or all of one recording; no tag that is both present and absent.

    Notes
    -----
    Scores of a linear and a Laplacian kernel, each standardised per tag, go with the log-odds of the tag into one
    logistic regression over all pairs.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> tags = rng.integers(0, 2, (60, 3))
    >>> X = tags @ np.eye(3, 8) + 0.1 * rng.normal(size=(60, 8))
    >>> p = tag_probabilities(X, tags)
    >>> p.shape, bool(((p > 0.5) == tags).all())
    ((60, 3), True)
    """
    Y = as_multilabel(tags)
    X = scale_rows(features, scaling)
    check_same_length(features=X, tags=Y, groups=groups)
    some = (Y >= 0).any(axis=1)
    rows, spare = np.flatnonzero(some), np.flatnonzero(~some)
    if len(rows) < 2:
        raise InputError(
            f"{len(rows)} clip(s) have a known tag; at least 2 are needed to judge one by another."
        )
    known = Y[rows] >= 0
    count = known.sum(axis=0)
    present = ((Y[rows] == 1) & known).sum(axis=0)
    if not ((present > 0) & (present < count)).any():
        raise InputError(
            "No tag is present on some clips and absent on others; there is nothing to tell apart."
        )
    share = (present + 0.5) / (count + 1.0)
    targets = np.where(known, Y[rows] == 1, share)
    prior = np.log(share) - np.log1p(-share)
    group = None if groups is None else np.asarray(groups)[rows]
    inside, outside = [], []
    for kernel, lam in EXPERTS:
        expert = KernelExpert(X[rows], kernel=kernel, lam=lam, groups=group, seed=seed)
        score = expert.leave_group_out(targets)
        centre, spread = score.mean(axis=0), np.maximum(score.std(axis=0), 1e-9)
        inside.append((score - centre) / spread)
        if len(spare):
            outside.append((expert.predict(X[spare], targets) - centre) / spread)
    weights = _scale(np.stack(inside), prior, known, Y[rows] == 1)
    result = np.empty(Y.shape)
    result[rows] = _apply(weights, np.stack(inside), prior)
    if len(spare):
        result[spare] = _apply(weights, np.stack(outside), prior)
    return result


def _scale(scores: Array, prior: Array, known: NDArray[np.bool_], present: NDArray[np.bool_]) -> Array:
    cells = np.flatnonzero(known.reshape(-1))
    cells = cells[:: max(len(cells) // _SAMPLE, 1)]
    columns = [part.reshape(-1)[cells] for part in scores]
    columns.append(np.broadcast_to(prior, known.shape).reshape(-1)[cells])
    X, y = np.stack(columns, axis=1), present.reshape(-1)[cells].astype(np.float64)
    # Left out, a clip's own label lowers its tag's score a little; on sounds that tell nothing a negative weight
    # would turn that into knowledge of the label.
    used = [0, 1, 2]
    weights = np.zeros(4)
    while True:
        found = logistic_fit(X[:, used], y, penalty=100.0)
        if (found[:-1][np.array(used) < 2] >= 0).all():
            weights[[*used, 3]] = found
            return weights
        used = [c for c, weight in zip(used, found[:-1]) if weight >= 0 or c == 2]


def _apply(weights: Array, scores: Array, prior: Array) -> Array:
    logits = np.tensordot(weights[:2], scores, axes=1) + weights[2] * prior + weights[3]
    return np.clip(sigmoid(logits), 1e-6, 1 - 1e-6)
