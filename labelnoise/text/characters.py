"""Texts with entities by character as tokens with tags, and the entities of a text back by character."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import NO_LABEL, InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import SPAN, bio_names, tags_of

__all__ = ["Characters", "Entity", "TextRecord", "from_records", "trimmed"]

#: Runs of letters and digits, and single other marks.
_TOKEN = re.compile(r"\w+|[^\w\s]")

#: Start, exclusive end and type of an entity, by character.
Entity = tuple[int, int, str]


class TextRecord(NamedTuple):
    """One text.

    Attributes
    ----------
    text : str
    entities : list of (int, int, str)
        Start, exclusive end and type, in characters.
    where : str
        How a message calls it, with its file.
    pieces : list of (int, int), optional
        Where the tokens are, where the file says so; else the text is cut here.
    labelled : bool
        False where nobody has judged the text.
    """

    text: str
    entities: list[Entity]
    where: str
    pieces: list[tuple[int, int]] | None = None
    labelled: bool = True


@dataclass(frozen=True)
class Characters:
    """The sentence of each record (-1 without one), and the characters of each token."""

    sentence: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]

    def entities(self, dataset: TextDataset) -> list[list[Entity] | None]:
        """The given entities of each record by character; None for records without a token."""
        found: list[list[Entity]] = [[] for _ in range(dataset.n_sentences)]
        for span in dataset.spans():
            start, end = int(self.first[span["start"]]), int(self.last[span["end"] - 1])
            found[span["sentence"]].append((start, end, dataset.types[span["type"]]))
        return [found[index] if index >= 0 else None for index in self.sentence]


def from_records(records: Iterable[TextRecord], *, name: str, source: str) -> tuple[TextDataset, Characters]:
    """One sentence for each text.

    A token is cut where an entity begins or ends, so that every entity is held exactly; tokens that the file
    itself names are never cut.

    Raises
    ------
    InputError
        With the record: an entity that is outside the text, empty or overlapping, or cuts one of its tokens.

    Examples
    --------
    >>> data, _ = from_records([TextRecord("Anti-EU acts", [(5, 7, "ORG")], "Line 1")], name="d", source="")
    >>> list(data.tokens), data.given
    (['Anti', '-', 'EU', 'acts'], array([0, 0, 1, 0]))
    """
    tokens: list[str] = []
    edges: list[tuple[int, int]] = []
    starts, spans, sentence, unlabelled = [0], [], [], []
    for record in records:
        entities = _checked(record)
        here = record.pieces
        if here is None:
            cuts = {edge for start, end, _ in entities for edge in (start, end)}
            here = [piece for match in _TOKEN.finditer(record.text) for piece in _cut(*match.span(), cuts)]
        sentence.append(len(starts) - 1 if here else -1)
        base = len(tokens)
        for start, end, kind in entities:
            rows = [row for row, piece in enumerate(here) if piece[0] < end and start < piece[1]]
            if not rows:
                raise InputError(f"{record.where}: the span {start} to {end} holds white space only.")
            for row in rows:
                if not (start <= here[row][0] and here[row][1] <= end):
                    raise InputError(
                        f"{record.where}: the span {start} to {end} ({kind}) cuts the token "
                        f"{record.text[here[row][0] : here[row][1]]!r}; move it to the token's edge."
                    )
            spans.append((0, base + rows[0], base + rows[-1] + 1, kind))
        if here:
            tokens += [record.text[start:end] for start, end in here]
            edges += here
            starts.append(len(tokens))
            if not record.labelled:
                unlabelled.append((base, len(tokens)))
    if not tokens:
        raise InputError(f"{source} holds no text; at least one text with a word is needed.")
    types = sorted({kind for *_, kind in spans})
    place = {kind: index for index, kind in enumerate(types)}
    table = np.array([(*span[:3], place[span[3]]) for span in spans], SPAN)
    given = tags_of(table, len(tokens))
    for first, last in unlabelled:
        given[first:last] = NO_LABEL
    both = np.array(edges, np.int64)
    layout = Characters(np.array(sentence, np.int64), both[:, 0], both[:, 1])
    data = TextDataset(
        name=name,
        given=given,
        class_names=bio_names(types),
        tokens=np.array(tokens, dtype=object),
        starts=np.array(starts),
        source=source,
        meta={"scheme": "characters"},
    )
    return data, layout


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A span without the white space at its ends, as tokens hold it.

    Examples
    --------
    >>> trimmed(" Ada left", 0, 5)
    (1, 4)
    """
    inner = text[start:end]
    return start + len(inner) - len(inner.lstrip()), end - len(inner) + len(inner.rstrip())


def _checked(record: TextRecord) -> list[Entity]:
    try:
        "".join((record.text, *(kind for *_, kind in record.entities))).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{record.where} holds half a character (a lone surrogate), which no file in UTF-8 can hold; replace it."
        ) from None
    entities = sorted(record.entities)
    for start, end, _ in entities:
        if not 0 <= start < end <= len(record.text):
            raise InputError(
                f"{record.where}: the span {start} to {end} is not within its {len(record.text)} characters."
            )
    for one, other in zip(entities, entities[1:]):  # noqa: RUF007
        if other[0] < one[1]:
            raise InputError(
                f"{record.where}: two spans overlap at character {other[0]}; a token holds one entity."
            )
    before = 0
    for start, end in record.pieces or []:
        if not before <= start < end <= len(record.text):
            raise InputError(
                f"{record.where}: the token {start} to {end} is outside of its text, empty, or begins before the "
                "last one ends."
            )
        before = end
    return entities


def _cut(start: int, end: int, cuts: set[int]) -> list[tuple[int, int]]:
    edges: list[Any] = [start, *sorted(cut for cut in cuts if start < cut < end), end]
    return list(zip(edges, edges[1:]))  # noqa: RUF007
