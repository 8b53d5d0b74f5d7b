"""Open-set noise: a three-valued truth and where the outside items go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelnoise.core.noise_matrices import pair_transition
from labelnoise.core.noise_openset import CLEAN, CLOSED, OPEN, drop_classes, open_set
from labelnoise.core.validation import InputError


def labels_of(n: int, k: int = 4) -> np.ndarray:
    labels = np.random.default_rng(0).integers(0, k, n)
    labels[::10] = -1
    return labels


@given(rate=st.floats(0, 1), closed=st.floats(0, 1), seed=st.integers(0, 999), exact=st.booleans())
@settings(max_examples=60, deadline=None)
def test_status_labels_and_replacements_agree(rate: float, closed: float, seed: int, exact: bool) -> None:
    true = labels_of(1000)
    noise = open_set(true, rate, seed, n_classes=4, n_outside=700, closed_share=closed, exact=exact)
    assert noise.status is not None
    labelled = true >= 0
    n = labelled.sum()
    assert (noise.status[~labelled] == CLEAN).all()
    np.testing.assert_array_equal(noise.changed, noise.status == CLOSED)
    np.testing.assert_array_equal(noise.replacement >= 0, noise.status == OPEN)
    assert noise.replacement.max(initial=-1) < 700
    assert noise.rate == pytest.approx((noise.status > 0).sum() / n)
    assert noise.rates["open"] + noise.rates["closed"] == pytest.approx(noise.rate)
    slack = 1 / n + 1e-9 if exact else 6 * np.sqrt(rate * (1 - rate) / n) + 2 / n
    assert abs(noise.rate - rate) <= slack
    assert abs(noise.rates["open"] - rate * (1 - closed)) <= (
        1 / n + 1e-9 if exact else 6 * np.sqrt(0.25 / n)
    )
    assert noise.transition is not None
    np.testing.assert_allclose(noise.transition.sum(axis=1), 1)


def test_the_transition_is_that_of_units_with_their_own_features() -> None:
    true = np.zeros(40_000, dtype=int)
    noise = open_set(true, 0.5, 1, n_classes=3, n_outside=9, closed_share=0.4)
    own = noise.replacement < 0
    assert noise.transition is not None
    realised = np.bincount(noise.labels[own], minlength=3) / own.sum()
    np.testing.assert_allclose(realised, noise.transition[0], atol=0.01)


def test_outside_items_are_not_repeated_while_there_are_enough() -> None:
    true = labels_of(1000)
    used = open_set(true, 0.9, 0, n_classes=4, n_outside=1000).replacement
    used = used[used >= 0]
    assert len(set(used.tolist())) == len(used)
    few = open_set(true, 0.9, 0, n_classes=4, n_outside=7).replacement
    counts = np.bincount(few[few >= 0], minlength=7)
    assert counts.min() > 80


def test_seeds_and_masks() -> None:
    true = labels_of(500)
    masked = true.copy()
    masked[::3] = -1
    a = open_set(true, 0.5, 4, n_classes=4, n_outside=50, closed_share=0.5)
    b = open_set(masked, 0.5, 4, n_classes=4, n_outside=50, closed_share=0.5)
    kept = masked >= 0
    for name in ("labels", "status", "replacement"):
        np.testing.assert_array_equal(getattr(a, name)[kept], getattr(b, name)[kept])
    other = open_set(true, 0.5, 5, n_classes=4, n_outside=50, closed_share=0.5)
    assert (a.labels != other.labels).any()


def test_closed_noise_follows_the_passed_transition() -> None:
    true = labels_of(2000)
    noise = open_set(
        true, 0.6, 0, n_classes=4, n_outside=5, closed_share=1.0, transition=pair_transition(4, 0.2)
    )
    assert (noise.labels[noise.changed] == (true[noise.changed] + 1) % 4).all()
    identity = open_set(true, 0.6, 0, n_classes=4, n_outside=5, closed_share=1.0, transition=np.eye(4))
    assert identity.rate == 0.0


def test_dropped_classes_disappear_and_their_units_are_open() -> None:
    true = labels_of(3000)
    noise = drop_classes(true, [1, 3], 0, n_classes=4)
    assert noise.status is not None
    labelled = true >= 0
    assert set(noise.labels[labelled].tolist()) == {0, 2}
    np.testing.assert_array_equal(noise.status == OPEN, np.isin(true, [1, 3]))
    assert (noise.labels[np.isin(true, [0, 2])] == true[np.isin(true, [0, 2])]).all()
    assert (noise.labels[~labelled] == -1).all()
    mixed = drop_classes(true, [3], 0, n_classes=4, transition=pair_transition(4, 0.5))
    assert mixed.status is not None
    assert ((mixed.status == CLOSED) == (mixed.changed & (true != 3))).all()
    assert (mixed.labels[true == 2] == 2).all()
    assert mixed.rates["closed"] > 0.1


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="n_outside is 0"):
        open_set([0, 1], 0.5, 0, n_classes=2, n_outside=0)
    with pytest.raises(InputError, match="closed_share"):
        open_set([0, 1], 0.5, 0, n_classes=2, n_outside=1, closed_share=2)
    with pytest.raises(InputError, match="covers 3 classes, not 2"):
        open_set([0, 1], 0.5, 0, n_classes=2, n_outside=1, transition=np.eye(3))
    for dropped in ([], [0, 1], [-1]):
        with pytest.raises(InputError, match="at least one must go and one stay"):
            drop_classes([0, 1], dropped, 0, n_classes=2)
    with pytest.raises(InputError, match="sends class 1 to dropped"):
        drop_classes([0, 1], [1], 0, n_classes=3, transition=np.eye(3))
    assert open_set([], 0.5, 0, n_classes=2, n_outside=1).rate == 0.0
