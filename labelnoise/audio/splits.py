"""Which clips train, choose the model and test it, and which labels each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.evaluation import average_precision, lwlrap
from labelnoise.core.domain import score_row
from labelnoise.core.random import generator
from labelnoise.core.split_labels import checked_splits, labels_of_splits
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose

__all__ = [
    "Splits",
    "clip_splits",
    "shared_recordings",
    "split_info",
    "split_labels",
    "split_scores",
    "unit_mask",
]

Splits = Mapping[str, NDArray[np.bool_]]

#: Split by name, and the names under which data sets publish it.
_PUBLISHED = {"train": ("train",), "validation": ("val", "validation"), "test": ("test", "eval")}
_SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}


def clip_splits(
    dataset: AudioDataset, seed: int = 0, *, held_out: str = "any"
) -> dict[str, NDArray[np.bool_]]:
    """Which clips train, choose the epoch and test: the published splits, or 60, 20 and 20% of each tag drawn.

    Where "train" is published but "val" is not, there is no validation split. Where "test" (or "eval") is but
    "train" is not, the other clips are dealt 75 to 25% to training and validation. Clips of one recording are never
    drawn into two splits, nor drawn at all if that recording has clips in a published one.

    Parameters
    ----------
    dataset : AudioDataset
    seed : int
        For splits that are drawn; they do not depend on clips without a label.
    held_out : {"any", "verified"}
        Which clips validate and test where splits are drawn. "verified": the shares are those of the verified
        clips, all others train, and those from a recording that validates or tests are in no split.

    Returns
    -------
    dict of str to ndarray of bool, shape (m,)
        "train" and, where there are any, "validation" and "test". Clips without a label are in none that is drawn.

    Raises
    ------
    InputError
        No labelled clip to train on, published splits that overlap, "verified" where splits are published or where no clip
        is verified.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011: the rarest tag is
    dealt first, each clip to the split that lacks that tag most. Here recordings are dealt, the largest first.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> {name: int(mask.sum()) for name, mask in clip_splits(events()).items()}
    {'train': 181, 'validation': 60, 'test': 59}
    """
    choose(held_out, ("any", "verified"), "kind of held-out clips")
    published = {
        name: np.asarray(dataset.splits[key], dtype=bool)
        for name, keys in _PUBLISHED.items()
        for key in keys
        if key in dataset.splits
    }
    if "train" in published:
        if held_out == "verified":
            raise InputError(
                "This data set publishes its splits, so that none is drawn from verified clips; use 'any'."
            )
        return checked_splits(published, dataset.n_clips, "clip")
    recordings = dataset.recording_codes()
    spoken_for = np.any([*published.values(), np.zeros(dataset.n_clips, dtype=bool)], axis=0)
    free = (dataset.given >= 0).reshape(dataset.n_clips, -1).any(axis=1)
    free &= ~np.isin(recordings, recordings[spoken_for])
    if not free.any():
        raise InputError("No clip outside published splits carries a label; there is nothing to train on.")
    dealt = free
    if held_out == "verified":
        if dataset.verified is None or not (free & dataset.verified).any():
            raise InputError("No labelled clip is marked as verified; use held_out='any'.")
        dealt = free & dataset.verified
    missing = [name for name in _PUBLISHED if name not in published]
    shares = np.array([_SHARES[name] for name in missing])
    place = np.full(dataset.n_clips, -1)
    place[dealt] = _deal(
        dataset.tags[dealt] == 1, recordings[dealt], shares / shares.sum(), generator(seed, "audio splits")
    )
    rest = free & ~dealt
    place[rest & ~np.isin(recordings, recordings[place > 0])] = 0
    masks = {**{name: place == index for index, name in enumerate(missing)}, **published}
    return checked_splits(
        {name: masks[name] for name in _PUBLISHED if masks[name].any()}, dataset.n_clips, "clip"
    )


def split_labels(
    dataset: AudioDataset,
    splits: Splits | None = None,
    validation_labels: str = "noisy",
    seed: int = 0,
) -> tuple[dict[str, NDArray[np.bool_]], dict[str, NDArray[np.int64]]]:
    """The splits of clips, and for each of them the labels of its units with -1 elsewhere.

    Parameters
    ----------
    dataset : AudioDataset
    splits : mapping of str to ndarray of bool, shape (m,), optional
        "train" and, if wanted, "validation" and "test"; by default those of `clip_splits`.
    validation_labels : {"noisy", "clean"}
        "clean" reads true labels to choose the model, which real noisy data does not have.
    seed : int
        For splits that are drawn.

    Returns
    -------
    masks : dict of str to ndarray of bool, shape (m,)
    labels : dict of str to ndarray of int64, shape (n,)
        Test labels are the true ones where these are known.

    Raises
    ------
    InputError
        Splits that overlap, no training label, clean validation without known true labels.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> {name: int((labels >= 0).sum()) for name, labels in split_labels(events())[1].items()}
    {'train': 181, 'validation': 60, 'test': 59}
    """
    masks = clip_splits(dataset, seed) if splits is None else checked_splits(splits, dataset.n_clips, "clip")
    units = {name: unit_mask(dataset, mask) for name, mask in masks.items()}
    return masks, labels_of_splits(dataset, units, validation_labels, "clip")


def shared_recordings(dataset: AudioDataset, splits: Splits) -> dict[tuple[str, str], int]:
    """How many recordings have clips in both of two splits: what a model may know by heart when it is tested.

    Returns
    -------
    dict of (str, str) to int
        Every pair of splits. All 0 where the recordings are not known, for then each clip counts as its own.

    Examples
    --------
    >>> data = AudioDataset.single([0, 0, 1], ("dog", "rain"), files=("a", "b", "c"),
    ...                            recordings=np.array(["x", "x", "y"]))
    >>> first = np.array([True, False, False])
    >>> shared_recordings(data, {"train": first, "test": ~first})
    {('train', 'test'): 1}
    """
    masks = checked_splits(splits, dataset.n_clips, "clip")
    codes = dataset.recording_codes()
    names = list(masks)
    return {
        (one, other): len(np.intersect1d(codes[masks[one]], codes[masks[other]]))
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    }


def unit_mask(dataset: AudioDataset, clips: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The units of these clips: the clips themselves, or all (clip, tag) pairs of each.

    Examples
    --------
    >>> data = AudioDataset.from_tags([[1, 0], [0, 1]], ("dog", "rain"), files=("a", "b"))
    >>> unit_mask(data, np.array([False, True])).tolist()
    [False, False, True, True]
    """
    return np.repeat(np.asarray(clips, dtype=bool), max(len(dataset.tag_names), 1))


