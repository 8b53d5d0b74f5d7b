"""Sentences whose tokens carry tags: what named-entity recognition is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.dataset import Dataset
from labelnoise.core.validation import NO_LABEL, InputError, choose
from labelnoise.text.schemes import bio_names, decode, entity_types, spans_of

__all__ = ["TextDataset", "entity_noise", "from_sentences", "judged_spans", "retyped"]


@dataclass(frozen=True, kw_only=True)
class TextDataset(Dataset):
    """Tokens with a BIO tag each, in sentences.

    ``class_names`` is ``bio_names(types)``: "O" is 0, type t begins with 1 + 2t and goes on with 2 + 2t.
    ``groups`` is the sentence of each token.

    Attributes
    ----------
    tokens : ndarray of object, shape (n,)
        The words, as text.
    starts : ndarray of int64, shape (s + 1,)
        The row of each sentence's first token, and n at the end. No sentence is empty.
    documents : ndarray of int64, shape (s,), optional
        The document of each sentence, where documents are known.
    masks : mapping of str to ndarray of bool, shape (n,)
        Published splits ("train", "val", "test") where there are any; whole sentences.
    layout : object, optional
        How the file looked that it was read from, so that it can be written back in its own format.

    Examples
    --------
    >>> data = from_sentences([["Ada", "met", "Bob", "."], ["Paris"]],
    ...                       [["B-PER", "O", "B-PER", "O"], ["B-LOC"]], name="two")
    >>> data.n_units, data.n_sentences, data.types, data.groups
    (5, 2, ('LOC', 'PER'), array([0, 0, 0, 0, 1]))
    >>> data.spans("given")["start"]
    array([0, 2, 4])
    """

    tokens: NDArray[Any]
    starts: NDArray[np.int64]
    documents: NDArray[np.int64] | None = None
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    layout: Any = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        n = len(self.given)
        starts = np.asarray(self.starts, dtype=np.int64)
        if starts.ndim != 1 or len(starts) < 2 or starts[0] != 0 or starts[-1] != n:
            raise InputError(
                f"starts must go from 0 to the number of tokens ({n}); give the first row of each sentence and {n}."
            )
        if (np.diff(starts) < 1).any():
            empty = int(np.flatnonzero(np.diff(starts) < 1)[0])
            raise InputError(f"Sentence {empty} is empty, or starts do not rise; leave empty sentences out.")
        object.__setattr__(self, "starts", starts)
        object.__setattr__(self, "tokens", np.asarray(self.tokens, dtype=object))
        if self.tokens.shape != (n,):
            raise InputError(
                f"There are {self.tokens.shape} tokens for {n} tags; give one text for each tag."
            )
        object.__setattr__(self, "groups", np.repeat(np.arange(len(starts) - 1), np.diff(starts)))
        super().__post_init__()
        entity_types(self.class_names)
        if self.documents is not None and len(self.documents) != self.n_sentences:
            raise InputError(
                f"documents has {len(self.documents)} entries for {self.n_sentences} sentences; give one each."
            )
        for name, mask in self.masks.items():
            if np.shape(mask) != (n,) or np.asarray(mask).dtype != bool:
                raise InputError(
                    f"The split {name!r} has shape {np.shape(mask)} and type {np.asarray(mask).dtype} for {n} "
                    "tokens; give one True or False per token."
                )

    @property
    def n_sentences(self) -> int:
        """Number of sentences."""
        return len(self.starts) - 1

    @property
    def types(self) -> tuple[str, ...]:
        """Names of the entity types; `spans` numbers them in this order."""
        return entity_types(self.class_names)

    @cached_property
    def position(self) -> NDArray[np.int64]:
        """Each token's place in its sentence, from 0, shape (n,)."""
        return np.arange(self.n_units) - np.repeat(self.starts[:-1], np.diff(self.starts))

    def spans(self, which: str = "given") -> NDArray[Any]:
        """The entities of the "given" or the "true" tags, see `labelnoise.text.schemes.spans_of`.

        Raises
        ------
        InputError
            Another word, or no truth is known.
        """
        choose(which, ("given", "true"), "set of tags")
        tags = self.given if which == "given" else self.true
        if tags is None:
            raise InputError(f"No true tags are known for {self.name!r}; ask for the given ones.")
        return spans_of(tags, starts=self.starts)

    def sentence(self, index: int) -> list[str]:
        """The words of one sentence."""
        return list(self.tokens[self.starts[index] : self.starts[index + 1]])

    def arrays(self) -> dict[str, Any]:
        return {**super().arrays(), "tokens": self.tokens, "starts": self.starts, "documents": self.documents}


