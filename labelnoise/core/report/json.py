"""The report as JSON: the summary itself, whose layout ``schema.json`` describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

__all__ = ["load_schema", "render_json"]


def render_json(summary: Mapping[str, Any]) -> str:
    """The summary as text; equal summaries give equal text."""
    return json.dumps(summary, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def load_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the summary.

    Examples
    --------
    >>> load_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    text = files("labelnoise.core.report").joinpath("schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
