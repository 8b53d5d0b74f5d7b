"""What a finished cell's record holds, checked before a report believes it: stores come from other people too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from labelnoise.core.bench.grid import MATCHED_NOISE, OWN_NOISE
from labelnoise.core.bench.measures import TASKS

__all__ = ["broken_part"]

#: Classes beyond which no record keeps a matrix.
_MOST_CLASSES = 10_000
#: Larger counts and figures are no measurement.
_LARGEST = 1e15


def broken_part(record: Mapping[str, Any]) -> str | None:
    """The first part of a record that is missing or of another kind, None if all are sound.

    Examples
    --------
    >>> broken_part({"status": "ok"})
    'determined_by'
    """
    found = _first_wrong(record, _RECORD, "")
    if found is not None:
        return found
    cell = record["determined_by"]["cell"]
    if (cell["rate"] is None) != (cell["noise"] in (OWN_NOISE, MATCHED_NOISE)):
        return "determined_by.cell.rate"
    if (record["result"] is None) == (record["status"] == "ok"):
        return "result"
    return "cost.cpu_seconds" if record["status"] == "ok" and record["cost"]["cpu_seconds"] is None else None


def _first_wrong(value: Any, shape: Any, where: str) -> str | None:
    if not isinstance(shape, Mapping):
        return None if shape(value) else where
    if not isinstance(value, Mapping):
        return where or "the record"
    for key, inner in shape.items():
        name = key.removesuffix("?")
        path = f"{where}.{name}" if where else name
        if name not in value:
            if name == key:
                return path
            continue
        found = _first_wrong(value[name], inner, path)
        if found is not None:
            return found
    return None


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _LARGEST


def _options(value: Any) -> bool:
    return isinstance(value, Mapping)


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _map_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(check, value.values()))


def _one_of(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _matrix(value: Any) -> bool:
    return (
        _list_of(_list_of(_number))(value)
        and 0 < len(value) <= _MOST_CLASSES
        and all(len(row) == len(value) for row in value)
    )


def _bin(value: Any) -> bool:
    if not isinstance(value, Mapping) or not all(
        _number(value.get(key)) for key in ("claimed", "wrong", "count")
    ):
        return False
    return 0 <= value["claimed"] <= 1 and 0 <= value["wrong"] <= value["count"] and value["count"] >= 1


def _transition(value: Any) -> bool:
    wanted = dict.fromkeys(("realised", "estimated", "drawn?"), _or_none(_matrix))
    return _first_wrong(value, wanted, "transition") is None


def _result(value: Any) -> bool:
    if value is None:
        return True
    return _first_wrong(value, _RESULT, "result") is None


_RESULT = {
    "metrics": _map_of(_or_none(_number)),
    "warnings": _list_of(_text),
    "measure?": _or_none(_text),
    "reliability?": _or_none(_list_of(_bin)),
    "transition?": _or_none(_transition),
    "data": {
        "n_units": _count,
        "n_labelled": _count,
        "n_scored": _count,
        "n_classes": _count,
        "class_names": _list_of(_text),
        "realised_rate": _number,
    },
}
_RECORD = {
    "determined_by": {
        "cell": {
            "domain": _text,
            "dataset": _text,
            "noise": _text,
            "rate": _or_none(_number),
            "method": _text,
            "seed": _count,
            "noise_options": _options,
            "method_options": _options,
            "task": _one_of(*TASKS),
        },
        "data": _or_none(_text),
        "code": _text,
    },
    "status": _one_of("ok", "failed", "timeout"),
    "error": _or_none(_text),
    "where": _or_none(_text),
    "result": _result,
    "cost": {
        "cpu_seconds": _or_none(_number),
        "wall_seconds": _or_none(_number),
        "peak_rss_mib": _or_none(_number),
    },
    "versions": _map_of(_text),
    "hardware": {
        "cpu": _text,
        "cores": _or_none(_count),
        "memory_gib": _or_none(_number),
        "gpu": _or_none(_text),
        "system": _text,
    },
    "finished": _text,
}
