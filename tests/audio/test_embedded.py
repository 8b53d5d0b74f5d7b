"""The synthesised clips: the same every time, confusable, yet not alike."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.audio.embedded import CLASSES, events, render_event
from labelnoise.core.validation import InputError


def test_clips_are_the_same_every_time_and_differ_from_each_other() -> None:
    assert (render_event(3, 7, 1) == render_event(3, 7, 1)).all()
    assert not (render_event(3, 7, 1) == render_event(3, 8, 1)).all()
    for label in range(len(CLASSES)):
        for clip in range(30):
            wave = render_event(label, clip)
            assert wave.shape == (16000,)
            assert np.isfinite(wave).all()
            assert np.abs(wave).max() == pytest.approx(0.5)


def test_wrong_labels_are_as_many_as_asked_and_mostly_alike() -> None:
    data = events(per_class=100, wrong=0.2)
    assert data.true is not None
    wrong = data.is_wrong
    assert wrong is not None
    assert wrong.sum() == 200
    twin = data.given[wrong] == (data.true[wrong] ^ 1)
    # Half on purpose, a ninth of the others by chance.
    assert 0.45 < twin.mean() < 0.66
    assert (np.bincount(data.true) == 100).all()
    assert not events(wrong=0).is_wrong.any()  # type: ignore[union-attr]


def test_a_simple_classifier_learns_most_but_not_all() -> None:
    pytest.importorskip("torchaudio")
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    from labelnoise.audio.features import log_mel

    data = events()
    assert data.audio is not None
    assert data.true is not None
    mel = [log_mel(wave) for wave in data.audio]
    pooled = StandardScaler().fit_transform([np.r_[m.mean(axis=0), m.std(axis=0)] for m in mel])
    train = np.arange(300) < 200
    fitted = LogisticRegression(C=0.05, max_iter=200).fit(pooled[train], data.true[train])
    assert 0.6 < fitted.score(pooled[~train], data.true[~train]) < 0.99


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="whole number"):
        events(per_class=0)
    with pytest.raises(InputError, match="wrong"):
        events(wrong=0.7)
