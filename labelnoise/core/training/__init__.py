"""Training that survives wrong labels: one loop, strategies by name. Needs torch and accelerate when used.

Accuracies in the entries: a network with one hidden layer on 1,000 of scikit-learn's digits until it memorises, last
epoch, default options, five seeds, test labels clean, ``benchmarks/core_training.py``. "a / b" is 40% symmetric / 30%
pair noise; plain training has 71.9% / 71.8% and 97.3% with clean labels.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.validation import InputError

if TYPE_CHECKING:
    from labelnoise.core.training.strategy import Strategy

__all__ = ["STRATEGIES", "get_strategy"]

_HERE = "labelnoise.core.training."

#: Ways to train, by name.
STRATEGIES = Registry("strategy")


def get_strategy(name: str, **options: Any) -> Strategy:
    """A strategy by name with its options set.

    Raises
    ------
    InputError
        An unknown strategy or option.

    Examples
    --------
    >>> get_strategy("plain", loss="gce").options()
    {'loss': 'gce', 'parameters': {}, 'augment': False}
    >>> get_strategy("plain", los="gce")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The strategy 'plain' has no option 'los'. It takes: loss, parameters, augment.
    """
    entry = STRATEGIES[name]
    target = entry.load()
    known = [field.name for field in dataclasses.fields(target) if field.name not in entry.options]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise InputError(
                f"The strategy {name!r} has no option {key!r}. It takes: {', '.join(known) or 'none'}."
            )
    made: Strategy = target(**{**entry.options, **options})
    return made


_HAN = "Han et al. (2018), Co-teaching: robust training with extremely noisy labels, NeurIPS, algorithm 1"
_PATRINI = "Patrini et al. (2017), Making deep neural networks robust to label noise, CVPR"
_BAE = "Bae et al. (2024), Dirichlet-based per-sample weighting by transition matrix for noisy label learning, ICLR"

STRATEGIES.add(
    Entry(
        "plain",
        _HERE + "plain:Plain",
        "All units alike, under any loss.",
        "Robbins, Monro (1951), A stochastic approximation method, Annals of Mathematical Statistics",
        formula="mean over units of loss(z, y)",
        helps="Clean labels (97.3%), and the row that every other strategy has to beat.",
        hurts="Memorises wrong labels: 71.9% / 71.8%.",
    ),
    Entry(
        "small_loss",
        _HERE + "small_loss:SmallLoss",
        "Each batch trains on its units with the smallest losses.",
        _HAN + ", with one network",
        formula="the floor(R m) lowest losses of a batch of m, R from 1 to 1 - noise rate",
        helps="Half the cost of Co-teaching for the same result here: 91.1% / 87.4%.",
        hurts="Its own mistakes select themselves; hard and rare classes are dropped unless per_class is set.",
    ),
    Entry(
        "co_teaching",
        _HERE + "small_loss:CoTeaching",
        "Two networks, each trained on what its peer finds easy.",
        _HAN,
        formula="network a steps on the floor(R m) units with the lowest losses under network b, and the reverse",
        helps="Where one network's mistakes would select themselves: 91.7% / 87.0%.",
        hurts="Two networks; the noise rate decides, and its estimate is off by a quarter for some pair noise.",
    ),
    Entry(
        "elr",
        _HERE + "elr:ELR",
        "Cross-entropy plus a pull towards the running mean of early predictions.",
        "Liu et al. (2020), Early-learning regularization prevents memorization of noisy labels, NeurIPS, equation 6",
        formula="-log p[y] + lambda log(1 - <t, p>), t = beta t + (1 - beta) p",
        helps="The best here on symmetric noise and no noise rate to know: 95.9% / 90.9%.",
        hurts="Two constants that differ between kinds of noise; one distribution per unit in memory.",
    ),
    Entry(
        "adaptive_k",
        _HERE + "adaptive_k:AdaptiveK",
        "A unit takes part while its loss is at most a threshold that follows the batches.",
        "Dedeoglu, Kesgin, Amasyali (2022), Adaptive-k, arXiv 2203.14165",
        formula="l <= m, m the running mean of batch losses; published: l <= m / sqrt(v)",
        helps="Nothing to choose: 85.3% / 81.9%.",
        hurts="Weak at high noise: about half of the units pass whatever the noise rate is.",
    ),
    Entry(
        "self_distillation",
        _HERE + "distillation:SelfDistillation",
        "Students learn from labels mixed with the averaged early predictions of their teacher.",
        "Furlanello et al. (2018), Born-again neural networks, ICML, with predictions averaged over epochs as in Laine, "
        "Aila (2017), Temporal ensembling, ICLR",
        formula="-sum_k ((1 - a) y[k] + a t[k]) log p[k], t the teacher's mean prediction",
        helps="No noise rate and no second network: 87.5% / 79.6%.",
        hurts="The teacher has memorised part of the noise by the time it teaches.",
    ),
    Entry(
        "sharpness_aware",
        _HERE + "sharpness:SharpnessAware",
        "The gradient at the worst point nearby, applied here.",
        "Foret et al. (2021), Sharpness-aware minimization for efficiently improving generalization, ICLR, equation 2; "
        "adaptive: Kwon et al. (2021), ICML",
        formula="g(w + rho g / |g|)",
        helps="Combines with any model, and with clean labels; slows memorising: 74.6% / 74.8%.",
        hurts="Does not stop it; two passes a step.",
    ),
    Entry(
        "cross_split",
        _HERE + "cross_split:CrossSplit",
        "Two networks see the labels of one half each and soften those of the other's half.",
        "Kim et al. (2023), CrossSplit: mitigating label noise memorization through data splitting, ICML",
        formula="target = sharpen(w q + (1 - w) y), w from the divergence between label and the peer's q",
        helps="The best here on pair noise, since the peer has never seen the label it corrects: 94.9% / 95.0%.",
        hurts="Two networks on half of the labels each, and mixup: four times the cost of plain training. Without its "
        "contrastive term, which needs images.",
    ),
    Entry(
        "divide_mix",
        _HERE + "divide_mix:DivideMix",
        "Two networks split the data for each other; labels that look wrong are guessed instead.",
        "Li, Socher, Hoi (2020), DivideMix: learning with noisy labels as semi-supervised learning, ICLR, algorithm 1",
        formula="P(clean) by a two-Gaussian mixture of losses; MixMatch on the clean as labelled, the rest as unlabelled",
        helps="Both kinds of noise, without knowing anything: 94.1% / 94.2%.",
        hurts="Five times the cost of plain training. Views have to keep what a digit is: shifted by a pixel it has 84.5% / "
        "83.3%, where plain training on the same views has 91.4% / 79.6%.",
    ),
    Entry(
        "bootstrapping",
        _HERE + "bootstrapping:Bootstrapping",
        "Targets mix label and own guess, weighted by a beta mixture of the losses.",
        "Arazo et al. (2019), Unsupervised label noise modeling and loss correction, ICML, equations 10 to 12",
        formula="(1 - w) CE(y) + w CE(argmax p), w = P(wrong | loss), with mixup",
        helps="No noise rate, one network: 93.5% / 89.1%.",
        hurts="Needs losses in two groups; confirms its own guesses where they are not.",
    ),
    Entry(
        "forward",
        _HERE + "correction:ForwardCorrection",
        "Cross-entropy of the probabilities sent through T, known or estimated after a warm-up.",
        _PATRINI + ", theorem 2; T by the confident joint unless it is given",
        formula="-log (T' p)[y]",
        helps="Class-dependent noise: 83.2% / 91.8%; told T: 81.2% / 93.8%.",
        hurts="Symmetric noise is memorised through T all the same.",
    ),
    Entry(
        "backward",
        _HERE + "correction:BackwardCorrection",
        "Losses of all labels weighted by the inverse of T, known or estimated.",
        _PATRINI + ", theorem 1; T by the confident joint unless it is given",
        formula="sum_j (T^-1)[y, j] (-log p[j])",
        helps="Unbiased for every model: 79.9% / 73.5%.",
        hurts="Unbounded below, so that a flexible network fits the noise anyway; on pair noise the gain over plain "
        "training is within its interval.",
    ),
    Entry(
        "rent",
        _HERE + "resampling:Resampling",
        "Every step trains on units drawn with replacement, by how likely their labels are right.",
        _BAE + ", RENT",
        formula="m draws from Multinomial(w), w = p[y] / (T' p)[y]",
        helps="Better use of an estimated T than a corrected loss makes: 84.8% / 88.8%.",
        hurts="Weights follow the model's own errors; memorises in the end.",
    ),
    Entry(
        "dws",
        _HERE + "resampling:DirichletWeights",
        "Weights of a batch drawn from a Dirichlet around how likely labels are right.",
        _BAE + ", DWS",
        formula="weights ~ Dirichlet(alpha w), w = p[y] / (T' p)[y]",
        helps="Between reweighting (large alpha) and resampling: 85.7% / 88.9%.",
        hurts="One more constant, and no better than rent here.",
    ),
    Entry(
        "late_stopping",
        _HERE + "late_stopping:LateStopping",
        "What fresh networks learn late, round after round, is dropped.",
        "Yuan, Feng, Liu (2023), Late Stopping: avoiding confidently learning from mislabeled examples, ICCV",
        formula="keep the first units to be predicted right k epochs in a row, .98 of them each round",
        helps="Trains on hard right units too: 88.7% / 90.7%.",
        hurts="Many short trainings; the published .98 over twelve rounds drops 22% whatever the noise is, and shares set "
        "from a known noise rate did worse (71.5% / 83.6%): a round that must learn most units learns the wrong ones.",
    ),
    Entry(
        "rescaling",
        _HERE + "rescaling:Rescaling",
        "Losses weighted by how far a label looks right, learnt from errors planted on purpose.",
        "this project, in place of the meta-gradients of Heck et al. (2025), Learning from noisy labels via self-taught "
        "on-the-fly meta loss rescaling, AAAI",
        formula="max(P(right) - P(wrong), 0), P by a regression of given against planted labels on averaged predictions",
        helps="Within two points of the best at a quarter of their cost; nothing to know beforehand: 94.1% / 92.5%.",
        hurts="Rests on one estimate of the noise rate after the warm-up; a distribution per unit in memory.",
    ),
    Entry(
        "volume",
        _HERE + "volume:VolumeMinimisation",
        "T is learnt beside the network, as the one of least volume that explains the labels.",
        "Li et al. (2021), Provably end-to-end label-noise learning without anchor points, ICML, equation 5",
        formula="-log (T' p)[y] + lambda log |det T|",
        helps="No anchor points, no separate estimate of T: 84.0% / 82.1%.",
        hurts="A network that memorises leaves T nothing to explain.",
    ),
)
