"""The promises of registered functions, each as a check of one case."""

from __future__ import annotations

import pickle
import re
import tracemalloc
from collections.abc import Callable, Mapping

import numpy as np

from labelnoise.core.validation import InputError
from tests.checks.case import Case
from tests.checks.problem import (
    AXES,
    N_CLASSES,
    Array,
    Arrays,
    mask,
    narrow,
    relabel,
    rename,
    scramble,
    take,
)

#: Units without a label in the checks of masks; not the first ones, not in a row.
MASKED = np.array([3, 11, 12, 27, 38])
#: Class c gets the name NAMES[c].
NAMES = np.array([2, 0, 3, 1])

#: Seeds of the problems where one might hide a dependence: few units have few ways to differ.
PROBLEMS = (0, 1, 2, 4, 6)


def same(found: Mapping[str, Array], expected: Mapping[str, Array], *, exact: bool = False) -> None:
    """All arrays are equal, floats up to rounding unless ``exact``."""
    assert set(found) == set(expected)
    for name, value in expected.items():
        if exact or value.dtype.kind != "f":
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        else:
            np.testing.assert_allclose(found[name], value, rtol=1e-7, atol=1e-9, err_msg=name)


def finite(answer: Mapping[str, Array]) -> None:
    """Nothing in the answer is NaN."""
    for name, value in answer.items():
        assert value.dtype.kind != "f" or not np.isnan(value).any(), f"{name} holds NaN"


def shaped(case: Case, answer: Mapping[str, Array], n: int) -> None:
    """Every array has one entry per unit where it says so."""
    for name, value in answer.items():
        for axis in case.answers[name].units:
            assert value.shape[axis] == n, f"{name} has shape {value.shape} for {n} units"


def says_why(error: InputError) -> None:
    """The message is a sentence, or two."""
    text = str(error)
    assert re.match(r"[\w(].{25,}\.$", text, re.DOTALL), f"no sentence: {text!r}"


def check_pure(case: Case) -> None:
    arrays = case.problem()
    before = {name: value.copy() for name, value in arrays.items()}
    for value in arrays.values():
        value.setflags(write=False)
    first = case(arrays)
    for name, value in before.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=f"{name} was changed")
    kept = {name: value.copy() for name, value in first.items()}
    same(case(arrays), kept, exact=True)
    same(first, kept, exact=True)
    same(case({name: np.asfortranarray(value) for name, value in before.items()}), kept)
    shaped(case, first, case.n_units)
    finite(first)


def check_seeded(case: Case) -> None:
    arrays = case.problem()
    first = case(arrays, 1)
    same(case(arrays, 1), first, exact=True)
    others = [case(arrays, seed) for seed in (2, 3, 4)]
    assert any(not np.array_equal(first[name], other[name]) for other in others for name in first)


def check_unit_order(case: Case) -> None:
    for seed in PROBLEMS:
        arrays = case.problem(seed=seed)
        order = np.random.default_rng(seed).permutation(case.n_units)
        same(case(take(arrays, order)), take(case(arrays), order, case.answers))


def check_class_names(case: Case) -> None:
    for seed in PROBLEMS:
        arrays = case.problem(seed=seed)
        same(case(rename(arrays, NAMES)), rename(case(arrays), NAMES, case.answers))


def check_masks(case: Case) -> None:
    """Other numbers in the rows of units without a label change nothing; their own answer is neutral."""
    arrays = mask(case.problem(), MASKED)
    answer = case(arrays)
    same(case(scramble(arrays, MASKED)), answer)
    shaped(case, answer, case.n_units)
    finite(answer)
    assert case.neutral, "no neutral answer is stated"
    for name, value in case.neutral.items():
        for axis in case.answers[name].units:
            of_masked = np.take(answer[name], MASKED, axis=axis)
            np.testing.assert_array_equal(of_masked, value, err_msg=f"{name} without a label")


def check_masks_drop(case: Case) -> None:
    rest = np.setdiff1d(np.arange(case.n_units), MASKED)
    for seed in PROBLEMS:
        arrays = mask(case.problem(seed=seed), MASKED)
        same(case(take(arrays, rest)), take(case(arrays), rest, case.answers))


