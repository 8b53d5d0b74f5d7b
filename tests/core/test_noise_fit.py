"""Noise learned from pairs: matrix, error and agreement within groups survive fit, replay and refit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.noise_annotators import annotator_transitions
from labelnoise.core.noise_fit import NoiseModel
from labelnoise.core.noise_matrices import random_transition, symmetric_transition
from labelnoise.core.noise_single import corrupt
from labelnoise.core.validation import InputError

K = 4


def grouped_labels(n_groups: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Units of two classes per group, in random order."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat(np.arange(n_groups), size))
    return (groups + rng.integers(0, 2, len(groups))) % K, groups


def shared_or_own(
    true: np.ndarray, groups: np.ndarray, matrix: np.ndarray, consistency: float, seed: int
) -> np.ndarray:
    """Another model than the fitted one: a unit takes its group's draw with probability sqrt(consistency)."""
    shared = corrupt(np.repeat(np.arange(K), groups.max() + 1), matrix, seed).labels.reshape(K, -1)
    own = corrupt(true, matrix, seed + 1).labels
    use = np.random.default_rng(seed).random(len(true)) < np.sqrt(consistency)
    return np.where(use, shared[true, groups], own)


def dirichlet(
    true: np.ndarray, groups: np.ndarray, matrix: np.ndarray, consistency: float, seed: int
) -> np.ndarray:
    """Every group and class has a row from a Dirichlet with this correlation."""
    rng = np.random.default_rng(seed)
    gamma = rng.gamma(np.tile(matrix * (1 / max(consistency, 1e-6) - 1) + 1e-9, (groups.max() + 1, 1, 1)))
    rows = (gamma / gamma.sum(axis=2, keepdims=True))[groups, true]
    return (rng.random(len(true))[:, None] >= rows.cumsum(axis=1)).sum(axis=1).clip(max=K - 1)


@pytest.mark.parametrize("make", [shared_or_own, dirichlet])
@pytest.mark.parametrize("consistency", [0.0, 0.15, 0.5, 0.9])
def test_fit_replay_and_refit_agree(make, consistency: float) -> None:  # type: ignore[no-untyped-def]
    true, groups = grouped_labels(2500, 8, 0)
    matrix = random_transition(K, 0.25, 1)
    model = NoiseModel.fit(true, make(true, groups, matrix, consistency, 7), groups=groups)
    assert model.consistency == pytest.approx(consistency, abs=0.05)
    assert (np.abs(model.transition - matrix) < 4.5 * model.transition_error + 1e-3).all()
    assert (model.size_slope == 0).all()
    # Other clean data with other groups.
    other, other_groups = grouped_labels(2500, 8, 5)
    replayed = model.replay(other, 11, groups=other_groups + 10_000)
    again = NoiseModel.fit(other, replayed.labels, groups=other_groups, n_classes=K)
    error = np.hypot(model.transition_error, again.transition_error)
    assert (np.abs(again.transition - model.transition) < 4.5 * error + 1e-3).all()
    assert replayed.rate == pytest.approx(model.rate, abs=0.03)
    assert again.consistency == pytest.approx(model.consistency, abs=0.05)
    np.testing.assert_allclose(again.class_consistency, model.class_consistency, atol=0.08)
    np.testing.assert_allclose(again.error_consistency, model.error_consistency, atol=0.08)
    np.testing.assert_allclose(again.label_consistency, model.label_consistency, atol=0.12)


def test_errors_repeat_their_wrong_label_too() -> None:
    true, groups = grouped_labels(3000, 10, 0)
    # Being wrong is independent, but within a group the wrong label is always the same one.
    goal = (true + 1 + np.random.default_rng(0).integers(0, K - 1, 3000)[groups]) % K
    wrong = np.random.default_rng(1).random(len(true)) < 0.4
    model = NoiseModel.fit(true, np.where(wrong, goal, true), groups=groups)
    assert model.error_consistency.max() < 0.03
    assert model.label_consistency.min() > 0.97
    again = NoiseModel.fit(true, model.replay(true, 3, groups=groups).labels, groups=groups)
    assert again.error_consistency.max() < 0.03
    assert again.label_consistency.min() > 0.97


