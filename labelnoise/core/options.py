"""Options of a method or noise kind as a person types them, ``key=value``, held against its signature."""

from __future__ import annotations

import difflib
import inspect
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union

from labelnoise.core.registry import Entry
from labelnoise.core.validation import InputError

__all__ = ["allowed_options", "parse_options"]


def allowed_options(entry: Entry, *, positional: int) -> dict[str, inspect.Parameter]:
    """The options of a registered target that a user may set, in the order of its signature.

    Parameters
    ----------
    entry : Entry
    positional : int
        How many leading arguments the caller passes itself: 2 for detectors (data set, seed), 3 for noise
        kinds (data set, rate, seed).

    Returns
    -------
    dict of str to inspect.Parameter
        Without those that the entry's name fixes.
    """
    parameters = list(inspect.signature(entry.load()).parameters.values())[positional:]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {item.name: item for item in parameters if item.kind in named and item.name not in entry.options}


def parse_options(pairs: Sequence[str], entry: Entry, *, positional: int, what: str) -> dict[str, Any]:
    """Turn ``["folds=5", "balanced=yes"]`` into keyword arguments of a registered target.

    Parameters
    ----------
    pairs : sequence of str
        ``key=value`` each. Dashes in a key count as underscores. The value is read as the parameter's type
        asks (number, yes/no, text, one of a list, JSON for lists and mappings; ``none`` where allowed).
    entry : Entry
        The method or noise kind.
    positional : int
        As for `allowed_options`.
    what : str
        How messages call it, for instance ``"method"``.

    Raises
    ------
    InputError
        No ``=``, an unknown or repeated key, a value of the wrong type.

    Examples
    --------
    >>> entry = Entry("hash", "labelnoise.core.random:generator", "", "")
    >>> parse_options(["seed=1"], entry, positional=1, what="method")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The method 'hash' has no option 'seed'; it takes none.
    """
    allowed = allowed_options(entry, positional=positional)
    hints = _hints(entry)
    result: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        name = key.strip().replace("-", "_")
        if not equals or not name:
            raise InputError(
                f"--set {pair!r} is not of the form key=value; write for instance --set folds=5."
            )
        if name not in allowed:
            if not allowed:
                raise InputError(f"The {what} {entry.name!r} has no option {name!r}; it takes none.")
            near = difflib.get_close_matches(name, allowed, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            listed = ", ".join(_described(parameter) for parameter in allowed.values())
            raise InputError(f"The {what} {entry.name!r} has no option {name!r}. It takes: {listed}.{hint}")
        if name in result:
            raise InputError(f"The option {name!r} is set twice; set it once.")
        parameter = allowed[name]
        try:
            result[name] = _read(text, hints.get(name), parameter.default)
        except ValueError as error:
            raise InputError(f"The option {name!r} of {entry.name!r} cannot be {text!r}; {error}.") from None
    missing = [
        item.name
        for item in allowed.values()
        if item.default is inspect.Parameter.empty and item.name not in result
    ]
    if missing:
        raise InputError(
            f"The {what} {entry.name!r} needs the option {missing[0]!r}; add --set {missing[0]}=VALUE."
        )
    return result


def _described(parameter: inspect.Parameter) -> str:
    if parameter.default is inspect.Parameter.empty:
        return f"{parameter.name} (required)"
    return f"{parameter.name} (default {parameter.default!r})"


def _hints(entry: Entry) -> Mapping[str, Any]:
    target = entry.load()
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError, AttributeError):
        return {}  # annotations that exist for the type checker alone; the default's type decides


def _read(text: str, hint: Any, default: Any) -> Any:
    """The value that ``text`` stands for; ValueError with the end of a sentence otherwise."""
    if hint is None or hint is Any or hint is inspect.Parameter.empty:
        if default is None or default is inspect.Parameter.empty:
            return _guess(text)
        hint = type(default)
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _read(text, typing.get_args(hint)[0], default)
    if origin in (Union, types.UnionType):
        members = typing.get_args(hint)
        if type(None) in members and text.lower() in ("none", "null"):
            return None
        return _first([member for member in members if member is not type(None)], text, default)
    if origin is Literal:
        by_text = {str(value): value for value in typing.get_args(hint)}
        if text not in by_text:
            raise ValueError(f"choose one of: {', '.join(by_text)}")
        return by_text[text]
    if hint is bool:
        return _as_bool(text)
    if hint is int:
        return _number(int, text, "a whole number is needed")
    if hint is float:
        number = _number(float, text, "a number is needed")
        if number != number:
            raise ValueError("a number is needed")
        return number
    if hint is str:
        return text
    value = _guess(text)
    kind = origin or hint
    if inspect.isclass(kind) and issubclass(kind, Sequence):
        if not isinstance(value, list):
            raise ValueError("a list is needed, for instance [1, 2]")
        return tuple(value) if issubclass(kind, tuple) else value
    if inspect.isclass(kind) and issubclass(kind, Mapping) and not isinstance(value, dict):
        raise ValueError('a mapping is needed, for instance {"a": 1}')
    return value


def _first(members: Sequence[Any], text: str, default: Any) -> Any:
    reasons = []
    # Text accepts anything, so it comes last; whole numbers before fractions.
    order = {bool: 1, int: 0, float: 2, str: 9}
    for member in sorted(members, key=lambda item: order.get(item, 5)):
        try:
            return _read(text, member, default)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError(reasons[0] if reasons else "no value is allowed")


def _as_bool(text: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("true", "yes", "on", "1"):
        return True
    if lowered in ("false", "no", "off", "0"):
        return False
    raise ValueError("write yes or no")


def _number(kind: type, text: str, need: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise ValueError(need) from None


def _guess(text: str) -> Any:
    """JSON where it is JSON (numbers, lists, mappings, true), else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number that JSON knows")
