"""Text of two languages with features in one space: what every transfer of tags between them starts from."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from labelnoise.core.neighbours import as_features
from labelnoise.core.random import generator
from labelnoise.core.softmax_regression import SoftmaxRegression, fit_softmax
from labelnoise.core.validation import InputError
from labelnoise.text.collaboration import Neighbourhood
from labelnoise.text.dataset import TextDataset
from labelnoise.text.features import token_features
from labelnoise.text.schemes import spans_of
from labelnoise.text.viterbi import best_tags

__all__ = ["Bilingual", "entity_f1", "joined", "with_neighbours"]

#: Share of the source sentences that is held out where no "val" split is known.
HELD_OUT = 0.1
#: Penalties to choose from.
PENALTIES = (1.0, 10.0, 100.0, 1000.0)
#: Weight of the neighbours' features beside a token's own.
BESIDE = 0.5


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
    beside : int
        So many leading columns of the tokens before and after stand beside a token's own features in the heads, at
        half their size; neighbours are sought without them.
    sample : int, optional
        See `labelnoise.text.collaboration.Neighbourhood`; by default the search asks all tokens.

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
        beside: int = 0,
        sample: int | None = None,
    ) -> None:
        if translated is not None and translated.class_names != source.class_names:
            raise InputError(
                f"The translation has the tags {', '.join(translated.class_names)}, the source "
                f"{', '.join(source.class_names)}; give both the same types."
            )
        if k < 1:
            raise InputError(f"k is {k}; ask for at least one neighbour.")
        if beside < 0:
            raise InputError(f"beside is {beside}; it counts columns, so 0 or more.")
        parts = [source, *([translated] if translated is not None else []), target]
        x = as_features(encoded, n=sum(part.n_units for part in parts))
        pieces = np.split(x, np.cumsum([part.n_units for part in parts])[:-1])
        if centred:
            pieces = [piece - piece.mean(axis=0) for piece in pieces]
        self.source, self.translated, self.target, self.k = source, translated, target, k
        self._sample, self._seed = sample, seed
        wide = [with_neighbours(piece, part.starts, beside) for piece, part in zip(pieces, parts)]
        self.source_features, self.target_features = wide[0], wide[-1]
        train, self.validation = _source_splits(source, seed)
        self.train = np.flatnonzero(train & (source.given >= 0))
        if not len(self.train) or not (source.given[self.validation] >= 0).any():
            raise InputError(
                "The source has no labelled token to train on or to validate with; give more text."
            )
        if translated is None:
            rows, at, self.noisy = self.train, 0, source.given[self.train]
            copies = _first_copies(source)[rows]
        else:
            rows, at = np.flatnonzero(translated.given >= 0), 1
            copies, self.noisy = _first_copies(translated)[rows], translated.given[rows]
        if not len(self.noisy):
            raise InputError("The translation has no labelled token; give its tags, or None.")
        self.noisy_features, self._noisy_search = wide[at][copies], pieces[at][copies]
        text = target.masks.get("train")
        chosen = np.arange(target.n_units) if text is None else np.flatnonzero(text)
        if not len(chosen):
            raise InputError("The target's split 'train' is empty; give unlabelled text.")
        sentence = np.asarray(target.groups)[chosen]
        # A split is made of whole sentences, so a new sentence starts wherever the number changes.
        self.text_starts = np.concatenate([[0], np.flatnonzero(np.diff(sentence)) + 1, [len(chosen)]])
        self.text = chosen
        copies = _first_copies(target)[chosen]
        self.text_features, self._text_search = wide[-1][copies], pieces[-1][copies]
        self._direct: dict[tuple[float, int], SoftmaxRegression] = {}

    @cached_property
    def noisy_neighbours(self) -> Neighbourhood:
        """The neighbours among the translation's labelled tokens."""
        return Neighbourhood(self._noisy_search, self.k, sample=self._sample, seed=self._seed)

    @cached_property
    def text_neighbours(self) -> Neighbourhood:
        """The neighbours among the target's unlabelled text."""
        return Neighbourhood(self._text_search, self.k, sample=self._sample, seed=self._seed)

    @cached_property
    def word_features(self) -> sp.csr_array:
        """Features of the words, of the source's tokens and then of the target's, that occur more than once."""
        both = joined(self.source, self.target)
        words = token_features(both.tokens, both.starts)
        return sp.csr_array(
            words[:, np.flatnonzero(np.bincount(words.indices, minlength=words.shape[1]) > 1)]
        )

    def direct(self, l2: float | None = None, iterations: int = 40) -> tuple[SoftmaxRegression, float, float]:
        """The head of the source's own tags, its penalty, and its entity F1 on the source's validation sentences.

        Without a penalty it is the one of `PENALTIES` that does best there.
        """
        one = np.eye(self.source.n_classes, dtype=np.float32)[self.source.given[self.train]]
        tried = PENALTIES if l2 is None else (l2,)
        for value in tried:
            if (value, iterations) not in self._direct:
                features = self.source_features[self.train]
                self._direct[value, iterations] = fit_softmax(features, one, l2=value, iterations=iterations)
        scores = [self.source_f1(self._direct[value, iterations]) for value in tried]
        best = int(np.argmax(scores))
        return self._direct[tried[best], iterations], tried[best], scores[best]

    def source_f1(self, model: SoftmaxRegression) -> float:
        """Entity F1 of a head on the source's validation sentences."""
        probs = model.predict(self.source_features)
        return entity_f1(self.source, best_tags(probs, self.source.starts), self.validation)


def with_neighbours(features: NDArray[Any], starts: NDArray[np.int64], columns: int) -> NDArray[Any]:
    """Beside each token's features the leading ones of the tokens before and after it, at half size.

    Zeros stand where the sentence has no such token.

    Examples
    --------
    >>> with_neighbours(np.array([[2.0, 1], [4, 1], [8, 1]]), np.array([0, 2, 3]), 1)
    array([[2., 1., 0., 2.],
           [4., 1., 1., 0.],
           [8., 1., 0., 0.]])
    """
    if not columns:
        return features
    leading = BESIDE * features[:, :columns]
    before, after = np.zeros_like(leading), np.zeros_like(leading)
    before[1:], after[:-1] = leading[:-1], leading[1:]
    filled = starts[:-1][np.diff(starts) > 0]
    before[filled] = 0
    after[filled[1:] - 1] = 0
    return np.hstack([features, before, after]).astype(features.dtype)


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
