"""What the review page shows of a unit: facts in words, pictures, sounds."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labelnoise.core.validation import InputError

__all__ = ["PALETTE", "Card", "Media", "View", "printable", "svg_picture"]

#: Distinct in print, to the colour-blind and on white, which pictures bring along.
PALETTE = ("#0060a8", "#c44900", "#00805c", "#a3468b", "#a87400", "#2b93cf", "#6a4bc4", "#85553f")
#: What a media source may start with; a path beside the page is allowed too, an address on a network is not.
_DATA = ("data:image/", "data:audio/")


#: Left, top, width and height, as shares of something's width and height.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """Which part of a picture a page shows, how large, and what it lays over it.

    Cards that look at one picture share it: a page stores what has the same source once.

    Attributes
    ----------
    width, height : int
        On the page, in pixels.
    part : tuple of float
        What is shown of the picture; all of it by default.
    over : str
        A ``data:`` URI of a drawing that covers what is shown; empty for none.
    frame : tuple of float, optional
        A rectangle that is marked, in shares of what is shown.
    """

    width: int
    height: int
    part: Box = (0.0, 0.0, 1.0, 1.0)
    over: str = ""
    frame: Box | None = None

    def __post_init__(self) -> None:
        if min(self.width, self.height, *self.part[2:]) <= 0:
            raise InputError(
                f"A view of {self.width} x {self.height} pixels of the part {self.part} shows nothing; "
                "give sides above 0."
            )
        if self.over and not self.over.startswith("data:image/"):
            raise InputError(
                f"The drawing {self.over[:40]!r} is no data:image URI; a page holds what it lays over pictures."
            )


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
    view : View, optional
        Of a picture; without it all of it is shown as large as it is.
    """

    kind: Literal["image", "audio"]
    src: str
    text: str
    view: View | None = None

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
            "media": [asdict(medium) for medium in self.media],
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
