"""What is known of one registered function: how it is called, what it answers, and which promises it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tests.checks.problem import Array, Arrays, Axes, problem

#: Promises that a function makes unless its case says in a word why it cannot.
Promise = Literal[
    "pure",  # inputs stay as they are, a second call answers the same
    "seeded",  # another seed answers otherwise
    "unit order",  # the order of the units does not matter
    "class names",  # the ids of the classes do not matter
    "masks",  # units without a label change nothing and get the neutral answer
    "masks drop",  # leaving them out altogether changes nothing either
    "single precision",  # float32 and int32 give the same answer
    "empty",  # no units: an empty answer or an InputError
    "few classes",  # one class only, or one that never occurs
    "refuses NaN",  # InputError
    "shows NaN",  # InputError, or an answer that is NaN too
    "pickles",  # function and answer
    "linear memory",  # no n x n
    "all masked",  # nothing has a label: the neutral answer or an InputError
]
PROMISES: tuple[str, ...] = get_args(Promise)


@dataclass(frozen=True)
class Case:
    """One way to call one entry.

    Attributes
    ----------
    label : str
        ``"REGISTRY[entry]"``, with a word behind it for a second way to call it.
    function : callable
        A `functools.partial` of the registered target.
    takes : tuple of str
        The arrays of the problem that it reads.
    run : callable
        ``run(function, arrays, seed)``: the raw answer.
    read : callable
        The raw answer as named arrays.
    answers : mapping of str to Axes
        Of the named arrays.
    neutral : mapping of str to float
        What units without a label get.
    without : mapping of str to str
        Promises that it does not make, each with the reason.
    n_units : int
        Of its problem.
    memory_units : int
        Of the problem whose peak is compared with that of twice as many: enough for its blocks to be full.
    """

    label: str
    function: Callable[..., Any]
    takes: tuple[str, ...]
    run: Callable[[Callable[..., Any], Arrays, int], Any]
    read: Callable[[Any], Arrays]
    answers: Mapping[str, Axes]
    neutral: Mapping[str, float] = field(default_factory=dict)
    without: Mapping[str, str] = field(default_factory=dict)
    n_units: int = 40
    memory_units: int = 1000

    @property
    def entry(self) -> str:
        """``"REGISTRY[entry]"``."""
        return self.label.partition(" ")[0]

    def problem(self, n: int | None = None, seed: int = 0) -> Arrays:
        """A problem of its size, or of ``n`` units."""
        return problem(self.n_units if n is None else n, seed)

    def __call__(self, arrays: Mapping[str, Array], seed: int = 0) -> Arrays:
        """The answer as named arrays."""
        return self.read(self.run(self.function, {name: arrays[name] for name in self.takes}, seed))
