"""Trainers of networks on clips, by name; a target is ``f(dataset, seed, **options) -> Trained``."""

from __future__ import annotations

from labelnoise.core.registry import Registry

__all__ = ["TRAINERS"]

TRAINERS = Registry("audio trainer")
