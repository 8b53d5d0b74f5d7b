"""CoLaDa: tags carried to another language, cleaned in rounds by two models and by neighbouring tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.neighbours import as_features
from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import SoftmaxRegression, fit_softmax
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, as_rate, choose
from labelnoise.text.collaboration import Neighbourhood
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.schemes import spans_of
from labelnoise.text.viterbi import best_tags

__all__ = ["Bilingual", "Round", "colada", "colada_rounds", "entity_f1", "joined"]

#: Share of the source sentences that is held out where no "val" split is known.
HELD_OUT = 0.1
#: Penalties to choose from.
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
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


class Bilingual:
    """Source, translated and target text with their features: all that the rounds share.

    Parameters
    ----------
    source : TextDataset
        Gold tags. Its splits "train" and "val" are used; without a "val" split a tenth of the sentences, drawn by
        the seed, is held out of the training.
    translated : TextDataset or None
        Target-language text with tags carried over, which may be wrong. None lets the source's training text stand
        in for it.
    target : TextDataset
        Its "train" split is the unlabelled text, or all of it without one. Its tags are not looked at.
    encoded : array_like of float, shape (n_source + n_translated + n_target, d)
        Features of one encoder in one space: `labelnoise.text.encoder.encode_tokens` of `joined`.
    k : int
        Neighbours that confirm a label.
    seed : int
        Draws the held-out source sentences where no "val" split is known; nothing else is random.
    centred : bool
        Take each text's mean from its features. A multilingual encoder says of every token which language it is
        in; that part helps no tag and keeps the languages apart (Libovicky, Rosa, Fraser 2020, Findings of EMNLP).

    Raises
    ------
    InputError
        Other tags in the translation than in the source, features of another length, no training text.
    """

    def __init__(
        self,
        source: TextDataset,
        translated: TextDataset | None,
        target: TextDataset,
        *,
        encoded: ArrayLike,
        k: int = 500,
        seed: int = 0,
        centred: bool = True,
    ) -> None:
        if translated is not None and translated.class_names != source.class_names:
            raise InputError(
                f"The translation has the tags {', '.join(translated.class_names)}, the source "
                f"{', '.join(source.class_names)}; give both the same types."
            )
        if k < 1:
            raise InputError(f"k is {k}; ask for at least one neighbour.")
        parts = [source, *([translated] if translated is not None else []), target]
        x = as_features(encoded, n=sum(part.n_units for part in parts))
        pieces = np.split(x, np.cumsum([part.n_units for part in parts])[:-1])
        if centred:
            pieces = [piece - piece.mean(axis=0) for piece in pieces]
        self.source, self.translated, self.target, self.k = source, translated, target, k
        self.source_features, self.target_features = pieces[0], pieces[-1]
        train, self.validation = _source_splits(source, seed)
        self.train = np.flatnonzero(train & (source.given >= 0))
        if not len(self.train) or not (source.given[self.validation] >= 0).any():
            raise InputError(
                "The source has no labelled token to train on or to validate with; give more text."
            )
        if translated is None:
            copies = _first_copies(source)[self.train]
            self.noisy_features, self.noisy = pieces[0][copies], source.given[self.train]
        else:
            rows = np.flatnonzero(translated.given >= 0)
            self.noisy_features, self.noisy = (
                pieces[1][_first_copies(translated)[rows]],
                translated.given[rows],
            )
        if not len(self.noisy):
            raise InputError("The translation has no labelled token; give its tags, or None.")
        text = target.masks.get("train")
        chosen = np.arange(target.n_units) if text is None else np.flatnonzero(text)
        if not len(chosen):
            raise InputError("The target's split 'train' is empty; give unlabelled text.")
        sentence = np.asarray(target.groups)[chosen]
        # A split is made of whole sentences, so a new sentence starts wherever the number changes.
        self.text_starts = np.concatenate([[0], np.flatnonzero(np.diff(sentence)) + 1, [len(chosen)]])
        self.text_features = pieces[-1][_first_copies(target)[chosen]]

    @cached_property
    def noisy_neighbours(self) -> Neighbourhood:
        """The neighbours among the translation's labelled tokens."""
        return Neighbourhood(self.noisy_features, self.k)

    @cached_property
    def text_neighbours(self) -> Neighbourhood:
        """The neighbours among the target's unlabelled text."""
        return Neighbourhood(self.text_features, self.k)


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
        Penalty of all heads; by default the one of `PENALTIES` with which the source's own head does best on the
        source's validation.
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

    taught = texts.source_features[texts.train], one[texts.source.given[texts.train]]
    first = {
        value: fit_softmax(*taught, l2=value, iterations=iterations)
        for value in (PENALTIES if l2 is None else (l2,))
    }
    score = {value: _source_f1(texts, model) for value, model in first.items()}
    penalty = max(score, key=lambda value: score[value])
    current = first[penalty]
    yield Round(0, current, {"round": 0, "source_val_f1": score[penalty], "l2": penalty})
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
        record["source_val_f1"] = _source_f1(texts, current)
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
    **options: Any,
) -> Trained:
    """Tag a language without gold tags: a softmax head on an encoder, cleaned over rounds by collaboration.

    Each round has two steps. The target's model judges the translation, whose soft targets mix the tag with the
    judgement; a model fitted to them tags the target text, and the next target model is fitted to those tags.
    Judgements and tags weigh as much as their neighbours of the same type confirm them.

    Parameters
    ----------
    source, translated, target, encoded, seed, k, centred :
        See `Bilingual`.
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
    Without a translation nothing new enters the rounds but the target text. On WikiANN from English (1,500 sentences
    each, one draw) entity F1 rose from 0.646 (direct transfer) to 0.662 in German and from 0.630 to 0.640 in Spanish,
    in the round that the source's validation chose. Centring each language and a penalty chosen by the source do
    far more: direct transfer without them reached 0.365 and 0.465 (``experiments/text_colada.py``).

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
    texts = Bilingual(source, translated, target, encoded=encoded, k=k, seed=seed, centred=centred)
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


def entity_f1(dataset: TextDataset, tags: ArrayLike, mask: NDArray[np.bool_] | None = None) -> float:
    """Micro F1 of the entities that tags mean against the given ones, 0 to 1; 1 where neither has any.

    Sentence, extent and type must agree. Tokens outside the mask or without a given tag do not count.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["Ada", "of", "Rome"]], [["B-X", "O", "B-Y"]], name="d")
    >>> round(entity_f1(data, [1, 0, 0]), 3)
    0.667
    """
    found = np.asarray(tags, dtype=np.int64)
    if found.shape != (dataset.n_units,):
        raise InputError(f"There are {found.shape} tags for {dataset.n_units} tokens; give one each.")
    use = dataset.given >= 0 if mask is None else mask & (dataset.given >= 0)
    theirs = spans_of(np.where(use, found, -1), starts=dataset.starts)
    ours = spans_of(np.where(use, dataset.given, -1).astype(np.int64), starts=dataset.starts)
    total = len(theirs) + len(ours)
    return 2.0 * len(np.intersect1d(theirs, ours)) / total if total else 1.0


def joined(*datasets: TextDataset) -> TextDataset:
    """The words of several data sets behind each other, without labels: for one encoder's features in one space.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> one = from_sentences([["Rome"]], [["B-LOC"]], name="a")
    >>> both = joined(one, from_sentences([["nix", "da"]], [["O", "O"]], name="b"))
    >>> both.tokens.tolist(), both.starts, both.given
    (['Rome', 'nix', 'da'], array([0, 1, 3]), array([-1, -1, -1]))
    """
    sizes = np.concatenate([np.diff(one.starts) for one in datasets])
    tokens = np.concatenate([one.tokens for one in datasets])
    return TextDataset(
        name="+".join(one.name for one in datasets),
        given=np.full(len(tokens), -1, dtype=np.int64),
        class_names=("O",),
        tokens=tokens,
        starts=np.concatenate([[0], np.cumsum(sizes)]),
    )


def _source_f1(texts: Bilingual, model: SoftmaxRegression) -> float:
    tags = best_tags(model.predict(texts.source_features), texts.source.starts)
    return entity_f1(texts.source, tags, texts.validation)


def _source_splits(source: TextDataset, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tokens to train on and to validate with, whole sentences both."""
    train = source.masks.get("train", np.ones(source.n_units, dtype=bool))
    if "val" in source.masks:
        return train & ~source.masks["val"], source.masks["val"]
    sentences = np.unique(np.asarray(source.groups)[train])
    count = max(1, round(HELD_OUT * len(sentences)))
    drawn = generator(seed, "held-out source sentences").choice(sentences, count, replace=False)
    held = train & np.isin(np.asarray(source.groups), drawn)
    return train & ~held, held


def _first_copies(dataset: TextDataset) -> NDArray[np.int64]:
    """For each token its row in the first sentence of the same words.

    An encoder's padding makes the features of two copies differ in their last digits; then they would confirm
    each other as if they were different tokens.
    """
    seen: dict[tuple[str, ...], int] = {}
    first = np.empty(dataset.n_sentences, dtype=np.int64)
    for index in range(dataset.n_sentences):
        first[index] = seen.setdefault(tuple(map(str, dataset.sentence(index))), int(dataset.starts[index]))
    return first[np.asarray(dataset.groups)] + dataset.position
