"""Predictions and their accuracy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.dataset import Dataset
from labelnoise.core.trained import Trained, save_predictions
from labelnoise.core.validation import InputError


def made(n: int = 3) -> Trained:
    probs = np.full((n, 2), 0.25)
    probs[:, 1] = 0.75
    return Trained(
        method="m",
        predicted=probs.argmax(axis=1),
        probs=probs,
        history=(),
        selected_by="last epoch",
        chosen=0,
    )


def test_accuracy_counts_labelled_units_under_the_mask() -> None:
    assert made().accuracy([1, 0, -1]) == 0.5
    assert made().accuracy([1, 0, -1], [True, False, True]) == 1.0
    for labels, mask in (([1, 0], None), ([1, 0, 1], [1, 0, 1]), ([-1, -1, -1], None)):
        with pytest.raises(InputError):
            made().accuracy(labels, mask)
    with pytest.raises(InputError, match="one per unit"):
        Trained(
            method="m",
            predicted=np.zeros(2, int),
            probs=np.ones((3, 2)),
            history=(),
            selected_by="",
            chosen=0,
        )


def test_unlabelled_units_are_predicted_and_names_are_kept(tmp_path: Path) -> None:
    data = Dataset(name="d", given=np.array([0, -1, 1]), class_names=("a,b", 'c"d'))
    save_predictions(made(), data, tmp_path / "p.csv")
    import pandas as pd

    table = pd.read_csv(tmp_path / "p.csv", keep_default_na=False)
    assert table["given"].tolist() == ["a,b", "", 'c"d']
    assert table["predicted"].tolist() == ['c"d'] * 3
    assert table["agrees"].tolist() == [False, True, True]
