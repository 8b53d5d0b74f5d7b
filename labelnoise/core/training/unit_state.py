"""State that a strategy keeps per unit: flat arrays by unit id, saved with the checkpoint, merged over processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from labelnoise.core.validation import InputError

__all__ = ["UnitState"]


class UnitState:
    """Named arrays with one entry (or one short row) per unit, O(n) in all.

    Parameters
    ----------
    n_units : int

    Examples
    --------
    >>> state = UnitState(3)
    >>> state.new("loss", fill=0.0)[[0, 2]] = torch.tensor([1.0, 3.0])
    >>> state["loss"]
    tensor([1., 0., 3.])
    """

    def __init__(self, n_units: int) -> None:
        self.n_units = n_units
        self._arrays: dict[str, Tensor] = {}
        self._before: dict[str, Tensor] = {}

    def new(
        self, name: str, *, fill: float = 0.0, width: int | None = None, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Make an array of shape (n,) or (n, width); written in place by whoever asked for it."""
        if name in self._arrays:
            raise InputError(f"The unit state {name!r} exists already; choose another name.")
        shape = (self.n_units,) if width is None else (self.n_units, width)
        self._arrays[name] = torch.full(shape, fill, dtype=dtype)
        return self._arrays[name]

    def __getitem__(self, name: str) -> Tensor:
        return self._arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays

    def state_dict(self) -> dict[str, Tensor]:
        """The arrays, for a checkpoint."""
        return dict(self._arrays)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over a checkpoint's arrays, in place, since strategies hold references."""
        if set(state) != set(self._arrays):
            raise InputError(
                f"The checkpoint holds unit states {sorted(state)} but {sorted(self._arrays)} are needed; "
                "it is of another strategy."
            )
        for name, values in state.items():
            self._arrays[name].copy_(values)

    def open_epoch(self) -> None:
        """Remember what the arrays were, so that `merge` can tell what this process changed."""
        self._before = {name: values.clone() for name, values in self._arrays.items()}

    def merge(self, accelerator: Any) -> None:
        """Bring the processes' arrays together: per entry the mean of the changed values, the old if none changed.

        Each unit is in the batches of one process per epoch, so the mean is over one value, except for the few
        units that fill up the last batch.
        """
        for name, values in self._arrays.items():
            before = self._before[name]
            changed = values != before
            sums = accelerator.reduce(
                torch.where(changed, values, 0).double().to(accelerator.device), reduction="sum"
            )
            counts = accelerator.reduce(changed.double().to(accelerator.device), reduction="sum")
            merged = (sums / counts.clamp(min=1)).cpu()
            values.copy_(torch.where(counts.cpu() > 0, merged.to(values.dtype), before))
