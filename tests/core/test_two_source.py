"""Two-source selection against its definition, and what must not move it."""

from __future__ import annotations

import numpy as np
import pytest

from labelnoise.core.selection import SELECTORS
from labelnoise.core.two_source import certainty, keep_ratio, two_source
from labelnoise.core.validation import InputError


def problem(n: int = 90, k: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, k, n), rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), n)


@pytest.mark.parametrize("entangle", [True, False])
@pytest.mark.parametrize("keep", [0.2, 0.5, 1.0])
def test_weights_match_the_definition(entangle, keep):
    given, a, b = problem()
    found = two_source(given, a, b, keep=keep, entangle=entangle)
    own = np.arange(len(given)), given
    raw = np.stack([a[own], b[own]])
    expected = (raw + raw[0] * raw[1]) / 2 if entangle else raw
    np.testing.assert_allclose(found.confidence, expected)
    for source in range(2):
        for c in range(4):
            values = expected[source][given == c]
            threshold = np.sort(values)[::-1][int(np.ceil(keep * len(values) - 1e-9)) - 1]
            np.testing.assert_allclose(found.weights[source][given == c], np.minimum(values / threshold, 1))
    np.testing.assert_array_equal(found.selected, (found.weights == 1).all(axis=0))


def test_every_class_keeps_its_share():
    given, a, b = problem(n=400)
    a = a * [1, 0.05, 1, 1]
    a /= a.sum(axis=1, keepdims=True)
    found = two_source(given, a, b, keep=0.5)
    for c in range(4):
        assert (found.weights[0][given == c] == 1).mean() == pytest.approx(0.5, abs=0.02)


def test_the_other_source_moves_the_order():
    given, a, b = [0, 0], [[0.6, 0.4], [0.5, 0.5]], [[0.1, 0.9], [1.0, 0.0]]
    assert two_source(given, a, b, keep=0.5, entangle=False).weights[0].tolist() == [
        1.0,
        pytest.approx(5 / 6),
    ]
    entangled = two_source(given, a, b, keep=0.5).weights[0]
    assert entangled[1] == 1
    assert entangled[0] < 1


def test_wrong_labels_lose_their_weight():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 600)
    given = np.where(rng.random(600) < 0.3, (true + 1) % 3, true)
    views = [2.0 * np.eye(3)[true] + rng.normal(size=(600, 3)) for _ in range(2)]
    a, b = (np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in views)
    kept = SELECTORS["two_source"].load()(given, a, b, keep=0.6)
    assert (given != true)[kept].mean() < 0.05
    alone = two_source(given, a, a, keep=kept.mean()).selected
    assert (given != true)[kept].mean() < (given != true)[alone].mean()


def test_masked_units_have_no_weight_and_change_nothing():
    given, a, b = problem()
    masked = given.copy()
    masked[::3] = -1
    has = masked >= 0
    whole, alone = two_source(masked, a, b), two_source(given[has], a[has], b[has])
    np.testing.assert_allclose(whole.weights[:, has], alone.weights)
    np.testing.assert_array_equal(whole.selected[has], alone.selected)
    assert (whole.weights[:, ~has] == 0).all()
    assert not whole.selected[~has].any()
    assert (whole.certainty[:, ~has] > 0).any()


def test_order_of_units_does_not_matter():
    given, a, b = problem()
    order = np.random.default_rng(1).permutation(len(given))
    plain, moved = two_source(given, a, b), two_source(given[order], a[order], b[order])
    np.testing.assert_array_equal(moved.weights, plain.weights[:, order])


def test_certainties_and_zero_confidence():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 20)
    np.testing.assert_allclose(certainty(p), 1 + (p * np.log(p)).sum(axis=1) / np.log(5))
    np.testing.assert_allclose(certainty(p, measure="squares"), (p**2).sum(axis=1))
    nothing = two_source([0, 0], [[0.0, 1.0]] * 2, [[0.0, 1.0]] * 2)
    assert np.isfinite(nothing.weights).all()


def test_the_ratio_ramps_down_and_stays():
    ratios = [keep_ratio(epoch, 0.4, ramp=6) for epoch in range(10)]
    assert ratios[0] == 1
    np.testing.assert_allclose(np.diff(ratios[:7]), -0.1)
    np.testing.assert_allclose(ratios[6:], 0.4)
    assert keep_ratio(0, 0.4, ramp=0) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: two_source([0], [[np.nan, 1]], [[0.5, 0.5]]), "NaN"),
        (lambda: two_source([0], [[0.5, 0.5]], [[0.2, 0.3, 0.5]]), "same classes"),
        (lambda: two_source([0], [[0.5, 0.5]], [[0.5, 0.5]] * 2), "Lengths differ"),
        (lambda: two_source([0], [[0.5, 0.5]], [[0.5, 0.5]], keep=0), "keep"),
        (lambda: two_source([0], [[0.5, 0.5]], [[0.5, 0.5]], measure="gini"), "entropy"),
        (lambda: keep_ratio(-1, 0.5), "0 or more"),
    ],
)
def test_bad_input_is_refused_in_words(call, words):
    with pytest.raises(InputError, match=words):
        call()
