"""The one training loop: a modality's task on one side, a strategy on the other, checkpoints in between."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labelnoise.core.files import check_folder
from labelnoise.core.progress import track
from labelnoise.core.random import generator, seed_sequence
from labelnoise.core.training import get_strategy
from labelnoise.core.training.checkpoint import load_checkpoint, save_checkpoint
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.member import Member
from labelnoise.core.training.result import TrainResult, combine, outputs_of
from labelnoise.core.training.strategy import Strategy
from labelnoise.core.training.task import Split, Task, Units, unit_losses
from labelnoise.core.training.unit_state import UnitState
from labelnoise.core.validation import NO_LABEL, InputError

__all__ = ["Run", "train"]

Callback = Callable[["Run"], Mapping[str, Any] | None]


class Run:
    """A training run, as strategies and callbacks see it.

    Attributes
    ----------
    task : Task
    config : TrainConfig
    strategy : Strategy
    members : list of Member
    units : UnitState
        State per training unit.
    active : Tensor of bool, shape (n_units,)
        Units that take part; the labels of the others are hidden from the strategy. All at first.
    epoch, batch : int
        The present ones, from 0; the batch is -1 between epochs.
    history : list of dict
    """

    def __init__(self, task: Task, strategy: Strategy, config: TrainConfig) -> None:
        self.task, self.strategy, self.config = task, strategy, config
        self.accelerator = _accelerator(config)
        self.members = [
            Member(self._fresh(index), config, self.accelerator) for index in range(strategy.n_models)
        ]
        self.units = UnitState(task.n_units)
        self.active = self.units.new("active", fill=1, dtype=torch.bool)
        self.epoch, self.batch = 0, -1
        self.history: list[dict[str, Any]] = []

    def forward(self, member: Member, batch: Any) -> Units:
        """Logits of a training batch; the labels of units that do not take part are -1."""
        with self.accelerator.autocast():
            logits, labels, ids = self.task.forward(member.model, batch)
        taking_part = self.active[ids.cpu()].to(labels.device)
        if labels.ndim == 2:
            taking_part = taking_part[:, None]
        return Units(logits.float(), torch.where(taking_part, labels, NO_LABEL), ids)

    def scan(self, member: Member, split: Split = "train") -> Iterator[Units]:
        """Outputs of a network over a split in a fixed order, without dropout and gradients, all labels shown."""
        model = member.judged
        was_training = model.training
        model.eval()
        try:
            for batch in self._mine(self.task.batches(split, None), lockstep=False):
                # The context is left before the consumer runs, which may want gradients.
                with torch.no_grad(), self.accelerator.autocast():
                    logits, labels, ids = self.task.forward(model, batch)
                yield Units(logits.float(), labels, ids)
        finally:
            model.train(was_training)

    def per_unit(
        self,
        member: Member,
        function: Callable[[Units], Tensor] | None = None,
        *,
        width: int | None = None,
    ) -> Tensor:
        """One number (or row) per training unit from a scan: the cross-entropy, or what the function returns."""
        found = torch.zeros(self.task.n_units if width is None else (self.task.n_units, width))
        seen = torch.zeros(self.task.n_units)
        measure = function or (lambda units: unit_losses(units.logits, units.labels))
        for units in self.scan(member):
            ids = units.ids.cpu()
            found[ids] = measure(units).float().cpu()
            seen[ids] = 1
        if self.accelerator.num_processes > 1:
            device = self.accelerator.device
            found = self.accelerator.reduce(found.to(device), reduction="sum").cpu()
            seen = self.accelerator.reduce(seen.to(device), reduction="sum").cpu()
            found /= seen.clamp(min=1).reshape(-1, *[1] * (found.ndim - 1))
        return found

    def rng(self, *purpose: object) -> np.random.Generator:
        """A generator for one purpose in this step; the same in every process and after a resume."""
        return generator(self.config.seed, "training", *purpose, self.epoch, self.batch)

    def restart(self, index: int, *, purpose: object = "restart") -> None:
        """Give a member a fresh network and optimiser."""
        self.members[index].install(self._fresh(index, purpose, self.epoch))

    def _fresh(self, *which: object) -> nn.Module:
        torch.manual_seed(_number(self.config.seed, "weights", *which))
        return self.task.build()

    def _mine(self, batches: Iterable[Any], *, lockstep: bool) -> Iterator[Any]:
        """This process's share of the batches, on its device.

        While training every process must take as many steps as the others: the first batches fill the last round.
        """
        from accelerate.utils import send_to_device

        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        if world == 1:
            mine: Iterable[Any] = batches
        elif not lockstep:
            mine = itertools.islice(batches, rank, None, world)
        else:
            everything = list(batches)
            filled = everything + [everything[i % len(everything)] for i in range(-len(everything) % world)]
            mine = filled[rank::world]
        for batch in mine:
            yield send_to_device(batch, self.accelerator.device)

    def train_epoch(self) -> dict[str, Any]:
        """One pass over the training split."""
        torch.manual_seed(_number(self.config.seed, "epoch", self.epoch, self.accelerator.process_index))
        lr = self.config.lr * self.strategy.factor(self)
        self.strategy.epoch_start(self)
        for member in self.members:
            member.set_lr(lr)
            member.model.train()
        if self.accelerator.num_processes > 1:
            self.units.open_epoch()
        rng = generator(self.config.seed, "batches", self.epoch)
        for position, batch in enumerate(self._mine(self.task.batches("train", rng), lockstep=True)):
            self.batch = position
            self.strategy.step(self, batch)
        self.batch = -1
        if self.accelerator.num_processes > 1:
            self.units.merge(self.accelerator)
        record = {"epoch": self.epoch, "lr": lr}
        record.update(self.strategy.epoch_end(self))
        for member in self.members:
            if not all(bool(torch.isfinite(p).all()) for p in member.bare.parameters()):
                raise InputError(
                    f"Training diverged in epoch {self.epoch}: the weights are no longer finite. "
                    "Lower the learning rate, or set clip."
                )
        return record

    def combined(self, split: Split) -> Iterator[Units]:
        """Outputs of all networks together: logarithms of the mean probabilities."""
        scans = [self.whole(member, split) for member in self.members]
        for outputs in zip(*scans, strict=True):
            yield Units(combine([units.logits for units in outputs], self.task.multilabel), *outputs[0][1:])

    def whole(self, member: Member, split: Split) -> Iterator[Units]:
        """Outputs of a network over the whole split, on the CPU, in every process alike."""
        yield from outputs_of(self.task, member.judged, split, self.accelerator.device)

    def state_dict(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "members": [member.state_dict() for member in self.members],
            "units": self.units.state_dict(),
            "strategy": self.strategy.state_dict(),
            "history": json.dumps(self.history),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch = state["epoch"]
        for member, saved in zip(self.members, state["members"], strict=True):
            member.load_state_dict(saved)
        self.units.load_state_dict(state["units"])
        self.strategy.load_state_dict(state["strategy"])
        self.history = json.loads(state["history"])


def train(
    task: Task,
    strategy: str | Strategy = "plain",
    config: TrainConfig | None = None,
    *,
    callbacks: Sequence[Callback] = (),
    **options: Any,
) -> TrainResult:
    """Train a network on labels that may be wrong.

    Parameters
    ----------
    task : Task
    strategy : str or Strategy
        A name of `labelnoise.core.training.STRATEGIES`, or one made by hand.
    config : TrainConfig, optional
    callbacks : sequence of callable
        Called with the `Run` after each epoch; what they return joins the history.
    **options
        Of the strategy, when it is given by name.

    Returns
    -------
    TrainResult

    Raises
    ------
    InputError
        Options that do not fit the task, a checkpoint of another run, training that diverges.

    Notes
    -----
    With ``config.folder`` set, a run that was interrupted goes on where it stopped and ends in the same weights as
    one that was not: every random draw is a function of (seed, purpose, epoch). Torch's own generator is put back as
    it was.

    Examples
    --------
    >>> import numpy as np
    >>> from labelnoise.core.training.arrays import ArrayTask
    >>> x = np.random.default_rng(0).normal(size=(200, 2))
    >>> result = train(ArrayTask(x, (x[:, 0] > 0).astype(int)), "plain", TrainConfig(epochs=10, lr=0.01))
    >>> result.epoch, result.selected_by
    (9, 'last epoch')
    """
    config = config or TrainConfig()
    chosen = get_strategy(strategy, **options) if isinstance(strategy, str) else copy.deepcopy(strategy)
    if not isinstance(strategy, str) and options:
        raise InputError("Options are for a strategy given by name; set them on the strategy itself.")
    if not (np.asarray(task.given) != NO_LABEL).any():
        raise InputError("No training unit has a label; there is nothing to learn from.")
    by_validation = _by_validation(task, config)
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    fingerprint = {
        **config.fingerprint(),
        "strategy": name,
        "options": chosen.options(),
        "n_units": task.n_units,
        "n_classes": task.n_classes,
        "labels": hashlib.blake2b(np.ascontiguousarray(task.given).tobytes(), digest_size=16).hexdigest(),
    }
    folder = None if config.folder is None else check_folder(Path(config.folder), what="folder")
    with torch.random.fork_rng():
        run = Run(task, chosen, config)
        chosen.start(run)
        keeper = _Keeper(by_validation, config)
        saved = None if folder is None else load_checkpoint(folder, fingerprint)
        first, done = 0, False
        if saved is not None:
            run.load_state_dict(saved)
            keeper.load_state_dict(saved["kept"])
            first, done = run.epoch + 1, bool(saved["done"])
        epochs = range(first, config.epochs) if not done else range(0)
        for epoch in track(epochs, f"training ({name})", total=len(epochs)):
            run.epoch = epoch
            started = time.perf_counter()
            record = run.train_epoch()
            if task.validation_labels is not None:
                record["validation"] = float(task.score(run.combined("validation")))
            for callback in callbacks:
                record.update(callback(run) or {})
            record["seconds"] = round(time.perf_counter() - started, 4)
            run.history.append(record)
            done = keeper.judge(run, record) or chosen.finished(run) or epoch == config.epochs - 1
            if folder is not None and (done or (epoch + 1) % config.checkpoint_every == 0):
                if run.accelerator.is_main_process:
                    kept = {"kept": keeper.state_dict(), "done": done}
                    save_checkpoint(folder, {**run.state_dict(), **kept}, fingerprint)
                run.accelerator.wait_for_everyone()
            if done:
                break
        models = keeper.models(run)
    return TrainResult(
        models=models,
        history=tuple(run.history),
        epoch=keeper.epoch if by_validation else run.epoch,
        selected_by=f"{task.validation_labels} validation {task.metric}" if by_validation else "last epoch",
        strategy=name,
        units=run.units.state_dict(),
    )


class _Keeper:
    """Remembers the weights of the best epoch, and when to stop waiting for a better one."""

    def __init__(self, by_validation: bool, config: TrainConfig) -> None:
        self._by_validation, self._patience = by_validation, config.patience
        self.epoch, self._score = -1, -np.inf
        self._weights: list[dict[str, Any]] = []

    def judge(self, run: Run, record: Mapping[str, Any]) -> bool:
        """Keep this epoch if it is the best so far; True if patience is at its end."""
        if not self._by_validation:
            return False
        score = record["validation"]
        if self.epoch < 0 or score > self._score:
            self.epoch, self._score = run.epoch, score
            self._weights = [
                {key: value.detach().cpu().clone() for key, value in member.judged.state_dict().items()}
                for member in run.members
            ]
        return self._patience is not None and run.epoch - self.epoch >= self._patience

    def models(self, run: Run) -> tuple[nn.Module, ...]:
        models = [copy.deepcopy(member.judged).cpu().eval() for member in run.members]
        for model, weights in zip(models, self._weights, strict=False):
            model.load_state_dict(weights)
        return tuple(models)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "score": float(self._score), "weights": self._weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self._score, self._weights = state["epoch"], state["score"], state["weights"]


def _by_validation(task: Task, config: TrainConfig) -> bool:
    has = task.validation_labels is not None
    if config.select == "validation" and not has:
        raise InputError(
            "select is 'validation' but the task has no validation split; give one, or use 'last'."
        )
    if config.patience is not None and (config.select == "last" or not has):
        raise InputError("patience needs a validation split to be patient about; give one, or leave it out.")
    return has and config.select != "last"


def _accelerator(config: TrainConfig) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise InputError(
            "Training needs accelerate, which is not installed. Run: pip install 'labelnoise[torch]'"
        ) from error
    # One process may train with several settings in turn; accelerate keeps the first until told otherwise.
    AcceleratorState._reset_state()
    return Accelerator(cpu=config.device == "cpu", mixed_precision=config.precision)


def _number(seed: int, *purpose: object) -> int:
    return int(seed_sequence(seed, *purpose).generate_state(1, np.uint64)[0] >> 1)