def test_common_groups_that_are_labelled_better_stay_so() -> None:
    rng = np.random.default_rng(0)
    size = np.repeat([1, 2, 4, 8, 16, 32, 64], [4800, 2400, 1200, 600, 320, 160, 80])
    groups = np.repeat(np.arange(len(size)), size)
    true = groups % 2
    bad = rng.random(len(size)) < 1 / (1 + size**0.7)
    noisy = np.where(bad[groups], 1 - true, true)
    model = NoiseModel.fit(true, noisy, groups=groups)
    np.testing.assert_allclose(model.size_slope, -0.7, atol=0.12)

    def rate_by_size(labels: np.ndarray) -> np.ndarray:
        share = np.bincount(groups, weights=labels != true) / size
        return np.array([share[size == s].mean() for s in (1, 4, 16)])

    replays = [model.replay(true, seed, groups=groups) for seed in range(5)]
    by_size = np.mean([rate_by_size(replay.labels) for replay in replays], axis=0)
    np.testing.assert_allclose(by_size, rate_by_size(noisy), atol=0.06)
    assert np.mean([replay.rate for replay in replays]) == pytest.approx(model.rate, abs=0.03)


@pytest.mark.parametrize("n_annotators", [20, 60])
def test_careless_annotators_are_careless_in_all_classes(n_annotators: int) -> None:
    rng = np.random.default_rng(0)
    matrices = annotator_transitions(n_annotators, 8, 3, mean=0.75, std=0.15)
    groups = np.repeat(np.arange(n_annotators), 120)
    true = rng.integers(0, 8, len(groups))
    noisy = (rng.random(len(true))[:, None] >= matrices[groups, true].cumsum(axis=1)).sum(axis=1).clip(max=7)
    model = NoiseModel.fit(true, noisy, groups=groups)
    assert model.coupling > 0.7

    def spread(labels: np.ndarray) -> float:
        return float((np.bincount(groups, weights=labels != true) / 120).std())

    replayed = np.mean([spread(model.replay(true, seed, groups=groups).labels) for seed in range(8)])
    independent = np.mean([spread(corrupt(true, model.transition, seed).labels) for seed in range(8)])
    assert spread(noisy) > 2.5 * independent
    assert replayed == pytest.approx(spread(noisy), rel=0.25)


def test_standard_errors_count_groups_not_units() -> None:
    true = np.repeat([0, 1], 2000)
    groups = np.repeat(np.arange(200), 20)
    bad = [np.random.default_rng(seed).random(200) < 0.3 for seed in range(200)]
    fits = [NoiseModel.fit(true, np.where(b[groups], 1 - true, true), groups=groups) for b in bad]
    spread = np.std([fit.transition[0, 1] for fit in fits])
    stated = np.mean([fit.transition_error[0, 1] for fit in fits])
    assert stated == pytest.approx(spread, rel=0.2)
    alone = NoiseModel.fit(true, np.where(bad[0][groups], 1 - true, true))
    assert alone.transition_error[0, 1] == pytest.approx(np.sqrt(0.3 * 0.7 / 2000), rel=0.15)


def test_without_groups_noise_is_class_conditional() -> None:
    true, _ = grouped_labels(500, 8, 0)
    model = NoiseModel.fit(true, corrupt(true, symmetric_transition(K, 0.3), 1).labels)
    assert model.consistency == 0
    assert (model.error_consistency == 0).all()
    assert model.coupling == 0
    replayed = model.replay(true, 2)
    np.testing.assert_array_equal(replayed.labels, corrupt(true, model.transition, 2).labels)


def test_consistent_noise_without_groups_still_has_its_rate() -> None:
    true, groups = grouped_labels(2000, 8, 0)
    model = NoiseModel.fit(
        true, shared_or_own(true, groups, symmetric_transition(K, 0.3), 0.8, 3), groups=groups
    )
    assert model.replay(true, 0).rate == pytest.approx(model.rate, abs=0.02)
    assert model.replay(true, 0, groups=np.full(len(true), -1)).rate == pytest.approx(model.rate, abs=0.02)


