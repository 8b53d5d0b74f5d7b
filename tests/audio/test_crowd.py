"""Listeners' votes, and the crowd with a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.audio.crowd import clip_consensus, crowd_times_model
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.esc50 import read_esc50, read_esc50_votes
from labelnoise.core.crowd import Votes
from labelnoise.core.validation import InputError


def test_the_model_settles_what_listeners_dispute(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    m, k = 200, 5
    true = np.arange(m) % k
    np.save(tmp_path / "v.npy", 3 * np.eye(k, 12)[true] + rng.normal(size=(m, 12)))
    said = np.where(rng.random((m, 3)) < 0.6, true[:, None], rng.integers(0, k, (m, 3)))
    said[:10] = -1
    names = tuple("abcde")
    data = AudioDataset.single(true, names, files=[f"{i}.wav" for i in range(m)])
    votes = Votes.from_matrix(said, n_classes=k)
    heard, crowd = clip_consensus(data, votes)
    assert (heard.given[:10] == -1).all()
    p = crowd_times_model(data, votes, embeddings=str(tmp_path / "v.npy"))
    assert np.allclose(p.sum(axis=1), 1.0)
    assert (p.argmax(axis=1) == true).mean() > (crowd.labels == true).mean() + 0.05
    with pytest.raises(InputError, match="weight"):
        crowd_times_model(data, votes, embeddings=str(tmp_path / "v.npy"), weight=-1)
    with pytest.raises(InputError, match="votes are on"):
        clip_consensus(data.take([0, 1]), votes)


def test_esc50_listeners(real_data: Path) -> None:
    data = read_esc50(real_data / "audio" / "esc50_fold4")
    votes = read_esc50_votes(real_data / "audio" / "esc50_crowd" / "annotations.csv", data)
    heard, _ = clip_consensus(data, votes)
    assert (heard.given == data.given).mean() > 0.84
