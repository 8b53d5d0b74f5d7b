"""Scores of tags against scikit-learn, against plain loops, and on the test labels of FSDKaggle2019."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from labelnoise.audio.evaluation import average_precision, lwlrap, tag_f1
from labelnoise.core.validation import InputError


def drawn(m: int, k: int, share: float = 0.2, seed: int = 0) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return (rng.random((m, k)) < share).astype(np.int8), rng.random((m, k))


def lwlrap_by_loops(
    tags: NDArray[np.int8], scores: NDArray[np.float64], later_first: bool
) -> NDArray[np.float64]:
    """Per class, straight from the definition."""
    k = tags.shape[1]
    sums, counts = np.zeros(k), np.zeros(k)
    for truth, row in zip(tags, scores):
        known = [c for c in range(k) if truth[c] >= 0]

        def above(c: int, row: NDArray[np.float64] = row, known: list[int] = known) -> list[int]:
            if later_first:
                return [d for d in known if (row[d], d) >= (row[c], c)]
            return [d for d in known if row[d] >= row[c]]

        for c in known:
            if truth[c] == 1:
                ahead = above(c)
                sums[c] += sum(truth[d] == 1 for d in ahead) / len(ahead)
                counts[c] += 1
    return np.divide(sums, counts, out=np.full(k, np.nan), where=counts > 0)


@pytest.fixture
def challenge_tags(real_data: Path) -> NDArray[np.int8]:
    """The test labels of FSDKaggle2019, 4,481 x 80, tags in the order of the vocabulary."""
    import pandas as pd

    folder = real_data / "audio/fsdkaggle2019_meta"
    names = pd.read_csv(folder / "vocabulary.csv", header=None)[1]
    labels = pd.read_csv(folder / "test_post_competition.csv")["labels"]
    return labels.str.get_dummies(",")[names].to_numpy(dtype=np.int8)


@pytest.mark.parametrize("ties", ["pessimistic", "dcase"])
@pytest.mark.parametrize("levels", [3, 1000])
def test_lwlrap_is_what_its_definition_says(ties: str, levels: int) -> None:
    tags, scores = drawn(60, 9)
    tags[np.random.default_rng(5).random(tags.shape) < 0.2] = -1
    scores = np.round(scores * levels) / levels
    expected = lwlrap_by_loops(tags, scores, ties == "dcase")
    found = lwlrap(tags, scores, ties=ties)
    np.testing.assert_allclose(found.per_class, expected, rtol=0, atol=1e-14)
    assert found.value == pytest.approx(float(np.nansum(found.weight * found.per_class)), abs=1e-14)
    assert found.weight.sum() == pytest.approx(1)


@pytest.mark.parametrize("levels", [2, 5, 10**9])
def test_pessimistic_ties_are_those_of_scikit_learn(levels: int) -> None:
    from sklearn.metrics import label_ranking_average_precision_score

    tags, scores = drawn(300, 20, seed=1)
    scores = np.round(scores * levels) / levels
    some = tags.any(axis=1)
    expected = label_ranking_average_precision_score(
        tags[some], scores[some], sample_weight=tags[some].sum(axis=1)
    )
    assert lwlrap(tags, scores).value == pytest.approx(expected, abs=1e-12)


def test_blocks_make_no_difference() -> None:
    tags, scores = drawn(9001, 3, seed=2)
    parts = [lwlrap(tags[i::2], scores[i::2]) for i in range(2)]
    counts = [tags[i::2].sum() for i in range(2)]
    assert lwlrap(tags, scores).value == pytest.approx(
        np.average([part.value for part in parts], weights=counts), abs=1e-13
    )


def test_clips_without_a_tag_change_nothing() -> None:
    tags, scores = drawn(50, 6)
    more = np.vstack([tags, np.zeros((5, 6), dtype=np.int8), np.full((5, 6), -1, dtype=np.int8)])
    assert lwlrap(more, np.vstack([scores, drawn(10, 6, seed=9)[1]])).value == lwlrap(tags, scores).value


@pytest.mark.parametrize("ties", ["pessimistic", "dcase"])
def test_scores_of_unknown_tags_change_nothing(ties: str) -> None:
    tags, scores = drawn(50, 6)
    hidden = np.random.default_rng(4).random(tags.shape) < 0.3
    tags[hidden] = -1
    other = np.where(hidden, 7.0, scores)
    np.testing.assert_array_equal(
        lwlrap(tags, scores, ties=ties).per_class, lwlrap(tags, other, ties=ties).per_class
    )
    np.testing.assert_array_equal(average_precision(tags, scores), average_precision(tags, other))
    np.testing.assert_array_equal(
        tag_f1(tags, scores > 0.5).per_class, tag_f1(tags, np.where(hidden, 1, scores > 0.5)).per_class
    )


def test_half_precision_keeps_the_ranking_it_has() -> None:
    tags, scores = drawn(100, 10)
    rough = scores.astype(np.float16)
    assert lwlrap(tags, rough).value == lwlrap(tags, rough.astype(np.float64)).value


@pytest.mark.parametrize("levels", [4, 10**9])
def test_average_precision_is_that_of_scikit_learn(levels: int) -> None:
    from sklearn.metrics import average_precision_score

    tags, scores = drawn(400, 7, seed=3)
    scores = np.round(scores * levels) / levels
    expected = [average_precision_score(tags[:, c], scores[:, c]) for c in range(7)]
    np.testing.assert_allclose(average_precision(tags, scores), expected, rtol=0, atol=1e-12)


def test_f1_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score

    tags, scores = drawn(400, 7, seed=6)
    said = scores > 0.6
    found = tag_f1(tags, said)
    np.testing.assert_allclose(found.per_class, f1_score(tags, said, average=None), rtol=0, atol=1e-14)
    assert found.micro == pytest.approx(f1_score(tags, said, average="micro"), abs=1e-14)
    assert found.macro == pytest.approx(f1_score(tags, said, average="macro"), abs=1e-14)


def test_f1_leaves_out_tags_that_are_neither_present_nor_predicted() -> None:
    found = tag_f1([[1, 0], [0, 0]], [[1, 0], [1, 0]])
    assert found.macro == found.micro == pytest.approx(2 / 3)
    assert np.isnan(found.per_class[1])


@pytest.mark.parametrize(
    ("tags", "scores", "message"),
    [
        ([[0, 0]], [[0.1, 0.2]], "No tag is present"),
        ([[1, 0]], [[0.1, np.nan]], "clip 0"),
        ([[1, 0]], [[0.1, 0.2, 0.3]], r"\(1, 3\)"),
        ([[1, 2]], [[0.1, 0.2]], "tags"),
    ],
)
def test_what_cannot_be_ranked_is_refused(tags: list, scores: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lwlrap(tags, scores)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(InputError, match="optimistic"):
        lwlrap([[1, 0]], [[0.1, 0.2]], ties="optimistic")
    with pytest.raises(InputError, match="0 or 1"):
        tag_f1([[1, 0]], [[1, -1]])
    with pytest.raises(InputError, match="F1 is not defined"):
        tag_f1([[0, 0]], [[0, 0]])


def test_real_labels_agree_with_scikit_learn_without_ties(challenge_tags: NDArray[np.int8]) -> None:
    from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

    assert challenge_tags.shape == (4481, 80)
    scores = np.random.default_rng(0).random(challenge_tags.shape) + 0.3 * challenge_tags
    expected = label_ranking_average_precision_score(
        challenge_tags, scores, sample_weight=challenge_tags.sum(axis=1)
    )
    pessimistic, challenge = lwlrap(challenge_tags, scores), lwlrap(challenge_tags, scores, ties="dcase")
    assert pessimistic.value == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(pessimistic.per_class, challenge.per_class, rtol=0, atol=1e-12)
    ap = average_precision_score(challenge_tags, scores, average=None)
    np.testing.assert_allclose(average_precision(challenge_tags, scores), ap, rtol=0, atol=1e-12)


def test_equal_scores_on_real_labels(challenge_tags: NDArray[np.int8]) -> None:
    """The challenge's order of ties pays constant scores 3.6 times what they are worth."""
    nothing = np.zeros(challenge_tags.shape)
    assert lwlrap(challenge_tags, nothing).value == pytest.approx(0.0220, abs=5e-5)
    assert lwlrap(challenge_tags, nothing, ties="dcase").value == pytest.approx(0.0782, abs=5e-5)
