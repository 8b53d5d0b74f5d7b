"""The report as Markdown, for places that show no HTML; it has every table and no figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelnoise.core.report.content import Section, closing_sections, domain_parts, facts, opening_sections
from labelnoise.core.report.tables import Entry, Table

__all__ = ["render_markdown"]

_MARKS = {"best": " ★", "tied": " ≈", "significant": ""}


def render_markdown(summary: Mapping[str, Any]) -> str:
    """The whole report as text."""
    lines = ["# Label noise benchmark", ""]
    lines += [f"- **{name}:** {_escape(value)}" for name, value in facts(summary)]
    for section in opening_sections(summary):
        lines += _section(section, "##")
    for part in domain_parts(summary):
        lines += ["", f"## {part.title}"]
        for section in part.sections:
            lines += _section(section, "###")
    for section in closing_sections(summary):
        lines += _section(section, "##")
    return "\n".join(lines) + "\n"


def _section(section: Section, heading: str) -> list[str]:
    if not section.text and not section.tables:
        return []  # figures only
    lines = ["", f"{heading} {section.title}"]
    for paragraph in section.text:
        lines += ["", _escape(paragraph)]
    for table in section.tables:
        lines += ["", *_table(table)]
    return lines


def _table(table: Table) -> list[str]:
    head = " | ".join(_escape(column.label) for column in table.columns)
    rule = " | ".join("---:" if column.numeric else ":---" for column in table.columns)
    rows = [" | ".join(_cell(entry) for entry in row) for row in table.rows]
    return [f"*{_escape(table.caption)}*", "", *(f"| {line} |" for line in (head, rule, *rows))]


def _cell(entry: Entry) -> str:
    text = _escape(entry.text)
    if entry.mark:
        text = f"**{text}**{_MARKS[entry.mark]}"
    return f"{text} {entry.more}".rstrip()


def _escape(text: str) -> str:
    for special in ("\\", "|", "*", "_", "`", "<", "["):
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())
