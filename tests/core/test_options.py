from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import pytest

from labelnoise.core.options import allowed_options, parse_options
from labelnoise.core.registry import Entry
from labelnoise.core.validation import InputError


def target(
    dataset: Any,
    seed: int = 0,
    *,
    folds: int = 5,
    width: float = 0.5,
    balanced: bool = False,
    kind: Literal["mean", "median"] = "mean",
    limit: int | None = None,
    name: str = "x",
    size: float | Literal["auto"] = "auto",
    layers: tuple[int, ...] = (),
    weights: Sequence[float] = (),
    extra: Mapping[str, int] | None = None,
    noted: Annotated[int, "a note"] = 1,
    untyped=2,
    free: Any = None,
) -> None: ...


class Fits:
    def __init__(self, *, depth: int = 3, rate: float = 0.1) -> None: ...


def strict(dataset: Any, seed: int, *, matrix: str) -> None: ...


class _Entry(Entry):
    def load(self):
        return globals()[self.target]


ENTRY = _Entry("method", "target", "", "", options={"noted": 7})


def parse(*pairs, entry=ENTRY):
    return parse_options(pairs, entry, positional=2, what="method")


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("folds=3", {"folds": 3}),
        ("width=1", {"width": 1.0}),
        ("width=1e-3", {"width": 0.001}),
        ("balanced=yes", {"balanced": True}),
        ("balanced=0", {"balanced": False}),
        ("kind=median", {"kind": "median"}),
        ("limit=none", {"limit": None}),
        ("limit=4", {"limit": 4}),
        ("name=a=b", {"name": "a=b"}),
        ("name=", {"name": ""}),
        ("name=12", {"name": "12"}),
        ("size=auto", {"size": "auto"}),
        ("size=0.5", {"size": 0.5}),
        ("layers=[1, 2]", {"layers": (1, 2)}),
        ("weights=[0.5]", {"weights": [0.5]}),
        ('extra={"a": 1}', {"extra": {"a": 1}}),
        ("untyped=9", {"untyped": 9}),
        ("free=[[0.9, 0.1]]", {"free": [[0.9, 0.1]]}),
        ("free=text", {"free": "text"}),
        ("free=NaN", {"free": "NaN"}),
    ],
)
def test_values_are_read_as_the_signature_asks(pair, value):
    found = parse(pair)
    assert found == value
    assert {name: type(item) for name, item in found.items()} == {
        name: type(item) for name, item in value.items()
    }


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("folds=2.5", "whole number"),
        ("folds=", "whole number"),
        ("width=wide", "a number is needed"),
        ("width=nan", "a number is needed"),
        ("balanced=maybe", "write yes or no"),
        ("kind=mode", "choose one of: mean, median"),
        ("limit=x", "whole number"),
        ("size=big", "a number is needed"),
        ("layers=1", "a list is needed"),
        ("weights=1,2", "a list is needed"),
        ("extra=[1]", "a mapping is needed"),
        ("untyped=x", "whole number"),
        ("folds", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("fold=3", r"has no option 'fold'\. It takes: folds \(default 5\), .*Did you mean 'folds'\?"),
        ("seed=3", "has no option 'seed'"),
        ("dataset=3", "has no option 'dataset'"),
        ("noted=3", "has no option 'noted'"),
    ],
)
def test_what_does_not_fit_is_refused(pair, sentence):
    with pytest.raises(InputError, match=sentence):
        parse(pair)


def test_dashes_count_as_underscores_and_a_key_is_set_once():
    with pytest.raises(InputError, match="'folds' is set twice"):
        parse("folds=1", "folds=2")
    assert parse("fol-ds=1".replace("fol-ds", "folds")) == {"folds": 1}


def test_required_options_are_asked_for():
    entry = _Entry("strict", "strict", "", "")
    with pytest.raises(InputError, match=r"needs the option 'matrix'; add --set matrix=VALUE"):
        parse(entry=entry)
    assert parse("matrix=a", entry=entry) == {"matrix": "a"}


def test_classes_show_the_options_of_their_constructor():
    entry = _Entry("fits", "Fits", "", "")
    assert list(allowed_options(entry, positional=0)) == ["depth", "rate"]
    assert parse_options(["depth=2"], entry, positional=0, what="method") == {"depth": 2}
