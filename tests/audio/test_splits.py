"""Splits of clips: shares per tag, whole recordings, published splits, and what is said about them."""

from __future__ import annotations

from pathlib import Path
from time import process_time

import numpy as np
import pytest

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedded import events
from labelnoise.audio.splits import (
    clip_splits,
    shared_recordings,
    split_info,
    split_labels,
    split_scores,
    unit_mask,
)
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError


def clips(given: list[int], **fields: object) -> AudioDataset:
    names = tuple(f"class {i}" for i in range(max(given) + 1))
    return AudioDataset.single(given, names, files=[f"{i}.wav" for i in range(len(given))], **fields)


def tagged(tags: np.ndarray, **fields: object) -> AudioDataset:
    names = tuple(f"tag {i}" for i in range(tags.shape[1]))
    return AudioDataset.from_tags(tags, names, files=[f"{i}.wav" for i in range(len(tags))], **fields)


def test_every_class_is_dealt_60_20_20() -> None:
    data = clips([0] * 50 + [1] * 10 + [2] * 5)
    masks = clip_splits(data)
    for name, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        found = np.bincount(data.given[masks[name]], minlength=3)
        np.testing.assert_array_equal(found, np.round(share * np.array([50, 10, 5])))
    assert (sum(mask.astype(int) for mask in masks.values()) == 1).all()


def test_the_only_clip_of_a_class_is_learnt_from() -> None:
    assert clip_splits(clips([0] * 20 + [1]))["train"][-1]


