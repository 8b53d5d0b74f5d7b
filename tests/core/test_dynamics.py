"""What all statistics of training share: order, resumption, masks, bad input, units never seen; and the registry."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import labelnoise.core.dynamics as dynamics
from labelnoise.core.dynamics import (
    DYNAMICS,
    AreaUnderMargin,
    CorrectStreak,
    EarlyLearningCurves,
    FirstLearning,
    ForgettingEvents,
    MeanLoss,
    TopKCounts,
)
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

N, K, EPOCHS = 60, 4, 6
TRUE = generator(0, "true").integers(0, K, N)
GIVEN = np.where(generator(0, "wrong").random(N) < 0.3, (TRUE + 1) % K, TRUE)

MAKERS: dict[str, Callable[[], Any]] = {
    "aum": lambda: AreaUnderMargin(N),
    "first_learning": lambda: FirstLearning(N, k=2, warmup=1),
    "correct_streak": lambda: CorrectStreak(N),
    "forgetting": lambda: ForgettingEvents(N),
    "mean_loss": lambda: MeanLoss(N),
    "topk": lambda: TopKCounts(N, K, k=2),
    "early_learning_curves": lambda: EarlyLearningCurves(N, true=TRUE),
}
PER_UNIT = [name for name in MAKERS if name != "early_learning_curves"]


def logits_of(epoch: int, seed: int = 0) -> Any:
    return generator(seed, "logits", epoch).normal(size=(N, K)).astype(np.float32) + 1.5 * np.eye(K)[TRUE]


def feed(statistic: Any, z: Any, given: Any, ids: Any) -> None:
    """Logits, or for statistics of losses the cross-entropy."""
    if isinstance(statistic, MeanLoss):
        rows = np.asarray(z, dtype=np.float64)
        own = rows[np.arange(len(rows)), np.maximum(given, 0)]
        with np.errstate(invalid="ignore"):
            losses = np.logaddexp.reduce(rows, axis=1) - own
        statistic.update(losses, ids, given)
    else:
        statistic.update(z, given, ids)


def run(
    statistic: Any, epochs: Any, *, order: int, batch: int = 7, given: Any = GIVEN, units: Any = None
) -> Any:
    members = np.arange(N) if units is None else np.asarray(units)
    for epoch in epochs:
        z = logits_of(epoch)
        for ids in np.array_split(generator(order, "order", epoch).permutation(members), batch):
            feed(statistic, z[ids], given[ids], ids)
        if hasattr(statistic, "end_epoch"):
            statistic.end_epoch()
    return statistic


def assert_same(a: Any, b: Any) -> None:
    left, right = a.state_dict(), b.state_dict()
    assert set(left) == set(right)
    for key in left:
        np.testing.assert_array_equal(left[key], right[key], err_msg=key)


def test_every_statistic_has_a_maker_here() -> None:
    assert set(MAKERS) == set(DYNAMICS) - {"adaptive_k"}
    assert all(type(MAKERS[name]()) is DYNAMICS[name].load() for name in MAKERS)
    assert all((e.summary, e.source, e.formula, e.helps, e.hurts) for e in DYNAMICS.values())
    assert all(hasattr(dynamics, name) for name in dynamics.__all__)


@pytest.mark.parametrize("name", MAKERS)
def test_order_and_size_of_batches_do_not_matter(name: str) -> None:
    first = run(MAKERS[name](), range(EPOCHS), order=1, batch=7)
    assert_same(first, run(MAKERS[name](), range(EPOCHS), order=2, batch=1))
    assert_same(first, run(MAKERS[name](), range(EPOCHS), order=3, batch=20))


@pytest.mark.parametrize("name", MAKERS)
def test_copies_of_a_unit_may_come_in_any_order(name: str) -> None:
    ids = generator(1, "copies").integers(0, N, 200)
    # Quarters, so that sums are exact in any order.
    z = np.round(4 * generator(1, "values").normal(size=(200, K))) / 4
    results = []
    for order in (np.arange(200), np.arange(200)[::-1]):
        statistic = MAKERS[name]()
        for _ in range(3):
            for part in np.array_split(order, 5):
                if name == "mean_loss":
                    statistic.update(z[part, 0], ids[part])
                else:
                    statistic.update(z[part], GIVEN[ids[part]], ids[part])
            if hasattr(statistic, "end_epoch"):
                statistic.end_epoch()
        results.append(statistic)
    assert_same(*results)


@pytest.mark.parametrize("name", PER_UNIT)
def test_names_of_units_do_not_matter(name: str) -> None:
    rename = generator(2, "names").permutation(N)
    plain, renamed = MAKERS[name](), MAKERS[name]()
    for epoch in range(EPOCHS):
        z = logits_of(epoch)
        feed(plain, z, GIVEN, np.arange(N))
        feed(renamed, z, GIVEN, rename)
        for statistic in (plain, renamed):
            if hasattr(statistic, "end_epoch"):
                statistic.end_epoch()
    np.testing.assert_array_equal(plain.values(), renamed.values()[rename])


@pytest.mark.parametrize("name", MAKERS)
def test_resumed_in_the_middle_of_an_epoch_as_if_never_interrupted(name: str) -> None:
    whole = run(MAKERS[name](), range(EPOCHS), order=1)
    before = run(MAKERS[name](), range(3), order=1)
    z, half = logits_of(3), np.array_split(np.arange(N), 2)
    feed(before, z[half[0]], GIVEN[half[0]], half[0])
    file = io.BytesIO()
    np.savez(file, **before.state_dict())
    file.seek(0)
    after = MAKERS[name]()
    with np.load(file, allow_pickle=False) as state:
        after.load_state_dict(state)
    feed(after, z[half[1]], GIVEN[half[1]], half[1])
    if hasattr(after, "end_epoch"):
        after.end_epoch()
    assert_same(whole, run(after, range(4, EPOCHS), order=9))


@pytest.mark.parametrize("name", MAKERS)
def test_a_saved_state_is_a_copy_and_loading_does_not_share_it(name: str) -> None:
    statistic = run(MAKERS[name](), range(2), order=1)
    state = statistic.state_dict()
    kept = {key: value.copy() for key, value in state.items()}
    other = MAKERS[name]()
    other.load_state_dict(state)
    run(statistic, range(2, 4), order=1)
    run(other, range(2, 4), order=1)
    for key, value in kept.items():
        np.testing.assert_array_equal(state[key], value)


@pytest.mark.parametrize("name", PER_UNIT)
def test_states_that_do_not_fit_are_refused_and_change_nothing(name: str) -> None:
    statistic = run(MAKERS[name](), range(2), order=1)
    reference = run(MAKERS[name](), range(2), order=1)
    state = statistic.state_dict()
    with pytest.raises(InputError, match="of another kind"):
        statistic.load_state_dict({"something": np.zeros(3)})
    array = next(key for key, value in state.items() if value.shape == (N,))
    with pytest.raises(InputError, match="another data set"):
        statistic.load_state_dict({**state, array: np.zeros(N + 1)})
    for setting in statistic._SETTINGS:
        with pytest.raises(InputError, match=setting):
            statistic.load_state_dict({**state, setting: state[setting] + 1})
    assert_same(statistic, reference)


@pytest.mark.parametrize("name", MAKERS)
def test_units_without_a_label_change_nothing_whatever_their_logits(name: str) -> None:
    given = np.where(np.arange(N) % 5 == 0, -1, GIVEN)
    masked, without = MAKERS[name](), MAKERS[name]()
    for epoch in range(3):
        z = logits_of(epoch)
        z[given < 0] = np.nan
        known = np.flatnonzero(given >= 0)
        feed(masked, z, given, np.arange(N))
        feed(without, z[known], given[known], known)
        for statistic in (masked, without):
            if hasattr(statistic, "end_epoch"):
                statistic.end_epoch()
    assert_same(masked, without)
    if name in PER_UNIT:
        assert masked.seen.tolist() == (given >= 0).tolist()


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_and_nothing_was_updated(name: str, bad: float) -> None:
    statistic = run(MAKERS[name](), range(2), order=1)
    before = statistic.state_dict()
    z = logits_of(2)
    z[5, GIVEN[5]] = bad
    z[6, (GIVEN[6] + 1) % K] = bad
    with pytest.raises(InputError, match="NaN or infinity"), np.errstate(invalid="ignore"):
        feed(statistic, z, GIVEN, np.arange(N))
    after = statistic.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("name", MAKERS)
def test_bad_ids_and_shapes_are_refused(name: str) -> None:
    statistic, z = MAKERS[name](), logits_of(0)
    for ids in ([0, N], [-1, 0]):
        with pytest.raises(InputError, match="lie from 0 to 59"):
            feed(statistic, z[:2], GIVEN[:2], ids)
    with pytest.raises(InputError, match="shape"):
        feed(statistic, z[:2], GIVEN[:2], [0])
    with pytest.raises(InputError, match="whole numbers"):
        feed(statistic, z[:2], GIVEN[:2], [0.0, 1.0])
    if name != "mean_loss":
        with pytest.raises(InputError, match="class id 9"):
            statistic.update(z[:2], [0, 9], [0, 1])
        with pytest.raises(InputError, match="entries"):
            statistic.update(z[:2], [0], [0, 1])
        with pytest.raises(InputError, match="shape"):
            statistic.update(z[0], [0], [0])
    with pytest.raises(InputError, match="n_units"):
        type(statistic)(-1, *([K] if name == "topk" else []))


@pytest.mark.parametrize("name", PER_UNIT)
def test_units_never_seen_have_a_number_and_say_so(name: str) -> None:
    statistic = run(MAKERS[name](), range(3), order=1, units=np.arange(0, N, 2))
    values = statistic.values()
    assert np.isfinite(values).all()
    assert statistic.seen.tolist() == [i % 2 == 0 for i in range(N)]
    assert (values[1::2] == (3 if name == "first_learning" else 0)).all()


@pytest.mark.parametrize("name", MAKERS)
def test_nothing_at_all_is_fine(name: str) -> None:
    statistic = MAKERS[name]()
    feed(statistic, np.zeros((0, K)), np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    feed(statistic, np.zeros((2, K)), np.array([-1, -1]), [0, 1])
    if hasattr(statistic, "end_epoch"):
        statistic.end_epoch()
    values = statistic.values()
    arrays = values.values() if isinstance(values, dict) else [values]
    assert all(np.isfinite(array).all() for array in arrays)
    if name in PER_UNIT:
        assert not statistic.seen.any()
    empty = type(statistic)(0, *([K] if name == "topk" else []))
    feed(empty, np.zeros((0, K)), np.zeros(0, dtype=int), np.zeros(0, dtype=int))


@pytest.mark.parametrize("name", MAKERS)
def test_tensors_are_taken_with_their_gradients_and_in_any_precision(name: str) -> None:
    torch = pytest.importorskip("torch")
    z = np.round(logits_of(0) * 4) / 4
    arrays, tensors = MAKERS[name](), MAKERS[name]()
    ids = torch.arange(N)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        rows = torch.tensor(z, dtype=dtype, requires_grad=True)
        if name == "mean_loss":
            arrays.update(z[:, 0], np.arange(N))
            tensors.update(rows[:, 0], ids)
        else:
            arrays.update(z, GIVEN, np.arange(N))
            tensors.update(rows, torch.tensor(GIVEN), ids.to(torch.int32))
    assert_same(arrays, tensors)
