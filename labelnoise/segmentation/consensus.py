"""One mask of several: consensus image by image, where annotators differ, and how each of them errs."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from labelnoise.core.crowd.majority import majority_vote
from labelnoise.core.crowd.staple import staple
from labelnoise.core.crowd.votes import Votes
from labelnoise.core.validation import InputError, choose
from labelnoise.segmentation.dataset import MaskDataset

__all__ = ["CONSENSUS", "MaskConsensus", "confusions", "consensus_masks", "disputed"]

#: Ways to make one mask of several.
CONSENSUS = ("staple", "majority")


@dataclass(frozen=True)
class MaskConsensus:
    """What annotators say together, pixel by pixel.

    Attributes
    ----------
    labels : ndarray of int8 or wider, shape (n,)
        -1 where nobody gave a label.
    confidence : ndarray of float32, shape (n,)
        Probability of the label under the method (vote share for "majority"); 1 where all agree, 0 without votes.
    warnings : tuple of str
    """

    labels: NDArray[Any]
    confidence: NDArray[np.float32]
    warnings: tuple[str, ...] = ()


def disputed(votes: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels on which two annotators differ, shape (n,).

    Examples
    --------
    >>> disputed(np.array([[0, 0], [0, 1], [-1, 1]], dtype=np.int8)).tolist()
    [False, True, False]
    """
    highest = votes.max(axis=1)
    lowest = np.where(votes >= 0, votes, np.iinfo(votes.dtype).max).min(axis=1)
    return np.asarray((highest >= 0) & (lowest < highest))


def consensus_masks(
    votes: NDArray[Any],
    sizes: NDArray[np.int64],
    n_classes: int,
    *,
    method: str = "staple",
    margin: int = 3,
    seed: int = 0,
) -> MaskConsensus:
    """One label per pixel from several annotators, image by image.

    Where all who drew a pixel agree, that is the label. STAPLE sees the pixels on which they differ and a margin around
    those, since on whole images the background drives it to the union of all masks.

    Parameters
    ----------
    votes : ndarray of int, shape (n, A)
        Class ids, -1 for none; images one after another, each row by row.
    sizes : ndarray of int, shape (m, 2)
        Heights and widths.
    n_classes : int
    method : {"staple", "majority"}
        Ties of the majority are drawn.
    margin : int
        Pixels around disputed ones that STAPLE sees too.
    seed : int
        Of the draws.

    Returns
    -------
    MaskConsensus

    Raises
    ------
    InputError
        An unknown method, sizes that do not fit the votes.

    References
    ----------
    Warfield, Zou, Wells 2004, Simultaneous truth and performance level estimation, IEEE TMI 23(7).

    Examples
    --------
    >>> wide, right, narrow = np.zeros((3, 8, 8), dtype=np.int8)
    >>> wide[1:7, 1:7], right[2:6, 2:6], narrow[3:5, 3:5] = 1, 1, 1
    >>> votes = np.stack([wide.ravel(), right.ravel(), narrow.ravel()], axis=1)
    >>> made = consensus_masks(votes, np.array([[8, 8]]), 2, method="majority")
    >>> bool((made.labels == right.ravel()).all()), round(float(made.confidence.min()), 2)
    (True, 0.67)
    """
    choose(method, CONSENSUS, "consensus")
    offsets = np.concatenate([[0], np.cumsum(np.asarray(sizes).prod(axis=1))])
    if votes.ndim != 2 or len(votes) != offsets[-1] or margin < 0:
        raise InputError(
            f"votes has shape {votes.shape} for {offsets[-1]} pixels and margin is {margin}; give one row per pixel, "
            "one column per annotator, and a margin from 0."
        )
    labels = votes.max(axis=1)
    confidence = (labels >= 0).astype(np.float32)
    differ = disputed(votes)
    slow = 0
    for i, (first, last) in enumerate(pairwise(offsets.tolist())):
        here = differ[first:last]
        if not here.any():
            continue
        seen = here
        if method == "staple" and margin:
            shape = tuple(np.asarray(sizes)[i].tolist())
            grown = ndimage.binary_dilation(here.reshape(shape), iterations=margin)
            seen = grown.ravel() & (labels[first:last] >= 0)
        cast = Votes.from_matrix(votes[first:last][seen].astype(np.int64), n_classes=n_classes)
        if method == "staple":
            result = staple(cast)
            slow += not result.converged
        else:
            result = majority_vote(cast, seed=seed * 1_000_003 + i)
        own = here[seen]
        where = first + np.flatnonzero(here)
        labels[where] = result.labels[own]
        confidence[where] = result.posterior[own, result.labels[own]]
    warnings = (f"STAPLE had not converged in {slow} images.",) if slow else ()
    return MaskConsensus(labels, np.clip(confidence, 0, 1), warnings)


def confusions(dataset: MaskDataset) -> NDArray[np.float64]:
    """How each annotator names what the given labels (the consensus) call a class, shape (A, K, K).

    ``[a, i, j]`` is the share of the pixels given as i and drawn by a that a calls j; NaN rows where there is none.

    Raises
    ------
    InputError
        The data set has one mask per image only.

    Examples
    --------
    >>> data = MaskDataset.from_masks([[[0, 1, 1, 1]]], ("no", "yes"), annotators=("ann", "bob"),
    ...     votes=np.array([[0, 0], [1, 0], [1, 1], [1, -1]], dtype=np.int8))
    >>> confusions(data).tolist()
    [[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.5, 0.5]]]
    """
    votes, k = votes_of(dataset), dataset.n_classes
    counts = np.zeros((votes.shape[1], k * k))
    for i in range(dataset.n_images):
        window = dataset.window(i)
        given = dataset.given[window].astype(np.int64)
        for a, cast in enumerate(votes[window].T.astype(np.int64)):
            both = (given >= 0) & (cast >= 0)
            counts[a] += np.bincount(given[both] * k + cast[both], minlength=k * k)
    joint = counts.reshape(-1, k, k)
    mass = joint.sum(axis=2, keepdims=True)
    return np.where(mass > 0, joint / np.maximum(mass, 1), np.nan)


def votes_of(dataset: MaskDataset) -> NDArray[Any]:
    """The votes (n, A) of a data set with several annotators.

    Raises
    ------
    InputError
        It has one mask per image only.

    Examples
    --------
    >>> votes_of(MaskDataset.from_masks([[[0]]], ("a",)))
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: masks has one mask per image; put each annotator's masks in a folder masks-NAME.
    """
    if dataset.votes is None:
        raise InputError(
            f"{dataset.name} has one mask per image; put each annotator's masks in a folder masks-NAME."
        )
    return dataset.votes
