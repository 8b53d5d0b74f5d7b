"""Runs of published settings: what is missing is said, and figures are counted right."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.audio.published import _events_by_origin, challenge_baseline, label_counts, listeners
from labelnoise.core.reproduce import experiments
from labelnoise.core.validation import InputError

META = {
    "vocabulary.csv": "0,Bark\n1,Rain\n",
    "train_curated_post_competition.csv": "fname,labels,freesound_id,license\na.wav,Bark,1,x\nb.wav,Rain,2,x\n",
    "train_noisy_post_competition.csv": "fname,labels,flickr_video_URL,license\nc.wav,Bark,u,x\n",
    "test_post_competition.csv": 'fname,labels,usage,freesound_id,license\nd.wav,"Bark,Rain",Public,3,x\n'
    "e.wav,Rain,Private,4,x\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LABELNOISE_DATA", str(tmp_path))
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "audio").mkdir()
    return tmp_path / "audio"


def labels_only(folder: Path) -> None:
    for name, text in META.items():
        path = folder / "FSDKaggle2019.meta" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_the_baseline_says_that_sound_is_missing(folder: Path) -> None:
    options = dict(experiments()["fonseca2019_baseline_fsdkaggle2019"].options)
    with pytest.raises(InputError, match=r"not on this machine.*zenodo\.org/records/3612637"):
        challenge_baseline({"dataset": "FSDKaggle2019"}, options, 0)
    labels_only(folder)
    with pytest.raises(InputError, match=r"labels only.*zenodo\.org/records/3612637"):
        challenge_baseline({"dataset": "FSDKaggle2019"}, options, 0)


def test_the_baseline_runs_on_embedded_clips(folder: Path) -> None:
    chosen = experiments()["fonseca2019_baseline_fsdkaggle2019"]
    measured = challenge_baseline(chosen.settings[0].values, {**chosen.options, **chosen.smoke}, 0)
    assert 0 < measured["lwlrap"] <= 1
    assert measured["lwlrap_public"] is None
    data = _events_by_origin()
    assert [int((data.origin == kind).sum()) for kind in ("curated", "noisy", "test")] == [10, 20, 10]


def test_labels_are_counted_by_part(folder: Path) -> None:
    labels_only(folder)
    made = label_counts({"dataset": "FSDKaggle2019", "part": "test"}, {}, 0)
    assert made == {"clips": 2.0, "labels_per_clip": 1.5, "fewest_per_class": 1.0, "most_per_class": 2.0}


def test_judgements_are_compared_by_class_and_not_by_spelling(folder: Path) -> None:
    with pytest.raises(InputError, match=r"annotations\.csv"):
        listeners({}, {}, 0)
    (folder / "esc50_crowd").mkdir()
    (folder / "esc50_crowd" / "annotations.csv").write_text(
        "prediction,truth\nDog,dog\nDoor knock,Door - wood knock\nRain,Dog\nRain,Rain\n"
    )
    assert listeners({}, {}, 0) == {"accuracy": 75.0, "judgements": 4.0}
    assert listeners({"class": "dog"}, {}, 0) == {"accuracy": 50.0, "judgements": 2.0}
