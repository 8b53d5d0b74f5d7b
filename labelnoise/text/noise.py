"""Noise kinds of tagged text, by name; all but their order of magnitude is told in shares of wrong entities."""

from labelnoise.core.registry import Entry, Registry

__all__ = ["NOISES"]

#: Noise kinds. An entry's target is ``f(dataset, rate, seed, **options) -> Corruption``.
NOISES = Registry("text noise kind")

_SPAN = "labelnoise.text.span_noise:"
_TOKEN = "labelnoise.text.token_noise:"
