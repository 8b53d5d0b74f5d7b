"""Training on tags that may be wrong: ``f(dataset, seed, **options) -> Trained``, see `labelnoise.text.trainers`.

All share the tagger of `labelnoise.text.tagger`; they differ in what it is told to learn. Where the data set has a
split "train", only its tags are seen; otherwise four of five sentences are drawn for it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.progress import track
from labelnoise.core.random import generator
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError, choose
from labelnoise.text.calibrated import judge_types, probability_right, token_columns
from labelnoise.text.dataset import TextDataset
from labelnoise.text.evidence import type_ids
from labelnoise.text.folds import form_folds
from labelnoise.text.splits import learning_part, sentence_splits
from labelnoise.text.tagger import Tagger
from labelnoise.text.viterbi import best_tags

__all__ = [
    "channel_of",
    "train_crossweigh",
    "train_noise_channel",
    "train_oracle",
    "train_plain",
    "train_repaired",
    "train_self",
    "type_targets",
]

#: A token teaches in self-training where its largest target exceeds this (Liang et al. 2020).
CONFIDENT = 0.9


def train_plain(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
) -> Trained:
    """The tagger on the given tags as they are.

    Parameters
    ----------
    dataset : TextDataset
    seed : int
        Of the order of tokens, and of the split where the data set has none.
    encoder : str, optional
        A folder (or hub's name) of a Hugging Face encoder, whose frozen features are used instead of the words.
    features : str, optional
        Instead of an encoder: a ``.npy`` file of any features, one row per token.
    epochs : int
        Passes over the words, >= 1; without use where an encoder's features are given.

    Returns
    -------
    Trained
        ``probs`` of every tag for every token; ``predicted`` is the best sequence that is valid BIO.

    Raises
    ------
    InputError
        No tag in the training split, unreadable features.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> result = train_plain(news(), epochs=1)
    >>> result.probs.shape, result.selected_by
    ((11566, 7), 'last epoch')
    """
    run = _Run(dataset, seed, encoder, features, epochs)
    return run.result("plain", run.tagger.fit(run.targets, seed))


def train_repaired(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    repair: str = "soft",
    drop: float = 0.5,
    rounds: int = 2,
) -> Trained:
    """Detect, then learn from the repaired tags instead of the given ones.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `train_plain`.
    repair : str
        "soft": probabilities of the true types are the targets; "drop": doubtful tokens are left out and the
        others keep their tags; "soft-drop": soft targets, and tokens with no type above a half left out.
    drop : float
        Tokens whose tag is wrong with more than this probability are left out by "drop".
    rounds : int
        Of self-training (see `train_self`) after the first fit, >= 0: what detection found lets the tagger find
        more of the names that have no tag.

    Returns
    -------
    Trained
        ``info`` says how many tags are thought to be wrong.

    Raises
    ------
    InputError
        As `train_plain`; no entity in the training split.

    Examples
    --------
    >>> from labelnoise.text.embedded import news
    >>> train_repaired(news(), epochs=1).info["doubtful"] > 0
    True
    """
    choose(repair, ("soft", "drop", "soft-drop"), "way to repair")
    if not 0.0 < drop < 1.0:
        raise InputError(f"drop is {drop}; give a probability between 0 and 1.")
    if rounds < 0:
        raise InputError(f"rounds is {rounds}; give 0 or more.")
    run = _Run(dataset, seed, encoder, features, epochs)
    truth = judge_types(run.seen, seed, encoded=run.encoded).truth
    wrong = np.where(run.has, 1.0 - probability_right(run.seen, truth), 0.0)
    targets = run.targets if repair == "drop" else type_targets(run.seen, truth)
    keep = wrong <= drop if repair == "drop" else truth.max(axis=1) > 0.5
    if repair == "soft":
        keep = np.ones(len(keep), dtype=bool)
    probs = run.tagger.fit(targets * keep[:, None].astype(np.float32), seed)
    probs, taught = _refined(run, probs, seed, rounds, CONFIDENT)
    said: dict[str, Any] = {
        "repair": repair,
        "doubtful": int((wrong > 0.5).sum()),
        "left_out": int((~keep & run.has).sum()),
        "tokens_taught": taught,
    }
    return run.result("repaired", probs, **said)


def train_noise_channel(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    rounds: int = 3,
    pairs: int = 0,
) -> Trained:
    """A tagger of the true tags behind a channel that confuses types.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `train_plain`.
    rounds : int
        Of expectation and maximisation, >= 1.
    pairs : int
        How many tokens' true tags are looked at to estimate the channel; with 0 it is the one that detection fits.

    Raises
    ------
    InputError
        As `train_plain`; ``pairs`` without known true tags.

    Notes
    -----
    Maximises ``sum log sum_i p(i | x) T[i, given]``, the forward-corrected likelihood of Hedderich, Lange & Klakow
    2021, by expectation and maximisation instead of by gradients, so that any tagger with soft targets will do.
    """
    if rounds < 1 or pairs < 0:
        raise InputError(f"rounds is {rounds} and pairs is {pairs}; give at least 1 round and 0 pairs.")
    run = _Run(dataset, seed, encoder, features, epochs)
    if pairs:
        transition = _from_pairs(dataset, run.has, pairs, seed)
    else:
        transition = judge_types(run.seen, seed, encoded=run.encoded).fit.transition
    likelihood = channel_of(transition, run.targets)[:, np.maximum(run.seen.given, 0)].T
    likelihood = np.where(run.has[:, None], likelihood, 0.0)
    probs = run.tagger.fit(run.targets, seed)
    for step in track(range(rounds), "rounds behind the channel"):
        posterior = (probs + 1e-6) * likelihood
        targets = posterior / np.maximum(posterior.sum(axis=1, keepdims=True), 1e-12)
        probs = run.tagger.fit(targets.astype(np.float32), seed + 1 + step)
    source = f"{pairs} clean pairs" if pairs else "detection"
    looked = "clean" if pairs else "last epoch"
    said: dict[str, Any] = {"channel_from": source, "channel": np.round(transition, 4).tolist()}
    return run.result("noise-channel", probs, selected_by=looked, **said)


def train_self(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    rounds: int = 3,
    confident: float = CONFIDENT,
) -> Trained:
    """Learn from the own predictions of the round before, sharpened, where they are confident.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `train_plain`.
    rounds : int
        After the first fit, which sees the given tags; >= 1.
    confident : float
        Only tokens whose largest target exceeds this teach.

    Notes
    -----
    Liang et al. 2020 (BOND), second stage: ``q[k] ~ p[k]^2 / f[k]`` with the class's mass f. Theirs is a fine-tuned
    transformer that is stopped early; here it is the tagger of this package.
    """
    if rounds < 1 or not 0.0 <= confident < 1.0:
        raise InputError(f"rounds is {rounds} and confident is {confident}; give 1 or more, and less than 1.")
    run = _Run(dataset, seed, encoder, features, epochs)
    probs = run.tagger.fit(run.targets, seed)
    probs, taught = _refined(run, probs, seed, rounds, confident)
    return run.result("self-training", probs, tokens_taught=taught)


def train_crossweigh(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
    splits: int = 3,
    folds: int = 3,
    factor: float = 0.7,
) -> Trained:
    """Sentences weigh less where models that never saw their names' tags disagree with them.

    Parameters
    ----------
    dataset, seed, encoder, features, epochs
        See `train_plain`.
    splits, folds : int
        Drawings of the folds, >= 1, and folds of each, >= 2.
    factor : float
        Weight per drawing that disagrees, from 0 to 1.

    Notes
    -----
    Wang et al. 2019 (CrossWeigh). There a sentence that shares an entity with the held-out fold is left out of
    training; here only the tokens of the shared names are, as features do not depend on other tokens' tags.
    """
    if splits < 1 or not 0.0 <= factor <= 1.0:
        raise InputError(
            f"splits is {splits} and factor is {factor}; give at least 1 and a number from 0 to 1."
        )
    run = _Run(dataset, seed, encoder, features, epochs)
    seen = run.seen
    wrong = np.zeros(dataset.n_sentences, dtype=np.int64)
    for draw in track(range(splits), "drawings of entity-disjoint folds"):
        part = form_folds(seen.tokens, seen.starts, seen.given, folds, seed=seed * 1000 + draw)
        probs = np.zeros(run.targets.shape)
        for fold in range(folds):
            held = part == fold
            probs[held] = run.tagger.fit(run.targets, seed + draw, held=held)[held]
        differs = run.has & (best_tags(probs, seen.starts) != seen.given)
        wrong += np.logical_or.reduceat(differs, seen.starts[:-1])
    weight = (factor**wrong)[np.asarray(seen.groups)]
    probs = run.tagger.fit((run.targets * weight[:, None]).astype(np.float32), seed)
    counts = np.bincount(wrong, minlength=splits + 1).tolist()
    return run.result("crossweigh", probs, sentences_by_disagreements=counts)


def train_oracle(
    dataset: TextDataset,
    seed: int = 0,
    *,
    encoder: str | None = None,
    features: str | None = None,
    epochs: int = 5,
) -> Trained:
    """The tagger on the given tags that are known to be right: a bound, as it looks at the true tags.

    Raises
    ------
    InputError
        As `train_plain`; the true tags are not known.
    """
    if dataset.is_wrong is None:
        raise InputError(
            f"This trainer looks at the true tags, which are not known for {dataset.name}; use data that has them, "
            "for instance made by corrupt in Python, or another trainer."
        )
    run = _Run(dataset, seed, encoder, features, epochs)
    right = ~np.asarray(dataset.is_wrong)
    probs = run.tagger.fit(run.targets * right[:, None].astype(np.float32), seed)
    made = run.result("oracle-drop", probs, selected_by="clean", left_out=int((run.has & ~right).sum()))
    return replace(made, warnings=("oracle-drop looks at the true tags: a bound, no result.",))


def type_targets(dataset: TextDataset, truth: NDArray[Any]) -> NDArray[np.float32]:
    """Soft BIO targets from P(type) of each token, shape (n, 1 + 2 types); zeros for tokens without a tag.

    A type's mass goes to the given prefix where the given type is that type. Elsewhere it goes to ``I-`` with the
    probability that the token before is of the type.

    Examples
    --------
    >>> from labelnoise.text.dataset import from_sentences
    >>> data = from_sentences([["New", "York"]], [["B-LOC", "O"]], name="d")
    >>> type_targets(data, np.array([[0.1, 0.9], [0.2, 0.8]])).round(2).tolist()
    [[0.10000000149011612, 0.8999999761581421, 0.0], [0.20000000298023224, 0.07999999821186066, 0.7200000286102295]]
    """
    given = np.asarray(dataset.given, dtype=np.int64)
    kind = type_ids(given)
    before = np.zeros_like(truth[:, 1:])
    before[1:] = truth[:-1, 1:]
    before[dataset.position == 0] = 0.0
    rows = np.flatnonzero(kind > 0)
    before[rows, kind[rows] - 1] = given[rows] % 2 == 0
    targets = np.zeros((len(given), 2 * truth.shape[1] - 1), dtype=np.float32)
    targets[:, 0] = truth[:, 0]
    targets[:, 2::2] = truth[:, 1:] * before
    targets[:, 1::2] = truth[:, 1:] * (1.0 - before)
    targets[given < 0] = 0.0
    return targets


def channel_of(transition: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """P(given tag | true tag) over BIO tags from the one over types; rows sum to 1.

    A type that turns into another keeps its prefix; "O" turns into prefixes as often as the type has them.

    Examples
    --------
    >>> channel_of(np.array([[0.9, 0.1], [0.4, 0.6]]), np.eye(3)[[0, 1, 1, 2, 2]]).round(3).tolist()
    [[0.9, 0.05, 0.05], [0.4, 0.6, 0.0], [0.4, 0.0, 0.6]]
    """
    share = targets.sum(axis=0)
    k = len(transition)
    channel = np.zeros((2 * k - 1, 2 * k - 1))
    channel[0, 0] = transition[0, 0]
    for t in range(1, k):
        for prefix in (0, 1):
            tag, other = 2 * t - 1 + prefix, np.arange(1, k) * 2 - 1 + prefix
            channel[tag, 0] = transition[t, 0]
            channel[tag, other] = transition[t, 1:]
            part = share[2 * t - 1] + share[2 * t]
            channel[0, tag] = transition[0, t] * (share[tag] / part if part > 0 else 1.0 - prefix)
    return channel


def _refined(
    run: _Run, probs: NDArray[np.float64], seed: int, rounds: int, confident: float
) -> tuple[NDArray[np.float64], list[int]]:
    """Probabilities after rounds of self-training, and how many tokens taught in each."""
    taught: list[int] = []
    for step in track(range(rounds), "rounds of self-training"):
        sharp = probs**2 / np.maximum(probs[run.has].sum(axis=0), 1e-9)
        sharp /= sharp.sum(axis=1, keepdims=True)
        keep = run.has & (sharp.max(axis=1) > confident)
        if not keep.any():
            break
        taught.append(int(keep.sum()))
        probs = run.tagger.fit((sharp * keep[:, None]).astype(np.float32), seed + 1 + step)
    return probs, taught


def _from_pairs(dataset: TextDataset, has: NDArray[np.bool_], pairs: int, seed: int) -> NDArray[np.float64]:
    """The share of given types by true type among some tokens; a type that is not among them is kept."""
    if dataset.true is None:
        raise InputError(
            "The true tags, which pairs asks for, are not known; use pairs=0, the channel of detection."
        )
    known = np.flatnonzero(has & (np.asarray(dataset.true) >= 0))
    drawn = generator(seed, "clean pairs").permutation(known)[:pairs]
    k = len(dataset.types) + 1
    counts = np.zeros((k, k))
    np.add.at(counts, (type_ids(np.asarray(dataset.true)[drawn]), type_ids(dataset.given[drawn])), 1.0)
    unseen = counts.sum(axis=1) == 0
    counts[unseen, unseen.nonzero()[0]] = 1.0
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


class _Run:
    """What every trainer needs: the tags that may be seen, as targets too, and the tagger."""

    def __init__(
        self, dataset: TextDataset, seed: int, encoder: str | None, features: str | None, epochs: int
    ) -> None:
        if epochs < 1:
            raise InputError(f"epochs is {epochs}; at least 1 pass is needed.")
        self._started = time.process_time()
        self._seed, self._passed = seed, "train" in dataset.masks
        self.seen = learning_part(dataset, sentence_splits(dataset, seed)["train"])
        self.has = np.asarray(self.seen.given) >= 0
        self.encoded = token_columns(dataset, encoder, features)
        self.targets = np.zeros((dataset.n_units, dataset.n_classes), dtype=np.float32)
        self.targets[self.has, np.asarray(self.seen.given)[self.has]] = 1.0
        self.tagger = Tagger(dataset, self.encoded, epochs=epochs)

    def result(
        self, method: str, probs: NDArray[np.float64], *, selected_by: str = "last epoch", **info: Any
    ) -> Trained:
        sums = probs.sum(axis=1, keepdims=True)
        return Trained(
            method=method,
            predicted=best_tags(probs, self.seen.starts),
            probs=probs / sums,
            history=({"epoch": 0},),
            selected_by=selected_by,
            chosen=0,
            info={
                "split_seed": self._seed,
                "trained_on": int(self.has.sum()),
                "features": "words" if self.encoded is None else "encoder",
                "cpu_seconds": round(time.process_time() - self._started, 3),
                **info,
            },
        )
