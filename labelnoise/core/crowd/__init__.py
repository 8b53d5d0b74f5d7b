"""Several annotators per unit: one consensus with a probability, and how far each annotator can be trusted."""

from __future__ import annotations

from labelnoise.core.crowd.votes import CrowdResult, Votes
from labelnoise.core.registry import Entry, Registry

__all__ = ["CROWD", "CrowdResult", "Votes"]

#: Ways to make one label of many, by name: ``f(votes, **options) -> CrowdResult``.
CROWD = Registry("crowd method")
# Figures: benchmarks/core_crowd.py, simulated, 2,000 units x 3 votes, 10 classes, annotators right 0.6 +- 0.2.
CROWD.add(
    Entry(
        "majority",
        "labelnoise.core.crowd.majority:majority_vote",
        "The most frequent vote of each unit.",
        "Purificato et al. 2025 (when it is optimal: majority_is_optimal)",
        formula="posterior = votes per class / votes; label = argmax, ties by a seeded draw",
        helps="Annotators of like ability; no assumption, nothing to converge. As good as an oracle for two "
        "classes if equal annotators are right at least as often as the larger class occurs.",
        hurts="An expert counts as much as a guesser: 0.70 right where one-coin has 0.76 (150 votes each). Shares "
        "are no probabilities, and its accuracies count the own vote, so they are optimistic.",
    ),
    Entry(
        "one-coin",
        "labelnoise.core.crowd.one_coin:one_coin",
        "One accuracy per annotator, shrunk to the mean of the crowd, by EM.",
        "Dawid and Skene 1979 with one parameter per annotator; the shrinkage is this project's, for annotators "
        "of few votes",
        formula="P(vote | true) = a if equal, else (1 - a) / (K - 1); a = (right + s mean) / (votes + s), s = 16",
        helps="Annotators of unlike ability, also with few votes: 0.76 right against 0.73 of the majority at 10 "
        "votes each, 0.76 against 0.70 at 150, and its mean top probability is then within 0.01 of that (even mistakes).",
        hurts="Systematic confusions are invisible to it: 0.77 right where Dawid-Skene has 0.98 (favourite "
        "mistakes, 150 votes each). Mistakes that annotators share make it overconfident.",
    ),
    Entry(
        "dawid-skene",
        "labelnoise.core.crowd.dawid_skene:dawid_skene",
        "One transition matrix per annotator, lightly smoothed, by EM.",
        "Dawid and Skene 1979, equations 2.3 to 2.5; the smoothing is a Dirichlet prior",
        formula="T[a, i, j] ~ sum over units of q_i [a says j] + smoothing; q_i ~ prior_i prod over a of T[a, i, vote]",
        helps="Annotators with mistakes of their own and many votes: 0.98 right against 0.77 of one-coin and 0.70 "
        "of the majority (favourite mistakes, 150 votes each).",
        hurts="K (K - 1) numbers per annotator: where mistakes are spread evenly it is no better than the majority "
        "(0.69 against 0.70 at 150 votes each) and says 0.95; on the 50 classes of the ESC-50 listening test it is "
        "0.82 right like the majority, one-coin 0.85. Memory annotators x K x K.",
    ),
)
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
