"""Published data sets: real ones where they are there, small copies of their layout where not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.audio.data import load_audio
from labelnoise.audio.esc50 import read_esc50_votes
from labelnoise.audio.fsd import KNOWN_BAD, read_fsd50k_ratings
from labelnoise.core.crowd.majority import majority_vote
from labelnoise.core.validation import InputError


def present(real_data: Path, folder: str) -> Path:
    if not (real_data / "audio" / folder).is_dir():
        pytest.skip(f"{folder} is not among the real data")
    return real_data / "audio"


def test_esc50_and_its_listening_test(real_data: Path) -> None:
    root = present(real_data, "esc50_fold4")
    data = load_audio("esc-50", root=root)
    assert data.n_clips == 414
    assert data.n_classes == 50
    fold = data.take(data.splits["fold-4"])
    assert (np.bincount(fold.given) == 8).all()
    assert data.audio is not None
    assert data.audio[0].shape == (80000,)
    votes = read_esc50_votes(root / "esc50_crowd" / "annotations.csv", fold)
    assert votes.n_annotators == 134
    assert votes.n_units == 400
    # The share that is right, of all judgements on all folds, is published as 0.813.
    assert 0.77 < (fold.given[votes.unit] == votes.label).mean() < 0.86
    assert majority_vote(votes).labels.shape == (400,)


def test_what_one_listener_heard(real_data: Path) -> None:
    heard = load_audio("ESC-50-heard", root=real_data / "audio")
    published = load_audio("ESC-50", root=real_data / "audio")
    assert (heard.true == published.given).all()
    assert heard.labelled.all()
    assert 0.1 < heard.is_wrong.mean() < 0.3
    assert (heard.given != heard.given[0]).any()


def test_fsdkaggle2019(real_data: Path) -> None:
    data = load_audio("FSDKaggle2019", root=present(real_data, "fsdkaggle2019_meta"))
    assert data.n_tags == 80
    sizes = {name: int(mask.sum()) for name, mask in data.splits.items()}
    assert sizes == {
        "curated": 4970,
        "noisy": 19815,
        "test": 4481,
        "test-public": 1120,
        "test-private": 3361,
        "known-bad": len(KNOWN_BAD),
    }
    per_clip = {name: round(float((data.tags[data.splits[name]] == 1).sum(1).mean()), 3) for name in sizes}
    assert (per_clip["curated"], per_clip["noisy"], per_clip["test"]) == (1.157, 1.211, 1.395)
    noisy = data.take(data.splits["noisy"])
    assert ((noisy.tags == 1).sum(axis=0) == 300).all()
    assert noisy.verified is not None
    assert not noisy.verified.any()
    # 5,387 uploaders of noisy clips, as counted from the addresses.
    assert noisy.recording_codes().max() + 1 == 5387


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_fsdnoisy18k(tmp_path: Path) -> None:
    meta = tmp_path / "FSDnoisy18k" / "FSDnoisy18k.meta"
    write(
        meta / "train.csv",
        "fname,label,aso_id,manually_verified,noisy_small\n1.wav,Rain,/m/1,1,0\n2.wav,Wind,/m/2,0,1\n",
    )
    write(meta / "test.csv", "fname,label,aso_id\n3.wav,Rain,/m/1\n")
    data = load_audio("fsdnoisy18k", root=tmp_path)
    assert data.files == ("train/1.wav", "train/2.wav", "test/3.wav")
    assert data.given.tolist() == [0, 1, 0]
    assert data.verified is not None
    assert data.verified.tolist() == [True, False, True]
    assert data.splits["noisy-small"].tolist() == [False, True, False]
    assert data.meta["licence"].startswith("CC BY")
    soundfile = pytest.importorskip("soundfile")
    for name in ("train/1.wav", "train/2.wav", "test/3.wav"):
        path = tmp_path / "FSDnoisy18k" / f"FSDnoisy18k.audio_{name}"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.full(441, 0.1), 44100)
    audio = load_audio("fsdnoisy18k", root=tmp_path).audio
    assert audio is not None
    assert audio[2].shape == (441,)


def test_fsd50k_with_its_ratings(tmp_path: Path) -> None:
    home = tmp_path / "FSD50K"
    write(home / "FSD50K.ground_truth" / "vocabulary.csv", "0,Bark,/m/a\n1,Rain,/m/b\n")
    write(
        home / "FSD50K.ground_truth" / "dev.csv",
        'fname,labels,mids,split\n10,"Bark,Rain","/m/a,/m/b",train\n11,Rain,/m/b,val\n',
    )
    write(home / "FSD50K.ground_truth" / "eval.csv", "fname,labels,mids\n12,Bark,/m/a\n")
    data = load_audio("fsd50k", root=tmp_path)
    assert data.tags.tolist() == [[1, 1], [0, 1], [1, 0]]
    assert data.splits["val"].tolist() == [False, True, False]
    content = {"11": {"/m/b": [1.0, 0.5]}, "10": {"/m/a": [-1.0], "/m/zzz": [1.0]}, "99": {"/m/a": [1.0]}}
    path = home / "FSD50K.metadata" / "collection" / "pp_pnp_ratings_FSD50K.json"
    write(path, json.dumps(content))
    found = read_fsd50k_ratings(home, data)
    assert found.unit.tolist() == [0, 3]
    assert found.mean.tolist() == [-1.0, 0.75]
    assert found.count.tolist() == [1, 2]
    path.write_text("[1]")
    with pytest.raises(InputError, match="ratings of FSD50K"):
        read_fsd50k_ratings(home, data)
