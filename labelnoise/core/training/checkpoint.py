"""Saving a run whole or not at all, and refusing to go on from another run's checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from labelnoise.core.files import replacing
from labelnoise.core.validation import InputError

__all__ = ["CHECKPOINT", "load_checkpoint", "save_checkpoint", "save_tensors"]

#: Name of the checkpoint within a run's folder.
CHECKPOINT = "checkpoint.pt"
_FORMAT = 1


def save_checkpoint(folder: Path, state: dict[str, Any], fingerprint: dict[str, Any]) -> None:
    """Replace the folder's checkpoint; a kill leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"format": _FORMAT, "fingerprint": json.dumps(fingerprint, sort_keys=True), **state}
    with replacing(folder / CHECKPOINT) as temporary:
        save_tensors(record, temporary)


def save_tensors(content: Any, path: Path) -> None:
    """``torch.save`` that tells of a full disk by the system's error.

    Raises
    ------
    OSError
        What the system says; torch hides it behind one of its own, and given a path it does not keep it at all.
    """
    try:
        with open(path, "wb") as file:
            torch.save(content, file)
    except RuntimeError as error:
        cause = error.__context__
        if isinstance(cause, OSError):
            raise cause from None
        raise


def load_checkpoint(folder: Path, fingerprint: dict[str, Any]) -> dict[str, Any] | None:
    """The folder's checkpoint, None if there is none.

    Raises
    ------
    InputError
        The file cannot be read, or is of a run with other settings; the message names the first that differs.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return None
    try:
        record: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        found = json.loads(record["fingerprint"])
        version = record["format"]
    except Exception as error:
        raise InputError(
            f"{path} cannot be read as a checkpoint of this package ({type(error).__name__}); "
            "delete it to start over, or choose another folder."
        ) from error
    if version != _FORMAT:
        raise InputError(f"{path} has format {version}, this version reads {_FORMAT}; start in a new folder.")
    wanted = json.loads(json.dumps(fingerprint))
    for key in sorted(set(found) | set(wanted)):
        if found.get(key) != wanted.get(key):
            raise InputError(
                f"{path} is of another run: {key} was {_short(found.get(key))}, now it is {_short(wanted.get(key))}. "
                "Choose another folder, or delete the checkpoint to start over."
            )
    return record


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