def check_single_precision(case: Case) -> None:
    arrays = case.problem()
    wide, slim = case(arrays), case(narrow(arrays))
    assert set(slim) == set(wide)
    for name, value in wide.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(slim[name], value, rtol=2e-3, atol=2e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(slim[name], value, err_msg=name)


def check_empty(case: Case) -> None:
    arrays = take(case.problem(), np.zeros(0, dtype=np.int64))
    try:
        answer = case(arrays)
    except InputError as error:
        says_why(error)
        return
    shaped(case, answer, 0)
    finite(answer)


def check_few_classes(case: Case) -> None:
    arrays = case.problem()
    for changed in (
        relabel(arrays, np.arange(N_CLASSES), 0),
        relabel(arrays, np.arange(N_CLASSES), N_CLASSES - 1),
        relabel(arrays, np.array([1]), 2),
        relabel(arrays, np.array([N_CLASSES - 1]), 0),
    ):
        try:
            answer = case(changed)
        except InputError as error:
            says_why(error)
            continue
        shaped(case, answer, case.n_units)
        finite(answer)


def check_all_masked(case: Case) -> None:
    try:
        answer = case(mask(case.problem(), np.arange(case.n_units)))
    except InputError as error:
        says_why(error)
        return
    assert case.neutral, "an answer was learnt from no labels; refuse them"
    shaped(case, answer, case.n_units)
    finite(answer)
    for name, value in case.neutral.items():
        np.testing.assert_array_equal(answer[name], value, err_msg=f"{name} without a label")


def with_nan(case: Case) -> dict[str, Arrays]:
    """For every array of floats that the case takes, the problem with NaN in its first unit."""
    found = {}
    for name in case.takes:
        arrays = case.problem()
        if arrays[name].dtype.kind == "f":
            first = (slice(None),) * AXES[name].units[0] + (0,) if AXES[name].units else (0,)
            arrays[name][first] = np.nan
            found[name] = arrays
    return found


def check_refuses_nan(case: Case) -> None:
    for name, arrays in with_nan(case).items():
        try:
            case(arrays)
        except InputError as error:
            says_why(error)
        else:
            raise AssertionError(f"NaN in {name} was taken for a number")


def check_shows_nan(case: Case) -> None:
    for name, arrays in with_nan(case).items():
        try:
            with np.errstate(invalid="ignore"):
                answer = case(arrays)
        except InputError as error:
            says_why(error)
            continue
        shown = [np.isnan(value).any() for value in answer.values() if value.dtype.kind == "f"]
        assert any(shown), f"NaN in {name} disappeared"


def check_pickles(case: Case) -> None:
    arrays = {name: case.problem()[name] for name in case.takes}
    raw = case.run(case.function, arrays, 0)
    expected = case.read(raw)
    same(case.read(pickle.loads(pickle.dumps(raw))), expected, exact=True)  # noqa: S301
    again = pickle.loads(pickle.dumps(case.function))  # noqa: S301
    same(case.read(case.run(again, arrays, 0)), expected, exact=True)


def peak(case: Case, n: int, calls: int) -> list[int]:
    """Peak of the memory traced during each call, in bytes; what the calls leave behind counts."""
    arrays = case.problem(n)
    case(arrays)
    found = []
    tracemalloc.start()
    try:
        for _ in range(calls):
            tracemalloc.reset_peak()
            case(arrays)
            found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    return found


def check_linear_memory(case: Case) -> None:
    first, *later = peak(case, case.memory_units, 3)
    assert max(later) <= 1.1 * first + 2048, f"peaks of repeated calls grow: {first}, {later}"
    small, large = max(first, *later), peak(case, 2 * case.memory_units, 1)[0]
    assert large <= 2.6 * small, f"{small} bytes for {case.memory_units} units, {large} for twice as many"


#: The check of every promise.
CHECKS: dict[str, Callable[[Case], None]] = {
    "pure": check_pure,
    "seeded": check_seeded,
    "unit order": check_unit_order,
    "class names": check_class_names,
    "masks": check_masks,
    "masks drop": check_masks_drop,
    "single precision": check_single_precision,
    "empty": check_empty,
    "few classes": check_few_classes,
    "refuses NaN": check_refuses_nan,
    "shows NaN": check_shows_nan,
    "pickles": check_pickles,
    "linear memory": check_linear_memory,
    "all masked": check_all_masked,
}
