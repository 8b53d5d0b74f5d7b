"""Wrong entity tags with calibrated probabilities, from given tags alone: missing, spurious and mistyped ones alike."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npy
from labelnoise.core.calibration import (
    count_estimate,
    probability_wrong,
    shift_to_total,
    simulate_count_ratios,
)
from labelnoise.core.crossval import fold_ids
from labelnoise.core.decision import decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.stacking import StackerFit, fit_stacker, posterior, predict
from labelnoise.core.validation import InputError, as_rate
from labelnoise.text.capitals import capitalised, raise_to_share, told_count, widened
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import TokenExperts, type_ids
from labelnoise.text.folds import form_folds
from labelnoise.text.spans import suggest_tags, token_kinds

__all__ = [
    "Judged",
    "detect_calibrated",
    "error_consistency",
    "judge_types",
    "probability_right",
    "token_columns",
]

#: Prior spread of the classes' error rates, in log-odds: "O" may be all but right while most names are missing.
RATE_SPREAD = 1.0
#: Where errors repeat with their name less than this, other mentions of a name are evidence too.
REPEATING = 0.5
#: The count is called not identified where the words allow this many times the upper end that the tags allow.
OPEN = 1.25


def detect_calibrated(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    folds: int = 3,
    epochs: int = 3,
    resamples: int = 3,
    names: float | None = None,
) -> Detection:
    """Probability that each token's tag is wrong, the expected number of wrong ones, and what they should be.

    Parameters
    ----------
    dataset : TextDataset
        Tokens without a tag (-1) are predicted, not judged.
    seed : int
        Of the folds and the order of tokens in training.
    encoder : str, optional
        A folder (or hub's name) of a Hugging Face encoder, whose frozen features then judge too. They are kept on
        disk, so that only the first run pays for them. Without one, features of the words alone are used.
    features : str, optional
        Instead of an encoder: a ``.npy`` file of any features, one row per token.
    folds : int
        Parts in which names are hidden in turn, >= 2.
    epochs : int
        Passes of the model on words, >= 1.
    resamples : int
        Simulations behind the count's interval; 0 for the plain sum without one, else at least 2.
    names : float, optional
        What a speaker of the language can tell: the share of words with a capital inside sentences
        (`labelnoise.text.capitals.capitalised`) that belong to entities of the tagged types, 0 to 1. It settles what the
        tags alone leave open, how many names have no tag.

    Returns
    -------
    Detection
        With ``p_wrong``, ``count``, ``info["type_transition"]`` over "O" and the types, and the evidence columns
        ``p_given`` (probability of the given type as seen from everything but this name's labels) and ``kind`` (missing,
        spurious, type or boundary; "" where nothing is suggested).

    Raises
    ------
    InputError
        No entity among the tags, fewer sentences than folds, options out of range, unreadable features.

    Notes
    -----
    Experts judge a name by models that have not seen the name's labels (`labelnoise.text.folds.form_folds`),
    because real errors repeat with the name; where the suspects' other mentions show that they do not
    (`error_consistency`), models that have seen those join in. How classes are confused is fitted together with the experts'
    weights (`labelnoise.core.stacking.fit_stacker`, with rates that may be far apart between classes); it shows
    where probabilities of names level off below 1, which only missing labels explain. A mode of this project.
    The ranking is the mean of two log-odds: under the fitted confusions, and of the class itself.

    Where errors repeat with the name, tags without errors and tags that lack most names can agree in all that is
    seen. The count then is the one that trusts the tags, and the interval reaches up to the one that trusts the
    words: every disagreement of models that never saw the name is an error, and every word with a capital inside
    sentences is a name. With ``names``, the second reading is taken, also for the ranking.
    """
    started = time.process_time()
    given = type_ids(dataset.given)
    has = given >= 0
    _check(dataset, given, folds=folds, epochs=epochs, resamples=resamples)
    names = None if names is None else as_rate(names, name="names")
    encoded = token_columns(dataset, encoder, features)
    judged = judge_types(dataset, seed, encoded=encoded, folds=folds, epochs=epochs)
    truth, probs, fit, repeats = judged.truth, judged.probs, judged.fit, judged.repeats
    p_wrong = np.where(has, 1.0 - probability_right(dataset, truth), 0.0)

    def refit(labels: NDArray[np.int64]) -> float:
        again = fit_stacker(judged.evidence[:, has], labels[has], rate_spread=RATE_SPREAD, start=fit)
        truth = posterior(predict(again, judged.evidence), again.transition, labels)
        return float(probability_wrong(truth, labels).sum())

    group = capitalised(dataset.tokens, dataset.starts) & has
    by_words = raise_to_share(probs, given, group, 1.0 if names is None else names)
    wrong_by_words = np.where(has, 1.0 - probability_right(dataset, by_words), 0.0)
    warnings = list(_warnings(fit.transition, dataset.types))
    total = float(p_wrong.sum())
    if names is not None:
        truth, p_wrong = by_words, wrong_by_words
        count = told_count(float(p_wrong.sum()))
    elif resamples:
        ratios = simulate_count_ratios(
            truth, fit.transition, given, refit, n_simulations=resamples, seed=seed
        )
        count = count_estimate(total, total, ratios)
        p_wrong = shift_to_total(p_wrong, count.expected)
        if repeats >= REPEATING:
            opened = widened(count, float(wrong_by_words.sum()))
            if opened.high > OPEN * count.high:
                warnings.append(_not_identified(opened, int((group & (given == 0)).sum())))
            count = opened
    else:
        count = CountEstimate(total, total, total, 0.0, "sum of probabilities, no interval asked for")
    own = np.where(has, probability_right(dataset, probs), 1.0)
    doubt = p_wrong if names is not None else _between(p_wrong, 1.0 - own)
    kinds = ("words",) if encoded is None else ("words", "encoder by ridge", "encoder by softmax")
    seen = ("other names", "other sentences") if repeats < REPEATING else ("other names",)
    flagged = decide(p_wrong) & has
    # A flagged tag's own type can still be the most probable one; what helps is what else it would be.
    suggested = suggest_tags(dataset, truth, doubted=flagged)
    confidence = truth[np.arange(len(given)), type_ids(suggested)]
    quality = np.where(has, 1.0 - doubt, 1.0)
    return Detection(
        method="calibrated",
        quality=quality,
        flagged=flagged,
        suggested=suggested,
        confidence=confidence,
        p_wrong=p_wrong,
        count=count,
        evidence={"p_given": np.where(has, own, 0.0), "kind": token_kinds(dataset, suggested)},
        warnings=tuple(warnings),
        info={
            "mode": "calibrated",
            "experts": [f"{what}, {folded}" for folded in seen for what in kinds],
            "weights": [round(float(weight), 3) for weight in fit.weights],
            "errors_repeat_with_names": round(repeats, 3),
            "capitalised_words": int(group.sum()),
            "of_these_tagged": round(float((given[group] > 0).mean()), 3) if group.any() else 0.0,
            "errors": "uniform" if fit.uniform else "class-dependent",
            "type_transition": np.round(fit.transition, 6).tolist(),
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


@dataclass(frozen=True)
class Judged:
    """What is known of every token's type once its given tag has been weighed against the evidence.

    Attributes
    ----------
    truth : ndarray, shape (n, K)
        P(true type | evidence, given type), "O" first; K is 1 + types.
    probs : ndarray, shape (n, K)
        P(true type | evidence).
    fit : StackerFit
        With the ``transition`` between types.
    evidence : ndarray, shape (M, n, K)
    repeats : float
        See `error_consistency`.
    """

    truth: NDArray[np.float64]
    probs: NDArray[np.float64]
    fit: StackerFit
    evidence: NDArray[np.float64]
    repeats: float


def judge_types(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoded: NDArray[Any] | None = None,
    folds: int = 3,
    epochs: int = 3,
) -> Judged:
    """P(true type) of every token; parameters as in `detect_calibrated`.

    Raises
    ------
    InputError
        No entity among the tags, fewer sentences than folds, options out of range.
    """
    given = type_ids(dataset.given)
    has = given >= 0
    _check(dataset, given, folds=folds, epochs=epochs, resamples=0)
    targets = np.zeros((dataset.n_units, len(dataset.types) + 1), dtype=np.float32)
    targets[has, given[has]] = 1.0

    def judged_by(split: NDArray[np.int64]) -> NDArray[np.float64]:
        parts = TokenExperts(dataset, split, encoded=encoded, epochs=epochs, seed=seed).scores(targets)
        parts /= np.maximum(parts.std(axis=(1, 2), keepdims=True), 1e-12)
        return parts

    def answer(evidence: NDArray[np.float64], repeats: float) -> Judged:
        fit = fit_stacker(evidence[:, has], given[has], rate_spread=RATE_SPREAD)
        probs = predict(fit, evidence)
        return Judged(posterior(probs, fit.transition, given), probs, fit, evidence, repeats)

    first = answer(
        judged_by(form_folds(dataset.tokens, dataset.starts, dataset.given, folds, seed=seed)), 1.0
    )
    repeats = error_consistency(dataset.tokens, given, first.truth)
    if repeats >= REPEATING:
        return replace(first, repeats=repeats)
    by_sentence = np.maximum(fold_ids(given, folds, groups=dataset.groups, seed=seed), 0)
    return answer(np.concatenate([first.evidence, judged_by(by_sentence)]), repeats)


def error_consistency(tokens: NDArray[Any], given: NDArray[np.int64], truth: NDArray[Any]) -> float:
    """How often other mentions of a suspicious token's word share its doubtful label, of those that take sides.

    Parameters
    ----------
    tokens : ndarray of str, shape (n,)
    given : ndarray of int, shape (n,)
        Types as by `labelnoise.text.evidence.type_ids`.
    truth : ndarray, shape (n, K)
        P(true type); a token is suspicious where its given type has less than a half.

    Returns
    -------
    float
        From 0 (the other mentions carry the suggested type) to 1 (they carry the doubtful one); 1 where no
        suspicious word occurs elsewhere.

    Examples
    --------
    >>> words = np.array(["Rome", "Rome", "Rome"], dtype=object)
    >>> surely = np.array([[0.1, 0.9]] * 3)
    >>> error_consistency(words, np.array([0, 0, 0]), surely), error_consistency(words, np.array([0, 1, 1]), surely)
    (1.0, 0.0)
    """
    rows = np.arange(len(given))
    _, form = np.unique(np.array([str(token).lower() for token in tokens], dtype=object), return_inverse=True)
    has = given >= 0
    votes = np.zeros((int(form.max(initial=-1)) + 1, truth.shape[1]))
    np.add.at(votes, (form[has], given[has]), 1.0)
    suspects = rows[has & (truth[rows, np.maximum(given, 0)] < 0.5)]
    others = votes[form[suspects]].copy()
    others[np.arange(len(suspects)), given[suspects]] -= 1.0
    number = np.maximum(others.sum(axis=1), 1.0)
    agree = others[np.arange(len(suspects)), given[suspects]] / number
    disagree = others[np.arange(len(suspects)), truth[suspects].argmax(axis=1)] / number
    taken = float(agree.sum() + disagree.sum())
    return float(agree.sum()) / taken if taken > 0 else 1.0


def probability_right(dataset: TextDataset, truth: NDArray[Any]) -> NDArray[np.float64]:
    """P(the given BIO tag is right) from P(type) of each token, tokens taken as independent; shape (n,).

    An I- tag needs its neighbour to be of its type, a B- tag that stands alone needs it not to be; tokens
    without a tag get 0.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["New", "York"]], [["O", "B-LOC"]], name="d")
    >>> probability_right(data, np.array([[0.2, 0.8], [0.1, 0.9]])).round(2).tolist()
    [0.2, 0.18]
    """
    given = np.asarray(dataset.given, dtype=np.int64)
    kind = type_ids(given)
    rows, wanted = np.arange(len(given)), np.maximum(kind, 0)
    right = np.where(kind >= 0, truth[rows, wanted], 0.0).astype(np.float64)
    inside = dataset.position > 0
    before = np.where(inside, truth[np.maximum(rows - 1, 0), wanted], 0.0)
    same = inside & (np.concatenate([[-1], kind[:-1]]) == kind)
    goes_on, begins = (given > 0) & (given % 2 == 0), (given > 0) & (given % 2 == 1) & ~same
    right[goes_on] *= before[goes_on]
    right[begins] *= 1.0 - before[begins]
    return right


def _between(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of two probabilities on the log-odds scale."""
    p, q = np.clip(p, 1e-12, 1 - 1e-12), np.clip(q, 1e-12, 1 - 1e-12)
    odds = 0.5 * (np.log(p / (1 - p)) + np.log(q / (1 - q)))
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def token_columns(dataset: TextDataset, encoder: str | None, features: str | None) -> NDArray[Any] | None:
    """Dense features of the tokens as `detect_calibrated` takes them: an encoder's, a file's, or None."""
    if encoder is not None and features is not None:
        raise InputError("Both an encoder and a file of features are given; give one of them.")
    if encoder is not None:
        from labelnoise.text.encoder import encode_tokens

        return encode_tokens(dataset, encoder)
    if features is None:
        return None
    from labelnoise.text.encoder import reduce_columns

    found = read_npy(features, what="The file of features")
    right = found.ndim == 2 and len(found) == dataset.n_units and found.dtype.kind in "fiub"
    if not right or not np.isfinite(found).all():
        raise InputError(
            f"The features {features!r} have shape {found.shape} for {dataset.n_units} tokens; "
            "give one row of finite numbers per token."
        )
    return reduce_columns(found, 384)


