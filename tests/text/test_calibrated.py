"""The calibrated detector on generated news, on noise that repeats with names, and what it must refuse."""

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError
from labelnoise.text.baselines import detect_confident_learning
from labelnoise.text.calibrated import detect_calibrated
from labelnoise.text.embedded import news
from labelnoise.text.evidence import type_ids


@pytest.fixture(scope="module")
def data():
    return news()


@pytest.fixture(scope="module")
def found(data):
    return detect_calibrated(data)


def scores(data, detection):
    return detection_metrics(
        data.is_wrong, 1 - detection.quality, flagged=detection.flagged, p_wrong=detection.p_wrong
    )


def test_finds_the_wrong_tags_and_counts_them(data, found):
    metrics = scores(data, found)
    assert metrics["auroc"] > 0.96
    assert metrics["average_precision"] > 0.8
    assert abs(metrics["count_ratio"] - 1) < 0.15
    assert found.count.low <= data.is_wrong.sum() <= found.count.high


def test_errors_that_do_not_repeat_are_seen_as_well_as_by_confident_learning(data, found):
    assert found.info["errors_repeat_with_names"] < 0.5
    plain = scores(data, detect_confident_learning(data))
    assert scores(data, found)["average_precision"] > plain["average_precision"] - 0.02


def test_names_that_are_missing_everywhere_are_found(data):
    """Four of ten names are untagged wherever they occur, which a model that saw them learns by heart."""
    rng = np.random.default_rng(0)
    words = [" ".join(map(str, data.tokens[s["start"] : s["end"]])).lower() for s in data.spans("true")]
    dropped = {word for word in sorted(set(words)) if rng.random() < 0.4}
    given = np.array(data.true)
    for span, word in zip(data.spans("true"), words, strict=True):
        if word in dropped:
            given[span["start"] : span["end"]] = 0
    missing = replace(data, given=given)
    wrong = missing.is_wrong
    detection = detect_calibrated(missing)
    metrics = scores(missing, detection)
    assert metrics["average_precision"] > 0.75
    assert detection.info["errors_repeat_with_names"] > 0.6
    plain = scores(missing, detect_confident_learning(missing))
    assert metrics["average_precision"] > plain["average_precision"] + 0.2
    assert 0.7 < metrics["count_ratio"] < 1.2
    # Over "O" and the types, not over tags: it stands in the info, since `transition` is over the data's classes.
    transition = np.array(detection.info["type_transition"])
    assert detection.transition is None
    assert transition[1:, 0].min() > 0.2
    assert transition[0, 1:].max() < 0.05
    # Errors that repeat may hide: the interval reaches up to what spelling allows, and a told share settles it.
    untagged = detection.info["capitalised_words"] * (1 - detection.info["of_these_tagged"])
    assert detection.count.high > untagged
    assert (
        any("not identified" in text for text in detection.warnings)
        or detection.count.high < 1.5 * wrong.sum()
    )
    told = detect_calibrated(missing, names=0.95)
    assert told.count.low <= wrong.sum() <= told.count.high
    assert scores(missing, told)["average_precision"] > metrics["average_precision"] - 0.05
    assert (detection.evidence["kind"][wrong & detection.flagged] == "missing").mean() > 0.9


def test_right_tags_are_left_alone(data):
    clean = replace(data, given=data.true)
    detection = detect_calibrated(clean)
    assert detection.count.expected < 0.03 * (data.true > 0).sum()
    assert detection.flagged.sum() < 0.03 * (data.true > 0).sum()


def test_untagged_tokens_are_predicted_and_change_nothing(data):
    masked = np.array(data.given)
    masked[data.groups % 7 == 0] = -1
    first = detect_calibrated(replace(data, given=masked), resamples=0)
    assert not first.flagged[masked < 0].any()
    assert (first.quality[masked < 0] == 1).all()
    assert (type_ids(first.suggested)[masked < 0] == type_ids(data.true)[masked < 0]).mean() > 0.9


def test_the_seed_decides(data):
    first, again, other = (detect_calibrated(data, seed, resamples=0).quality for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_features_of_any_model_may_judge_too(data, tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "f.npy", np.eye(data.n_classes)[data.true] @ rng.normal(size=(data.n_classes, 8)))
    helped = detect_calibrated(data, features=str(tmp_path / "f.npy"), resamples=0)
    assert scores(data, helped)["average_precision"] > 0.97
    assert len(helped.info["experts"]) in (3, 6)
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    with pytest.raises(InputError, match="one row of finite numbers"):
        detect_calibrated(data, features=str(tmp_path / "short.npy"))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"folds": 1}, "folds"),
        ({"epochs": 0}, "epochs"),
        ({"resamples": 1}, "resamples"),
        ({"features": "nowhere.npy"}, "cannot be read"),
        ({"encoder": "no/such/folder"}, "cannot be loaded"),
    ],
)
def test_refuses(data, options, why, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match=why):
        detect_calibrated(data, **options)


def test_refuses_text_without_entities(data):
    with pytest.raises(InputError, match="No entity"):
        detect_calibrated(replace(data, given=np.zeros_like(data.given)))


def test_probabilities_of_any_model(data, tmp_path):
    np.save(tmp_path / "p.npy", np.eye(data.n_classes)[data.true] * 0.9 + 0.1 / data.n_classes)
    detection = detect_confident_learning(data, probs=str(tmp_path / "p.npy"))
    assert (detection.flagged == data.is_wrong).mean() > 0.98
    np.save(tmp_path / "q.npy", np.zeros((3, 2)))
    with pytest.raises(InputError, match="tags"):
        detect_confident_learning(data, probs=str(tmp_path / "q.npy"))