@given(seed=st.integers(0, 500), hidden_share=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_masked_units_order_and_names_change_nothing(seed: int, hidden_share: float) -> None:
    true, groups = grouped_labels(60, 6, seed)
    noisy = shared_or_own(true, groups, symmetric_transition(K, 0.4), 0.6, seed)
    hidden = np.random.default_rng(seed).random(len(true)) < hidden_share
    hidden[0] = False
    masked = np.where(hidden, -1, true)
    # What the groups and labels of masked units are does not matter.
    other_groups = np.where(hidden, 12345, groups)
    model = NoiseModel.fit(masked, noisy, groups=groups, n_classes=K)
    twin = NoiseModel.fit(masked, np.where(hidden, 0, noisy), groups=other_groups, n_classes=K)
    assert model.to_dict() == twin.to_dict()
    replayed = model.replay(masked, 1, groups=groups)
    assert (replayed.labels[hidden] == -1).all()
    np.testing.assert_array_equal(replayed.labels, model.replay(masked, 1, groups=other_groups).labels)
    order = np.random.default_rng(seed).permutation(len(true))
    shuffled = NoiseModel.fit(masked[order], noisy[order], groups=groups[order], n_classes=K)
    for name, value in model.to_dict().items():
        if not isinstance(value, str):
            np.testing.assert_allclose(getattr(shuffled, name, value), value, atol=1e-9)


def test_a_group_makes_the_same_mistakes_wherever_it_appears() -> None:
    true, groups = grouped_labels(3000, 6, 0)
    noisy = shared_or_own(true, groups, symmetric_transition(K, 0.3), 1.0, 1)
    model = NoiseModel.fit(true, noisy, groups=groups)
    whole = model.replay(true, 5, groups=groups).labels
    order = np.random.default_rng(0).permutation(len(true))[:4000]
    part = model.replay(true[order], 5, groups=groups[order]).labels
    np.testing.assert_array_equal(part, whole[order])
    names = np.array([f"form {g}" for g in groups])
    by_name = model.replay(true, 5, groups=names).labels
    assert NoiseModel.fit(true, by_name, groups=names).consistency > 0.99
    np.testing.assert_array_equal(by_name[order], model.replay(true[order], 5, groups=names[order]).labels)
    assert (model.replay(true, 6, groups=groups).labels != whole).any()


def test_another_rate_keeps_what_is_confused_and_how_consistently() -> None:
    true, groups = grouped_labels(2500, 8, 0)
    noisy = dirichlet(true, groups, random_transition(K, 0.3, 1), 0.6, 2)
    model = NoiseModel.fit(true, noisy, groups=groups)
    replayed = model.replay(true, 3, groups=groups, rate=0.1)
    assert replayed.rate == pytest.approx(0.1, abs=0.02)
    again = NoiseModel.fit(true, replayed.labels, groups=groups)
    np.testing.assert_allclose(again.error_consistency, model.error_consistency, atol=0.08)
    assert replayed.transition is not None
    ratio = (replayed.transition / model.transition)[~np.eye(K, dtype=bool)]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_smoothing_gives_unseen_classes_the_average_behaviour() -> None:
    model = NoiseModel.fit([0] * 80 + [1] * 20, [0] * 60 + [1] * 20 + [1] * 20, n_classes=3, smoothing=1)
    np.testing.assert_allclose(model.transition[2], [0.0, 0.2, 0.8])
    np.testing.assert_allclose(model.transition[0], [(60 + 0.8) / 81, (20 + 0.2) / 81, 0], atol=1e-12)
    raw = NoiseModel.fit([0] * 80, [0] * 60 + [1] * 20, n_classes=3, smoothing=0)
    np.testing.assert_allclose(raw.transition, [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]])
    clean = NoiseModel.fit([0, 1, 2], [0, 1, 2])
    np.testing.assert_array_equal(clean.transition, np.eye(3))
    assert clean.replay([0, 1, 2, -1], 0, groups=[1, 1, 2, 2]).rate == 0.0


