"""Several annotators per unit: one consensus with a probability, and how far each annotator can be trusted."""

from __future__ import annotations

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.registry import Entry, Registry

__all__ = ["CROWD", "CrowdResult", "Votes"]

#: Ways to make one label of many, by name: ``f(votes, **options) -> CrowdResult``.
CROWD = Registry("crowd method")
CROWD.add(
    Entry(
        "consensus",
        "labelnoise.core.crowd.consensus:consensus",
        "Confusions shared by all annotators, an ability for each, and units that are hard for all.",
        "this project, in the line of Dawid & Skene (1979) and Whitehill et al. (2009): with two votes per unit "
        "one confusion matrix per annotator cannot be learnt, one for all can",
        formula="P(l | y, h, w) = a if l = y else (1 - a) B[y, l];  a = sigmoid(t_w + d_y + o_h), h easy or hard; "
        "P <- .97 P + .03 P C for mistakes that all make alike",
        helps="Few votes per unit, many classes, confusions in common: .860 of ESC-50's clips right, ECE .032.",
        hurts="Shares and strengths are fixed, and were set on ESC-50; a prior far from uniform is not learnt.",
    ),
)
