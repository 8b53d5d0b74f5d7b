"""Weights of labels by neighbours of the same kind."""

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.collaboration import Neighbourhood, knn_weights


def test_weights_are_the_formula_computed_by_hand() -> None:
    rng = np.random.default_rng(0)
    X, kinds, k = rng.normal(size=(60, 5)), rng.integers(0, 3, 60), 7
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    near = np.argsort(-(unit @ unit.T) + 9 * np.eye(60), axis=1)[:, :k]
    count = (kinds[near] == kinds[:, None]).sum(axis=1)
    wanted = np.empty(60)
    for kind in range(3):
        r = count[kinds == kind] / count[kinds == kind].max()
        s = 1 / (1 + np.exp(-6 * (r - r.mean())))
        wanted[kinds == kind] = s / s.max()
    np.testing.assert_allclose(knn_weights(X, kinds, k=k), wanted)


def test_the_true_nearest_neighbour_is_counted_and_copies_are_not() -> None:
    X = np.array([[1.0, 0], [1.0, 0], [1.0, 0.1], [0, 1.0]])
    assert Neighbourhood(X, 1).agreeing(np.array([0, 0, 0, 1]), 2).tolist() == [1, 1, 1, 0]
    assert Neighbourhood(X, 1).agreeing(np.array([0, 0, 1, 1]), 2).tolist() == [0, 0, 0, 1]


def test_empty_kinds_single_tokens_and_few_tokens_are_safe() -> None:
    X = np.array([[1.0, 0], [0, 1.0], [1.0, 1.0]])
    weights = knn_weights(X, [0, 0, 2], n_kinds=5, k=500)
    assert np.isfinite(weights).all()
    assert weights[2] == 1.0
    assert knn_weights(np.ones((4, 2)), [0, 0, 1, 1]).tolist() == [1.0] * 4


def test_a_token_without_label_changes_nothing_but_its_place() -> None:
    rng = np.random.default_rng(1)
    X, kinds = rng.normal(size=(30, 4)), rng.integers(0, 2, 30)
    masked = np.where(np.arange(30) == 3, -1, kinds)
    assert knn_weights(X, masked, k=5)[3] == 0
    alone = Neighbourhood(X, 29).agreeing(masked, 2)
    assert (alone[masked == kinds] <= Neighbourhood(X, 29).agreeing(kinds, 2)[masked == kinds]).all()


def test_a_confirmed_label_outweighs_a_stray_one() -> None:
    rng = np.random.default_rng(2)
    X = np.vstack([rng.normal([5, 0], 0.3, (40, 2)), rng.normal([0, 5], 0.3, (40, 2))])
    kinds = np.repeat([0, 1], 40)
    kinds[:4] = 1
    weights = knn_weights(X, kinds, k=20)
    assert weights[:4].max() < 0.2 < 0.5 < weights[4:].min()


@pytest.mark.parametrize("bad", [{"k": 0}, {"alpha": -1.0}, {"mu": float("nan")}])
def test_numbers_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InputError):
        knn_weights(np.eye(3), [0, 1, 0], **bad)  # type: ignore[arg-type]


def test_kinds_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match="one each"):
        knn_weights(np.eye(3), [0, 1])


def test_a_sample_of_the_tokens_estimates_the_same_weights() -> None:
    rng = np.random.default_rng(3)
    kinds = rng.integers(0, 3, 900)
    X = rng.normal(size=(3, 6))[kinds] * 2 + rng.normal(size=(900, 6))
    doubtful = np.where(rng.random(900) < 0.2, rng.integers(0, 3, 900), kinds)
    whole, part = Neighbourhood(X, 90), Neighbourhood(X, 90, sample=300, seed=1)
    assert part.k == 30
    assert np.corrcoef(whole.weights(doubtful), part.weights(doubtful))[0, 1] > 0.95
    np.testing.assert_array_equal(Neighbourhood(X, 90, sample=900).weights(doubtful), whole.weights(doubtful))
    with pytest.raises(InputError, match="sample"):
        Neighbourhood(X, 5, sample=0)
