"""Errors of whole objects."""

from __future__ import annotations

import pytest

from labelnoise.core.validation import InputError
from labelnoise.segmentation.embedded import scenes
from labelnoise.segmentation.instance_errors import KINDS, instance_errors

ITEMS = scenes(3).true_objects[1]


def errors(share: float, **options: object) -> tuple:
    return instance_errors(ITEMS, (64, 64), share, seed=2, image_id="a", n_classes=5, **options)


@pytest.mark.parametrize(
    ("kind", "more"), [("swapped", 0), ("missed", -1), ("spurious", 1), ("split", 1), ("merged", -1)]
)
def test_each_kind_does_what_it_says(kind: str, more: int) -> None:
    made, record = errors(1.0, weights={kind: 1})
    assert record
    assert {name for _, name in record} == {kind}
    assert len(made) == len(ITEMS) + more * len(record)
    assert len({item.object_id for item in made}) == len(made)
    if kind == "swapped":
        assert all(a.label != b.label != 0 for a, b in zip(ITEMS, made))
    if kind == "split":
        assert sum(item.area for item in made) == sum(item.area for item in ITEMS)


def test_share_zero_changes_nothing_and_unknown_kinds_are_refused() -> None:
    assert errors(0.0) == (tuple(sorted(ITEMS, key=lambda item: item.object_id)), ())
    assert len(KINDS) == 5
    with pytest.raises(InputError, match="lost"):
        errors(0.5, weights={"lost": 1})
