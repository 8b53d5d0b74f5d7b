"""ADELE: labels of a class are replaced by confident predictions once its training IoU has levelled off."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Units
from labelnoise.core.validation import NO_LABEL, InputError, choose
from labelnoise.segmentation.evaluation import ConfusionCounts

if TYPE_CHECKING:
    from labelnoise.core.trained import Trained
    from labelnoise.core.training.loop import Run
    from labelnoise.segmentation.dataset import MaskDataset

__all__ = ["Adele", "corrected_image", "corrected_pixels", "fit_curve", "onset_of", "train_adele"]


def fit_curve(iou: Sequence[float] | NDArray[np.float64]) -> tuple[float, float, float]:
    """Fit ``g(x) = a (1 - exp(-x^b / c))`` to a curve of one point per epoch, late points weighing most.

    Parameters
    ----------
    iou : sequence of float
        In [0, 1], at least one.

    Returns
    -------
    a, b, c : float
        0 <= a, b <= 1, c >= 0.

    References
    ----------
    Liu et al. 2022, Adaptive early-learning correction for segmentation from noisy annotations, CVPR, equation 1;
    weights as in the authors' code: standard deviations from 1 to 0.1, geometrically.

    Examples
    --------
    >>> x = np.linspace(0, 30, 30)
    >>> [round(v, 2) for v in fit_curve(0.8 * (1 - np.exp(-x / 5)))]
    [0.8, 1.0, 5.0]
    """
    from scipy.optimize import curve_fit

    y = np.asarray(iou, dtype=np.float64)
    if y.ndim != 1 or not len(y) or not np.isfinite(y).all():
        raise InputError(
            f"A curve of shape {y.shape}, or with NaN, cannot be fitted; give one IoU per epoch."
        )
    x = np.linspace(0, len(y), len(y))
    bounds = ([0, 0, 0], [1, 1, np.inf])
    found, _ = curve_fit(
        _curve,
        x,
        y,
        p0=(1, 1, 1),
        method="trf",
        sigma=np.geomspace(1, 0.1, len(y)),
        absolute_sigma=True,
        bounds=bounds,
        maxfev=10_000,
    )
    return float(found[0]), float(found[1]), float(found[2])


def onset_of(
    iou: Sequence[float] | NDArray[np.float64], *, ratio: float = 0.9, jump: float = 0.1
) -> int | None:
    """After how many epochs the fitted slope has lost ``ratio`` of its first value; None while it has not.

    A flat start is left out of the fit: all before the first rise of ``jump``.

    References
    ----------
    Liu et al. 2022, equation 3. A curve that never rises by ``jump``, of which their code fits the last point alone,
    has no onset here.

    Examples
    --------
    >>> x = np.arange(60)
    >>> onset_of(0.9 * (1 - np.exp(-x / 5))), onset_of(0.002 * x), onset_of([0.0] * 20)
    (13, None, None)
    """
    y = np.asarray(iou, dtype=np.float64)
    rises = np.flatnonzero(np.diff(y) >= jump)
    if not len(rises):
        return None
    start = int(rises[0])
    a, b, c = fit_curve(y[start:])
    epochs = np.arange(1, len(y) - start) + 1e-6
    if not len(epochs) or a <= 0 or b <= 0 or c <= 0:
        return None
    slope = a * b / c * np.exp(-(epochs**b) / c) * epochs ** (b - 1)
    if not slope[0] > 0:
        return None
    lost = np.abs(slope - slope[0]) / slope[0]
    lost[lost > 1] = 0.0
    onset = int(np.count_nonzero(lost <= ratio)) + 1
    return start + onset if start + onset < len(y) else None


def _curve(x: NDArray[np.float64], a: float, b: float, c: float) -> NDArray[np.float64]:
    return a * (1 - np.exp(-(x**b) / max(c, 1e-12)))


def corrected_image(
    labels: NDArray[Any],
    probs: NDArray[Any],
    classes: Iterable[int],
    *,
    background: int = 0,
    threshold: float = 0.7,
    background_threshold: float = 0.7,
) -> NDArray[Any]:
    """Labels of one image after a correction as on SegTHOR.

    A pixel gets the most probable class iff a foreground class exceeds ``threshold`` or the background its own, its
    label and the new one are of ``classes`` or background, and the new one occurs in the image or is background. An
    image that shows none of ``classes`` stays.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        Present labels, -1 stays.
    probs : ndarray of float, shape (n, K)
    classes : iterable of int
        Those that are being corrected.

    Examples
    --------
    >>> probs = np.array([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.0, 0.1, 0.9]])
    >>> corrected_image(np.array([0, 1, 0, 1]), probs, [1]).tolist()
    [1, 0, 0, 1]
    """
    chosen = set(classes)
    present = {int(c) for c in np.unique(labels[labels >= 0])}
    if not (chosen - {background}) & present:
        return labels
    table = np.zeros(probs.shape[1] + 1, dtype=bool)
    table[[*chosen, background]] = True
    new = probs.argmax(axis=1)
    allowed = table.copy()
    allowed[[c for c in range(probs.shape[1]) if c not in present and c != background]] = False
    others = np.delete(probs, background, axis=1)
    sure = (others.max(axis=1) > threshold) | (probs[:, background] > background_threshold)
    use = sure & table[labels] & (labels >= 0) & allowed[new]
    return np.where(use, new, labels).astype(labels.dtype)


def corrected_pixels(
    labels: NDArray[Any],
    probs: NDArray[Any],
    classes: Iterable[int],
    *,
    background: int = 0,
    threshold: float = 0.8,
) -> NDArray[Any]:
    """Labels of one image after a correction as on VOC, from its original labels.

    A pixel gets the most probable class iff that exceeds ``threshold``, is of ``classes`` or background, and occurs
    in the image (any may, where the image is all background). Should that take half of the foreground and leave more
    than 95 % background, the image stays.

    Examples
    --------
    >>> probs = np.array([[0.1, 0.9, 0.0], [0.9, 0.1, 0.0], [0.4, 0.6, 0.0], [0.0, 0.1, 0.9]])
    >>> corrected_pixels(np.array([0, 1, 0, 1]), probs, [1]).tolist()
    [1, 0, 0, 1]
    """
    known = labels >= 0
    present = {int(c) for c in np.unique(labels[known])}
    free = not present - {background}
    table = np.zeros(probs.shape[1], dtype=bool)
    table[[c for c in {*classes, background} if free or c in present or c == background]] = True
    new = probs.argmax(axis=1)
    use = known & (probs.max(axis=1) > threshold) & table[new]
    made = np.where(use, new, labels).astype(labels.dtype)
    before = np.count_nonzero(known & (labels != background))
    after = np.count_nonzero(known & (made != background))
    empty = np.count_nonzero(made[known] == background) > 0.95 * np.count_nonzero(known)
    return labels if after < 0.5 * before and empty else made


@dataclass(kw_only=True)
class Adele(Strategy):
    """Correct each class from its own onset on, and ask for the same answer at three scales.

    Parameters
    ----------
    form : {"segthor", "voc"}
        "segthor": corrections are kept and corrected further, every ``every`` epochs. "voc": they are made anew
        from the given labels in every epoch.
    ratio : float
        Share of its first slope that a training curve must have lost.
    threshold : float, optional
        Least probability of a correction; 0.7 ("segthor") or 0.8 ("voc") by default.
    every : int
        Epochs between corrections, "segthor" only.
    scales : list of float
        Of the images, 1 being their own size.
    weight : float
        Of the consistency; 0 trains at the first scale alone.
    least : float
        Only pixels whose mean prediction reaches this take part in the consistency. (The authors' code compares
        the image's highest probability, so that nearly all do.)
    background : int

    References
    ----------
    Liu et al. 2022, CVPR, equations 1 to 5, and the authors' code for both forms of the correction; logits are
    divided by the number of scales before the cross-entropy, as there. Predictions for the correction are made in
    evaluation mode after the epoch.

    Examples
    --------
    >>> Adele(form="voc").limit
    0.8
    """

    form: Literal["segthor", "voc"] = "segthor"
    ratio: float = 0.9
    threshold: float | None = None
    every: int = 10
    scales: tuple[float, ...] = (1.0, 0.7, 1.5)
    weight: float = 1.0
    least: float = 0.8
    background: int = 0

    def __post_init__(self) -> None:
        choose(self.form, ("segthor", "voc"), "form")
        for name in ("ratio", "least"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it lies between 0 and 1.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise InputError(f"threshold is {self.threshold}; it lies between 0 and 1.")
        if self.every < 1 or self.weight < 0 or not self.scales or min(self.scales) <= 0:
            raise InputError("every must be 1 or more, weight 0 or more, and scales above 0.")

    @property
    def limit(self) -> float:
        """The least probability of a correction in use."""
        if self.threshold is not None:
            return self.threshold
        return 0.7 if self.form == "segthor" else 0.8

    def start(self, run: Run) -> None:
        k = run.task.n_classes
        if not hasattr(run.task, "flat"):
            raise InputError("ADELE works on images; give a task of masks.")
        if not 0 <= self.background < k:
            raise InputError(f"background is {self.background}; classes are 0 to {k - 1}.")
        dtype = torch.int8 if k <= 127 else torch.int16
        self._now = run.units.new("labels", dtype=dtype)
        self._now.copy_(torch.from_numpy(np.asarray(run.task.given).astype(np.int64)))
        self._curves: list[list[float]] = [[] for _ in range(k)]
        self._onsets: dict[int, int] = {}

    def epoch_start(self, run: Run) -> None:
        self._counts = ConfusionCounts(run.task.n_classes)

    def step(self, run: Run, batch: Any) -> None:
        member, task = run.members[0], run.task
        scales = self.scales if self.weight else self.scales[:1]
        outputs: list[Tensor] = []
        for scale in scales:
            images = batch.images
            size = tuple(images.shape[-2:])
            if scale != 1:
                smaller = tuple(max(1, round(side * scale)) for side in size)
                images = F.interpolate(images, size=smaller, mode="bilinear", align_corners=True)
            with run.accelerator.autocast():
                maps = member.model(images).float()
            if maps.shape[-2:] != size:
                maps = F.interpolate(maps, size=size, mode="bilinear", align_corners=True)
            outputs.append(task.flat(maps, batch))  # type: ignore[attr-defined]
        taking_part = run.active[batch.ids.cpu()].to(batch.labels.device)
        given = torch.where(taking_part, batch.labels, NO_LABEL)
        now = self._now[batch.ids.cpu()].long().to(given.device)
        target = torch.where(given >= 0, now, NO_LABEL)
        self._counts.update(given.cpu().numpy(), outputs[0].argmax(1).detach().cpu().numpy())
        if not bool((target >= 0).any()):
            return
        share = 1 / len(outputs)
        fit = sum(F.cross_entropy(share * z, target, ignore_index=NO_LABEL) for z in outputs)
        member.update((fit + self.weight * consistency(outputs, self.least)) * share)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        iou = self._counts.iou
        for c, curve in enumerate(self._curves):
            curve.append(float(np.nan_to_num(iou[c])))
            if c != self.background and c not in self._onsets and len(curve) > 2:
                onset = onset_of(curve, ratio=self.ratio)
                if onset is not None and run.epoch >= onset:
                    self._onsets[c] = run.epoch
        due = [c for c, e in self._onsets.items() if self.form == "voc" or (run.epoch - e) % self.every == 0]
        changed = self._correct(run, due) if due else 0
        return {"training_iou": [round(curve[-1], 4) for curve in self._curves], "corrected": changed}

    def _correct(self, run: Run, classes: list[int]) -> int:
        changed = 0
        rows = run.task.rows["train"]  # type: ignore[attr-defined]
        sizes = iter(run.task.dataset.sizes[rows].prod(axis=1).tolist())  # type: ignore[attr-defined]
        for units in run.scan(run.members[0]):
            done = 0
            while done < len(units.ids):
                part = slice(done, done + next(sizes))
                done = part.stop
                changed += self._correct_image(Units(*(column[part] for column in units)), classes)
        return changed

    def _correct_image(self, units: Units, classes: list[int]) -> int:
        ids = units.ids.cpu()
        probs = units.logits.softmax(1).cpu().numpy()
        old = self._now[ids].numpy()
        if self.form == "voc":
            given = units.labels.cpu().numpy().astype(old.dtype)
            new = corrected_pixels(given, probs, classes, background=self.background, threshold=self.limit)
        else:
            new = corrected_image(
                old,
                probs,
                classes,
                background=self.background,
                threshold=self.limit,
                background_threshold=self.limit,
            )
        self._now[ids] = torch.from_numpy(new)
        return int(np.count_nonzero(new != old))

    def state_dict(self) -> dict[str, Any]:
        return {"curves": self._curves, "onsets": {str(c): e for c, e in self._onsets.items()}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._curves = [list(curve) for curve in state["curves"]]
        self._onsets = {int(c): int(e) for c, e in state["onsets"].items()}


def consistency(outputs: Sequence[Tensor], least: float = 0.8) -> Tensor:
    """Sum over scales of KL(p_k | q), q their mean, over pixels where q is sure; mean over all pixels.

    Examples
    --------
    >>> z = torch.tensor([[4.0, 0.0]])
    >>> float(consistency([z, z])), round(float(consistency([z, 0.5 * z], least=0.5)), 4)
    (0.0, 0.0445)
    """
    if len(outputs) < 2:
        return torch.zeros((), device=outputs[0].device)
    probs = [z.softmax(1) for z in outputs]
    q = torch.stack(probs).mean(0).clamp(1e-3, 1 - 1e-3)
    sure = q.amax(1) >= least
    each = [(p * (p.clamp_min(1e-12).log() - q.log())).sum(1).clamp_min(0) for p in probs]
    return (torch.stack(each).sum(0) * sure).mean()


def train_adele(
    dataset: MaskDataset,
    seed: int,
    *,
    form: Literal["segthor", "voc"] = "segthor",
    epochs: int = 60,
    background: int = 0,
    **options: Any,
) -> Trained:
    """ADELE on masks, every class corrected from its own onset.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    form, background
        Of `Adele`.
    epochs : int
    **options
        Of `Adele`, or else of `labelnoise.segmentation.train_methods.train_network`.

    Returns
    -------
    Trained
        Each epoch of the history with the training IoU per class and the number of labels changed.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_adele(scenes(4, 32), 0, epochs=2)
    >>> result.history[-1]["corrected"], len(result.history[-1]["training_iou"])
    (0, 5)
    """
    from labelnoise.segmentation.train_methods import train_network

    options = {"form": form, "background": background, "epochs": epochs, **options}
    own = {key: options.pop(key) for key in list(options) if key in Adele.__dataclass_fields__}
    if "scales" in own:
        own["scales"] = tuple(own["scales"])
    made = train_network(dataset, seed, strategy=Adele(**own), **options)
    final = [value for value in made.history[-1].get("training_iou", []) if math.isfinite(value)]
    return replace(made, method="adele", info={"training_iou": final})
