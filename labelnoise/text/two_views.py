"""Tags carried to another language by two views of its text: an encoder's features, and its own words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.progress import track
from labelnoise.core.softmax_regression import fit_softmax
from labelnoise.core.sparse_softmax import fit_sparse_softmax
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, as_rate
from labelnoise.text.bilingual import Bilingual
from labelnoise.text.dataset import TextDataset
from labelnoise.text.viterbi import best_tags

__all__ = ["TaughtRound", "shifted_shares", "transfer_by_two_views", "two_view_rounds"]

#: Passes of the model on words.
PASSES = 3


@dataclass(frozen=True)
class TaughtRound:
    """What the two views together say of the target's tokens after a round.

    Attributes
    ----------
    number : int
        0 is the source's own head, on the encoder's features alone.
    probs : ndarray, shape (n_target, K)
    record : mapping
    """

    number: int
    probs: NDArray[np.float64]
    record: Mapping[str, Any]


def two_view_rounds(
    texts: Bilingual,
    *,
    rounds: int = 3,
    sharpness: float = 1.5,
    shares: float = 0.5,
    words: bool = True,
    seed: int = 0,
    l2: float | None = None,
    iterations: int = 40,
) -> Iterator[TaughtRound]:
    """Teach the words by the encoder's head and the head by both, round after round.

    Parameters
    ----------
    texts : Bilingual
        Its translation and neighbours are not used.
    rounds : int
        >= 1.
    sharpness : float
        Answers are raised to this power before they teach, >= 1.
    shares : float
        How far the source's head is moved to the shares of the tags in the target text (`shifted_shares`), 0 to 1.
    words : bool
        False takes away the view of the words: sharpened self-training of the head.
    seed : int
        Of the order of tokens on the words' side.
    l2 : float, optional
        Penalty of the heads; see `labelnoise.text.bilingual.Bilingual.direct`.
    iterations : int
        Of `labelnoise.core.softmax_regression.fit_softmax`.

    Raises
    ------
    InputError
        Numbers out of range.
    """
    if int(rounds) != rounds or rounds < 1:
        raise InputError(f"rounds is {rounds}; give a whole number of at least 1.")
    if not sharpness >= 1:
        raise InputError(f"sharpness is {sharpness}; give a power of at least 1.")
    part = as_rate(shares, name="shares")
    head, penalty, score = texts.direct(l2, iterations)
    given = texts.source.given[texts.train]
    k, first, text = texts.source.n_classes, texts.source.n_units, texts.text
    probs = _normal(head.predict(texts.target_features))
    record: dict[str, Any] = {"round": 0, "source_val_f1": score, "l2": penalty}
    yield TaughtRound(0, probs, record)
    before = (np.bincount(given, minlength=k) + 0.5) / (len(given) + 0.5 * k)
    probs = _normal(probs * (shifted_shares(probs[text], before) / before) ** part)
    for number in track(range(1, rounds + 1), "rounds of two views"):
        taught = together = probs
        if words:
            targets = np.zeros((texts.word_features.shape[0], k), dtype=np.float32)
            targets[texts.train, given] = 1.0
            targets[first + text] = _normal(probs[text] ** sharpness)
            rows = np.flatnonzero(targets.sum(axis=1) > 0)
            reader = fit_sparse_softmax(
                texts.word_features, targets, seed=seed + number, epochs=PASSES, rate=0.3, rows=rows
            )
            read = _normal(reader.predict(texts.word_features[first:]))
            taught = _normal(np.sqrt(probs * read))
        head = fit_softmax(
            texts.text_features,
            _normal(taught[text] ** sharpness).astype(np.float32),
            l2=penalty,
            iterations=iterations,
        )
        probs = together = _normal(head.predict(texts.target_features))
        if words:
            together = _normal(np.sqrt(probs * read))
        entities = float(1.0 - together[text, 0].mean())
        yield TaughtRound(number, together, {"round": number, "share_of_entity_tokens": round(entities, 4)})


def transfer_by_two_views(
    source: TextDataset,
    target: TextDataset,
    *,
    encoded: ArrayLike,
    seed: int = 0,
    centred: bool = True,
    beside: int = 128,
    **options: Any,
) -> Trained:
    """Tag a language without gold tags: a head on an encoder and a model of the words teach each other.

    The head of the source's tags answers for the target text. A tagger of words learns those answers, beside the
    source's own tags (names and shapes are shared); what both say together teaches the next head.

    Parameters
    ----------
    source, target, encoded, seed, centred, beside :
        See `labelnoise.text.bilingual.Bilingual`.
    **options
        See `two_view_rounds`.

    Returns
    -------
    Trained
        Of the target's tokens: BIO-valid tags and probabilities. The last round's; no tag chooses it.

    Raises
    ------
    InputError
        Texts that do not fit each other, numbers out of range.

    Notes
    -----
    A mode of this project on co-training (Blum, Mitchell 1998), sharpened as in Liang et al. 2020 (BOND), with the
    shares of tags re-estimated as in Saerens, Latinne, Decaestecker 2002. Rounds, sharpness and shares were chosen on
    transfer *into English* from Spanish and German (WikiANN). From English, entity F1 rose from 0.632 to 0.700 in German,
    from 0.648 to 0.711 in Spanish and from 0.660 to 0.710 in Dutch (means of three draws of 4,000 sentences of each
    language, ``experiments/text_colada.py``).

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> source = from_sentences([["Ada", "ran"]] * 20, [["B-PER", "O"]] * 20, name="en")
    >>> target = from_sentences([["Eva", "lief", "."]] * 9, [["O", "O", "O"]] * 9, name="de")
    >>> X = np.vstack([np.tile([[1.0, 0], [0, 1]], (20, 1)), np.tile([[0.9, 0.2], [0.1, 1], [0, 1.1]], (9, 1))])
    >>> found = transfer_by_two_views(source, target, encoded=X, beside=0)
    >>> found.predicted[:3], found.selected_by, len(found.history)
    (array([1, 0, 0]), 'last round', 4)
    """
    texts = Bilingual(source, None, target, encoded=encoded, seed=seed, centred=centred, beside=beside)
    done = list(two_view_rounds(texts, seed=seed, **options))
    return Trained(
        method="two-views",
        predicted=best_tags(done[-1].probs, target.starts),
        probs=done[-1].probs,
        history=tuple(one.record for one in done),
        selected_by="last round",
        chosen=len(done) - 1,
        info={"seed": seed, "centred": centred, "beside": beside, **options},
    )


def shifted_shares(probs: ArrayLike, before: ArrayLike, *, rounds: int = 30) -> NDArray[np.float64]:
    """The shares of the classes in a text that a model judges which was fitted to other shares.

    Parameters
    ----------
    probs : array_like, shape (n, K)
    before : array_like, shape (K,)
        The shares that the model was fitted to, > 0.
    rounds : int
        Of expectation and maximisation.

    Returns
    -------
    ndarray of float64, shape (K,)
        Sums to 1.

    References
    ----------
    Saerens, Latinne, Decaestecker 2002, Adjusting the outputs of a classifier to new a priori probabilities, Neural
    Computation 14.

    Examples
    --------
    >>> probs = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]])
    >>> shifted_shares(probs, [0.6, 0.4]).round(2)
    array([0.47, 0.53])
    """
    p, old = np.asarray(probs, dtype=np.float64), np.asarray(before, dtype=np.float64)
    if p.ndim != 2 or old.shape != (p.shape[1],) or not len(p) or not (old > 0).all():
        raise InputError(
            f"probs has shape {p.shape} and before {old.shape}; give (n, K) and K shares above 0."
        )
    now = old
    for _ in range(rounds):
        now = _normal(p * (now / old)).mean(axis=0)
    return np.asarray(now)


def _normal(weights: NDArray[Any]) -> NDArray[np.float64]:
    """Rows that sum to 1."""
    p = np.maximum(np.asarray(weights, dtype=np.float64), 1e-12)
    return np.asarray(p / p.sum(axis=1, keepdims=True))
