"""Wrong entity tags with calibrated probabilities, from given tags alone: missing, spurious and mistyped ones alike."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.calibration import count_estimate, probability_wrong, shift_to_total, simulate_count_ratios
from labelnoise.core.decision import decide
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.stacking import StackerFit, fit_stacker, posterior, predict
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import TokenExperts, type_ids
from labelnoise.text.folds import form_folds
from labelnoise.text.spans import suggest_tags, token_kinds

__all__ = ["detect_calibrated"]

#: Prior spread of the classes' error rates, in log-odds: "O" may be all but right while most names are missing.
RATE_SPREAD = 1.0


def detect_calibrated(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    folds: int = 3,
    epochs: int = 3,
    resamples: int = 3,
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

    Returns
    -------
    Detection
        With ``p_wrong`` (of the entity type: whether an entity begins or goes on is settled when tags are
        suggested), ``count``, ``transition`` over "O" and the types, and the evidence columns ``p_given``
        (probability of the given type as seen from everything but this name's labels) and ``kind`` (missing,
        spurious, type or boundary; "" where nothing is suggested).

    Raises
    ------
    InputError
        No entity among the tags, fewer sentences than folds, options out of range, unreadable features.

    Notes
    -----
    Every expert judges a name by models that have not seen the name's labels (`labelnoise.text.folds.form_folds`),
    because real errors repeat with the name. How classes are confused is fitted together with the experts'
    weights (`labelnoise.core.stacking.fit_stacker`, with rates that may be far apart between classes); it shows
    where probabilities of names level off below 1, which only missing labels explain. A mode of this project.
    The ranking is the mean of two log-odds: under the fitted confusions, and of the class itself.
    """
    started = time.process_time()
    given = type_ids(dataset.given)
    has = given >= 0
    _check(dataset, given, folds=folds, epochs=epochs, resamples=resamples)
    k = len(dataset.types) + 1
    split = form_folds(dataset.tokens, dataset.starts, dataset.given, folds, seed=seed)
    experts = TokenExperts(dataset, split, encoded=_encoded(dataset, encoder, features), epochs=epochs, seed=seed)
    targets = np.zeros((dataset.n_units, k), dtype=np.float32)
    targets[has, given[has]] = 1.0
    evidence = experts.scores(targets)
    evidence /= np.maximum(evidence.std(axis=(1, 2), keepdims=True), 1e-12)

    def fitted(labels: NDArray[np.int64], start: StackerFit | None) -> StackerFit:
        return fit_stacker(evidence[:, has], labels[has], rate_spread=RATE_SPREAD, start=start)

    fit = fitted(given, None)
    probs = predict(fit, evidence)
    truth = posterior(probs, fit.transition, given)
    p_wrong = probability_wrong(truth, given)

    def refit(labels: NDArray[np.int64]) -> float:
        again = fitted(labels, fit)
        return float(
            probability_wrong(posterior(predict(again, evidence), again.transition, labels), labels).sum()
        )

    total = float(p_wrong.sum())
    if resamples:
        ratios = simulate_count_ratios(
            truth, fit.transition, given, refit, n_simulations=resamples, seed=seed
        )
        count = count_estimate(total, total, ratios)
        p_wrong = shift_to_total(p_wrong, count.expected)
    else:
        count = CountEstimate(total, total, total, 0.0, "sum of probabilities, no interval asked for")
    own = np.where(has, probs[np.arange(len(given)), np.maximum(given, 0)], 1.0)
    suggested = suggest_tags(dataset, truth)
    confidence = truth[np.arange(len(given)), type_ids(suggested)]
    quality = np.where(has, 1.0 - _between(p_wrong, 1.0 - own), 1.0)
    return Detection(
        method="calibrated",
        quality=quality,
        flagged=decide(p_wrong) & has,
        suggested=suggested,
        confidence=confidence,
        p_wrong=p_wrong,
        count=count,
        transition=fit.transition,
        evidence={"p_given": np.where(has, own, 0.0), "kind": token_kinds(dataset, suggested)},
        warnings=_warnings(fit.transition, dataset.types),
        info={
            "mode": "calibrated",
            "experts": ["words"] if evidence.shape[0] == 1 else ["words", "encoder, ridge", "encoder, softmax"],
            "weights": [round(float(weight), 3) for weight in fit.weights],
            "errors": "uniform" if fit.uniform else "class-dependent",
            "cpu_seconds": round(time.process_time() - started, 3),
        },
    )


def _between(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of two probabilities on the log-odds scale."""
    p, q = np.clip(p, 1e-12, 1 - 1e-12), np.clip(q, 1e-12, 1 - 1e-12)
    odds = 0.5 * (np.log(p / (1 - p)) + np.log(q / (1 - q)))
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def _encoded(dataset: TextDataset, encoder: str | None, features: str | None) -> NDArray[Any] | None:
    if encoder is not None and features is not None:
        raise InputError("Both an encoder and a file of features are given; give one of them.")
    if encoder is not None:
        from labelnoise.text.encoder import encode_tokens

        return encode_tokens(dataset, encoder)
    if features is None:
        return None
    from labelnoise.text.encoder import reduce_columns

    try:
        found = np.load(Path(features), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"The features {features!r} cannot be read ({error}); give a .npy file.") from None
    if found.ndim != 2 or len(found) != dataset.n_units or not np.isfinite(found).all():
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
        "the count is a lower bound, as what the model never saw tagged it cannot miss.",
    )
