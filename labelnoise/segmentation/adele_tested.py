"""ADELE with a test before it corrects: classes that are surely memorised, from when they are, and nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from labelnoise.core.training.task import Units
from labelnoise.core.validation import InputError
from labelnoise.segmentation.adele import Adele, corrected_pixels

if TYPE_CHECKING:
    from labelnoise.core.trained import Trained
    from labelnoise.core.training.loop import Run
    from labelnoise.segmentation.dataset import MaskDataset

__all__ = ["TestedAdele", "tempered", "train_tested_adele"]


@dataclass(kw_only=True)
class TestedAdele(Adele):
    """Correct the classes named, from the epochs named, always from the given labels.

    A correction is made anew from what was given in every epoch, so that an error of one epoch does not live on.
    State per pixel: ``labels`` in use, and ``since``, the epoch from which on a correction has stood (-1: none).

    Parameters
    ----------
    onsets : mapping of int to int
        Class to first epoch of correction.
    agreement : float, optional
        How often predictions of images that were not learnt agree with given labels. Probabilities are tempered until
        their mean maximum is that; None leaves them.

    Notes
    -----
    The other parameters are those of `labelnoise.segmentation.adele.Adele`; ``weight`` is 0 by default, one forward
    pass a step.
    """

    __test__ = False  # no test case, in spite of its name

    form: Any = "voc"
    weight: float = 0.0
    onsets: Mapping[int, int] = field(default_factory=dict)
    agreement: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form != "voc":
            raise InputError("Corrections are always made from the given labels here; leave form out.")
        if self.agreement is not None and not 0 < self.agreement < 1:
            raise InputError(f"agreement is {self.agreement}; it lies between 0 and 1.")

    def start(self, run: Run) -> None:
        super().start(run)
        self._since = run.units.new("since", fill=-1, dtype=torch.int16)

    def epoch_end(self, run: Run) -> Mapping[str, Any]:
        due = [int(c) for c, epoch in self.onsets.items() if run.epoch >= epoch]
        if not due:
            return {"corrected": 0, "temperature": 1.0}
        self._epoch = run.epoch
        self._temperature = self._fitted_temperature(run)
        self._correct(run, due)
        standing = int((self._since >= 0).sum())
        return {"corrected": standing, "temperature": round(self._temperature, 3)}

    def _fitted_temperature(self, run: Run) -> float:
        if self.agreement is None:
            return 1.0
        parts = []
        # Every 16th pixel is plenty for one number, and keeps memory small.
        for units in run.scan(run.members[0]):
            parts.append(units.logits[::16].float().cpu())
        return tempered(torch.cat(parts), self.agreement)

    def _correct_image(self, units: Units, classes: list[int]) -> int:
        ids = units.ids.cpu()
        probs = (units.logits / self._temperature).softmax(1).cpu().numpy()
        given = units.labels.cpu().numpy().astype(self._now[ids].numpy().dtype)
        new = corrected_pixels(given, probs, classes, background=self.background, threshold=self.limit)
        self._now[ids] = torch.from_numpy(new)
        changed = torch.from_numpy(new != given)
        since = self._since[ids]
        fresh = torch.where(since >= 0, since, torch.full_like(since, self._epoch))
        self._since[ids] = torch.where(changed, fresh, torch.full_like(since, -1))
        return int(changed.sum())


def tempered(logits: Tensor, agreement: float) -> float:
    """The temperature, 1 or more, at which the mean highest probability is ``agreement``, or as near as it gets.

    Parameters
    ----------
    logits : Tensor of shape (n, K)
    agreement : float

    Examples
    --------
    >>> z = torch.tensor([[4.0, 0.0]])
    >>> temperature = tempered(z, 0.75)
    >>> round(temperature, 2), round(float((z / temperature).softmax(1).max()), 3)
    (3.64, 0.75)
    >>> tempered(z, 0.999)
    1.0
    """

    def confidence(temperature: float) -> float:
        return float((logits / temperature).softmax(1).amax(1).mean())

    if confidence(1.0) <= agreement:
        return 1.0
    low, high = 0.0, float(np.log(1000.0))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if confidence(float(np.exp(middle))) > agreement else (low, middle)
    return float(np.exp((low + high) / 2))


def train_tested_adele(
    dataset: MaskDataset,
    seed: int,
    *,
    epochs: int = 60,
    background: int = 0,
    threshold: float = 0.8,
    margin: float = 0.2,
    longest: int | None = 256,
    parameters: Mapping[str, Any] | None = None,
    **options: Any,
) -> Trained:
    """Find out on two halves which classes are memorised and from when, then train with these corrected from then on.

    Parameters
    ----------
    dataset : MaskDataset
        With images.
    seed : int
    epochs : int
        Of the training, and of each network on half of the images.
    background : int
    threshold : float
        Least tempered probability of a correction.
    margin : float
        The threshold of `labelnoise.segmentation.onset.onsets_of`.
    longest : int, optional
    parameters : mapping, optional
        More of `TestedAdele`.
    **options
        Of `labelnoise.segmentation.train_methods.train_network`.

    Returns
    -------
    Trained
        ``info``: onset and peak per class (epochs of a network on half of the images), how far labels seen were
        ahead of labels not seen; the number of pixels corrected in the end.

    Examples
    --------
    >>> from labelnoise.segmentation.embedded import scenes
    >>> result = train_tested_adele(scenes(8, 32), 0, epochs=4)
    >>> result.method, result.info["onsets"], result.history[-1]["corrected"]
    ('adele-tested', {}, 0)
    """
    from labelnoise.segmentation.onset import memorisation_onsets
    from labelnoise.segmentation.train_methods import train_network

    task_keys = ("network", "network_options", "batch_size")
    task_options = {key: options[key] for key in task_keys if key in options}
    rest = {key: value for key, value in options.items() if key not in task_keys}
    points = max(4, min(12, epochs // 2))
    found, curves = memorisation_onsets(
        dataset,
        seed,
        threshold=margin,
        epochs=max(epochs, points),
        points=points,
        longest=longest,
        task_options=task_options,
        **rest,
    )
    names = dataset.class_names
    fired = {c: epoch for c, epoch in enumerate(found.epoch) if epoch is not None and c != background}
    agreement = None
    # A network on all images takes twice the steps in an epoch, so it gets as far in half of them.
    onsets = {c: max(1, round(min(epoch, found.peak[c]) / 2)) for c, epoch in fired.items()}
    if fired:
        at = int(np.searchsorted(curves.epochs, min(fired.values())))
        shared, labelled = curves.other[at, ..., 0].sum(), curves.other[at, ..., 2].sum()
        agreement = float(np.clip(shared / max(labelled, 1), 0.01, 0.99))
    strategy = TestedAdele(
        onsets=onsets,
        agreement=agreement,
        background=background,
        threshold=threshold,
        **dict(parameters or {}),
    )
    made = train_network(dataset, seed, strategy=strategy, epochs=epochs, longest=longest, **options)
    return replace(
        made,
        method="adele-tested",
        info={
            "onsets": {names[c]: epoch for c, epoch in fired.items()},
            "peaks": {names[c]: found.peak[c] for c in range(len(names)) if c != background},
            "ahead": {names[c]: round(float(v), 3) for c, v in enumerate(found.ahead.max(axis=0))},
            "corrected": int(made.history[-1]["corrected"]),
        },
    )
