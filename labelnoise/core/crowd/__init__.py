"""Several annotators per unit: one consensus with a probability, and how far each annotator can be trusted."""

from __future__ import annotations

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.registry import Registry

__all__ = ["CROWD", "CrowdResult", "Votes"]

#: Ways to make one label of many, by name: ``f(votes, **options) -> CrowdResult``.
CROWD = Registry("crowd method")
