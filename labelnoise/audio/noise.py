"""Noise kinds of clips and tags, by name; a target is ``f(dataset, rate, seed, **options) -> Corruption``."""

from __future__ import annotations

from labelnoise.core.registry import Registry

__all__ = ["NOISES"]

NOISES = Registry("audio noise kind")
