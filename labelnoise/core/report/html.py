"""The report as one HTML file: no script, no outside file, light, dark and on paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labelnoise.core.report.content import closing_sections, domain_parts, facts, opening_sections
from labelnoise.core.report.svg import swatch

__all__ = ["render_html"]


def render_html(summary: Mapping[str, Any], *, twin: str | None = None) -> str:
    """The whole page.

    Parameters
    ----------
    summary : mapping
        From `labelnoise.core.bench.summary.summarise`.
    twin : str, optional
        Name without suffix of the ``.json`` and ``.md`` files beside the page, to link to.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("labelnoise.core.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The figures are our own SVG, their text escaped where it was put in.
    environment.filters["svg"] = Markup
    environment.globals["swatch"] = lambda series: Markup(swatch(series))
    return environment.get_template("report.html.j2").render(
        facts=facts(summary),
        opening=opening_sections(summary),
        parts=domain_parts(summary),
        closing=closing_sections(summary),
        twin=twin,
    )
