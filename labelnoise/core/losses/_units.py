"""What a loss sees: logits with their labels, checked once, units without a label taken out of the arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, softplus

from labelnoise.core.validation import NO_LABEL, InputError

__all__ = ["Cells", "Units", "cells", "given", "log_softmax", "numbers_per_class", "units"]


@dataclass(frozen=True)
class Units:
    """Single-label units. Rows without a label hold zeros, so that nothing in them can reach an output.

    Every loss ``l(z, y)`` of a class extends to a distribution over classes as its expectation
    ``sum_k t_k l(z, k)``; the methods below do so where `soft` is set.
    """

    logits: Tensor  # (n, K) float32 or float64
    labels: Tensor | None  # (n,) int64, 0 where masked; None for soft targets
    soft: Tensor | None  # (n, K)
    masked: Tensor | None  # (n,) bool; None if every unit has a label

    @property
    def n_classes(self) -> int:
        return int(self.logits.shape[1])

    @cached_property
    def log_probs(self) -> Tensor:
        return log_softmax(self.logits)

    @cached_property
    def log_right(self) -> Tensor:
        """``log p[given]``, (n,), or of every class (n, K) for soft targets."""
        if self.soft is not None:
            return self.log_probs
        if "log_probs" in self.__dict__ or not _narrow(self.logits):
            return self.pick(self.log_probs)
        # One class of each unit is enough: the matrix of all is not formed.
        below = self.logits - self.logits.detach().amax(dim=1, keepdim=True)
        return self.pick(below) - below.exp().sum(dim=1).log()

    def pick(self, per_class: Tensor) -> Tensor:
        """The entry of the given class, (n, K) to (n,)."""
        if self.soft is not None:
            return (self.soft * per_class).sum(dim=1)
        return per_class.gather(1, self.labels[:, None])[:, 0]  # type: ignore[index]

    def expect(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        """``of(log p[given])``, (n,)."""
        return self.weigh(of(self.log_right))

    def by_class(self, numbers: Tensor) -> Tensor:
        """Numbers per class (K,), in the shape of the argument that `expect` passes."""
        return numbers[self.labels] if self.soft is None else numbers

    def average(self, numbers: Tensor) -> Tensor:
        """Numbers per class (K,), averaged over the classes that a unit is given, (n,)."""
        return numbers[self.labels] if self.soft is None else (self.soft * numbers).sum(dim=1)

    def rows(self, matrix: Tensor) -> Tensor:
        """The rows of a (K, K) matrix that belong to the given classes; meets `spread` elementwise."""
        return matrix[self.labels] if self.soft is None else matrix[None]

    def spread(self, per_class: Tensor) -> Tensor:
        """(n, K) as it is, or (n, 1, K) where every class may be given: then ``rows`` makes it (n, K, K)."""
        return per_class if self.soft is None else per_class[:, None, :]

    def weigh(self, values: Tensor) -> Tensor:
        """What was computed on `spread` and `rows`, (n,) or (n, K), averaged over the given classes, (n,)."""
        return values if self.soft is None else (self.soft * values).sum(dim=1)

    def ce_to_own_guess(self) -> Tensor:
        """Cross-entropy to the most probable class."""
        return -self.log_probs.amax(dim=1)

    def ce_to_own_probs(self, *, through_target: bool) -> Tensor:
        """Cross-entropy to the predicted distribution, whose value is the entropy."""
        log_probs = self.log_probs
        target = log_probs.exp()
        return -((target if through_target else target.detach()) * log_probs).sum(dim=1)

    def ce_to_all(self) -> Tensor:
        """The cross-entropies to all classes, summed."""
        return -self.log_probs.sum(dim=1)

    def close(self, values: Tensor) -> Tensor:
        """Set the units without a label to 0."""
        return values if self.masked is None else values.masked_fill(self.masked, 0)

    def fill(self, values: Tensor, filler: float = 0.0) -> Tensor:
        """Numbers per unit from outside, those of units without a label replaced (they may be NaN)."""
        return values if self.masked is None else values.masked_fill(self.masked, filler)


@dataclass(frozen=True)
class Cells:
    """Multi-label cells: each is a choice of two classes, 0 and 1, with log-odds ``logits``."""

    logits: Tensor  # (n, K) float32 or float64, 0 where masked
    targets: Tensor  # (n, K) in [0, 1], the dtype of logits, 0 where masked
    hard: bool  # targets are 0 or 1
    masked: Tensor | None

    #: 0 and 1
    n_classes = 2

    @cached_property
    def log_one(self) -> Tensor:
        return logsigmoid(self.logits)

    @cached_property
    def log_zero(self) -> Tensor:
        return logsigmoid(-self.logits)

    @cached_property
    def log_right(self) -> Tensor:
        """``log p[given]``; of soft targets its mean."""
        return -binary_cross_entropy_with_logits(self.logits, self.targets, reduction="none")

    def expect(self, of: Callable[[Tensor], Tensor]) -> Tensor:
        """``of(log p[given])``, (n, K)."""
        if self.hard:
            return of(self.log_right)
        return self.choose(of(self.log_one), of(self.log_zero))

    def by_class(self, numbers: Tensor) -> Tensor:
        return numbers

    def average(self, numbers: Tensor) -> Tensor:
        return numbers

    def choose(self, if_one: Tensor, if_zero: Tensor) -> Tensor:
        """The first where 1 is given, the second where 0 is."""
        if self.hard:
            return torch.where(self.targets > 0, if_one, if_zero)
        return self.targets * if_one + (1 - self.targets) * if_zero

    def ce_to_own_guess(self) -> Tensor:
        return -logsigmoid(self.logits.abs())

    def ce_to_own_probs(self, *, through_target: bool) -> Tensor:
        one, zero = self.log_one.exp(), self.log_zero.exp()
        if not through_target:
            one, zero = one.detach(), zero.detach()
        return -(one * self.log_one + zero * self.log_zero)

    def ce_to_all(self) -> Tensor:
        # -log p(1) - log p(0), with one exponential; its slope at 0 is 0, which is also what abs has there.
        size = self.logits.abs()
        return size + 2 * softplus(-size)

    def close(self, values: Tensor) -> Tensor:
        return values if self.masked is None else values.masked_fill(self.masked, 0)

    def fill(self, values: Tensor, filler: float = 0.0) -> Tensor:
        return values if self.masked is None else values.masked_fill(self.masked, filler)


def log_softmax(scores: Tensor) -> Tensor:
    """Log-softmax over the last axis."""
    if not _narrow(scores):
        return torch.log_softmax(scores, dim=-1)
    below = scores - scores.detach().amax(dim=-1, keepdim=True)
    return below - below.exp().sum(dim=-1, keepdim=True).log()


def _narrow(scores: Tensor) -> bool:
    # PyTorch's log_softmax has no vector code for short rows on the CPU: 24 ms against 5 for 100 000 x 10.
    return scores.shape[-1] < 16 and scores.device.type == "cpu"


def given(logits: Any, labels: Any, multilabel: bool = False) -> Units | Cells:
    """`units` or `cells`."""
    return cells(logits, labels) if multilabel else units(logits, labels)


def units(logits: Any, labels: Any) -> Units:
    """Check logits (n, K) with class ids (n,) or class distributions (n, K); -1 means "no label"."""
    scores = _logits(logits)
    n, k = scores.shape
    values = torch.as_tensor(labels, device=scores.device)
    if values.ndim == 1:
        ids, masked = _class_ids(values, n, k)
        return Units(_blank(scores, masked), ids, None, masked)
    if values.shape != scores.shape:
        raise InputError(
            f"labels has shape {tuple(values.shape)} for logits of shape {(n, k)}; "
            f"give class ids of shape ({n},) or class distributions of shape {(n, k)}."
        )
    soft, masked = _distributions(values.to(scores.dtype))
    return Units(_blank(scores, masked), None, soft, masked)


def cells(logits: Any, targets: Any) -> Cells:
    """Check logits (n, K) with targets (n, K), each 0, 1, something between, or -1 for "no label"."""
    scores = _logits(logits)
    values = torch.as_tensor(targets, device=scores.device)
    if values.shape != scores.shape:
        raise InputError(
            f"targets has shape {tuple(values.shape)} for logits of shape {tuple(scores.shape)}; "
            "a multi-label loss needs one target per unit and class. For class ids use multilabel=False."
        )
    values = values.to(scores.dtype)
    unlabelled = values == NO_LABEL
    masked = unlabelled if bool(unlabelled.any()) else None
    values = values if masked is None else values.masked_fill(masked, 0)
    if values.numel():
        low, high = (float(v) for v in values.aminmax())
        if not (low >= 0 and high <= 1):
            raise InputError(
                f"targets has values from {low:.3g} to {high:.3g}; multi-label targets are 0, 1, "
                "between them, or -1 for 'no label'."
            )
    hard = bool(((values == 0) | (values == 1)).all())
    return Cells(_blank(scores, masked), values, hard, masked)


def numbers_per_class(numbers: Any, like: Tensor, name: str) -> Tensor:
    """One number for all classes, or one per class, as a tensor of shape (K,)."""
    values = torch.as_tensor(numbers, dtype=like.dtype, device=like.device)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != like.shape[1]):
        raise InputError(
            f"{name} has shape {tuple(values.shape)}; give one number, or one per class ({like.shape[1]})."
        )
    return values.expand(like.shape[1])


def _logits(logits: Any) -> Tensor:
    if not isinstance(logits, Tensor) or not logits.is_floating_point():
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise InputError(
            f"logits is {kind}; pass a torch tensor of floats, the model's output before softmax."
        )
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise InputError(
            f"logits has shape {tuple(logits.shape)}; flatten the units first: (units, classes) is needed, "
            "with at least one class."
        )
    # Half precision holds neither log(1e-5) nor a sum over many classes well; a loss is a few numbers per unit.
    return logits if logits.dtype in (torch.float32, torch.float64) else logits.float()


def _class_ids(values: Tensor, n: int, k: int) -> tuple[Tensor, Tensor | None]:
    if len(values) != n:
        raise InputError(f"Lengths differ: logits {n}, labels {len(values)}; give one label per unit.")
    if values.is_floating_point():
        raise InputError(
            "labels is a vector of floats; class ids are whole numbers. "
            f"For soft labels give class distributions of shape {(n, k)}."
        )
    if n == 0:
        return values.long(), None
    ids = values.long()
    low, high = (int(v) for v in ids.aminmax())
    if low < NO_LABEL or high >= k:
        wrong = low if low < NO_LABEL else high
        raise InputError(
            f"labels holds {wrong} but there are {k} classes (ids 0 to {k - 1}, -1 for 'no label'). "
            "Translate other sentinels (such as -100) to -1 first."
        )
    if low == NO_LABEL:
        return ids.clamp(min=0), ids == NO_LABEL
    return ids, None


def _distributions(values: Tensor) -> tuple[Tensor, Tensor | None]:
    if len(values) == 0:
        return values, None
    unlabelled = (values == NO_LABEL).all(dim=1)
    masked = unlabelled if bool(unlabelled.any()) else None
    values = values if masked is None else values.masked_fill(masked[:, None], 0)
    sums = values.detach().sum(dim=1)
    off = (sums - 1).abs() if masked is None else (sums - 1).abs().masked_fill(masked, 0)
    low, worst = float(values.detach().min()), int(off.argmax())
    # `not <=` also refuses NaN
    if not low >= 0 or not float(off[worst]) <= 1e-2:
        raise InputError(
            f"labels as class distributions: row {worst} sums to {float(sums[worst]):.4g} and the lowest entry is "
            f"{low:.3g}; rows must be >= 0 and sum to 1, or be all -1 for 'no label'. "
            "For independent tags use multilabel=True."
        )
    return values, masked


def _blank(scores: Tensor, masked: Tensor | None) -> Tensor:
    # Before the arithmetic, not after it: 0 * NaN would come back as the gradient of a blanked result.
    if masked is None:
        return scores
    return scores.masked_fill(masked if masked.ndim == 2 else masked[:, None], 0)
