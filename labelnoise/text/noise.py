"""Noise kinds of tagged text, by name."""

from labelnoise.core.registry import Registry

__all__ = ["NOISES"]

#: Noise kinds. An entry's target is ``f(dataset, rate, seed, **options) -> Corruption``.
NOISES = Registry("text noise kind")
