"""Segmentation as a task of the core's training loop: batches of whole images, every pixel a unit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.evaluation import ConfusionCounts
from labelnoise.segmentation.networks import build_network

__all__ = ["ImageBatch", "MaskTask", "Pictures", "image_splits"]

#: Up to this many bytes of prepared images stay in memory; beyond, each is read when needed.
CACHE_BYTES = 1 << 29


class ImageBatch(NamedTuple):
    """Images of one batch, padded to a common size, with the labels and ids of their pixels.

    Attributes
    ----------
    images : Tensor of shape (B, C, H, W)
    sizes : Tensor of int64, shape (B, 2)
        What part of each is image, as the network sees it (resized).
    labels, ids : Tensor of int64, shape (u,)
        Of the original pixels, image after image.
    shapes : Tensor of int64, shape (B, 2)
        Original heights and widths.
    """

    images: Tensor
    sizes: Tensor
    labels: Tensor
    ids: Tensor
    shapes: Tensor


class Pictures:
    """Images as float tensors of one number of channels, standardised over the data set, resized if too large.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    longest : int, optional
        Longer sides are reduced to this; None keeps sizes.

    Raises
    ------
    InputError
        No images, or NaN in them.
    """

    def __init__(self, dataset: MaskDataset, longest: int | None = 256) -> None:
        if dataset.images is None:
            raise InputError("The data set has no images, only labels; a network needs images to look at.")
        if longest is not None and longest < 8:
            raise InputError(f"longest is {longest}; the longer side must keep 8 pixels or more.")
        self._images, self.shapes = dataset.images, dataset.sizes
        scale = np.ones(len(self.shapes)) if longest is None else longest / self.shapes.max(axis=1)
        self.sizes = np.maximum(np.rint(self.shapes * np.minimum(scale, 1.0)[:, None]), 1).astype(np.int64)
        chosen = np.unique(np.linspace(0, dataset.n_images - 1, min(dataset.n_images, 64)).astype(int))
        arrays = [self._raw(int(i)) for i in chosen]
        self.channels = max(a.shape[0] for a in arrays)
        # Each image counts alike, so that a large one does not set the scale.
        means = np.array([a.mean(dtype=np.float64) for a in arrays])
        squares = np.array([np.square(a, dtype=np.float64).mean() for a in arrays])
        self._mean = float(means.mean())
        self._std = float(np.sqrt(max(squares.mean() - self._mean**2, 1e-12)))
        bytes_needed = int(self.sizes.prod(axis=1).sum()) * self.channels * 4
        self._kept: dict[int, Tensor] | None = {} if bytes_needed <= CACHE_BYTES else None

    def __getitem__(self, image: int) -> Tensor:
        if self._kept is not None and image in self._kept:
            return self._kept[image]
        array = torch.from_numpy((self._raw(image) - self._mean) / self._std)
        if len(array) != self.channels:
            array = array[:1].expand(self.channels, -1, -1)
        size = (int(self.sizes[image, 0]), int(self.sizes[image, 1]))
        if array.shape[1:] != size:
            array = F.interpolate(
                array[None], size=size, mode="bilinear", align_corners=False, antialias=True
            )[0]
        array = array.contiguous()
        if self._kept is not None:
            self._kept[image] = array
        return array

    def batch(self, rows: NDArray[np.int64]) -> Tensor:
        """Some images, padded at their right and lower ends by their last pixels."""
        height, width = (int(v) for v in self.sizes[rows].max(axis=0))
        made = []
        for i in rows:
            x = self[int(i)]
            low, right = height - x.shape[1], width - x.shape[2]
            made.append(F.pad(x[None], (0, right, 0, low), mode="replicate")[0] if low or right else x)
        return torch.stack(made)

    def _raw(self, image: int) -> NDArray[np.float32]:
        array = np.asarray(self._images[image], dtype=np.float32)
        array = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
        if array.shape[1:] != tuple(self.shapes[image]):
            raise InputError(
                f"Image {image} is {array.shape[1:]} pixels and its mask {tuple(self.shapes[image].tolist())}."
            )
        if not np.isfinite(array).all():
            raise InputError(f"Image {image} holds NaN or infinity; repair or drop it.")
        return np.ascontiguousarray(array)


class MaskTask(Task):
    """Pixels of images; the strategies of the core choose, weigh and relabel them one by one.

    The loop keeps one byte per training pixel (whether it takes part) and a strategy four more per number that it
    keeps; ELR keeps K of them. All else is held for a batch.

    Parameters
    ----------
    dataset : MaskDataset
        With images. Its given labels are learnt.
    train, validation, test : array_like of int, optional
        Images by number. By default those of `image_splits`.
    network, network_options
        Of `labelnoise.segmentation.networks.build_network`.
    longest : int, optional
        Longer sides are reduced to this for the network; its logits are enlarged again.
    batch_size : int
        Images per batch.
    validation_labels : {"noisy", "clean"}
    pictures : Pictures, optional
        To share prepared images between tasks.

    Raises
    ------
    InputError
        No images, splits that do not fit, clean validation without true labels.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> task = MaskTask(scenes(6), batch_size=4)
    >>> task.n_units, task.n_classes, [len(b.images) for b in task.batches("train", None)]
    (20480, 5, [4, 1])
    """

    metric: ClassVar[str] = "mean IoU"

    def __init__(
        self,
        dataset: MaskDataset,
        *,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        network: str = "unet-half",
        network_options: Mapping[str, Any] | None = None,
        longest: int | None = 256,
        batch_size: int = 8,
        validation_labels: Literal["noisy", "clean"] = "noisy",
        pictures: Pictures | None = None,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; at least 1 image is needed.")
        self.dataset, self.n_classes, self.batch_size = dataset, dataset.n_classes, batch_size
        self.network, self.network_options = network, dict(network_options or {})
        self.pictures = pictures or Pictures(dataset, longest)
        named = {"train": train, "validation": validation, "test": test}
        self.rows = image_splits(dataset) if train is None else {}
        for name, value in named.items():
            if value is not None:
                self.rows[name] = np.asarray(value, dtype=np.int64).reshape(-1)
        for name, rows in self.rows.items():
            if not len(rows) or rows.min() < 0 or rows.max() >= dataset.n_images:
                raise InputError(
                    f"The {name} images are none, or beyond the last of {dataset.n_images}; name some."
                )
        parts = [dataset.given[dataset.window(int(i))] for i in self.rows["train"]]
        self.given = np.concatenate(parts)
        self.n_units = len(self.given)
        self.validation_labels = validation_labels if "validation" in self.rows else None
        if self.validation_labels == "clean" and dataset.true is None:
            raise InputError("Clean validation needs true labels, which are unknown here; take 'noisy'.")

    def build(self) -> nn.Module:
        return build_network(self.network, self.pictures.channels, self.n_classes, **self.network_options)

    def batches(self, split: Split, rng: np.random.Generator | None) -> Iterator[ImageBatch]:
        if split not in self.rows:
            raise InputError(f"There is no {split} split; name its images.")
        rows = self.rows[split]
        starts = np.concatenate([[0], np.cumsum(self.dataset.sizes[rows].prod(axis=1))])
        order = np.arange(len(rows)) if rng is None else rng.permutation(len(rows))
        for first in range(0, len(order), self.batch_size):
            chosen = order[first : first + self.batch_size]
            if rng is not None and len(chosen) == 1 and len(order) > 1:
                # Batch normalisation of a single image is poor: it is joined by another.
                chosen = np.array([chosen[0], order[0]])
            yield self._batch(split, rows[chosen], starts[chosen])

    def _batch(self, split: Split, rows: NDArray[np.int64], starts: NDArray[np.int64]) -> ImageBatch:
        clean = split == "validation" and self.validation_labels == "clean"
        flat = self.dataset.true if clean or (split == "test" and self.dataset.true is not None) else None
        labels = self.dataset.given if flat is None else flat
        windows = [self.dataset.window(int(i)) for i in rows]
        return ImageBatch(
            self.pictures.batch(rows),
            torch.from_numpy(self.pictures.sizes[rows]),
            torch.from_numpy(np.concatenate([labels[w] for w in windows]).astype(np.int64)),
            torch.cat([torch.arange(w.stop - w.start) + int(s) for w, s in zip(windows, starts)]),
            torch.from_numpy(self.dataset.sizes[rows]),
        )

    def forward(self, model: nn.Module, batch: ImageBatch) -> Units:
        return Units(self.flat(model(batch.images), batch), batch.labels, batch.ids)

    @staticmethod
    def flat(maps: Tensor, batch: ImageBatch) -> Tensor:
        """What a network says about padded images (B, K, H, W), for the original pixels (u, K)."""
        same = bool((batch.sizes == batch.shapes).all()) and bool((batch.sizes == batch.sizes[0]).all())
        if same:
            return maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1])
        made = []
        for answer, size, shape in zip(maps, batch.sizes.tolist(), batch.shapes.tolist()):
            own = answer[None, :, : size[0], : size[1]]
            if size != shape:
                own = F.interpolate(own, size=tuple(shape), mode="bilinear", align_corners=False)
            made.append(own[0].permute(1, 2, 0).reshape(-1, maps.shape[1]))
        return torch.cat(made)

    def augment(self, batch: ImageBatch, rng: np.random.Generator) -> ImageBatch:
        """Brightness, contrast and noise; nothing that moves pixels, whose state is kept by place."""
        b = len(batch.images)
        gain, shift = rng.uniform(0.85, 1.15, b), rng.uniform(-0.15, 0.15, b)
        noise = torch.from_numpy(rng.normal(0, 0.05, tuple(batch.images.shape)).astype(np.float32))
        factors = torch.from_numpy(np.stack([gain, shift]).astype(np.float32))[..., None, None, None]
        factors = factors.to(batch.images.device)
        return batch._replace(images=batch.images * factors[0] + factors[1] + noise.to(batch.images.device))

    def mixed(self, model: nn.Module, batch: ImageBatch, alpha: float, rng: np.random.Generator) -> Mixed:
        """Whole images mixed in pairs, all pixels of one in the same share; needs images of one size."""
        if not bool((batch.shapes == batch.shapes[0]).all()):
            raise InputError(
                "Images of different sizes cannot be mixed pixel by pixel; set mixup (alpha) to 0, or resize them."
            )
        b, pixels = len(batch.images), int(batch.shapes[0].prod())
        other = torch.from_numpy(rng.permutation(b)).to(batch.images.device)
        share = torch.as_tensor(rng.beta(alpha, alpha, b), dtype=batch.images.dtype).to(other.device)
        share = torch.maximum(share, 1 - share)
        weight = share[:, None, None, None]
        maps = model(weight * batch.images + (1 - weight) * batch.images[other])
        within = torch.arange(pixels, device=other.device)
        partner = (other[:, None] * pixels + within).reshape(-1)
        return Mixed(self.flat(maps, batch), partner, share.repeat_interleave(pixels))

    def score(self, outputs: Iterable[Units]) -> float:
        """Mean IoU over the classes that occur."""
        counts = ConfusionCounts(self.n_classes)
        for logits, labels, _ in outputs:
            counts.update(labels.cpu().numpy(), logits.argmax(1).cpu().numpy())
        return counts.mean_iou or 0.0


def image_splits(dataset: MaskDataset) -> dict[str, NDArray[np.int64]]:
    """Training and validation images: those of the data set's own splits, or all for training.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> {name: len(rows) for name, rows in image_splits(scenes(6)).items()}
    {'train': 5, 'test': 1}
    """
    labelled = np.array(
        [bool((dataset.given[dataset.window(i)] != NO_LABEL).any()) for i in range(dataset.n_images)]
    )
    if not labelled.any():
        raise InputError("No pixel has a label; there is nothing to learn from.")
    found: dict[str, NDArray[np.int64]] = {}
    for name, names in (("train", ("train",)), ("validation", ("val", "validation")), ("test", ("test",))):
        for key in names:
            chosen = np.asarray(dataset.splits.get(key, np.zeros(dataset.n_images, dtype=bool)))
            rows = np.flatnonzero(chosen & labelled)
            if len(rows):
                found[name] = np.asarray(rows, dtype=np.int64)
    if "train" not in found:
        found = {"train": np.flatnonzero(labelled)}
    return found