def test_saving_and_loading_give_the_same_model(tmp_path: Path) -> None:
    true, groups = grouped_labels(300, 8, 0)
    model = NoiseModel.fit(true, dirichlet(true, groups, symmetric_transition(K, 0.3), 0.5, 1), groups=groups)
    path = model.save(tmp_path / "model.json")
    loaded = NoiseModel.load(path)
    assert loaded.to_dict() == model.to_dict()
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(
        loaded.replay(true, 1, groups=groups).labels, model.replay(true, 1, groups=groups).labels
    )


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    good = NoiseModel.fit([0, 1, 1], [0, 1, 0]).to_dict()
    for change, what in (
        ({"format": "x"}, "no saved noise model"),
        ({"version": 2}, "version 2; this release reads 1"),
        ({"transition": [[2, 0], [0, 1]]}, "damaged"),
        ({"coupling": 1.5}, "impossible"),
        ({"size_slope": [float("nan"), 0]}, "impossible"),
        ({"error_consistency": [0.1]}, "impossible"),
        ({"rate": None}, "damaged"),
    ):
        with pytest.raises(InputError, match=what):
            NoiseModel.from_dict({**good, **change})
    good.pop("coupling")
    with pytest.raises(InputError, match="coupling"):
        NoiseModel.from_dict(json.loads(json.dumps(good)))
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read|There is no file"):
        NoiseModel.load(tmp_path / "broken.json")
    with pytest.raises(InputError, match="cannot be read|There is no file"):
        NoiseModel.load(tmp_path / "absent.json")


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="Lengths differ"):
        NoiseModel.fit([0, 1], [0])
    with pytest.raises(InputError, match="at least 2"):
        NoiseModel.fit([0, 0], [0, 0])
    with pytest.raises(InputError, match="nothing to learn"):
        NoiseModel.fit([-1, 1], [0, -1])
    with pytest.raises(InputError, match="nothing to learn"):
        NoiseModel.fit([], [], n_classes=2)
    with pytest.raises(InputError, match="smoothing is -1"):
        NoiseModel.fit([0, 1], [0, 1], smoothing=-1)
    with pytest.raises(InputError, match="groups hold float64"):
        NoiseModel.fit([0, 1], [0, 1], groups=[0.5, 1.0])
    model = NoiseModel.fit([0, 1], [0, 1])
    with pytest.raises(InputError, match="class id 2"):
        model.replay([2], 0)
    with pytest.raises(InputError, match="2 labels"):
        model.replay([0, 1], 0, groups=[1])
    assert model.replay([], 0, groups=[]).rate == 0.0


@pytest.mark.real_data
@pytest.mark.parametrize("label_set", [1, 7])
def test_replayed_distant_labels_err_per_word_as_the_real_ones_do(real_data: Path, label_set: int) -> None:
    columns = []
    path = real_data / "text" / "noisyner" / f"estner_noisy_labelset{label_set}.train"
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = line.split()
        kinds = tuple(part.split("-")[-1] for part in parts[1:3])
        if len(parts) >= 3 and all(kind in ("O", "LOC", "ORG", "PER") for kind in kinds):
            columns.append((parts[0], *kinds))
    words, clean_names, noisy_names = (np.array(column) for column in zip(*columns))
    kinds_found, clean = np.unique(clean_names, return_inverse=True)
    noisy = np.searchsorted(kinds_found, noisy_names)
    _, word = np.unique(words, return_inverse=True)

    def always_or_never(labels: np.ndarray) -> np.ndarray:
        result = []
        for c in range(4):
            size = np.bincount(word[clean == c], minlength=word.max() + 1)
            wrong = np.bincount(word[(clean == c) & (labels != c)], minlength=word.max() + 1)
            often = size >= 3
            result.append(((wrong == 0) | (wrong == size))[often].mean())
        return np.array(result)

    model = NoiseModel.fit(clean, noisy, groups=words)
    replay = model.replay(clean, 0, groups=words)
    real, again = always_or_never(noisy), always_or_never(replay.labels)
    independent = always_or_never(corrupt(clean, model.transition, 0).labels)
    np.testing.assert_allclose(again, real, atol=0.05)
    assert (real - independent)[[0, 2, 3]].min() > 0.2
    assert replay.rate == pytest.approx(model.rate, rel=0.1)
    refit = NoiseModel.fit(clean, replay.labels, groups=words)
    assert refit.consistency == pytest.approx(model.consistency, abs=0.05)
