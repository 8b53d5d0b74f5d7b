"""Classification and tagging of clips as a task of the core's training loop: crops of cached log-mel features."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from labelnoise.audio.cache import CachedFeatures, cached_log_mel
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedding import clip_embeddings
from labelnoise.audio.evaluation import lwlrap
from labelnoise.audio.features import LogMelConfig
from labelnoise.audio.networks import NETWORKS, build_network
from labelnoise.audio.splits import Splits, split_labels
from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import NO_LABEL, InputError, choose

__all__ = ["ClipBatch", "ClipTask", "TagTask", "clip_task", "pooled_log_mel"]


class ClipBatch(NamedTuple):
    """Crops of the clips of a batch.

    Attributes
    ----------
    crops : Tensor of float32, shape (crops, frames, n_mels), or (clips, D) for vectors
    owner : Tensor of int64, shape (crops,)
        Position within the batch of the clip that each crop is from.
    labels : Tensor of int64, shape (clips,), or (clips, K)
    ids : Tensor of int64, shape (clips,)
    """

    crops: Tensor
    owner: Tensor
    labels: Tensor
    ids: Tensor


class ClipTask(Task):
    """Clips with one class each; made by `clip_task`.

    In training a clip is ``crops`` random crops of fixed length, in evaluation as many as cover it, and either way
    they are pooled before the loss. Clips shorter than a crop are repeated to its length.

    Attributes
    ----------
    splits : mapping of str to ndarray of bool, shape (m,)
    rows : mapping of str to ndarray of int64
        The clips of each split, and "all".
    is_noisy : ndarray of bool, shape (n_units,), or None
        Which training clips have labels from another process than the curated one; None where that is not known.
    """

    def __init__(
        self,
        dataset: AudioDataset,
        inputs: Sequence[NDArray[Any]] | NDArray[np.float32],
        *,
        splits: Mapping[str, NDArray[np.bool_]],
        labels: Mapping[str, NDArray[np.int64]],
        validation_labels: Literal["noisy", "clean"],
        network: str,
        network_options: Mapping[str, Any],
        frames: int,
        crops: int,
        batch_size: int,
        curated: str,
        initial: Mapping[str, Tensor] | None,
    ) -> None:
        self.multilabel = dataset.multilabel
        self.n_classes = dataset.n_tags
        self.splits, self._inputs = splits, inputs
        shape = (dataset.n_clips, self.n_classes) if self.multilabel else (dataset.n_clips,)
        self.rows = {name: np.flatnonzero(mask) for name, mask in splits.items()}
        self._labels = {
            name: torch.from_numpy(labels[name].reshape(shape)[rows]) for name, rows in self.rows.items()
        }
        self.rows["all"] = np.arange(dataset.n_clips)
        self._labels["all"] = torch.full(shape, NO_LABEL)
        self.given = self._labels["train"].numpy()
        self.n_units = len(self.given)
        self.validation_labels = validation_labels if self._can_validate() else None
        self.is_noisy = None
        if dataset.origin is not None:
            self.is_noisy = np.asarray(dataset.origin, dtype=str)[self.rows["train"]] != curated
        self._vectors = isinstance(inputs, np.ndarray)
        self._frames, self._crops, self._size = frames, crops, batch_size
        self._network, self._network_options, self._initial = network, network_options, initial
        self._mean, self._scale = self._statistics()

    def build(self) -> nn.Module:
        model = build_network(self._network, len(self._mean), self.n_classes, **self._network_options)
        if self._initial is not None:
            model.load_state_dict(self._initial)
        return model

    def batches(self, split: Split | Literal["all"], rng: np.random.Generator | None) -> Iterator[ClipBatch]:
        if split not in self.rows:
            raise InputError(f"There is no {split} split; name its clips in splits.")
        rows = self.rows[split]
        order = np.arange(len(rows)) if rng is None else rng.permutation(len(rows))
        ends = list(range(self._size, len(order), self._size))
        # Statistics of a batch of one are no statistics: a last single clip joins the batch before it.
        if rng is not None and ends and len(order) - ends[-1] == 1:
            ends.pop()
        for ids in np.split(order, ends):
            if self._vectors:
                x, owner = np.asarray(self._inputs)[rows[ids]], np.arange(len(ids))
            else:
                x, owner = self._cut(rows[ids], rng)
            chosen = torch.from_numpy(ids)
            yield ClipBatch(
                torch.from_numpy((x.astype(np.float32) - self._mean) * self._scale),
                torch.from_numpy(owner),
                self._labels[split][chosen],
                chosen,
            )

    def forward(self, model: nn.Module, batch: ClipBatch) -> Units:
        return Units(model(batch.crops, batch.owner, len(batch.ids)), batch.labels, batch.ids)

    def augment(self, batch: ClipBatch, rng: np.random.Generator) -> ClipBatch:
        """A band of time and one of frequency of each crop set to the mean (Park et al. 2019); vectors stay."""
        if self._vectors:
            return batch
        x = batch.crops.clone()
        for axis in (1, 2):
            length = x.shape[axis]
            widths = rng.integers(0, length // 5 + 1, len(x))
            starts = (rng.random(len(x)) * (length - widths + 1)).astype(int)
            place = np.arange(length)
            hidden = (place >= starts[:, None]) & (place < (starts + widths)[:, None])
            mask = torch.from_numpy(hidden).to(x.device)
            x = x.masked_fill(mask[:, :, None] if axis == 1 else mask[:, None, :], 0.0)
        return batch._replace(crops=x)

    def mixed(self, model: nn.Module, batch: ClipBatch, alpha: float, rng: np.random.Generator) -> Mixed:
        """Crops mixed in pairs of clips, in the logarithmic domain, one share per clip."""
        n = len(batch.ids)
        partner = torch.from_numpy(rng.permutation(n)).to(batch.crops.device)
        share = torch.as_tensor(rng.beta(alpha, alpha, n), dtype=torch.float32, device=batch.crops.device)
        share = torch.maximum(share, 1 - share)
        # Every clip of a training batch has the same number of crops, one after the other.
        each = len(batch.crops) // n
        x = batch.crops.reshape(n, each, *batch.crops.shape[1:])
        weight = share.reshape(-1, *[1] * (x.ndim - 1))
        x = (weight * x + (1 - weight) * x[partner]).flatten(0, 1)
        return Mixed(model(x, batch.owner, n), partner, share)

    def _can_validate(self) -> bool:
        return "validation" in self.rows and bool((self._labels["validation"] >= 0).any())

    def _cut(
        self, clips: NDArray[np.int64], rng: np.random.Generator | None
    ) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
        """Crops (crops, frames, n_mels) and whose they are."""
        found, owner = [], []
        for place, clip in enumerate(clips.tolist()):
            whole = self._inputs[clip]
            spare = len(whole) - self._frames
            if rng is not None:
                starts = rng.integers(0, max(spare, 0) + 1, self._crops)
            else:
                count = 1 + max(-(-spare // self._frames), 0)
                starts = np.linspace(0, max(spare, 0), count).round().astype(int)
            for start in starts.tolist():
                crop = whole[start : start + self._frames]
                if len(crop) < self._frames:
                    crop = np.resize(crop, (self._frames, crop.shape[1]))
                found.append(crop)
            owner += [place] * len(starts)
        return np.stack(found), np.array(owner, dtype=np.int64)

    def _statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and 1 / standard deviation of each band (or entry) over the training clips."""
        rows = self.rows["train"]
        if self._vectors:
            x = np.asarray(self._inputs)[rows].astype(np.float64)
            mean, square, count = x.sum(axis=0), (x**2).sum(axis=0), len(x)
        else:
            mean, square, count = np.zeros(1), np.zeros(1), 0
            for clip in rows.tolist():
                x = self._inputs[clip].astype(np.float64)
                mean, square, count = mean + x.sum(axis=0), square + (x**2).sum(axis=0), count + len(x)
        mean = mean / count
        spread = np.sqrt(np.maximum(square / count - mean**2, 0))
        return mean.astype(np.float32), (1 / np.maximum(spread, 1e-3)).astype(np.float32)