def test_second_clips_of_rare_classes_go_to_validation_and_test_alike() -> None:
    masks = clip_splits(clips([i // 2 for i in range(40)]))
    assert [int(mask.sum()) for mask in masks.values()] == [20, 10, 10]


@pytest.mark.parametrize("seed", range(3))
def test_rare_tags_reach_every_split(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tags = (rng.random((600, 12)) < np.geomspace(0.3, 0.02, 12)).astype(np.int8)
    masks = clip_splits(tagged(tags), seed)
    total = tags.sum(axis=0)
    for name, share in (("train", 0.6), ("validation", 0.2), ("test", 0.2)):
        assert np.abs(tags[masks[name]].sum(axis=0) - share * total).max() <= 3
        assert abs(masks[name].sum() - share * 600) <= 12


def test_clips_without_any_tag_fill_up_the_splits() -> None:
    tags = np.zeros((50, 2), dtype=np.int8)
    tags[:10, 0] = 1
    assert [int(mask.sum()) for mask in clip_splits(tagged(tags)).values()] == [30, 10, 10]


def test_recordings_stay_whole() -> None:
    rng = np.random.default_rng(0)
    recordings = rng.integers(0, 60, 300)
    data = clips(rng.integers(0, 4, 300).tolist(), recordings=recordings)
    masks = clip_splits(data)
    assert set(shared_recordings(data, masks).values()) == {0}
    assert abs(masks["train"].mean() - 0.6) < 0.05


def test_draws_follow_the_seed_and_ignore_unlabelled_clips() -> None:
    given = np.random.default_rng(1).integers(0, 3, 90).tolist()
    first = clip_splits(clips(given), 4)
    more = clip_splits(clips([*given, -1, -1]), 4)
    other = clip_splits(clips(given), 5)
    for name, mask in first.items():
        np.testing.assert_array_equal(mask, more[name][:90])
        assert not more[name][90:].any()
    assert (first["train"] != other["train"]).any()


def test_held_out_clips_can_be_the_verified_ones_only() -> None:
    verified = np.arange(100) < 40
    recordings = np.arange(100)
    recordings[40:60] = np.arange(20)
    data = clips([0, 1] * 50, verified=verified, recordings=recordings)
    masks = clip_splits(data, held_out="verified")
    assert not (masks["validation"] | masks["test"])[~verified].any()
    assert int(masks["validation"].sum()) == int(masks["test"].sum()) == 8
    assert masks["train"][60:].all()
    assert set(shared_recordings(data, masks).values()) == {0}
    # Clips 40 to 59 come from recordings of verified ones, and train only where those do.
    np.testing.assert_array_equal(masks["train"][40:60], masks["train"][:20])


def test_published_splits_are_used_as_they_are() -> None:
    train = np.array([True, True, False, False])
    data = clips([0, 1, 0, 1], splits={"train": train, "test": ~train, "fold 4": train})
    masks = clip_splits(data)
    assert list(masks) == ["train", "test"]
    np.testing.assert_array_equal(masks["train"], train)
    with pytest.raises(InputError, match="publishes its splits"):
        clip_splits(data, held_out="verified")


@pytest.mark.parametrize("name", ["test", "eval"])
def test_a_published_test_is_never_trained_on(name: str) -> None:
    published = np.arange(140) >= 120
    # Clip 0 is from the recording of a test clip.
    recordings = np.arange(140)
    recordings[0] = recordings[139]
    data = clips([0, 1] * 70, splits={name: published}, recordings=recordings)
    masks = clip_splits(data)
    assert list(masks) == ["train", "validation", "test"]
    np.testing.assert_array_equal(masks["test"], published)
    assert (masks["train"] | masks["validation"])[1:120].all()
    assert not (masks["train"] | masks["validation"])[0]
    assert int(masks["validation"].sum()) == 30
    assert set(shared_recordings(data, masks).values()) == {0}


def test_names_of_published_splits_are_those_of_fsd50k() -> None:
    part = np.array(["train", "val", "eval", "train"])
    data = clips([0, 1, 0, 1], splits={name: part == name for name in ("train", "val", "eval")})
    masks = clip_splits(data)
    assert {name: int(mask.sum()) for name, mask in masks.items()} == {"train": 2, "validation": 1, "test": 1}


def test_labels_of_splits_are_given_ones_and_true_ones_for_the_test() -> None:
    data = events(6, wrong=0.5)
    masks, labels = split_labels(data)
    assert data.true is not None
    for name in ("train", "validation"):
        np.testing.assert_array_equal(labels[name][masks[name]], data.given[masks[name]])
    np.testing.assert_array_equal(labels["test"][masks["test"]], data.true[masks["test"]])
    _, clean = split_labels(data, masks, "clean")
    np.testing.assert_array_equal(clean["validation"][masks["validation"]], data.true[masks["validation"]])
    assert (labels["train"][~masks["train"]] == -1).all()


def test_tags_of_a_split_are_all_pairs_of_its_clips() -> None:
    data = tagged(np.array([[1, 0, -1], [0, 1, 0], [1, 1, 1]], dtype=np.int8))
    train = np.array([True, False, True])
    _, labels = split_labels(data, {"train": train, "test": ~train})
    assert labels["train"].tolist() == [1, 0, -1, -1, -1, -1, 1, 1, 1]
    assert labels["test"].tolist() == [-1, -1, -1, 0, 1, 0, -1, -1, -1]
    assert unit_mask(data, train).sum() == 6


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": np.ones(3, dtype=bool)}, "4 booleans, one per clip"),
        ({"train": np.ones(4, dtype=bool), "test": np.arange(4) == 1}, "shares 1 clip"),
        ({"test": np.ones(4, dtype=bool)}, "'train' is needed"),
        ({"dev": np.ones(4, dtype=bool)}, "dev"),
        ({"train": np.zeros(4, dtype=bool)}, "No training clip"),
    ],
)
def test_wrong_splits_are_refused(splits: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        split_labels(clips([0, 1, 0, 1]), splits)


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="No clip outside published splits carries a label"):
        clip_splits(AudioDataset.single([-1, -1], ("a", "b"), files=("x", "y")))
    with pytest.raises(InputError, match="No labelled clip is marked as verified"):
        clip_splits(clips([0, 1]), held_out="verified")
    with pytest.raises(InputError, match="Clean validation needs the true labels"):
        split_labels(clips([0, 1, 0, 1, 0, 1]), validation_labels="clean")


def test_scores_of_tags_show_that_saying_absent_is_useless() -> None:
    rng = np.random.default_rng(3)
    tags = (rng.random((200, 8)) < 0.1).astype(np.int8)
    data = tagged(tags, true=tags)

    def scores(present: np.ndarray) -> list[dict]:
        probs = np.stack([1 - present, present], axis=-1).reshape(-1, 2)
        model = Trained(method="m", predicted=probs.argmax(1), probs=probs, history=(),
                        selected_by="last epoch", chosen=0, info=split_info(None, 0))  # fmt: skip
        return split_scores(data, model)

    constant, perfect = scores(np.full(tags.shape, 0.01)), scores(tags.astype(float))
    assert [row["split"] for row in constant] == ["train", "validation", "test"]
    for poor, good in zip(constant, perfect):
        assert poor["accuracy"] > 0.85
        assert poor["lwlrap"] < 0.3
        assert poor["mean_average_precision"] < 0.3
        assert good["lwlrap"] == good["mean_average_precision"] == good["accuracy"] == 1


def test_no_present_tag_is_no_score() -> None:
    data = tagged(np.zeros((4, 2), dtype=np.int8))
    model = Trained(method="m", predicted=np.zeros(8, dtype=int), probs=np.full((8, 2), 0.5), history=(),
                    selected_by="last epoch", chosen=0)  # fmt: skip
    (row,) = split_scores(data, model)
    assert row["split"] == "all"
    assert row["lwlrap"] is None
    assert row["mean_average_precision"] is None


def test_uploaders_of_fsdkaggle2019_stay_whole(real_data: Path) -> None:
    """19,815 clips of 5,387 uploaders and 80 tags, each present 300 times."""
    import pandas as pd

    table = pd.read_csv(real_data / "audio/fsdkaggle2019_meta/train_noisy_post_competition.csv")
    tags = table["labels"].str.get_dummies(",")
    uploader = table["flickr_video_URL"].str.extract(r"/videos/([^/]+)/")[0].to_numpy()
    data = AudioDataset.from_tags(tags.to_numpy(), tuple(tags), files=table["fname"], recordings=uploader)
    start = process_time()
    masks = clip_splits(data)
    assert process_time() - start < 5
    assert set(shared_recordings(data, masks).values()) == {0}
    counts = data.tags[masks["test"]].sum(axis=0)
    assert data.n_clips == 19815
    assert len(set(uploader)) == 5387
    assert counts.min() >= 45
    assert counts.max() <= 75
    assert abs(masks["train"].mean() - 0.6) < 0.01


def test_fsdkaggle2019_keeps_its_test_and_holds_out_curated_clips(real_data: Path) -> None:
    from labelnoise.audio.fsd import read_fsdkaggle2019

    data = read_fsdkaggle2019(real_data / "audio/fsdkaggle2019_meta")
    assert data.origin is not None
    for held_out in ("any", "verified"):
        masks = clip_splits(data, held_out=held_out)
        np.testing.assert_array_equal(masks["test"], data.origin == "test")
        assert masks["test"].sum() == 4481
        assert set(shared_recordings(data, masks).values()) == {0}
    assert set(data.origin[masks["validation"]]) == {"curated"}
    assert masks["train"].sum() + masks["validation"].sum() == 4970 + 19815
    assert data.tags[masks["validation"]].sum(axis=0).min() >= 10
