"""Training on clips: the task, the strategies, the trainers by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelnoise.audio.clip_task import clip_task
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.embedded import events
from labelnoise.audio.networks import MobileNet
from labelnoise.audio.train_methods import train_audio, train_clips
from labelnoise.audio.trainers import TRAINERS
from labelnoise.core.validation import InputError


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def with_origin(per_class: int = 4) -> AudioDataset:
    data = events(per_class, wrong=0)
    origin = np.where(np.arange(data.n_clips) % 20 < 10, "curated", "noisy")
    return AudioDataset.single(
        data.given, data.class_names, files=data.files, audio=data.audio, true=data.true, origin=origin
    )


def tagged() -> AudioDataset:
    """Vectors, one direction per tag, one or two tags a clip; no sound."""
    tags = np.zeros((60, 4), dtype=np.int8)
    tags[np.arange(60), np.arange(60) % 4] = 1
    tags[np.arange(60), (np.arange(60) // 4) % 4] = 1
    return AudioDataset.from_tags(tags, list("abcd"), files=[f"{i}.wav" for i in range(60)], true=tags)


def vectors(data: AudioDataset) -> Any:
    noise = np.random.default_rng(0).normal(0, 0.2, (data.n_clips, 4))
    return data.true_tags + noise


QUICK: dict[str, dict[str, Any]] = {
    "loss-masking": {"folds": 2},
    "self-refining": {"folds": 2},
    "chosen": {"folds": 2},
}


@pytest.mark.parametrize("name", [name for name in TRAINERS if not name.startswith("cnn+")])
def test_every_trainer_learns_or_says_why_not(name: str) -> None:
    data, options = with_origin(), QUICK.get(name, {})
    settings: dict[str, Any] = {"network": "linear", "epochs": 8, "lr": 0.01, **options}
    if name in ("loss-masking", "weak-negatives", "negative-target", "high-negative-target"):
        with pytest.raises(InputError, match="one class"):
            train_audio(data, name, **settings)
        return
    made = train_audio(data, name, **settings)
    assert made.method == name
    assert made.probs.shape == (40, 10)
    assert made.accuracy(data.true) > 0.3  # chance is 0.1


@pytest.mark.parametrize("name", ["plain", "lq", "ousm", "or-gate", "outlier-rejection", "class-smoothing", "mixup",
                                  "weak-negatives", "negative-target", "cnn+small_loss"])  # fmt: skip
def test_trainers_take_tags(name: str) -> None:
    data = tagged()
    made = train_audio(data, name, network="linear", embeddings=vectors(data), epochs=15, lr=0.05)
    assert made.probs.shape == (240, 2)
    assert made.selected_by == "noisy validation lwlrap"
    row = next(row for row in AudioDomain().training_scores(data, made) if row["split"] == "test")
    assert row["lwlrap"] > 0.9


def test_masking_leaves_out_what_is_missing() -> None:
    data = tagged()
    tags = data.tags.copy()
    present = np.flatnonzero(tags.reshape(-1))
    tags.reshape(-1)[np.random.default_rng(1).choice(present, len(present) // 4, replace=False)] = 0
    noisy = data.with_labels(tags.reshape(-1))
    from labelnoise.audio.splits import clip_splits
    from labelnoise.audio.teachers import held_out_scores
    from labelnoise.core.losses.missing import mask_likely_missing

    train = clip_splits(noisy)["train"]
    scores = held_out_scores(
        noisy, train, 0, folds=2, network="linear", embeddings=vectors(data), epochs=15, lr=0.05
    )
    assert (scores[~train] == 0).all()
    masked = mask_likely_missing(tags[train], scores[train], share=0.2) == -1
    wrong = (tags != data.true_tags)[train]
    assert wrong[masked].mean() > 2 * wrong[tags[train] == 0].mean()


def test_a_cnn_learns_and_repeats_itself() -> None:
    data = events(6, wrong=0)
    first, again = (train_clips(data, 3, epochs=8, network_options={"width": 32}, lr=5e-3) for _ in range(2))
    assert (first.probs == again.probs).all()
    assert first.accuracy(data.true) > 0.3


def test_clips_of_any_length_are_pooled() -> None:
    task = clip_task(events(3), frames=30, crops=2, batch_size=7)
    trained = next(iter(task.batches("train", np.random.default_rng(0))))
    whole = next(iter(task.batches("all", None)))
    assert trained.owner.tolist() == np.repeat(np.arange(7), 2).tolist()
    # 101 frames take four crops of 30; shorter clips are repeated to one.
    assert whole.crops.shape == (28, 30, 64)
    assert clip_task(events(3), frames=150)._cut(np.array([0]), None)[0].shape == (1, 150, 64)
    model = task.build().eval()
    alone = model(whole.crops[:4], torch.zeros(4, dtype=torch.long), 1)
    assert torch.allclose(task.forward(model, whole).logits[:1], alone, atol=1e-5)


def test_unlabelled_clips_and_the_test_split_change_nothing() -> None:
    data = with_origin()
    splits = {"train": np.arange(40) < 20, "test": np.arange(40) >= 20}
    other = data.with_labels(np.where(splits["test"], -1, data.given))
    one, two = (train_clips(d, 0, network="linear", epochs=2, splits=splits) for d in (data, other))
    assert (one.probs == two.probs).all()


def test_mobilenet_answers_for_clips() -> None:
    network = MobileNet(64, 5, width=0.05)
    assert network(torch.zeros(3, 20, 64), torch.tensor([0, 0, 1]), 2).shape == (2, 5)


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        ("curated-only", {}, "origin"),
        ("ignore-origin", {}, "origin"),
        ("noisy-then-curated", {}, "origin"),
        ("lq", {"parameters": {"noisy_only": True}, "epochs": 1}, "origin"),
        ("plain", {"network": "cnnn"}, "Did you mean"),
        ("plain", {"parameters": {"los": 1}}, "no option"),
        ("ousm", {"parameters": {"warmpu": 1}}, "Did you mean"),
        ("plain", {"strategy": "lq"}, "fixes"),
        ("plain", {"network": "linear", "embeddings": np.zeros((3, 2))}, "shape"),
        ("plain", {"frames": 0}, "frames"),
        ("self-refining", {"add": 0.1, "drop": 0.5}, "drop"),
    ],
)
def test_errors_say_what_to_do(method: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        train_audio(events(2), method, **options)


def test_labels_without_sound_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no sound"):
        train_audio(tagged(), "plain")