class TagTask(ClipTask):
    """Clips with tags; the epoch is chosen by lwlrap."""

    metric: ClassVar[str] = "lwlrap"

    def score(self, outputs: Iterable[Units]) -> float:
        """lwlrap of the outputs against their tags."""
        found = list(outputs)
        tags = np.concatenate([units.labels.cpu().numpy() for units in found])
        scores = np.concatenate([units.logits.detach().float().cpu().numpy() for units in found])
        return lwlrap(tags, np.nan_to_num(scores)).value

    def _can_validate(self) -> bool:
        return "validation" in self.rows and bool((self._labels["validation"] == 1).any())


def clip_task(
    dataset: AudioDataset,
    *,
    network: str = "cnn",
    network_options: Mapping[str, Any] | None = None,
    features: str | LogMelConfig = "16k64",
    cache: str | Path | None = None,
    embeddings: ArrayLike | str | Path | None = None,
    frames: int = 96,
    crops: int = 1,
    batch_size: int = 32,
    splits: Splits | None = None,
    validation_labels: Literal["noisy", "clean"] = "noisy",
    curated: str = "curated",
    initial: Mapping[str, Tensor] | None = None,
    seed: int = 0,
) -> ClipTask:
    """A training task on the clips of a data set.

    Parameters
    ----------
    dataset : AudioDataset
        With sound, unless embeddings are given.
    network : str
        Of `labelnoise.audio.networks.NETWORKS`.
    network_options : mapping, optional
    features : str or LogMelConfig
        See `labelnoise.audio.features.log_mel`.
    cache : str or Path, optional
        Folder for the features; by default below the package's own.
    embeddings : array_like of float, shape (m, D), or str, optional
        What the network "linear" reads: vectors, or whatever `labelnoise.audio.embedding.clip_embeddings` reads (an
        .npy file, a pretrained network). By default mean, deviation and maximum of each log-mel band.
    frames : int
        Length of a crop; 96 frames of "16k64" are 0.96 s.
    crops : int
        Random crops of each clip per training step.
    batch_size : int
        Clips per step.
    splits, validation_labels, seed
        Of `labelnoise.audio.splits.split_labels`.
    curated : str
        The entry of the column ``origin`` whose labels are trusted.
    initial : mapping of str to Tensor, optional
        Weights to start from.

    Returns
    -------
    ClipTask

    Raises
    ------
    InputError
        No sound, embeddings of another shape or not finite, numbers below 1, splits that do not fit.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.audio.embedded import events
    >>> task = clip_task(events(4), cache=tempfile.mkdtemp(), batch_size=8)
    >>> task.n_units, task.n_classes, [tuple(batch.crops.shape) for batch in task.batches("train", None)]
    (23, 10, [(16, 96, 64), (16, 96, 64), (14, 96, 64)])
    """
    choose(network, NETWORKS, "audio network")
    for name, number in (("frames", frames), ("crops", crops), ("batch_size", batch_size)):
        if number < 1:
            raise InputError(f"{name} is {number}; a whole number from 1 is needed.")
    masks, labels = split_labels(dataset, splits, validation_labels, seed)
    inputs: Sequence[NDArray[Any]] | NDArray[np.float32]
    if embeddings is not None:
        if not NETWORKS[network].vectors:
            raise InputError(f"The network {network!r} reads log-mel crops; embeddings are for 'linear'.")
        inputs = _embeddings(embeddings, dataset)
    else:
        if dataset.audio is None:
            raise InputError(
                f"{dataset.name} has labels but no sound to train on; name the folder of its clips, or pass "
                "embeddings with network='linear'."
            )
        inputs = cached_log_mel(dataset.audio, features, folder=cache)
        if NETWORKS[network].vectors:
            inputs = pooled_log_mel(inputs)
    kind = TagTask if dataset.multilabel else ClipTask
    return kind(
        dataset,
        inputs,
        splits=masks,
        labels=labels,
        validation_labels=validation_labels,
        network=network,
        network_options=dict(network_options or {}),
        frames=frames,
        crops=crops,
        batch_size=batch_size,
        curated=curated,
        initial=initial,
    )


