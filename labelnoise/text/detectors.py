"""Detectors of wrong tags, by name."""

from labelnoise.core.registry import Registry

__all__ = ["DETECTORS"]

#: Detectors. An entry's target is ``f(dataset, seed, **options) -> Detection``.
DETECTORS = Registry("text detector")
