"""Review and apply: a page to decide on, the decisions, and a corrected copy that can be taken back."""

from __future__ import annotations

from labelnoise.core.review.apply import (
    Change,
    Provenance,
    apply_decisions,
    provenance_path,
    undo_decisions,
)
from labelnoise.core.review.cards import Card, Media, View, svg_picture
from labelnoise.core.review.decisions import VERDICTS, Decision, Decisions
from labelnoise.core.review.entries import Entries, entries_of
from labelnoise.core.review.page import render_page, write_page
from labelnoise.core.review.runs import runs_of

__all__ = [
    "VERDICTS",
    "Card",
    "Change",
    "Decision",
    "Decisions",
    "Entries",
    "Media",
    "Provenance",
    "View",
    "apply_decisions",
    "entries_of",
    "provenance_path",
    "render_page",
    "runs_of",
    "svg_picture",
    "undo_decisions",
    "write_page",
]
