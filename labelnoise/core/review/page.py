"""The review page: one static file, no server, no network, driven by the keyboard."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import labelnoise
from labelnoise.core.files import replacing
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.cards import Card
from labelnoise.core.review.decisions import DECISIONS_VERSION
from labelnoise.core.review.entries import Entries, entries_of
from labelnoise.core.review.runs import runs_of
from labelnoise.core.validation import InputError

__all__ = ["render_page", "write_page"]

#: Columns that the page shows by itself; the rest are listed as evidence.
_OWN = {"rank", "unit", "index", "given", "suggested", "kind", "p_wrong", "quality", "confidence", "flagged"}


def render_page(found: IssueTable | Entries, cards: Sequence[Card]) -> str:
    """The whole page as text.

    Parameters
    ----------
    found : IssueTable or Entries
        A table alone makes one entry per row.
    cards : sequence of Card
        One per entry, in their order.

    Raises
    ------
    InputError
        Numbers of entries and cards that differ.

    Notes
    -----
    Everything that comes from the data travels as JSON and is put on the page as text, never as HTML. A content
    security policy allows the page's own script and style by their hashes, data: pictures and sounds, and nothing
    else.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    entries = entries_of(found) if isinstance(found, IssueTable) else found
    if len(cards) != len(entries):
        raise InputError(f"{len(cards)} cards for {len(entries)} issues; give one card per row of the table.")
    script, style = _part("review.js"), _part("review.css")
    environment = Environment(
        loader=PackageLoader("labelnoise.core.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("review.html.j2").render(
        title=f"{entries.table.header.dataset}: {len(entries)} label issues",
        data=Markup(_embedded(page_data(entries, cards))),
        script=Markup(script),
        style=Markup(style),
        script_hash=_source_hash(script),
        style_hash=_source_hash(style),
    )


def page_data(entries: Entries, cards: Sequence[Card]) -> dict[str, Any]:
    """What the page's script reads."""
    header = entries.table.header
    issues = []
    sources: dict[str, int] = {}
    for row, card, members in zip(entries.table.rows(), cards, entries.members, strict=True):
        region = {"size": len(members), "region": runs_of(members)} if len(members) > 1 else {"size": 1}
        shown = card.to_json()
        for medium in shown["media"]:
            # What several cards show is stored once.
            medium["src"] = sources.setdefault(medium["src"], len(sources))
        issues.append(
            {
                **{name: value for name, value in row.items() if name in _OWN},
                "unit": str(row["unit"]),
                **region,
                "evidence": [[name, value] for name, value in row.items() if name not in _OWN],
                "card": shown,
            }
        )
    expected = header.expected
    return {
        "header": {
            "domain": header.domain,
            "dataset": header.dataset,
            "source": header.source,
            "unit_name": header.unit_name,
            "data_hash": header.data_hash,
            "method": header.method,
            "decision": header.decision,
            "n_labelled": header.n_labelled,
            "expected": None if expected is None else [expected.expected, expected.low, expected.high],
            "warnings": list(header.warnings),
        },
        "classes": list(header.class_names),
        "issues": issues,
        "sources": list(sources),
        "decisions_version": DECISIONS_VERSION,
        "made_by": f"labelnoise {labelnoise.__version__}",
    }


def write_page(found: IssueTable | Entries, cards: Sequence[Card], path: Path) -> None:
    """Write the page, whole or not at all."""
    text = render_page(found, cards)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _part(name: str) -> str:
    return (files("labelnoise.core.review") / "templates" / name).read_text(encoding="utf-8")


def _embedded(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
