"""CoLaDa: tags carried to another language, cleaned in rounds by two models and by neighbouring tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.progress import track
from labelnoise.core.softmax_regression import SoftmaxRegression, fit_softmax
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.text.bilingual import Bilingual, entity_f1, joined
from labelnoise.text.collaboration import Neighbourhood
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.schemes import spans_of
from labelnoise.text.viterbi import best_tags

__all__ = ["Bilingual", "Round", "colada", "colada_rounds", "entity_f1", "joined"]

SELECT = ("source", "last", "target")


@dataclass(frozen=True)
class Round:
    """One round's model and what it did.

    Attributes
    ----------
    number : int
        0 is the model of the source language alone.
    model : SoftmaxRegression
        The target language's model.
    record : mapping
        ``source_val_f1``, and from round 1 the mean weights and the number of entities in the target text.
    """

    number: int
    model: SoftmaxRegression
    record: Mapping[str, Any]


def colada_rounds(
    texts: Bilingual,
    *,
    rounds: int = 8,
    trust: tuple[float, float] = (0.5, 0.1),
    alpha: float = 6.0,
    mu: float = 1.0,
    model: bool = True,
    instance: bool = True,
    soft: bool | None = None,
    l2: float | None = None,
    iterations: int = 40,
) -> Iterator[Round]:
    """Fit round after round; the first one yielded is the model of the source alone.

    Parameters
    ----------
    texts : Bilingual
    rounds : int
        >= 1.
    trust : tuple of float
        Share of the translation's own label in its soft target, in the first round and later; 0 to 1.
    alpha, mu : float
        See `labelnoise.text.collaboration.knn_weights`.
    model : bool
        False takes away the model of the translation: each model labels the target text for the next (plain
        self-training).
    instance : bool
        False sets all weights to 1.
    soft : bool, optional
        Whether the target text teaches with the probabilities of its tags, or as in the paper with the tags alone. By
        default only without a translation: then hard tags, which a head that is fitted anew takes for granted,
        drift away round by round; with one they win (generated languages, ``tests/text/test_colada.py``).
    l2 : float, optional
        Penalty of all heads; by default the one of `labelnoise.text.bilingual.PENALTIES` with which the source's own
        head does best on the source's validation.
    iterations : int
        Of `labelnoise.core.softmax_regression.fit_softmax`.

    Raises
    ------
    InputError
        Numbers out of range.
    """
    if int(rounds) != rounds or rounds < 1:
        raise InputError(f"rounds is {rounds}; give a whole number of at least 1.")
    shares = [as_rate(share, name="trust") for share in trust]
    if len(shares) != 2:
        raise InputError(f"trust has {len(shares)} numbers; give one for the first round and one for later.")
    n_classes = texts.source.n_classes
    n_kinds = (n_classes + 1) // 2
    gently = texts.translated is None if soft is None else soft
    one = np.eye(n_classes, dtype=np.float32)

    def fit(features: NDArray[Any], targets: NDArray[Any]) -> SoftmaxRegression:
        return fit_softmax(features, targets, l2=penalty, iterations=iterations)

    def confirm(near: str, tags: NDArray[np.int64]) -> NDArray[np.float64]:
        if not instance:
            return np.ones(len(tags))
        found: Neighbourhood = getattr(texts, near)
        return found.weights(type_ids(tags), n_kinds=n_kinds, alpha=alpha, mu=mu)

    current, penalty, score = texts.direct(l2, iterations)
    yield Round(0, current, {"round": 0, "source_val_f1": score, "l2": penalty})
    for number in track(range(1, rounds + 1), "rounds of collaboration"):
        record: dict[str, Any] = {"round": number}
        teacher = current
        if model:
            p = current.predict(texts.noisy_features)
            weight = confirm("noisy_neighbours", p.argmax(axis=1).astype(np.int64))
            share = shares[0] if number == 1 else shares[1]
            # The rows need not sum to 1: only the model's part is weighted, and the sum is the token's weight.
            teacher = fit(texts.noisy_features, share * one[texts.noisy] + (1 - share) * weight[:, None] * p)
            record["translated_weight"] = round(float(weight.mean()), 4)
            record["translated_agreement"] = round(float((p.argmax(axis=1) == texts.noisy).mean()), 4)
        judged = teacher.predict(texts.text_features)
        judged = judged / judged.sum(axis=1, keepdims=True)
        tags = best_tags(judged, texts.text_starts)
        weight = confirm("text_neighbours", tags)
        current = fit(texts.text_features, (judged if gently else one[tags]) * weight[:, None])
        record["target_weight"] = round(float(weight.mean()), 4)
        record["target_entities"] = len(spans_of(tags, starts=texts.text_starts))
        record["source_val_f1"] = texts.source_f1(current)
        yield Round(number, current, record)


def colada(
    source: TextDataset,
    translated: TextDataset | None,
    target: TextDataset,
    *,
    encoded: ArrayLike,
    seed: int = 0,
    select: str = "source",
    k: int = 500,
    centred: bool = True,
    beside: int = 0,
    sample: int | None = None,
    **options: Any,
) -> Trained:
    """Tag a language without gold tags: a softmax head on an encoder, cleaned over rounds by collaboration.

    Each round has two steps. The target's model judges the translation, whose soft targets mix the tag with the
    judgement; a model fitted to them tags the target text, and the next target model is fitted to those tags.
    Judgements and tags weigh as much as their neighbours of the same type confirm them.

    Parameters
    ----------
    source, translated, target, encoded, seed, k, centred, beside, sample :
        See `labelnoise.text.bilingual.Bilingual`.
    select : {"source", "last", "target"}
        What chooses among the rounds from 1: entity F1 on the source's validation sentences, the number of the
        round, or entity F1 on the *given* tags of the target's split "val". The last one is no zero-shot transfer
        any more, so it is never a default, and ``selected_by`` and a warning say so.
    **options
        See `colada_rounds`.

    Returns
    -------
    Trained
        Of the target's tokens: BIO-valid tags and probabilities. ``history`` has one entry per round, the first is
        the model of the source alone (direct transfer), which is never chosen.

    Raises
    ------
    InputError
        Texts that do not fit each other, numbers out of range, no labelled "val" split to select with.

    Notes
    -----
    Where the paper trains a language model, the encoder is frozen here and only the head is fitted. The head's
    problem is convex: there is no initial model to inherit and no checkpoint to choose within a round.
    Without a translation nothing new enters the rounds but the target text: on WikiANN from English (4,000 sentences
    each, means of three draws) entity F1 rose from 0.632 (direct transfer) to 0.647 in German, from 0.648 to 0.657 in
    Spanish and from 0.660 to 0.685 in Dutch, in the round that the source's validation chose
    (``experiments/text_colada.py``).
    `labelnoise.text.two_views.transfer_by_two_views`, which this project uses instead, reaches 0.70 to 0.71.

    References
    ----------
    Ma, Lin, Zhao et al. 2023, CoLaDa: A Collaborative Label Denoising Framework for Cross-lingual Named Entity
    Recognition, ACL.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> source = from_sentences([["Ada", "ran"]] * 20, [["B-PER", "O"]] * 20, name="en")
    >>> target = from_sentences([["Eva", "lief", "."]] * 9, [["O", "O", "O"]] * 9, name="de")
    >>> X = np.vstack([np.tile([[1.0, 0], [0, 1]], (20, 1)), np.tile([[0.9, 0.2], [0.1, 1], [0, 1.1]], (9, 1))])
    >>> found = colada(source, None, target, encoded=X, rounds=2)
    >>> found.predicted[:3], found.selected_by, len(found.history)
    (array([1, 0, 0]), 'entity F1 on validation sentences of the source language', 3)
    """
    choose(select, SELECT, "select")
    texts = Bilingual(
        source,
        translated,
        target,
        encoded=encoded,
        k=k,
        seed=seed,
        centred=centred,
        beside=beside,
        sample=sample,
    )
    held: NDArray[np.bool_] | None = None
    if select == "target":
        held = target.masks.get("val")
        if held is None or target.class_names != source.class_names or not (target.given[held] >= 0).any():
            raise InputError(
                "select='target' needs a split 'val' of the target with tags of the source's types; give them, or "
                "use select='source'."
            )
    done = []
    for one in colada_rounds(texts, **options):
        record = dict(one.record)
        if held is not None:
            tags = best_tags(one.model.predict(texts.target_features), target.starts)
            record["target_val_f1"] = entity_f1(target, tags, held)
        done.append(Round(one.number, one.model, record))
    history = tuple(one.record for one in done)
    chosen = chosen_round(history, select)
    probs = done[chosen].model.predict(texts.target_features).astype(np.float64)
    probs /= probs.sum(axis=1, keepdims=True)
    warnings = []
    if translated is None:
        warnings.append("No translation was given: the source text with its own tags stood in for it.")
    if select == "target":
        warnings.append("Tags of the target language chose the round: this is no zero-shot result.")
    return Trained(
        method="colada",
        predicted=best_tags(probs, target.starts),
        probs=probs,
        history=history,
        selected_by={
            "source": "entity F1 on validation sentences of the source language",
            "last": "last round",
            "target": "clean: entity F1 on labelled validation sentences of the target language",
        }[select],
        chosen=chosen,
        warnings=tuple(warnings),
        info={
            "k": k,
            "seed": seed,
            "translated": translated is not None,
            "select": select,
            "centred": centred,
            "beside": beside,
            "sample": sample,
            **options,
        },
    )


def chosen_round(history: tuple[Mapping[str, Any], ...], select: str) -> int:
    """The round that ``select`` takes, of equally good ones the first; the source's own model never is.

    Examples
    --------
    >>> chosen_round(({"source_val_f1": 0.9}, {"source_val_f1": 0.7}, {"source_val_f1": 0.8}), "source")
    2
    """
    if select == "last":
        return len(history) - 1
    return 1 + int(np.argmax([record[f"{select}_val_f1"] for record in history[1:]]))
