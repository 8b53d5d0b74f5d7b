"""A small task that a network memorises: real digits, four in ten labels wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from labelnoise.core.noise_matrices import symmetric_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.training.arrays import ArrayTask


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits_task() -> Callable[..., ArrayTask]:
    """``f(rate=.4, n=500, seed=0, **options)`` makes the task; its test split has the true labels."""
    pixels, digits = load_digits(return_X_y=True)
    x = (pixels / 16).astype(np.float32)

    def make(rate: float = 0.4, n: int = 500, seed: int = 0, **options: object) -> ArrayTask:
        order = np.random.default_rng(seed).permutation(len(digits))
        known, held = order[:n], order[n : n + 500]
        given = corrupt(digits[known], symmetric_transition(10, rate), seed).labels
        options.setdefault("test", (x[held], digits[held]))
        return ArrayTask(x[known], given, n_classes=10, batch_size=100, **options)  # type: ignore[arg-type]

    return make
