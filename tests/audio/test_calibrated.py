"""Detection of wrong classes and tags of clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from labelnoise.audio.calibrated import detect_calibrated, detect_confident_learning
from labelnoise.audio.crowd import crowd_times_model
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.tag_scores import tag_probabilities
from labelnoise.core.crowd import Votes
from labelnoise.core.crowd.consensus import consensus
from labelnoise.core.from_features import FeatureModel
from labelnoise.core.kernels import KernelExpert
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
    assert outside[30:].sum() <= 3
    assert (found.suggested[outside & found.flagged] == -1).all()
    assert roc_auc_score(np.arange(300) < 30, found.evidence["outside"]) > 0.9


def test_where_every_sound_has_a_class_none_is_said_to_have_none(tmp_path: Path) -> None:
    data, path = clips(tmp_path)
    noisy, _ = AudioDomain().corrupt(data, kind="symmetric", rate=0.3, seed=0, exact=True)
    found = detect_calibrated(noisy, embeddings=path, draws=3, resamples=0)
    assert (found.evidence["kind"] == "out-of-vocabulary").sum() <= 3
    hit = found.flagged & noisy.is_wrong
    assert (found.suggested[hit] == noisy.true[hit]).mean() > 0.9


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
    assert (found.suggested[found.flagged] == 1 - data.given[found.flagged]).all()
    hit = found.flagged & wrong
    assert (kinds[hit & (data.given == 0)] == "missing-tag").all()
    assert set(kinds[hit & (data.given == 1)]) <= {"wrong-tag", "out-of-vocabulary"}
    assert not found.flagged[:6].any()
    plain = detect_confident_learning(data, embeddings=str(tmp_path / "v.npy"))
    assert (plain.flagged & wrong).sum() / plain.flagged.sum() > 0.8


def twins() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two clips per recording that sound the same; one recording in five has a wrong class, on both of its clips."""
    rng = np.random.default_rng(0)
    recording, true = np.repeat(np.arange(80), 2), rng.permutation(np.arange(80) % 4)
    X = (3.0 * np.eye(4, 40)[true] + rng.normal(size=(80, 40)))[recording]
    given = np.where(rng.random(80) < 0.2, (true + rng.integers(1, 4, 80)) % 4, true)
    return X + 0.01 * rng.normal(size=X.shape), recording, given[recording], (given != true)[recording]


def belief_in_errors(tmp_path: Path, what: str, recordings: np.ndarray | None) -> float:
    """Mean probability of the given class where it is wrong, as other clips tell."""
    X, _, given, wrong = twins()
    k, rows = 4, np.arange(len(X))
    path = tmp_path / "twins.npy"
    np.save(path, X)
    data = AudioDataset.single(given, tuple("abcd"), files=[f"{i}.wav" for i in rows], recordings=recordings)
    groups = data.recording_codes()
    if what == "tags":
        p = tag_probabilities(X, np.eye(k, dtype=int)[given], groups)
    elif what == "clips":
        p = FeatureModel(X, k, groups=groups).probs(np.eye(k)[given], given)
    elif what == "crowd":
        votes = Votes.from_matrix(given[:, None], n_classes=k)
        p = crowd_times_model(data, votes, embeddings=str(path)) / consensus(votes).posterior
    elif what == "calibrated":
        return float(detect_calibrated(data, embeddings=str(path)).evidence["p_given"][wrong].mean())
    else:
        return float(detect_confident_learning(data, embeddings=str(path)).quality[wrong].mean())
    return float((p / p.sum(axis=1, keepdims=True))[rows, given][wrong].mean())


@pytest.mark.parametrize("what", ["tags", "clips", "crowd", "calibrated", "confident-learning"])
def test_no_clip_is_judged_by_its_own_recording(tmp_path: Path, what: str) -> None:
    """A twin in another fold confirms the wrong class: the same measurement without recordings shows it."""
    held_out = belief_in_errors(tmp_path, what, twins()[1])
    leaking = belief_in_errors(tmp_path, what, None)
    assert held_out < 0.2
    assert leaking > 2.5 * held_out


def test_tags_of_a_recording_do_not_reach_its_own_scores() -> None:
    X, recording, label, _ = twins()
    other = label.copy()
    other[:2] = (label[:2] + 1) % 4
    for kernel in ("linear", "laplacian"):
        expert = KernelExpert(X, kernel=kernel, groups=recording)
        a, b = (expert.leave_group_out(np.eye(4)[y]) for y in (label, other))
        np.testing.assert_allclose(a[:2], b[:2], atol=1e-9)
        assert np.abs(a[2:] - b[2:]).max() > 1e-4
        alone = KernelExpert(X, kernel=kernel)
        a, b = (alone.leave_group_out(np.eye(4)[y]) for y in (label, other))
        assert np.abs(a[:2] - b[:2]).max() > 0.05
    with pytest.raises(InputError, match="No tag"):
        tag_probabilities(X, np.ones((160, 3), dtype=int))


@pytest.mark.parametrize("m", [300, 80])
@pytest.mark.parametrize("kind", ["symmetric", "out-of-place"])
def test_a_flag_never_suggests_what_is_given(tmp_path: Path, m: int, kind: str) -> None:
    data, path = clips(tmp_path, m)
    X = np.load(path)
    rng = np.random.default_rng(2)
    np.save(path, X + 0.5 * rng.normal(size=X.shape))  # blurred, so that flags fall on doubtful clips
    noisy, _ = AudioDomain().corrupt(
        data, kind="symmetric", rate=0.35 if kind == "symmetric" else 0.05, seed=1
    )
    found = detect_calibrated(noisy, embeddings=path, draws=3, resamples=0)
    assert found.flagged.any()
    assert (found.suggested[found.flagged] != noisy.given[found.flagged]).all()
    assert ((found.suggested >= -1) & (found.suggested < 10)).all()


def test_bad_embeddings_are_refused(tmp_path: Path) -> None:
    data, _ = clips(tmp_path)
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    np.save(tmp_path / "nan.npy", np.full((300, 2), np.nan))
    for name, words in (("short.npy", "300"), ("nan.npy", "NaN"), ("none.npy", "cannot be read")):
        with pytest.raises(InputError, match=words):
            detect_calibrated(data, embeddings=str(tmp_path / name))
    with pytest.raises(InputError, match="without sound"):
        detect_calibrated(data)
