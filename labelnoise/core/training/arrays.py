"""Training on plain arrays: one feature vector per unit, a small network or any that takes vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from labelnoise.core.training.task import Mixed, Split, Task, Units
from labelnoise.core.validation import InputError, as_labels, as_multilabel, check_same_length

__all__ = ["ArrayTask", "perceptron"]

Pair = tuple[ArrayLike, ArrayLike]


def perceptron(n_features: int, n_classes: int, *, hidden: int = 256) -> nn.Module:
    """A network with one hidden layer.

    Examples
    --------
    >>> perceptron(4, 3, hidden=8)(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """
    return nn.Sequential(nn.Linear(n_features, hidden), nn.ReLU(), nn.Linear(hidden, n_classes))


class ArrayTask(Task):
    """Units with a feature vector each.

    Parameters
    ----------
    features : array_like of float, shape (n, ...)
    labels : array_like of int, shape (n,), or (n, K) in {0, 1, -1}
        -1 for "no label". A matrix makes the task multi-label.
    n_classes : int, optional
        By default the largest label + 1.
    validation, test : pair of arrays, optional
        Features and labels of the other splits.
    validation_labels : {"noisy", "clean"}
        What the labels of ``validation`` are; clean ones are said so in every result that they selected.
    network : callable, optional
        ``f() -> nn.Module``; a `perceptron` by default.
    batch_size : int
    augment : callable, optional
        ``f(features tensor, generator) -> features tensor``, another view.

    Raises
    ------
    InputError
        Lengths that differ, NaN in the features, labels that are not class ids.

    Examples
    --------
    >>> task = ArrayTask(np.zeros((5, 3)), [0, 1, 2, -1, 0], batch_size=2)
    >>> task.n_units, task.n_classes, [len(batch[1]) for batch in task.batches("train", None)]
    (5, 3, [2, 2, 1])
    """

    def __init__(
        self,
        features: ArrayLike,
        labels: ArrayLike,
        *,
        n_classes: int | None = None,
        validation: Pair | None = None,
        test: Pair | None = None,
        validation_labels: Literal["noisy", "clean"] = "noisy",
        network: Callable[[], nn.Module] | None = None,
        batch_size: int = 128,
        augment: Callable[[Tensor, np.random.Generator], Tensor] | None = None,
    ) -> None:
        self.multilabel = np.ndim(labels) == 2
        self._splits: dict[str, tuple[Tensor, Tensor]] = {}
        given: NDArray[Any] = self._add("train", (features, labels), n_classes)
        if not len(given):
            raise InputError("features has no rows; training needs at least one unit.")
        known = max(int(given.max(initial=0)) + 1, n_classes or 0)
        self.n_classes = given.shape[1] if self.multilabel else known
        for name, pair in (("validation", validation), ("test", test)):
            if pair is not None:
                self._add(name, pair, self.n_classes)
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; at least 1 is needed.")
        self.given, self.n_units, self._size = given, len(given), batch_size
        self.validation_labels = None if validation is None else validation_labels
        width = int(np.prod(self._splits["train"][0].shape[1:]))
        self._network = network or (lambda: perceptron(width, self.n_classes))
        self._augment = augment

    def build(self) -> nn.Module:
        return self._network()

    def batches(self, split: Split, rng: np.random.Generator | None) -> Iterator[Any]:
        if split not in self._splits:
            raise InputError(f"There is no {split} split; pass {split}=(features, labels).")
        x, y = self._splits[split]
        order = torch.arange(len(y)) if rng is None else torch.from_numpy(rng.permutation(len(y)))
        for ids in order.split(self._size):
            yield x[ids], y[ids], ids

    def forward(self, model: nn.Module, batch: Any) -> Units:
        x, y, ids = batch
        return Units(model(x), y, ids)

    def augment(self, batch: Any, rng: np.random.Generator) -> Any:
        if self._augment is None:
            return batch
        return (self._augment(batch[0], rng), *batch[1:])

    def mixed(self, model: nn.Module, batch: Any, alpha: float, rng: np.random.Generator) -> Mixed:
        x = batch[0]
        partner = torch.from_numpy(rng.permutation(len(x))).to(x.device)
        share = torch.as_tensor(rng.beta(alpha, alpha, len(x)), dtype=x.dtype, device=x.device)
        share = torch.maximum(share, 1 - share)
        weight = share.reshape(-1, *[1] * (x.ndim - 1))
        return Mixed(model(weight * x + (1 - weight) * x[partner]), partner, share)

    def _add(self, name: str, pair: Pair, n_classes: int | None) -> NDArray[Any]:
        features, labels = pair
        x = np.asarray(features)
        if not np.issubdtype(x.dtype, np.number) or x.ndim < 2:
            raise InputError(
                f"The {name} features have shape {x.shape} and type {x.dtype}; (units, ...) numbers go."
            )
        if not np.isfinite(x).all():
            raise InputError(f"The {name} features hold NaN or infinity; drop or fill these units first.")
        y = as_multilabel(labels) if self.multilabel else as_labels(labels, n_classes=n_classes)
        check_same_length(features=x, labels=y)
        ids = torch.from_numpy(y.astype(np.int64))
        self._splits[name] = (torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)), ids)
        return y.astype(np.int64)
