"""Every registered function of the core keeps the promises of the house, or says in a word why it cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tests.checks.case import PROMISES, Case
from tests.checks.cases import CASES, PENDING, REGISTRIES
from tests.checks.contracts import CHECKS

PAIRS = [(promise, case) for case in CASES for promise in PROMISES if promise not in case.without]


@pytest.mark.parametrize(("promise", "case"), PAIRS, ids=[f"{case.label}-{p}" for p, case in PAIRS])
def test_promise(promise: str, case: Case) -> None:
    CHECKS[promise](case)


def test_every_promise_has_a_check() -> None:
    assert set(CHECKS) == set(PROMISES)


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_what_is_not_promised_is_explained(case: Case) -> None:
    assert set(case.without) <= set(PROMISES)
    for promise, reason in case.without.items():
        assert len(reason.split()) >= 2, f"{case.label} makes no promise of {promise!r} and says {reason!r}"


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_there_is_something_to_compare(case: Case) -> None:
    answer = case(case.problem())
    assert max(np.unique(value).size for value in answer.values()) > 1


def test_every_entry_has_a_case() -> None:
    have = {case.entry for case in CASES}
    needed = {f"{name}[{entry}]" for name, reg in REGISTRIES.items() if name not in PENDING for entry in reg}
    missing = sorted(needed - have)
    assert not missing, f"add a case to tests/checks/cases.py for: {', '.join(missing)}"
    known = {f"{name}[{entry}]" for name, reg in REGISTRIES.items() for entry in reg}
    assert not have - known, f"these cases belong to no entry: {sorted(have - known)}"


def test_the_registries_are_found() -> None:
    assert set(REGISTRIES) >= {"NOISES", "SELECTORS", "LOSSES", "DYNAMICS", "STRATEGIES", "KERNELS"}


def test_labels_of_cases_differ() -> None:
    assert len({case.label for case in CASES}) == len(CASES)