def from_sentences(
    sentences: list[list[str]],
    tags: list[list[str]],
    *,
    name: str,
    true: list[list[str]] | None = None,
    **more: Any,
) -> TextDataset:
    """A data set from lists of words and of tags in any scheme.

    Parameters
    ----------
    sentences, tags : list of list of str
    name : str
    true : list of list of str, optional
        True tags.
    **more
        Other fields of `TextDataset`.

    Raises
    ------
    InputError
        Sentences and tags of different lengths; a text that is no tag.

    Examples
    --------
    >>> from_sentences([["Rome"]], [["S-LOC"]], name="one").given
    array([1])
    """
    for index, words in enumerate(sentences):
        for labels in (tags, true):
            if labels is not None and (len(labels) != len(sentences) or len(labels[index]) != len(words)):
                raise InputError(
                    f"Sentence {index} has {len(words)} words but not as many tags; give one each."
                )
    starts = np.concatenate([[0], np.cumsum([len(words) for words in sentences], dtype=np.int64)])
    flat = {
        key: [tag for one in value for tag in one] for key, value in (("given", tags), ("true", true or []))
    }
    types = sorted({tag[2:] for value in flat.values() for tag in value if len(tag) > 1})
    given, _ = decode(flat["given"], starts=starts, types=types)
    return TextDataset(
        name=name,
        given=given,
        true=None if true is None else decode(flat["true"], starts=starts, types=types)[0],
        class_names=bio_names(types),
        tokens=np.array([word for words in sentences for word in words], dtype=object),
        starts=starts,
        **more,
    )


def entity_noise(dataset: TextDataset) -> float:
    """Share of wrong entities: 1 - micro F1 of the given entities against the true ones, 0 to 1.

    An entity counts as right where sentence, extent and type agree. Tokens without a given or a true tag do not
    count as anything.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP.

    Examples
    --------
    >>> round(entity_noise(from_sentences([["Ada", "of", "Rome"]], [["B-X", "O", "O"]], name="d",
    ...                                   true=[["B-X", "O", "B-Y"]])), 4)
    0.3333
    """
    given, true = judged_spans(dataset)
    total = len(given) + len(true)
    return 1.0 - 2.0 * len(np.intersect1d(given, true)) / total if total else 0.0


def judged_spans(dataset: TextDataset) -> tuple[NDArray[Any], NDArray[Any]]:
    """The given and the true entities among tokens that have both tags.

    Raises
    ------
    InputError
        No truth is known.
    """
    if dataset.true is None:
        raise InputError(f"No true tags are known for {dataset.name!r}; use a data set that has them.")
    known = dataset.labelled & (np.asarray(dataset.true) >= 0)
    given, true = (
        spans_of(np.where(known, tags, NO_LABEL), starts=dataset.starts)
        for tags in (dataset.given, dataset.true)
    )
    return given, true


def retyped(dataset: TextDataset, types: tuple[str, ...]) -> TextDataset:
    """The same tags under other numbers: those of the types named, which hold all of the data set's.

    Examples
    --------
    >>> data = from_sentences([["Rome", "."]], [["B-LOC", "O"]], name="d")
    >>> retyped(data, ("PER", "LOC")).given
    array([3, 0])
    """
    names = bio_names(types)
    at = {name: place for place, name in enumerate(names)}
    number = np.array([*(at[name] for name in dataset.class_names), NO_LABEL])
    true = None if dataset.true is None else number[dataset.true]
    return replace(dataset, given=number[dataset.given], true=true, class_names=names)
