"""The trainer that is chosen on held-out clips by their labels as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from labelnoise.audio.chosen import held_out_measure, train_chosen
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.evaluation import lwlrap
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.validation import InputError

QUICK: dict[str, Any] = {"network": "linear", "epochs": 12, "lr": 0.05, "folds": 2}


def tagged(seed: int = 0) -> tuple[AudioDataset, Any]:
    """Tags in a few of many directions, a third of the training tags missing; no sound."""
    rng = np.random.default_rng(seed)
    true = (rng.random((120, 8)) < 0.2).astype(np.int8)
    true[np.arange(120), np.arange(120) % 8] = 1
    given = np.where((rng.random(true.shape) < 0.33) & (np.arange(120) < 80)[:, None], 0, true)
    X = true @ rng.normal(size=(8, 20)) + 0.5 * rng.normal(size=(120, 20))
    splits = {"train": np.arange(120) < 80, "test": np.arange(120) >= 80}
    names = [f"t{k}" for k in range(8)]
    files = [f"{i}.wav" for i in range(120)]
    return AudioDataset.from_tags(given, names, true=true, files=files, splits=splits), X


def test_the_best_on_held_out_tags_is_trained() -> None:
    data, X = tagged()
    names = ("lq", "plain", "negative-target")
    made = train_chosen(data, 3, candidates=names, embeddings=X, **QUICK)
    reached = made.info["held_out"]
    best = max(names, key=lambda name: reached[name])
    assert made.info["candidate"] == best
    options = {key: value for key, value in QUICK.items() if key != "folds"}
    alone = train_audio(data, best, 3, embeddings=X, **options)
    assert (made.probs == alone.probs).all()
    # Candidates differ, and are measured by what is given, not by what is true.
    assert len(set(reached.values())) > 1
    other = train_chosen(data.with_labels(data.given), 3, candidates=names, embeddings=X, **QUICK)
    assert other.info["held_out"] == reached


def test_usual_candidates_fit_the_data() -> None:
    data, X = tagged()
    assert "weak-negatives" in train_chosen(data, 0, embeddings=X, **{**QUICK, "epochs": 2}).info["held_out"]
    single = AudioDataset.single(np.arange(120) % 8, data.tag_names, files=data.files)
    made = train_chosen(single, 0, embeddings=X, **{**QUICK, "epochs": 2})
    assert "weak-negatives" not in made.info["held_out"]
    assert made.probs.shape == (120, 8)


def test_the_measure_is_that_of_the_challenge() -> None:
    data, X = tagged()
    scores, clips = X[:, :8], np.arange(120) < 50
    assert held_out_measure(data, scores, clips) == pytest.approx(lwlrap(data.tags[:50], scores[:50]).value)
    single = AudioDataset.single([0, 1, -1, 1], ("a", "b"), files=tuple("wxyz"))
    answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])
    assert held_out_measure(single, answers, np.array([True, True, True, False])) == 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"candidates": ("plain",)}, "1 candidates"),
        ({"candidates": ("plain", "chosen")}, "Unknown candidate"),
        ({"candidates": ("plain", "plian")}, "Did you mean"),
        ({"folds": 1}, "1 folds"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], says: str) -> None:
    data, X = tagged()
    with pytest.raises(InputError, match=says):
        train_chosen(data, 0, embeddings=X, **{**QUICK, **options})
