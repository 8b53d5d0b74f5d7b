"""detect with the probabilities of any model, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.text.cli import main
from labelnoise.text.embedded import news


def saved(folder: Path, value: np.ndarray) -> str:
    np.save(folder / "p.npy", value, allow_pickle=value.dtype == object)
    return str(folder / "p.npy")


def test_a_model_that_knows_finds_the_wrong_tags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = news()
    probs = np.full((data.n_units, data.n_classes), 0.01, dtype=np.float32)
    probs[np.arange(data.n_units), data.true] = 1 - 0.01 * (data.n_classes - 1)
    assert main(["detect", "news", "--probs", saved(tmp_path, probs), "--json", "--show", "0"]) == 0
    found = json.loads(capsys.readouterr().out)
    text = json.dumps(found)
    assert '"method": "confident-learning"' in text
    truth = next(v for v in found.values() if isinstance(v, dict) and "recall" in v)
    assert truth["precision"] == 1.0
    assert truth["recall"] > 0.9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--probs", "gone.npy"), "'gone.npy' cannot be read"),
        (("--probs", "P", "--method", "calibrated"), "takes no --probs; use --method confident-learning"),
        (("--probs", "P", "--method", "confident"), "Did you mean 'confident-learning'"),
        (("--probs", "P", "--set", "probs=x.npy"), "set twice"),
        (("--probs", "P"), "have shape (3, 7); 11566 tokens and 7 tags"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    path = saved(tmp_path, np.full((3, 7), 1 / 7))
    assert main(["detect", "news", *(path if word == "P" else word for word in arguments)]) == 2
    assert words in capsys.readouterr().err


def test_objects_are_never_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(tmp_path, np.array([{"a": 1}], dtype=object))
    assert main(["detect", "news", "--probs", path]) == 2
    assert "cannot be read" in capsys.readouterr().err
