"""Training on masks whose objects are drawn too large in one image and too small in the next.

Pixels near an outline are labelled both ways, so their class probabilities have a plateau and the most probable
class is a matter of luck; the mean signed distance to the outline has none. The network therefore learns where the
foreground ends (a regression) and of which class it would be (a classification on foreground alone), while each image
and class has an offset of its own that takes up how far its outlines are displaced.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional as F

from labelnoise.core.progress import track
from labelnoise.core.random import generator, seed_sequence
from labelnoise.core.training.member import move_average
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.mask_task import Pictures
from labelnoise.segmentation.networks import build_network

__all__ = ["DistanceConfig", "DistanceModel", "fit_distance", "signed_distance"]

#: Lengths are in parts of 128, the size at which the constants were chosen.
_SIDE = 128.0
_CLIP = 30.0
_STEPS = 127


@dataclass(frozen=True, kw_only=True)
class DistanceConfig:
    """Settings of `fit_distance`; lengths in pixels of an image of 128 x 128.

    Attributes
    ----------
    epochs, batch_size, lr
        Of AdamW, the rate falling linearly over the last 30 %; weights are averaged with decay ``ema``.
    network, network_options
        Of `labelnoise.segmentation.networks.build_network`.
    reach : float
        Distances beyond this count as this.
    weight : float
        Of the regression beside the classification.
    warmup, every : int
        First epoch in which offsets are estimated, and how often from then on. 0 epochs of warm-up are refused. What
        the network has learnt of an image's displacement by then stays in it, and the offset stays short by as much:
        of lungs moved by 8 pixels a tenth after 25 epochs, a twenty-fifth or less after 10.
    precision : {"no", "bf16"}
        "bf16" runs the network in bfloat16 where it may, about a third faster on CPUs that have it.
    offsets : bool
        Whether images have offsets at all.
    centre : {"mean", "midpoint"}
        What is taken for zero: the mean offset of a class; or, where offsets fall into two separate groups, the
        point half-way between, which assumes that outlines are as much too wide as too narrow.
    least : float
        Offsets of a class that vary less than this are taken for zero.
    """

    epochs: int = 160
    batch_size: int = 8
    lr: float = 2e-3
    ema: float = 0.97
    network: str = "unet-half"
    network_options: dict[str, Any] = field(default_factory=dict)
    precision: str = "no"
    reach: float = 14.0
    weight: float = 4.0
    warmup: int = 10
    every: int = 5
    offsets: bool = True
    centre: str = "midpoint"
    least: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "warmup", "every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; at least 1 is needed.")
        if not (self.reach > 0 and self.weight > 0 and self.lr > 0 and 0 < self.ema < 1 and self.least >= 0):
            raise InputError("reach, weight and lr must be above 0, ema between 0 and 1, least 0 or more.")
        if self.precision not in ("no", "bf16"):
            raise InputError(f"precision is {self.precision!r}; it is 'no' or 'bf16'.")
        if self.centre not in ("mean", "midpoint"):
            raise InputError(f"centre is {self.centre!r}; it is 'mean' or 'midpoint'.")


@dataclass(frozen=True, kw_only=True)
class DistanceModel:
    """A trained network with the offsets of the images that it has seen.

    Attributes
    ----------
    model : nn.Module
        One output for the distance in units of the reach, then one per foreground class.
    config : DistanceConfig
    background : int
    foreground : tuple of int
        Classes of the further outputs.
    offsets : dict
        Image number to offsets per foreground class, in pixels of the prepared image.
    history : tuple of dict
    class_weights : ndarray of float64, shape (len(foreground),)
        Of the classification's loss: `answer` gives the probabilities under which classes are as frequent as these
        weights make them.
    """

    model: nn.Module
    config: DistanceConfig
    background: int
    foreground: tuple[int, ...]
    offsets: dict[int, NDArray[np.float64]]
    history: tuple[dict[str, Any], ...]
    class_weights: NDArray[np.float64]

    @torch.no_grad()
    def answer(self, pictures: Pictures, image: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distance in prepared pixels (h, w) and class probabilities (h, w, classes), at the prepared size."""
        self.model.eval()
        out = self.model(pictures[image][None])[0].double()
        distance = out[0].numpy() * self.config.reach * unit_of(pictures.sizes[image])
        classes = out[1:].softmax(0) if len(out) > 1 else torch.ones_like(out[:1])
        return distance, classes.permute(1, 2, 0).numpy()


