"""What a person sees of a token: its sentence as a picture, with the given entities, and the token framed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.cards import PALETTE, Card, printable, svg_picture
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import spans_of

__all__ = ["sentence_svg", "token_cards"]

#: Words of a sentence that are drawn around the token; the rest is left out with an ellipsis.
AROUND = 30
WIDTH, LINE, MARGIN, GLYPH = 720, 52, 14, 8.4
#: Other mentions of the word that are told.
MENTIONS = 6


def token_cards(
    dataset: TextDataset, units: Sequence[int], suggested: NDArray[np.int64] | None = None
) -> list[Card]:
    """One card per token: the sentence with its given entities, and how the word is tagged elsewhere.

    Parameters
    ----------
    dataset : TextDataset
    units : sequence of int
        Tokens.
    suggested : ndarray of int, shape (n,), optional
        The tags with every suggestion in its place: what entities tokens without a given one are then part of.

    Returns
    -------
    list of Card
        The title is the entity that the token is given in, else the suggested one, else the word.

    Examples
    --------
    >>> from labelnoise.text.data import load_text
    >>> card = token_cards(load_text("news"), [0])[0]
    >>> card.title, card.media[0].text
    ('Baker', 'Sentence 0 with its given entities: Baker won the race in Paris ahead of Oslen .')
    """
    forms: dict[str, list[int]] = {}
    wanted = {str(dataset.tokens[unit]).lower() for unit in map(int, units)}
    for row, token in enumerate(dataset.tokens):
        form = str(token).lower()
        if form in wanted:
            forms.setdefault(form, []).append(row)
    names = [*dataset.class_names, "no label"]
    assert dataset.groups is not None
    titles = _entities(dataset, units, suggested)
    cards = []
    for unit in map(int, units):
        sentence = int(dataset.groups[unit])
        words = " ".join(dataset.sentence(sentence))
        counts: dict[str, int] = {}
        for row in forms[str(dataset.tokens[unit]).lower()]:
            if row != unit:
                tag = names[int(dataset.given[row])]
                counts[tag] = counts.get(tag, 0) + 1
        told = sorted(counts.items(), key=lambda item: -item[1])[:MENTIONS]
        said = ", ".join(f"{tag} {number}" for tag, number in told)
        facts = [("token", f"{dataset.ids[unit]}, {dataset.tokens[unit]}")]
        facts += [("elsewhere the word is", said)] if told else []
        spoken = f"Sentence {sentence} with its given entities: {printable(words)}"
        cards.append(Card(titles[unit], facts, [svg_picture(sentence_svg(dataset, unit), spoken)]))
    return cards


def _entities(
    dataset: TextDataset, units: Sequence[int], suggested: NDArray[np.int64] | None
) -> dict[int, str]:
    """The words of the entity that each token is in by the given tags, else by the suggested ones, else the word."""
    titles = {int(unit): str(dataset.tokens[unit]) for unit in units}
    for tags in (suggested, dataset.given):
        if tags is None:
            continue
        spans = spans_of(np.asarray(tags, dtype=np.int64), starts=dataset.starts)
        for unit in titles:
            place = int(np.searchsorted(spans["start"], unit, side="right")) - 1
            if place >= 0 and unit < spans["end"][place]:
                words = dataset.tokens[spans["start"][place] : spans["end"][place]]
                titles[unit] = " ".join(map(str, words))
    return titles


def sentence_svg(dataset: TextDataset, unit: int) -> str:
    """The words around a token, entities on coloured ground with their type below, the token in a frame."""
    assert dataset.groups is not None
    sentence = int(dataset.groups[unit])
    first = max(int(dataset.starts[sentence]), unit - AROUND)
    last = min(int(dataset.starts[sentence + 1]), unit + AROUND + 1)
    parts: list[str] = []
    x, y = float(MARGIN), 34.0

    def text(words: str, at: float, below: float, size: int, fill: str) -> str:
        return f'<text x="{at:.1f}" y="{below:.1f}" font-size="{size}" fill="{fill}">{escape(printable(words))}</text>'

    if first > dataset.starts[sentence]:
        parts.append(text("…", x, y, 15, "#5c6670"))
        x += 20
    for row in range(first, last):
        word = str(dataset.tokens[row])
        shown = word if len(word) <= 60 else word[:59] + "…"
        width = GLYPH * max(len(shown), 1) + 8
        if x + width > WIDTH - MARGIN and x > MARGIN:
            x, y = float(MARGIN), y + LINE
        tag = int(dataset.given[row])
        if tag > 0:
            kind = (tag - 1) // 2
            fill = PALETTE[kind % len(PALETTE)]
            parts.append(
                f'<rect x="{x - 3:.1f}" y="{y - 16:.1f}" width="{width:.1f}" height="22" rx="3" fill="{fill}" '
                'fill-opacity="0.16"/>'
            )
            parts.append(text(dataset.class_names[tag], x, y + 20, 11, fill))
        if row == unit:
            parts.append(
                f'<rect x="{x - 5:.1f}" y="{y - 19:.1f}" width="{width + 4:.1f}" height="28" rx="4" fill="none" '
                'stroke="#1b1f24" stroke-width="2"/>'
            )
        parts.append(text(shown, x, y, 15, "#1b1f24"))
        x += width + 6
    if last < dataset.starts[sentence + 1]:
        parts.append(text("…", x, y, 15, "#5c6670"))
    height = int(y + 34)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace">'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>' + "".join(parts) + "</svg>"
    )
