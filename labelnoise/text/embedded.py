"""Tagged sentences without a download: generated English and German news with planted wrong entities."""

from __future__ import annotations

import numpy as np

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import bio_names, spans_of, tags_of
from labelnoise.text.words import WORDS

__all__ = ["EMBEDDED", "NEWS", "NEWS_DE", "news"]

NEWS = DatasetInfo(
    "news",
    "1,200 generated English sentences, 3 entity types, 12 % wrong entities that are known",
    "Apache-2.0",
    "generated (labelnoise.text.embedded.news)",
    embedded=True,
)
NEWS_DE = DatasetInfo(
    "news-de",
    "1,200 generated German sentences, 3 entity types, 12 % wrong entities that are known",
    "Apache-2.0",
    "generated (labelnoise.text.embedded.news)",
    embedded=True,
)
EMBEDDED = {NEWS.name: "en", NEWS_DE.name: "de"}
TYPES = ("LOC", "ORG", "PER")


def news(
    language: str = "en", n_sentences: int = 1200, *, noise_rate: float = 0.12, seed: int = 0
) -> TextDataset:
    """Generate news whose entities are partly wrong, with the truth at hand.

    Templates are filled from gazetteers in which one surface form is a person, a place and a club at once
    ("Washington", "Paris"; "Essen", "Hagen"), family names are common words, one name in four is made up of
    syllables and so hardly occurs twice, and common words stand where names do. Five sentences make a document.
    Of the wrong entities 40 % are missed, 40 % have another type, 20 % lost or gained a token, and 10 % of their
    number are spurious: a common word tagged as a name.

    Parameters
    ----------
    language : {"en", "de"}
    n_sentences : int
        At least 10.
    noise_rate : float
        Share of the true entities that are made wrong, 0 to 0.5.
    seed : int

    Returns
    -------
    TextDataset

    Raises
    ------
    InputError
        Another language, too few sentences, a rate out of range.

    Examples
    --------
    >>> data = news()
    >>> " ".join(data.sentence(3))
    'The king of Chile , Fenriham , met Chelsea Zulengal in Houston .'
    >>> data.n_sentences, data.n_units, len(data.spans("true")), int(data.is_wrong.sum())
    (1200, 11566, 2296, 444)
    """
    if language not in WORDS:
        raise InputError(f"There is no generated news in {language!r}; choose one of: {', '.join(WORDS)}.")
    if int(n_sentences) != n_sentences or n_sentences < 10:
        raise InputError(f"n_sentences is {n_sentences}; give a whole number of at least 10.")
    rate = as_rate(noise_rate, name="noise_rate", upper=0.5)
    words, draw = WORDS[language], generator(seed, "news", language, "text")

    def pick(options: list[str]) -> str:
        return options[int(draw.integers(len(options)))]

    def invented() -> str:
        return "".join(pick(words["syllables"]) for _ in range(int(draw.integers(2, 4)))).capitalize()

    def entity(kind: str) -> str:
        new, form = draw.random() < 0.25, draw.random()
        if kind == "PER":
            last = invented() if new else pick(words["shared"] if form < 0.35 else words["surnames"])
            return last if draw.random() < 0.4 else f"{pick(words['first'])} {last}"
        if kind == "LOC":
            place = invented() if new else pick(words["shared"] if form < 0.35 else words["places"])
            return f"{pick(words['before_place'])} {place}" if draw.random() < 0.15 else place
        core = invented() if new else pick(words["shared"] if form < 0.5 else words["firms"])
        return core if draw.random() < 0.45 else f"{core} {pick(words['legal'])}"

    tokens: list[str] = []
    true: list[int] = []
    starts = [0]
    for _ in range(int(n_sentences)):
        for piece in pick(words["templates"]).split():
            if piece in TYPES:
                parts = entity(piece).split()
                tokens += parts
                true += [1 + 2 * TYPES.index(piece)] + [2 + 2 * TYPES.index(piece)] * (len(parts) - 1)
            else:
                tokens.append(pick(words[piece]) if piece.isupper() and piece in words else piece)
                true.append(0)
        tokens[starts[-1]] = tokens[starts[-1]][:1].upper() + tokens[starts[-1]][1:]
        starts.append(len(tokens))
    offsets, truth = np.array(starts), np.array(true)
    return TextDataset(
        name=NEWS.name if language == "en" else NEWS_DE.name,
        given=_mistag(truth, offsets, rate, generator(seed, "news", language, "tags")),
        true=truth,
        class_names=bio_names(TYPES),
        tokens=np.array(tokens, dtype=object),
        starts=offsets,
        documents=np.arange(int(n_sentences)) // 5,
        source=NEWS.source,
        meta={
            "licence": NEWS.licence,
            "language": language,
            "noise_rate": rate,
            "seed": seed,
            "scheme": "BIO",
        },
    )


def _mistag(true: np.ndarray, starts: np.ndarray, rate: float, draw: np.random.Generator) -> np.ndarray:
    """Wrong entities as a hurried annotator makes them; the number of damaged ones is exact."""
    spans = spans_of(true, starts=starts)
    n = len(true)
    chosen = draw.permutation(len(spans))[: round(rate * len(spans))]
    kinds = draw.random(len(chosen))
    keep = np.ones(len(spans), bool)
    for index, kind in zip(chosen, kinds):
        span = spans[index]
        if kind < 0.4:
            keep[index] = False
        elif kind < 0.8:
            span["type"] = (span["type"] + draw.integers(1, len(TYPES))) % len(TYPES)
        elif span["end"] - span["start"] > 1:
            span["start"] += 1
        elif span["start"] > starts[span["sentence"]] and true[span["start"] - 1] == 0:
            span["start"] -= 1
        else:
            span["type"] = (span["type"] + 1) % len(TYPES)
    given = tags_of(spans[keep], n)
    free = np.flatnonzero((true == 0) & (given == 0))
    spurious = draw.permutation(free)[: round(0.1 * len(chosen))]
    given[spurious] = 1 + 2 * draw.integers(len(TYPES), size=len(spurious))
    return given