def pooled_log_mel(features: CachedFeatures | Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    """Mean, standard deviation and maximum of every band over time, one row per clip.

    Returns
    -------
    ndarray of float32, shape (m, 3 n_mels)

    Examples
    --------
    >>> pooled_log_mel([np.array([[1.0, 2.0], [3.0, 2.0]])])
    array([[2., 2., 1., 0., 3., 2.]], dtype=float32)
    """
    rows = []
    for clip in features:
        x = np.asarray(clip, dtype=np.float32)
        rows.append(np.concatenate([x.mean(axis=0), x.std(axis=0), x.max(axis=0)]))
    return np.array(rows, dtype=np.float32)


def _embeddings(embeddings: ArrayLike | str | Path, dataset: AudioDataset) -> NDArray[np.float32]:
    if isinstance(embeddings, str | Path):
        return clip_embeddings(dataset, str(embeddings)).astype(np.float32)
    loaded = np.asarray(embeddings)
    if loaded.ndim != 2 or len(loaded) != dataset.n_clips or loaded.dtype.kind not in "fiu":
        raise InputError(
            f"embeddings has shape {loaded.shape} and type {loaded.dtype}; numbers of shape ({dataset.n_clips}, D) are "
            "needed."
        )
    if not np.isfinite(loaded).all():
        raise InputError("embeddings holds NaN or infinity; give a finite vector for every clip.")
    made: NDArray[np.float32] = loaded.astype(np.float32)
    return made
