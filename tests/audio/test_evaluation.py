"""Measures of tags against scikit-learn, by hand, and on real labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, label_ranking_average_precision_score

from labelnoise.audio.evaluation import average_precision, lwlrap, tag_f1
from labelnoise.core.validation import InputError


def sample(m: int = 300, k: int = 12, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return (rng.random((m, k)) < 0.2).astype(int), rng.random((m, k))


def by_sklearn(tags: Any, scores: Any) -> float:
    some = tags.sum(axis=1) > 0
    return float(
        label_ranking_average_precision_score(tags[some], scores[some], sample_weight=tags[some].sum(axis=1))
    )


def test_lwlrap_equals_sklearn_with_and_without_ties() -> None:
    tags, scores = sample()
    assert abs(lwlrap(tags, scores).value - by_sklearn(tags, scores)) < 1e-12
    rough = np.round(scores, 1)
    assert abs(lwlrap(tags, rough).value - by_sklearn(tags, rough)) < 1e-12


def test_lwlrap_on_the_real_test_labels(real_data: Path) -> None:
    from labelnoise.audio.fsd import read_fsdkaggle2019

    folder = real_data / "audio" / "fsdkaggle2019_meta"
    if not folder.is_dir():
        pytest.skip("FSDKaggle2019 is not among the real data")
    data = read_fsdkaggle2019(folder)
    tags = data.take(data.splits["test"]).tags
    scores = np.random.default_rng(0).random(tags.shape) + 0.3 * tags
    assert tags.shape == (4481, 80)
    ours = lwlrap(tags, scores)
    assert abs(ours.value - by_sklearn(tags, scores)) < 1e-12
    assert abs(lwlrap(tags, scores, ties="dcase").value - ours.value) < 1e-12
    # Published values for constant scores: the challenge's order of ties, and the worst places.
    flat = np.zeros(tags.shape)
    assert lwlrap(tags, flat, ties="dcase").value == pytest.approx(0.0782, abs=5e-5)
    assert lwlrap(tags, flat).value == pytest.approx(0.0220, abs=5e-5)


def test_classes_add_up_by_their_weights() -> None:
    tags, scores = sample()
    tags[:, 3] = 0
    found = lwlrap(tags, scores)
    assert np.isnan(found.per_class[3])
    assert found.weight[3] == 0
    assert np.nansum(found.per_class * found.weight) == pytest.approx(found.value, abs=1e-12)


def test_unknown_tags_change_nothing_but_their_place() -> None:
    tags, scores = sample(40)
    hidden = tags.copy()
    hidden[:, 5] = -1
    rest = [j for j in range(12) if j != 5]
    assert lwlrap(hidden, scores).value == pytest.approx(
        lwlrap(tags[:, rest], scores[:, rest]).value, abs=1e-12
    )
    tied = np.round(scores, 1)
    assert lwlrap(hidden, tied).value == pytest.approx(lwlrap(tags[:, rest], tied[:, rest]).value, abs=1e-12)


def test_average_precision_and_f1_equal_sklearn() -> None:
    tags, scores = sample()
    rough = np.round(scores, 1)
    expected = average_precision_score(tags, rough, average=None)
    assert np.abs(average_precision(tags, rough) - expected).max() < 1e-12
    said = scores > 0.6
    found = tag_f1(tags, said)
    assert found.micro == pytest.approx(f1_score(tags, said, average="micro"), abs=1e-12)
    assert found.macro == pytest.approx(f1_score(tags, said, average="macro"), abs=1e-12)
    hidden = np.vstack([tags, np.full((1, 12), -1)])
    assert tag_f1(hidden, np.vstack([said, np.ones((1, 12), bool)])).micro == found.micro


def test_bad_input_is_refused() -> None:
    tags, scores = sample(5)
    with pytest.raises(InputError, match="No tag is present"):
        lwlrap(0 * tags, scores)
    with pytest.raises(InputError, match="one score per clip"):
        lwlrap(tags, scores[:, :3])
    scores[2, 1] = np.nan
    with pytest.raises(InputError, match="clip 2"):
        average_precision(tags, scores)
    with pytest.raises(InputError, match="way to treat ties"):
        lwlrap(tags, np.ones(tags.shape), ties="best")
    with pytest.raises(InputError, match="not defined"):
        tag_f1(0 * tags, 0 * tags)
