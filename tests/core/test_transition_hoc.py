"""HOC against known T, its gradient against differences, its errors against what repeated samples do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from labelnoise.core.neighbours import NeighbourGraph, nearest_neighbours
from labelnoise.core.transition_hoc import (
    _Target,
    check_clusters,
    fit_hoc,
    hoc_objective,
    hoc_transition,
    triple_counts,
)
from labelnoise.core.validation import InputError

T3 = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.0, 0.25, 0.75]])
PRIOR3 = np.array([0.5, 0.3, 0.2])


def clusters(n, transition, prior, seed, spread=0.15):
    """Units around one corner per class, so that neighbours share the class; labels drawn from T."""
    rng = np.random.default_rng(seed)
    k = len(prior)
    true = rng.choice(k, n, p=prior)
    given = (rng.random(n)[:, None] >= np.cumsum(transition, axis=1)[true][:, :-1]).sum(axis=1)
    return given, np.eye(k)[true] + spread * rng.normal(size=(n, k)), true


def population(transition, prior):
    return np.einsum("k,ka,kb,kc->abc", prior, transition, transition, transition)


def test_counts_are_those_of_a_loop():
    given, x, _ = clusters(200, T3, PRIOR3, 0)
    given[::9] = -1
    graph = nearest_neighbours(x, 4)
    expected = np.zeros((3, 3, 3))
    for i in range(200):
        a, b, c = given[i], given[graph.indices[i, 0]], given[graph.indices[i, 1]]
        if min(a, b, c) >= 0:
            expected[a, b, c] += 1
    np.testing.assert_allclose(triple_counts(given, graph), expected / expected.sum(), atol=1e-15)


def test_objective_and_gradient():
    given, x, _ = clusters(500, T3, PRIOR3, 0)
    target = _Target(triple_counts(given, nearest_neighbours(x, 2)))
    theta = np.random.default_rng(0).normal(size=12)
    assert check_grad(lambda at: target.value(at)[0], lambda at: target.value(at)[1], theta) < 1e-6
    counts = triple_counts(given, nearest_neighbours(x, 2))
    assert target.value(theta)[0] == pytest.approx(hoc_objective(counts, *target.unpack(theta)), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_counts_of_a_population_give_its_transition(seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 7))
    transition = 0.6 * np.eye(k) + 0.4 * rng.dirichlet(np.ones(k), k)
    prior = rng.dirichlet(np.full(k, 5.0))
    fit = fit_hoc(population(transition, prior))
    np.testing.assert_allclose(fit.matrix, transition, atol=5e-3)
    np.testing.assert_allclose(fit.prior, prior, atol=5e-3)


def test_lbfgs_gets_lower_than_adam_as_published():
    for seed, k in enumerate((3, 5, 8)):
        transition = 0.65 * np.eye(k) + 0.35 * np.roll(np.eye(k), 1, axis=1)
        given, x, _ = clusters(3000, transition, np.full(k, 1 / k), seed)
        counts = triple_counts(given, nearest_neighbours(x, 2))
        best, published = fit_hoc(counts), fit_hoc(counts, solver="adam", starts=1)
        assert best.objective < published.objective
        assert best.objective == pytest.approx(hoc_objective(counts, best.matrix, best.prior), abs=1e-4)
        assert abs(best.matrix - published.matrix).max() < 0.1


def test_known_transition_is_within_the_errors_and_these_are_honest():
    """Entry by entry over ten seeds: nominal 95% and 3 errors, and the errors are the spread between samples."""
    estimates, errors = [], []
    for seed in range(10):
        given, x, _ = clusters(2500, T3, PRIOR3, seed)
        estimate = hoc_transition(given, x, seed=seed)
        assert estimate.warnings == ()
        estimates.append(estimate.matrix)
        errors.append(estimate.standard_error)
    off = np.abs(np.array(estimates) - T3) / np.array(errors)
    assert (off < 3).mean() >= 0.98
    assert (off < 1.96).mean() >= 0.85
    spread = np.std(estimates, axis=0).mean()
    assert 0.75 < np.mean(errors) / spread < 1.4


def test_overlap_of_triples_is_paid_for():
    """Where all triples of a class share a few neighbours, as many triples say much less, and the errors say so."""
    given, x, true = clusters(1500, T3, PRIOR3, 1)
    spread_out = hoc_transition(given, x).standard_error
    hubs = np.array([np.flatnonzero(true == c)[:20] for c in range(3)])
    shift = np.random.default_rng(0).integers(1, 10, (1500, 2)).cumsum(axis=1)
    place = np.arange(1500)[:, None] % 20 + shift
    graph = NeighbourGraph(hubs[true[:, None], place % 20], np.zeros((1500, 2)), "cosine")
    assert (hoc_transition(given, graph=graph).standard_error.mean()) > 1.5 * spread_out.mean()


def test_the_order_of_units_and_the_seed():
    given, x, _ = clusters(800, T3, PRIOR3, 2)
    one = hoc_transition(given, x, seed=3)
    order = np.random.default_rng(0).permutation(800)
    moved = hoc_transition(given[order], x[order], seed=3)
    np.testing.assert_allclose(moved.matrix, one.matrix, atol=1e-9)
    np.testing.assert_array_equal(hoc_transition(given, x, seed=3).standard_error, one.standard_error)
    assert (hoc_transition(given, x, seed=4).standard_error != one.standard_error).any()


def test_units_without_a_label_change_nothing():
    given, x, _ = clusters(600, T3, PRIOR3, 3)
    at = np.arange(0, 600, 5)
    one = hoc_transition(given, x)
    masked = hoc_transition(np.insert(given, at, -1), np.insert(x, at, x[at], axis=0))
    np.testing.assert_array_equal(masked.matrix, one.matrix)
    np.testing.assert_array_equal(masked.standard_error, one.standard_error)
    assert masked.n_units == 600


def test_features_and_their_graph_agree_and_groups_are_kept_out():
    given, x, _ = clusters(600, T3, PRIOR3, 4)
    graph = nearest_neighbours(x, 5)
    np.testing.assert_array_equal(hoc_transition(given, graph=graph).matrix, hoc_transition(given, x).matrix)
    # Copies within an item repeat its label: without groups every label looks right.
    thrice, copies, items = np.repeat(given, 3), np.repeat(x, 3, axis=0), np.repeat(np.arange(600), 3)
    assert np.diag(hoc_transition(thrice, copies).matrix).min() > 0.99
    apart = hoc_transition(thrice, copies, groups=items)
    assert abs(np.diag(apart.matrix) - np.diag(T3)).max() < 0.15


def test_true_classes_carry_the_names_of_their_labels():
    given, x, _ = clusters(3000, T3, PRIOR3, 5)
    order = np.array([2, 0, 1])
    inverse = np.argsort(order)
    renamed = hoc_transition(order[given], x)
    expected = T3[np.ix_(inverse, inverse)]
    assert abs(renamed.matrix - expected).max() < 0.1
    assert abs(renamed.prior - PRIOR3[inverse]).max() < 0.1


def pairs_of_shots(n, share, seed):
    """Units in pairs of one class: the other shot comes first, then a unit of another class with ``share``."""
    rng = np.random.default_rng(seed)
    true = np.repeat(rng.choice(3, n // 2, p=PRIOR3), 2)
    given = (rng.random(n)[:, None] >= np.cumsum(T3, axis=1)[true][:, :-1]).sum(axis=1)
    elsewhere = rng.integers(0, n, n)
    by_class = [np.flatnonzero(true == c) for c in range(3)]
    within = np.array([rng.choice(by_class[c]) for c in true])
    second = np.where(rng.random(n) < share, elsewhere, within)
    graph = NeighbourGraph(np.column_stack([np.arange(n) ^ 1, second]), np.zeros((n, 2)), "cosine")
    return given, graph


def test_agreement_that_fades_is_noticed_and_agreement_that_does_not_is_not():
    for share in (0.0, 0.5):
        given, graph = pairs_of_shots(8000, share, 0)
        check = check_clusters(given, graph)
        assert check.clusterable == pytest.approx(1 - share, abs=0.1)
        warned = any("differ in their true class" in w for w in hoc_transition(given, graph=graph).warnings)
        assert warned == (share > 0)


def test_classes_that_overlap_evenly_cannot_be_told_from_noise():
    """The limit of any check by labels alone: agreement is as low with the second neighbour as with the first."""
    given, x, true = clusters(4000, T3, PRIOR3, 0, spread=0.6)
    graph = nearest_neighbours(x, 2, metric="euclidean")
    assert (true == true[graph.indices[:, 0]]).mean() < 0.8
    assert check_clusters(given, graph).clusterable > 0.95
    assert np.diag(hoc_transition(given, graph=graph).matrix - T3).mean() < -0.03


def test_absent_small_and_turned_classes_are_said():
    given, x, _ = clusters(500, T3, PRIOR3, 0)
    given[given == 1] = 3
    estimate = hoc_transition(given, x, n_classes=5)
    assert np.isinf(estimate.standard_error[[1, 4]]).all()
    assert (estimate.matrix[[1, 4]] == np.eye(5)[[1, 4]]).all()
    assert (estimate.prior[[1, 4]] == 0).all()
    assert any("No unit is given classes 1, 4" in w for w in estimate.warnings)
    few = hoc_transition(*clusters(120, T3, PRIOR3, 0)[:2])
    assert any("Fewer than 50 units are expected of class" in w for w in few.warnings)
    flipped = np.array([[0.3, 0.7, 0.0], [0.0, 0.9, 0.1], [0.1, 0.0, 0.9]])
    given, x, _ = clusters(3000, flipped, np.full(3, 1 / 3), 0)
    assert any("is a guess" in w for w in hoc_transition(given, x).warnings)


def test_one_class_and_clean_labels():
    _, x, true = clusters(300, np.eye(3), PRIOR3, 0)
    estimate = hoc_transition(np.zeros(300, dtype=int), x)
    assert estimate.matrix.tolist() == [[1.0]]
    assert estimate.standard_error.tolist() == [[0.0]]
    clean = hoc_transition(true, x)
    np.testing.assert_allclose(clean.matrix, np.eye(3), atol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_of_features(dtype):
    given, x, _ = clusters(300, T3, PRIOR3, 0)
    x = x.astype(np.float32)
    np.testing.assert_array_equal(
        hoc_transition(given, x.astype(dtype)).matrix, hoc_transition(given, x.astype(np.float64)).matrix
    )


def test_what_cannot_be_used_is_refused():
    given, x, _ = clusters(30, T3, PRIOR3, 0)
    graph = nearest_neighbours(x, 2)
    for arguments, message in (
        ({"features": None}, "Give either features or graph"),
        ({"features": x, "graph": graph}, "Give either features or graph"),
        ({"graph": graph, "groups": np.arange(30)}, "groups belong to features"),
        ({"features": x, "n_bootstrap": 1}, "n_bootstrap is 1"),
        ({"features": x, "starts": 0}, "starts 0"),
        ({"features": x, "solver": "sgd"}, "Unknown solver"),
        ({"graph": nearest_neighbours(x, 1)}, "two are needed"),
        ({"features": x, "n_classes": 2}, "class id 2"),
    ):
        with pytest.raises(InputError, match=message):
            hoc_transition(given, **arguments)
    with pytest.raises(InputError, match="2 units have a label"):
        hoc_transition([0, 1, -1], x[:3])
    with pytest.raises(InputError, match="0 units have a label"):
        hoc_transition([], np.empty((0, 3)))
    with pytest.raises(InputError, match="two labelled neighbours"):
        hoc_transition(np.full(30, -1), graph=graph)
    with pytest.raises(InputError, match="at most 200"):
        hoc_transition(np.arange(300), np.eye(300))
    with pytest.raises(InputError, match="shares of triples"):
        fit_hoc(np.zeros((2, 2)))
    empty = NeighbourGraph(np.empty((0, 2), np.int64), np.empty((0, 2)), "cosine")
    assert triple_counts([], empty, n_classes=2).sum() == 0
    assert check_clusters([], empty).first == 0
