"""Detection of wrong classes and tags of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from labelnoise.audio.calibrated import detect_calibrated, detect_confident_learning
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.tag_scores import tag_probabilities
from labelnoise.core.validation import InputError


def clips(tmp_path: Path, m: int = 300, k: int = 10) -> tuple[AudioDataset, str]:
    rng = np.random.default_rng(0)
    true = rng.permutation(np.arange(m) % k)
    X = 2.0 * np.eye(k, 30)[true] + 0.35 * rng.normal(size=(m, 30))
    path = tmp_path / "vectors.npy"
    np.save(path, X)
    names = tuple(f"c{i}" for i in range(k))
    files = [f"{i}.wav" for i in range(m)]
    return AudioDataset.single(true, names, files=files), str(path)


@pytest.mark.parametrize("m", [300, 80])
def test_wrong_classes_are_found_and_counted(tmp_path: Path, m: int) -> None:
    data, path = clips(tmp_path, m)
    noisy, _ = AudioDomain().corrupt(data, kind="symmetric", rate=0.3, seed=0, exact=True)
    noisy.given[:5] = -1
    wrong = noisy.is_wrong
    found = AudioDomain().detect(noisy, embeddings=path)
    assert roc_auc_score(wrong, found.p_wrong) > 0.97
    assert 0.7 < found.count.expected / wrong.sum() < 1.3
    assert found.count.low <= wrong.sum() <= found.count.high
    assert (found.p_wrong[:5] == 0).all()
    assert not found.flagged[:5].any()
    assert (found.suggested[:5] == noisy.true[:5]).mean() > 0.7
    kinds = found.evidence["kind"]
    assert set(kinds[found.flagged]) <= {"wrong-tag", "out-of-vocabulary"}
    plain = AudioDomain().detect(noisy, method="confident-learning", embeddings=path)
    assert roc_auc_score(wrong, -plain.quality) > 0.9


def test_sounds_of_no_class_are_named(tmp_path: Path) -> None:
    data, path = clips(tmp_path)
    X = np.load(path)
    rng = np.random.default_rng(1)
    X[:30] = 0.0
    X[:30, 10:] = rng.normal(size=(30, 20))
    np.save(path, X)
    found = detect_calibrated(data, embeddings=path)
    kinds = found.evidence["kind"]
    outside = kinds == "out-of-vocabulary"
    assert outside[:30].sum() >= 10
    assert outside[30:].sum() <= 14  # one in twenty of the others
    assert (found.suggested[outside & found.flagged] == -1).all()


def test_wrong_and_missing_tags(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    m, k = 400, 6
    true = (rng.random((m, k)) < 0.25).astype(int)
    np.save(tmp_path / "v.npy", true @ np.eye(k, 20) + 0.2 * rng.normal(size=(m, 20)))
    given = true.copy()
    drop, add = (true == 1) & (rng.random((m, k)) < 0.2), (true == 0) & (rng.random((m, k)) < 0.05)
    given[drop], given[add] = 0, 1
    given[0, :] = -1
    given[1, 0] = -1
    data = AudioDataset.from_tags(
        given, tuple("abcdef"), files=[f"{i}.wav" for i in range(m)], true=true, recordings=np.arange(m) // 2
    )
    found = detect_calibrated(data, embeddings=str(tmp_path / "v.npy"))
    wrong = data.is_wrong
    assert roc_auc_score(wrong[data.labelled], found.p_wrong[data.labelled]) > 0.97
    assert 0.75 < found.count.expected / wrong.sum() < 1.25
    kinds = found.evidence["kind"]
    hit = found.flagged & wrong
    assert (kinds[hit & (data.given == 0)] == "missing-tag").all()
    assert set(kinds[hit & (data.given == 1)]) <= {"wrong-tag", "out-of-vocabulary"}
    assert not found.flagged[:6].any()
    plain = detect_confident_learning(data, embeddings=str(tmp_path / "v.npy"))
    assert (plain.flagged & wrong).sum() / plain.flagged.sum() > 0.8


def test_a_tag_is_never_judged_by_its_own_recording() -> None:
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(40, 8)), np.arange(40) // 2
    tags = rng.integers(0, 2, (40, 3))
    # All recordings but one stay; the scale, learnt on all pairs, may move everybody by a hair.
    other = tags.copy()
    other[:2] = 1 - other[:2]
    a, b = tag_probabilities(X, tags, groups), tag_probabilities(X, other, groups)
    assert np.abs(a - b)[:2].max() < 0.3
    with pytest.raises(InputError, match="No tag"):
        tag_probabilities(X, np.ones((40, 3), dtype=int))


def test_bad_embeddings_are_refused(tmp_path: Path) -> None:
    data, _ = clips(tmp_path)
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    np.save(tmp_path / "nan.npy", np.full((300, 2), np.nan))
    for name, words in (("short.npy", "300"), ("nan.npy", "NaN"), ("none.npy", "cannot be read")):
        with pytest.raises(InputError, match=words):
            detect_calibrated(data, embeddings=str(tmp_path / name))
    with pytest.raises(InputError, match="without sound"):
        detect_calibrated(data)