def split_info(splits: Splits | None, seed: int) -> dict[str, Any]:
    """What `Trained.info` says of the splits: whether the caller passed them, and the seed that draws others.

    Examples
    --------
    >>> split_info(None, 3)
    {'split_seed': 3, 'splits_passed': False}
    """
    return {"split_seed": seed, "splits_passed": splits is not None}


def split_scores(dataset: AudioDataset, trained: Trained) -> list[dict[str, Any]]:
    """Scores in each split that the trainer used: the data set's own, or those it drew with its seed.

    Rows are those of `labelnoise.core.domain.score_row`. Tags have ``lwlrap`` and ``mean_average_precision`` in
    addition, since saying "absent" of every pair is accurate and useless; None where no tag is present. Where
    the caller passed splits, there is one row over all clips.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> clips = events(2, wrong=0)
    >>> perfect = Trained(method="m", predicted=clips.true, probs=np.eye(10)[clips.true], history=(),
    ...                   selected_by="last epoch", chosen=0, info=split_info(None, 0))
    >>> [(row["split"], row["accuracy"], row["units"]) for row in split_scores(clips, perfect)]
    [('train', 1.0, 10), ('validation', 1.0, 5), ('test', 1.0, 5)]
    """
    if trained.info.get("splits_passed", True):
        masks = {"all": np.ones(dataset.n_clips, dtype=bool)}
    else:
        masks = clip_splits(dataset, trained.info["split_seed"])
    return [_score(dataset, trained, name, mask) for name, mask in masks.items()]


def _score(dataset: AudioDataset, trained: Trained, name: str, clips: NDArray[np.bool_]) -> dict[str, Any]:
    row = score_row(dataset, trained, name, unit_mask(dataset, clips))
    if not dataset.multilabel:
        return row
    truth = dataset.true_tags if row["labels"] == "true" else dataset.tags
    assert truth is not None
    truth = truth[clips]
    row["lwlrap"] = row["mean_average_precision"] = None
    if (truth == 1).any():
        scores = trained.probs[:, 1].reshape(dataset.n_clips, -1)[clips]
        row["lwlrap"] = round(lwlrap(truth, scores).value, 4)
        row["mean_average_precision"] = round(float(np.nanmean(average_precision(truth, scores))), 4)
    return row


def _deal(
    present: NDArray[np.bool_],
    recordings: NDArray[np.int64],
    shares: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The number of a split for every clip; whole recordings, the rarest tag first."""
    names, member_of = np.unique(recordings, return_inverse=True)
    sizes = np.bincount(member_of)
    clip, tag = np.nonzero(present)
    n_tags = present.shape[1]
    cells, counts = np.unique(member_of[clip] * np.int64(n_tags) + tag, return_counts=True)
    owner, cell_tag = np.divmod(cells, n_tags)
    ends = np.searchsorted(owner, np.arange(len(names) + 1))
    left = np.bincount(tag, minlength=n_tags)
    wanted: NDArray[np.float64] = shares[:, None] * left
    wanted_clips: NDArray[np.float64] = shares * len(present)

    order = rng.permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    rank = np.empty(len(names), dtype=np.int64)
    rank[order] = np.arange(len(names))
    by_tag = np.argsort(cell_tag, kind="stable")
    tag_ends = np.searchsorted(cell_tag[by_tag], np.arange(n_tags + 1))
    split = np.full(len(names), -1)

    def give(recording: int, need: NDArray[Any]) -> None:
        # The first of equally needy splits: train, so that the only clip of a tag is one to learn from.
        best = np.flatnonzero(need >= need.max() - 1e-9)
        chosen = int(best[np.argmax(wanted_clips[best])])
        row = slice(ends[recording], ends[recording + 1])
        wanted[chosen, cell_tag[row]] -= counts[row]
        left[cell_tag[row]] -= counts[row]
        wanted_clips[chosen] -= sizes[recording]
        split[recording] = chosen

    while left.any():
        rarest = int(np.where(left > 0, left, left.max() + 1).argmin())
        holders = owner[by_tag[tag_ends[rarest] : tag_ends[rarest + 1]]]
        for recording in holders[np.argsort(rank[holders])].tolist():
            if split[recording] < 0:
                give(recording, wanted[:, rarest])
    for recording in order[split[order] < 0].tolist():
        give(recording, wanted_clips)
    return split[member_of]
