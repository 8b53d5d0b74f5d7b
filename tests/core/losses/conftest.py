"""What every registered loss is given in the generic tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from labelnoise.core.losses import LOSSES, MULTILABEL_LOSSES, get_loss

K = 4
#: Every class is given from some other one, the diagonal leads.
T = np.array([[0.7, 0.3, 0.0, 0.0], [0.1, 0.8, 0.1, 0.0], [0.0, 0.1, 0.6, 0.3], [0.05, 0.05, 0.1, 0.8]])
#: Of tags: some are dropped often, some added.
TAGS = np.array([[[1 - a, a], [d, 1 - d]] for a, d in ((0.0, 0.4), (0.1, 0.1), (0.2, 0.0), (0.05, 0.3))])


@dataclass(frozen=True)
class Case:
    """A registered loss, and how to call it on random units."""

    name: str
    multilabel: bool

    @property
    def id(self) -> str:
        return self.name + ("-multilabel" if self.multilabel else "")

    def draw(
        self, n: int, seed: int = 0, k: int = K, dtype: torch.dtype = torch.float64
    ) -> tuple[Tensor, Tensor]:
        """Logits and labels, all labelled."""
        rng = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(n, k, generator=rng, dtype=torch.float64)
        labels = (
            torch.randint(2, (n, k), generator=rng)
            if self.multilabel
            else torch.randint(k, (n,), generator=rng)
        )
        return logits.to(dtype), labels

    def extra(self, n: int, k: int = K) -> dict[str, Any]:
        """What the loss needs beside: per loss, and one row per unit."""
        rng = torch.Generator().manual_seed(7)
        if self.name in ("forward", "backward", "importance"):
            full = T if k == K else np.eye(k)
            return {"transition": TAGS[:k] if self.multilabel else full}
        if self.name == "dynamic_bootstrap":
            return {"noise_probs": torch.rand((n, k) if self.multilabel else (n,), generator=rng)}
        if self.name == "elr":
            return {"memory": torch.softmax(torch.randn(n, k, generator=rng), dim=1) * 0.9}
        if self.name == "partial":
            return {"thresholds": 0.8}
        return {}

    def __call__(self, logits: Tensor, labels: Any, extra: dict[str, Any]) -> Tensor:
        """As training does: what differs between batches comes with the batch, the rest before."""
        if self.name in ("dynamic_bootstrap", "elr"):
            return get_loss(self.name, multilabel=self.multilabel)(logits, labels, **extra)
        return get_loss(self.name, multilabel=self.multilabel, **extra)(logits, labels)


CASES = [Case(name, False) for name in LOSSES] + [Case(name, True) for name in MULTILABEL_LOSSES]


#: Part of these is held constant on purpose: finite differences see what the gradient must not.
HELD_CONSTANT = {"importance", "soft_bootstrap", "aldr"}


@pytest.fixture(params=CASES, ids=lambda case: case.id)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[case for case in CASES if not case.multilabel], ids=lambda case: case.id)
def single(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=[case for case in CASES if case.name not in HELD_CONSTANT], ids=lambda case: case.id)
def differentiable(request: pytest.FixtureRequest) -> Case:
    return request.param  # type: ignore[no-any-return]