def _check(dataset: TextDataset, given: NDArray[np.int64], **options: int) -> None:
    if not (given > 0).any():
        raise InputError(
            "No entity is tagged; what an entity looks like is learnt from the tags, so some are needed."
        )
    if options["folds"] < 2 or dataset.n_sentences < options["folds"]:
        raise InputError(
            f"folds is {options['folds']} for {dataset.n_sentences} sentences; give 2 or more, and no more than those."
        )
    if options["epochs"] < 1:
        raise InputError(f"epochs is {options['epochs']}; at least 1 pass is needed.")
    if options["resamples"] < 0 or options["resamples"] == 1:
        raise InputError(f"resamples is {options['resamples']}; give 0 (no interval) or at least 2.")


def _warnings(transition: NDArray[np.float64], types: tuple[str, ...]) -> tuple[str, ...]:
    """What the user has to know to read the answer rightly."""
    missing = {name: float(transition[1 + index, 0]) for index, name in enumerate(types)}
    much = [f"{name} {share:.0%}" for name, share in missing.items() if share > 0.3]
    if not much:
        return ()
    return (
        f"Many names are untagged ({', '.join(much)} of each type, estimated): where most of a type are missing, "
        "the count is rough, as what the model never saw tagged it cannot miss.",
    )


def _not_identified(count: CountEstimate, untagged: int) -> str:
    return (
        f"The number of errors is not identified from these tags: between {count.low:.0f} and {count.high:.0f} are "
        f"possible, as {untagged} words with a capital inside sentences have no tag and errors repeat with the word. "
        "Look at some of those words and tell the share of names among all such words (option names)."
    )
