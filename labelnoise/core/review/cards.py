"""What the review page shows of a unit: facts in words, pictures, sounds."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from labelnoise.core.validation import InputError

__all__ = ["PALETTE", "Card", "Media", "printable", "svg_picture"]

#: Distinct in print, to the colour-blind and on white, which pictures bring along.
PALETTE = ("#0060a8", "#c44900", "#00805c", "#a3468b", "#a87400", "#2b93cf", "#6a4bc4", "#85553f")
#: What a media source may start with; a path beside the page is allowed too, an address on a network is not.
_DATA = ("data:image/", "data:audio/")


@dataclass(frozen=True)
class Media:
    """A picture or a sound of a card.

    Attributes
    ----------
    kind : {"image", "audio"}
    src : str
        A ``data:`` URI, or a path relative to the page.
    text : str
        What it shows, for those who cannot see or hear it.
    """

    kind: Literal["image", "audio"]
    src: str
    text: str

    def __post_init__(self) -> None:
        scheme = self.src.split(":", 1)[0].lower() if ":" in self.src.split("/", 1)[0] else ""
        if (scheme and not self.src.startswith(_DATA)) or self.src.startswith(("//", "\\\\")):
            raise InputError(
                f"The media source {self.src[:40]!r} is on a network or of an unknown kind; "
                "a review page holds data: URIs or paths beside it."
            )


@dataclass(frozen=True)
class Card:
    """The modality's view of one unit, beside what the table of issues says.

    Attributes
    ----------
    title : str
    facts : sequence of (str, str)
        Name and value, in order.
    media : sequence of Media
    """

    title: str
    facts: Sequence[tuple[str, str]] = field(default=())
    media: Sequence[Media] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """A plain dict for the page."""
        return {
            "title": self.title,
            "facts": [list(fact) for fact in self.facts],
            "media": [vars(medium) for medium in self.media],
        }


def svg_picture(svg: str, text: str) -> Media:
    """An SVG as a picture: within an ``img`` no script of it can run.

    Examples
    --------
    >>> svg_picture("<svg/>", "nothing").src
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    encoded = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return Media("image", f"data:image/svg+xml;base64,{encoded}", text)


def printable(text: str) -> str:
    """The text without characters that XML forbids, each replaced by a mark.

    Examples
    --------
    >>> printable("a\x01b")
    'a\ufffdb'
    """
    return "".join(c if c.isprintable() else "\ufffd" for c in text)
