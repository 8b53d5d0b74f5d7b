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
        hurts="Shares and strengths are fixed, and were set on ESC-50; a prior far from uniform is not learnt. With eight "
        "simulated votes per unit and errors spread evenly it is no better than counting votes (.949 against .950; "
        "glad .966); where four errors in five go to one class it is too sure by .055.",
    ),
    Entry(
        "staple",
        "labelnoise.core.crowd.staple:staple",
        "A confusion matrix per annotator and a prior shared by all units, over the distinct patterns of votes.",
        "Warfield, Zou & Wells 2004, IEEE TMI 23(7)",
        formula="W_i(s) ~ prior(s) prod_a T[a, s, vote]; T[a, s, j] = sum of W_i(s) where a says j / sum of W_i(s)",
        helps="Pixels with a few annotators, as many as one likes: a round costs what the distinct patterns cost.",
        hurts="Few votes per annotator and class: .737 of ESC-50's clips right, below counting votes (.819); with "
        "smoothing 1, start .8 and a uniform prior .851. Background everywhere drives it to the union.",
    ),
    Entry(
        "glad",
        "labelnoise.core.crowd.glad:glad",
        "The ability of each annotator times the ease of each unit.",
        "Whitehill et al. 2009, NeurIPS, eq. 1",
        formula="P(vote right) = sigmoid(ability_w * exp(b_i)), other classes alike; "
        "ability ~ N(1, 1), b ~ N(1, 1); EM, L-BFGS in the M-step",
        helps="Units of very different difficulty: with five simulated votes each, two classes, .904 right where counting "
        "votes gets .813.",
        hurts="Takes errors as spread evenly: .844 of ESC-50's clips right (consensus .860), and with three "
        "simulated votes per unit its difficulty correlates by no more than .4 with the true one.",
    ),
)
