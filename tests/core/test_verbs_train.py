"""train from the command line: blind to the truth, honest about what it was measured on, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.core.test_verbs import call, noisy, refused

__all__ = ["call"]  # a fixture


def test_train_says_what_chose_the_model_and_what_it_was_measured_on(call):
    code, out, err = call("pets", "train", "farm")
    assert (code, err) == (0, "")
    assert "centroids on farm: predicts another class for" in out
    assert "model chosen by last epoch" in out
    assert "warning: pets were few" in out
    assert "true" in out.splitlines()[-1], "the truth of farm is known"
    assert not list(Path().iterdir())
    _, out, _ = call("pets", "train")
    assert "given" in out.splitlines()[-1], "that of zoo is not"


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_predictions_are_written_for_every_unit(call, ending):
    noisy(call)
    code, out, err = call(
        "pets", "train", "noisy.json", "--out", f"p.{ending}", "--json", "--set", "width=0.4"
    )
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert answer["options"] == {"width": 0.4}
    assert answer["history"] == [{"epoch": 0, "loss": 0.5}]
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}.get(
        ending, lambda path: pd.read_json(path, lines=True)
    )
    table = read(f"p.{ending}")
    assert len(table) == 300
    assert set(table["predicted"]) <= {"cat", "dog", "=emu"}
    assert int((~table["agrees"]).sum()) == answer["disagreements"]
    assert table["confidence"].between(0, 1).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--method", "centroid"), "Did you mean 'centroids'"),
        (("--set", "with=3"), "width"),
        (("--seed", "-1"), "--seed is -1"),
        (("--out", "p.xlsx"), ".parquet"),
        (("empty",), "no labelled animal"),
        (("atlantis",), "atlantis"),
    ],
)
def test_mistakes_are_one_sentence(call, arguments, sentence):
    assert sentence in refused(call, "pets", "train", *arguments)