def unit_of(size: Sequence[int] | NDArray[np.int64]) -> float:
    """Prepared pixels per pixel of a 128 x 128 image of the same extent."""
    return math.sqrt(float(size[0]) * float(size[1])) / _SIDE


def signed_distance(foreground: NDArray[np.bool_], clip: float) -> NDArray[np.float64]:
    """Distance of pixel centres to the outline, positive inside, at most ``clip``; half a pixel next to it.

    Examples
    --------
    >>> signed_distance(np.array([[False, True, True, True]]), 9.0).tolist()
    [[-0.5, 0.5, 1.5, 2.5]]
    """
    mask = np.asarray(foreground, dtype=bool)
    if mask.all() or not mask.any():
        return np.full(mask.shape, clip if mask.any() else -clip)
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    found: NDArray[np.float64] = np.where(mask, inside - 0.5, 0.5 - outside)
    return np.clip(found, -clip, clip)


def resized_mask(dataset: MaskDataset, pictures: Pictures, image: int) -> NDArray[Any]:
    """The given class map at the prepared size, by the nearest pixel."""
    mask = dataset.mask(image)
    height, width = (int(v) for v in pictures.sizes[image])
    if mask.shape == (height, width):
        return mask
    rows = ((np.arange(height) + 0.5) * mask.shape[0] / height).astype(int)
    cols = ((np.arange(width) + 0.5) * mask.shape[1] / width).astype(int)
    return mask[np.ix_(rows, cols)]


def fit_distance(
    dataset: MaskDataset,
    pictures: Pictures,
    rows: NDArray[np.int64],
    seed: int,
    *,
    background: int,
    config: DistanceConfig | None = None,
) -> DistanceModel:
    """Learn the signed distance to the foreground and the class within, with an offset per image and class.

    Parameters
    ----------
    dataset : MaskDataset
    pictures : Pictures
    rows : ndarray of int
        Training images.
    seed : int
    background : int
        The class that the others are told from.
    config : DistanceConfig, optional

    Raises
    ------
    InputError
        No labelled foreground among these images, or training that diverges.

    Notes
    -----
    ``weight * mean (o_0 - clip(S_i - D_i, reach) / reach)^2 + CE(o_1.., y | y foreground)``, S the distance to the
    given outline and ``D_i = offset[i, class predicted here]``, smoothed. Offsets are medians of S - F near both
    outlines, F the averaged network's distance, less their centre over images. Beside the prepared images two bytes
    per pixel are kept: the distance in steps of a quarter of a pixel, and the class predicted.

    References
    ----------
    This project. Squares and not absolute differences, since of outlines displaced either way by the same amount
    the mean is the true one, while any value in between is a median.
    """
    run = _Fit(
        dataset, pictures, np.asarray(rows, dtype=np.int64), seed, background, config or DistanceConfig()
    )
    return run.result()


