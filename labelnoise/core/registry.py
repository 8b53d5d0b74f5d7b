"""Names for things that can be chosen (noise kinds, detectors, losses ...), each with its source and its limits."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labelnoise.core.validation import InputError, choose

__all__ = ["Entry", "Registry"]


@dataclass(frozen=True)
class Entry:
    """One thing that can be chosen by name.

    Attributes
    ----------
    name : str
        What the user types.
    target : str
        ``"package.module:attribute"``, imported only when it is used.
    summary : str
        One sentence.
    source : str
        Paper and equation, or "this project" with the reason.
    formula : str
        What is computed, in plain text.
    helps, hurts : str
        When to use it and when not, with a measured number where there is one.
    options : mapping
        Keyword arguments of the target that this name fixes.
    calibrated : bool, optional
        For detectors: whether they answer calibrated probabilities (``Detection.p_wrong``); None = not said.
    sees_truth : bool
        For trainers: a bound that is shown the true labels, which the command hides from all others.
    """

    name: str
    target: str
    summary: str
    source: str
    formula: str = ""
    helps: str = ""
    hurts: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool | None = None
    sees_truth: bool = False

    def load(self) -> Callable[..., Any]:
        """Import and return the target."""
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)  # type: ignore[no-any-return]


class Registry(Mapping[str, Entry]):
    """A mapping from name to `Entry` whose error for an unknown name lists the known ones.

    Examples
    --------
    >>> kinds = Registry("noise kind")
    >>> kinds.add(Entry("pair", "labelnoise.core.noise:pair", "Next class.", "Han et al. 2018"))
    >>> list(kinds), kinds["pair"].summary
    (['pair'], 'Next class.')
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, Entry] = {}

    def add(self, *entries: Entry) -> None:
        """Register entries; a name is taken once."""
        for entry in entries:
            if entry.name in self._entries:
                raise InputError(
                    f"The {self.what} {entry.name!r} is registered already; choose another name."
                )
            self._entries[entry.name] = entry

    def __getitem__(self, name: str) -> Entry:
        return self._entries[choose(name, self._entries, self.what)]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
