"""Fine-tuning of any Hugging Face token classifier, under any of the core's strategies against wrong labels."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose
from labelnoise.text.dataset import TextDataset
from labelnoise.text.splits import sentence_splits
from labelnoise.text.viterbi import best_tags

__all__ = ["train_fine_tuned"]


def train_fine_tuned(
    dataset: TextDataset,
    seed: int = 0,
    *,
    model: str,
    strategy: str = "plain",
    parameters: Mapping[str, Any] | None = None,
    epochs: int = 3,
    lr: float = 5e-5,
    batch_size: int = 16,
    longest: int = 256,
    freeze_embeddings: bool = False,
    fitted_head: bool = True,
    weight_decay: float = 0.01,
    schedule: Literal["constant", "cosine", "linear"] = "linear",
    clip: float | None = 1.0,
    select: Literal["auto", "validation", "last"] = "auto",
    patience: int | None = None,
    device: Literal["auto", "cpu"] = "auto",
    folder: str | None = None,
) -> Trained:
    """All weights of an encoder and a new head, trained on the given tags.

    Parameters
    ----------
    dataset : TextDataset
        Its split "train" is learnt from, or four of five sentences; "val" chooses the epoch where it has tags.
    seed : int
    model : str
        A folder (or hub's name) with a Hugging Face model as safetensors and its fast tokenizer.
    strategy : str
        Of `labelnoise.core.training.STRATEGIES`.
    parameters : mapping, optional
        Of the strategy. Its warm-up and ramp, if it has any, are a quarter of the epochs unless they are given.
    epochs, lr, weight_decay, schedule, clip, select, patience, device, folder
        Of `labelnoise.core.training.config.TrainConfig`, with AdamW.
    batch_size, longest, freeze_embeddings, fitted_head
        Of `labelnoise.text.token_task.TokenTask`.

    Returns
    -------
    Trained
        ``probs`` of every tag for every token; ``predicted`` is the best sequence that is valid BIO.

    Raises
    ------
    InputError
        A model that cannot be loaded, an unknown strategy or option of it, no tag to train on.

    Notes
    -----
    The loss of a token is taken at its first piece, as in Devlin et al. 2019, BERT, NAACL, section 5.3.
    """
    from labelnoise.core.training import STRATEGIES, get_strategy
    from labelnoise.core.training.config import TrainConfig
    from labelnoise.core.training.loop import train
    from labelnoise.core.training.result import predict

    started = time.process_time()
    choose(strategy, STRATEGIES, "strategy")
    asked = dict(parameters or {})
    known = get_strategy(strategy).options()
    usual: dict[str, Any] = {name: max(epochs // 4, 1) for name in ("warmup", "ramp") if name in known}
    made = get_strategy(strategy, **{**usual, **asked})
    config = TrainConfig(
        seed=seed,
        epochs=epochs,
        lr=lr,
        optimizer="adamw",
        weight_decay=weight_decay,
        schedule=schedule,
        clip=clip,
        select=select,
        patience=patience,
        device=device,
        folder=folder,
    )
    try:
        from labelnoise.text.token_task import TokenTask
    except ImportError as error:
        raise InputError(f"fine-tune needs {error.name}. Run: pip install 'labelnoise[text]'.") from error
    masks = sentence_splits(dataset, seed)
    names = {"train": "train", "val": "validation"}
    task = TokenTask(
        dataset,
        {names[name]: mask for name, mask in masks.items() if name in names},
        model,
        batch_size=batch_size,
        longest=longest,
        freeze_embeddings=freeze_embeddings,
        own_pieces=True,
        fitted_head=fitted_head,
    )
    result = train(task, made, config)
    units = predict(result, task, "all")  # type: ignore[arg-type]
    probs = np.empty((dataset.n_units, dataset.n_classes))
    probs[units.ids.numpy()] = units.logits.double().softmax(1).numpy()
    return Trained(
        method="fine-tune" if strategy == "plain" else f"fine-tune+{strategy}",
        predicted=best_tags(probs, dataset.starts),
        probs=probs,
        history=result.history,
        selected_by=result.selected_by,
        chosen=result.epoch,
        info={
            "split_seed": seed,
            "trained_on": int((task.given >= 0).sum()),
            "model": model,
            "strategy": strategy,
            "parameters": made.options(),
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )
