"""Trainers of networks on masks, by name; a target is ``f(dataset, seed, **options) -> Trained``."""

from __future__ import annotations

from labelnoise.core.registry import Registry

__all__ = ["TRAINERS"]

TRAINERS = Registry("segmentation trainer")
