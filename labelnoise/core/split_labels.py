"""Which items train, choose the model and test, and the labels that each of these parts shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.validation import NO_LABEL, InputError, choose

__all__ = ["SPLITS", "checked_splits", "labels_of_splits"]

#: Names of the parts.
SPLITS = ("train", "validation", "test")


def checked_splits(splits: Mapping[str, ArrayLike], n_items: int, item: str) -> dict[str, NDArray[np.bool_]]:
    """Masks by name, of the right shape and without overlap.

    Parameters
    ----------
    splits : mapping of str to array_like of bool, shape (n_items,)
    n_items : int
    item : str
        What a message calls one of them.

    Raises
    ------
    InputError
        Another name or shape, items in two splits, no "train".

    Examples
    --------
    >>> checked_splits({"train": [True, False], "test": [True, True]}, 2, "clip")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The split 'test' shares 1 clip(s) with another; each clip goes to one split.
    """
    found: dict[str, NDArray[np.bool_]] = {}
    taken = np.zeros(n_items, dtype=bool)
    for name, mask in splits.items():
        choose(name, SPLITS, "split")
        array = np.asarray(mask)
        if array.dtype != bool or array.shape != (n_items,):
            raise InputError(
                f"The split {name!r} is {array.dtype} of shape {array.shape}; "
                f"{n_items} booleans, one per {item}, are needed."
            )
        if (taken & array).any():
            raise InputError(
                f"The split {name!r} shares {int((taken & array).sum())} {item}(s) with another; "
                f"each {item} goes to one split."
            )
        taken |= array
        found[name] = array
    if "train" not in found:
        raise InputError(f"splits names {', '.join(found) or 'none'}; 'train' is needed.")
    return found


def labels_of_splits(
    dataset: Dataset, units: Mapping[str, NDArray[np.bool_]], validation_labels: str, item: str
) -> dict[str, NDArray[np.int64]]:
    """For each split the labels of its units, -1 elsewhere; test labels are the true ones where these are known.

    Parameters
    ----------
    dataset : Dataset
    units : dict of str to ndarray of bool, shape (n,)
        Masks over units.
    validation_labels : {"noisy", "clean"}
        "clean" reads true labels to choose the model, which real noisy data does not have.
    item : str
        What a message calls an item.

    Raises
    ------
    InputError
        No training label, clean validation without known true labels.

    Examples
    --------
    >>> data = Dataset(name="mine", given=np.array([0, 1, 1]), true=np.array([0, 1, 0]), class_names=("a", "b"))
    >>> masks = {"train": np.array([True, True, False]), "test": np.array([False, False, True])}
    >>> {name: labels.tolist() for name, labels in labels_of_splits(data, masks, "noisy", "unit").items()}
    {'train': [0, 1, -1], 'test': [-1, -1, 0]}
    """
    choose(validation_labels, ("noisy", "clean"), "kind of validation labels")
    source = dict.fromkeys(SPLITS, dataset.given)
    if dataset.true is not None:
        source["test"] = dataset.true
    if validation_labels == "clean":
        if dataset.true is None:
            raise InputError("Clean validation needs the true labels, which are unknown here; use 'noisy'.")
        source["validation"] = dataset.true
    found = {name: np.where(mask, source[name], NO_LABEL).astype(np.int64) for name, mask in units.items()}
    if not (found["train"] >= 0).any():
        raise InputError(f"No training {item} carries a label; widen the training split or give labels.")
    return found