class _Fit:
    def __init__(
        self,
        dataset: MaskDataset,
        pictures: Pictures,
        rows: NDArray[np.int64],
        seed: int,
        background: int,
        config: DistanceConfig,
    ) -> None:
        self.dataset, self.pictures, self.rows, self.seed, self.config = dataset, pictures, rows, seed, config
        self.background = background
        self.masks = [resized_mask(dataset, pictures, int(i)) for i in rows]
        self.units = np.array([unit_of(mask.shape) for mask in self.masks])
        counts = np.zeros(dataset.n_classes, dtype=np.int64)
        self.steps: list[NDArray[np.int8]] = []
        for mask, unit in zip(self.masks, self.units):
            counts += np.bincount(mask[mask >= 0], minlength=dataset.n_classes)
            clip = _CLIP * unit
            front = (mask >= 0) & (mask != background)
            self.steps.append(np.rint(signed_distance(front, clip) / clip * _STEPS).astype(np.int8))
        self.foreground = tuple(int(c) for c in np.flatnonzero(counts) if c != background)
        if not self.foreground:
            raise InputError(
                "No training image has a labelled foreground pixel; there is no outline to learn."
            )
        self.of_class = np.full(dataset.n_classes + 1, -1)  # the last entry is that of -1
        self.of_class[list(self.foreground)] = np.arange(len(self.foreground))
        shares = counts[list(self.foreground)] ** -0.5
        self.class_weights = torch.from_numpy((shares / shares.mean()).astype(np.float32))
        outputs = 1 + (len(self.foreground) if len(self.foreground) > 1 else 0)
        torch.manual_seed(_number(seed, "weights"))
        self.model = build_network(config.network, pictures.channels, outputs, **config.network_options)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.steps_done = 0
        self.offsets = np.zeros((len(rows), len(self.foreground)))
        self.regions: list[NDArray[np.int8] | None] = [None] * len(rows)

    def result(self) -> DistanceModel:
        config = self.config
        history: list[dict[str, Any]] = []
        with torch.random.fork_rng():
            optimizer = torch.optim.AdamW(self.model.parameters(), lr=config.lr, weight_decay=0)
            for epoch in track(range(config.epochs), "training (signed distance)", total=config.epochs):
                torch.manual_seed(_number(self.seed, "epoch", epoch))
                left = (config.epochs - epoch) / max(0.3 * config.epochs, 1)
                for group in optimizer.param_groups:
                    group["lr"] = config.lr * min(1.0, left)
                history.append({"epoch": epoch, "loss": self._epoch(epoch, optimizer)})
                due = epoch + 1 - config.warmup
                if config.offsets and due >= 0 and due % config.every == 0:
                    history[-1]["offset_spread"] = self._update_offsets()
        return DistanceModel(
            model=self.average.eval(),
            config=config,
            background=self.background,
            foreground=self.foreground,
            offsets={int(i): row for i, row in zip(self.rows, self.offsets)},
            history=tuple(history),
            class_weights=self.class_weights.double().numpy(),
        )

    def _epoch(self, epoch: int, optimizer: torch.optim.Optimizer) -> float:
        rng = generator(self.seed, "signed distance", "batches", epoch)
        order = rng.permutation(len(self.rows))
        self.model.train()
        losses = []
        for first in range(0, len(order), self.config.batch_size):
            chosen = order[first : first + self.config.batch_size]
            if len(chosen) == 1 and len(order) > 1:
                chosen = np.array([chosen[0], order[0]])
            loss = self._loss(chosen, rng)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            # Early on an average over all steps would still be the first weights.
            self.steps_done += 1
            done = self.steps_done
            move_average(self.average, self.model, min(self.config.ema, done / (done + 9)))
            losses.append(float(loss.detach()))
        if not math.isfinite(sum(losses)):
            raise InputError(f"Training diverged in epoch {epoch}; lower the learning rate.")
        return float(np.mean(losses))

    def _loss(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
        images = self.pictures.batch(self.rows[chosen])
        targets = torch.zeros(len(chosen), 3, *images.shape[2:])
        for b, i in enumerate(chosen):
            mask, reach = self.masks[i], self.config.reach * self.units[i]
            h, w = mask.shape
            distance = self.steps[i] * (_CLIP * self.units[i] / _STEPS) - self._field(int(i))
            targets[b, 0, :h, :w] = torch.from_numpy(np.clip(distance / reach, -1, 1))
            # Shifted by one, so that the zeros that a transformed image is filled up with mean "not known".
            targets[b, 1, :h, :w] = torch.from_numpy(self.of_class[mask] + 1.0)
            targets[b, 2, :h, :w] = torch.from_numpy((mask >= 0).astype(np.float32))
        images, targets = _moved(images, targets, rng)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.config.precision == "bf16"):
            out = self.model(images)
        out = out.float()
        known = targets[:, 2] > 0.5
        loss = self.config.weight * (out[:, 0] - targets[:, 0])[known].square().mean()
        classes = targets[:, 1].round().long() - 1
        if out.shape[1] > 1 and bool((classes >= 0).any()):
            loss = loss + F.cross_entropy(out[:, 1:], classes, weight=self.class_weights, ignore_index=-1)
        return loss

    def _field(self, i: int) -> NDArray[np.float64] | float:
        region = self.regions[i]
        if region is None or not self.offsets[i].any():
            return 0.0
        smooth: NDArray[np.float64] = ndimage.gaussian_filter(self.offsets[i][region], 2 * self.units[i])
        return smooth

    def _update_offsets(self) -> list[float]:
        now = DistanceModel(
            model=self.average,
            config=self.config,
            background=self.background,
            foreground=self.foreground,
            offsets={},
            history=(),
            class_weights=self.class_weights.double().numpy(),
        )
        found = np.full(self.offsets.shape, np.nan)
        for i, image in enumerate(self.rows):
            distance, classes = now.answer(self.pictures, int(image))
            region = classes.argmax(axis=2).astype(np.int8 if len(self.foreground) < 128 else np.int16)
            self.regions[i] = region
            given = self.steps[i] * (_CLIP * self.units[i] / _STEPS)
            found[i] = image_offsets(
                given, distance, region, self.masks[i] >= 0, found.shape[1], self.units[i]
            )
        found -= centres(found, self.units, self.config.centre)
        found = np.nan_to_num(found)
        self.offsets = 0.3 * self.offsets + 0.7 * found
        spread = self.offsets.std(axis=0)
        self.offsets[:, spread < self.config.least * self.units.mean()] = 0.0
        return [round(float(value), 3) for value in spread]


