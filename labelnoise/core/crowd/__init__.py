"""Several annotators per unit: one consensus with a probability, and how far each annotator can be trusted."""

from __future__ import annotations

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.registry import Entry, Registry

__all__ = ["CROWD", "CrowdResult", "Votes"]

#: Ways to make one label of many, by name: ``f(votes, **options) -> CrowdResult``.
CROWD = Registry("crowd method")
CROWD.add(
    Entry(
        "majority",
        "labelnoise.core.crowd.majority:majority_vote",
        "The most frequent vote.",
        "Purificato et al. 2025 (when it is optimal)",
        formula="posterior = vote shares; ties by a seeded draw",
    ),
    Entry(
        "one-coin",
        "labelnoise.core.crowd.one_coin:one_coin",
        "One accuracy per annotator, shrunk to the mean of the crowd.",
        "Dawid and Skene 1979 with one parameter per annotator; shrinkage: this project",
    ),
    Entry(
        "dawid-skene",
        "labelnoise.core.crowd.dawid_skene:dawid_skene",
        "One transition matrix per annotator, by EM.",
        "Dawid and Skene 1979, equations 2.3 to 2.5",
    ),
)