def image_offsets(
    given: NDArray[np.float64],
    distance: NDArray[np.float64],
    region: NDArray[Any],
    known: NDArray[np.bool_],
    n_classes: int,
    unit: float,
) -> NDArray[np.float64]:
    """How far the outlines of each class lie outside of those predicted, NaN where too few pixels tell."""
    near = known & (np.abs(given) < 28 * unit) & (np.abs(distance) < 10 * unit)
    found = np.full(n_classes, np.nan)
    for c in range(n_classes):
        values = (given - distance)[near & (region == c)]
        if len(values) >= max(60 * unit**2, 8):
            found[c] = np.median(values)
    return found


def centres(
    offsets: NDArray[np.float64], units: NDArray[np.float64], how: str = "mean"
) -> NDArray[np.float64]:
    """What counts as no displacement of each class, over images; 0 for a class that no image tells of.

    Examples
    --------
    >>> centres(np.array([[5.0], [5.2], [4.8], [-3.0], [-3.2]]), np.ones(5), "midpoint").round(2)
    array([0.95])
    >>> centres(np.array([[5.0], [5.2], [4.8], [-3.0], [-3.2]]), np.ones(5)).round(2)
    array([1.76])
    """
    made = np.zeros(offsets.shape[1])
    for c, column in enumerate(offsets.T):
        values = np.sort(column[np.isfinite(column)])
        if not len(values):
            continue
        made[c] = values.mean()
        if how == "midpoint" and len(values) >= 4:
            # Two groups on a line: the cut with the least squares within.
            cuts = [
                float(values[:k].var() * k + values[k:].var() * (len(values) - k))
                for k in range(1, len(values))
            ]
            k = 1 + int(np.argmin(cuts))
            low, high = values[:k].mean(), values[k:].mean()
            within = max(math.sqrt(min(cuts) / len(values)), 1e-9)
            share = min(k, len(values) - k) / len(values)
            if (high - low) / within > 4 and share > 0.15 and high - low > 3 * units.mean():
                made[c] = (high + low) / 2
    return made


def _moved(images: Tensor, targets: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Shifted, scaled and turned a little, with other brightness and noise; never mirrored (organs have sides)."""
    b, height, width = len(images), int(images.shape[2]), int(images.shape[3])
    turn, scale = rng.uniform(-0.12, 0.12, b), rng.uniform(0.88, 1.12, b)
    shift = rng.uniform(-0.16, 0.16, (b, 2))  # in half sides, so 8 % of the side
    cos, sin, aspect = np.cos(turn) / scale, np.sin(turn) / scale, height / width
    theta = np.stack([cos, -sin * aspect, shift[:, 0], sin / aspect, cos, shift[:, 1]], axis=1)
    grid = F.affine_grid(
        torch.from_numpy(theta.reshape(b, 2, 3).astype(np.float32)), list(images.shape), align_corners=False
    )
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    smooth = F.grid_sample(targets[:, :1], grid, padding_mode="border", align_corners=False)
    hard = F.grid_sample(targets[:, 1:], grid, mode="nearest", padding_mode="zeros", align_corners=False)
    scales = torch.from_numpy(scale.astype(np.float32))[:, None, None, None]
    smooth = (smooth * scales).clamp(-1, 1)
    gain = torch.from_numpy(rng.uniform(0.85, 1.15, (b, 1, 1, 1)).astype(np.float32))
    level = torch.from_numpy(rng.uniform(-0.15, 0.15, (b, 1, 1, 1)).astype(np.float32))
    images = images * gain + level + 0.05 * torch.randn_like(images)
    return images, torch.cat([smooth, hard], dim=1)


def _number(seed: int, *purpose: object) -> int:
    return int(seed_sequence(seed, "signed distance", *purpose).generate_state(1, np.uint64)[0] >> 1)
