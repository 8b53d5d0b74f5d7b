"""How a table of issues looks: in a terminal and in a notebook."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from labelnoise.core.terminal import printable

if TYPE_CHECKING:
    from labelnoise.core.issues import IssueTable

#: Longer texts are shortened for display; files keep all of them.
TERMINAL_TEXT, HTML_TEXT = 32, 120
#: Rows of a notebook's picture.
HTML_ROWS = 50
#: Rows that the sentence about frequent confusions names.
CONFUSIONS = 3
#: Columns that run from 0 to 1.
SHARES = ("p_wrong", "quality", "confidence")


def shorten(text: str, length: int) -> str:
    """At most ``length`` characters, the cut marked.

    Examples
    --------
    >>> shorten("rhinoceros", 6)
    'rhino…'
    """
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def cell_text(value: Any, length: int) -> str:
    """One value for a reader's eye; "not known" is empty."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return (
            ""
            if value != value
            else f"{value:.3f}"
            if 1e-3 <= abs(value) < 1e5 or value == 0
            else f"{value:.3g}"
        )
    if isinstance(value, int):
        return str(value)
    return shorten(str(value), length)


def share_text(value: float) -> str:
    """A number from 0 to 1 that is never rounded to an end that it does not reach.

    Examples
    --------
    >>> [share_text(value) for value in (0.0, 1e-6, 0.5, 0.99999, 1.0)]
    ['0.000', '<0.001', '0.500', '>0.999', '1.000']
    """
    if 0 < value < 0.0005:
        return "<0.001"
    return ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def _column_text(name: str, value: Any, length: int) -> str:
    return share_text(value) if name in SHARES else cell_text("" if value is None else value, length)


def confusions(table: IssueTable) -> str:
    """The most frequent pairs of given and suggested label among the flagged rows, in a sentence or none."""
    columns = table.columns
    pairs = Counter(
        (given, suggested)
        for given, suggested, flagged in zip(columns["given"], columns["suggested"], columns["flagged"])
        if flagged and suggested and suggested != given
    )
    common = [
        f"{shorten(given, TERMINAL_TEXT)} → {shorten(suggested, TERMINAL_TEXT)} {count}"
        for (given, suggested), count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[
            :CONFUSIONS
        ]
        if count > 1
    ]
    return f"Most frequent: {', '.join(common)}" if common else ""


def origin(table: IssueTable) -> str:
    """Data set, method and rule in one line."""
    header = table.header
    where = f"{header.domain} data set" if header.domain else "data set"
    return printable(f"{where} {header.dataset}, method {header.method}, rule {header.decision}")


# --------------------------------------------------------------------------------------------- terminal


def print_table(table: IssueTable, limit: int, *, width: int | None = None) -> None:
    """Print the header sentence, warnings and the first rows; columns that do not fit are left out."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(width=width, highlight=False, soft_wrap=False)
    sentences = [Text(table.summary, style="bold"), Text(origin(table), style="dim"), Text(confusions(table))]
    sentences += [Text(f"warning: {printable(warning)}", style="yellow") for warning in table.header.warnings]
    for sentence in filter(None, sentences):
        console.print(sentence, soft_wrap=True)  # whole lines in a pipe; a terminal folds them itself
    shown = list(table.rows(limit)) if limit > 0 else []
    if not shown:
        if limit > 0:
            console.print(
                Text("No label is suspicious enough; --top 10 shows the ten most suspicious all the same.")
            )
        return
    names = _fitting(table, shown, console.width)
    grid = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for name in names:
        right = table.columns[name].dtype.kind in "if"
        title = table.header.unit_name if name == "unit" else name
        grid.add_column(
            Text(printable(title)), justify="right" if right else "left", no_wrap=True, overflow="ellipsis"
        )
    for row in shown:
        grid.add_row(*(Text(_column_text(name, row[name], TERMINAL_TEXT)) for name in names))
    console.print()
    console.print(grid)
    notes = []
    if len(shown) < len(table):
        notes.append(f"{len(shown):,} of {len(table):,} rows shown")
    left_out = [name for name in table.columns if name not in names and name not in _always_hidden(table)]
    if left_out:
        notes.append(f"not shown: {', '.join(printable(name) for name in left_out)}")
    if notes:
        console.print(Text(f"({'; '.join(notes)})", style="dim"), soft_wrap=True)


def _always_hidden(table: IssueTable) -> set[str]:
    """Columns that say the same in every row, or what another column says."""
    columns = table.columns
    hidden = set()
    if len(set(columns["kind"])) <= 1:
        hidden.add("kind")
    if columns["flagged"].all():
        hidden.add("flagged")
    if "p_wrong" in columns and np.allclose(columns["quality"], 1 - columns["p_wrong"]):
        hidden.add("quality")
    if columns["unit"].dtype.kind == "i" and (columns["unit"] == columns["index"]).all():
        hidden.add("index")
    return hidden


def _fitting(table: IssueTable, rows: list[dict[str, Any]], width: int) -> list[str]:
    """The columns that fit side by side, the most useful first."""
    # Context is for people, evidence for machines, yet a table does not tell them apart: text comes first.
    extra = sorted(table.extra, key=lambda name: table.columns[name].dtype.kind != "O")
    texts = [name for name in extra if table.columns[name].dtype.kind == "O"]
    scores = ["quality", "confidence"]
    wanted = ["rank", "unit", "given", "suggested", "p_wrong", "kind", "flagged"]
    hidden = _always_hidden(table)
    chosen, used = [], 0
    for name in [*wanted, *texts, *scores, *(name for name in extra if name not in texts), "index"]:
        if name not in table.columns or name in hidden:
            continue
        title = table.header.unit_name if name == "unit" else name
        size = 2 + max(
            len(printable(title)), *(len(_column_text(name, row[name], TERMINAL_TEXT)) for row in rows)
        )
        if used + size - 2 <= width or name in ("rank", "unit", "given", "suggested"):
            chosen.append(name)
            used += size
    return [name for name in [*wanted, *scores, *table.extra, "index"] if name in chosen]


# ------------------------------------------------------------------------------------------------- HTML

_STYLE = """
#{id} {{ {light} }}
#{id} {{ color: var(--ink); background: var(--paper); border: 1px solid var(--line); border-radius: 8px;
  padding: 12px 16px; font: 13px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  max-width: 100%; overflow-x: auto; }}
@media (prefers-color-scheme: dark) {{ #{id} {{ {dark} }} }}
[data-jp-theme-light="false"] #{id}, .vscode-dark #{id}, html[theme="dark"] #{id} {{ {dark} }}
[data-jp-theme-light="true"] #{id}, .vscode-light #{id} {{ {light} }}
#{id} .lead {{ font-size: 16px; font-weight: 600; }}
#{id} .soft {{ color: var(--soft); }}
#{id} .note {{ color: var(--note); }}
#{id} table {{ border-collapse: collapse; margin-top: 8px; color: inherit; font-size: 13px; }}
#{id} th, #{id} td {{ padding: 3px 10px; border-bottom: 1px solid var(--line); text-align: left;
  white-space: nowrap; background: none; color: inherit; }}
#{id} th {{ color: var(--soft); font-weight: 600; }}
#{id} tbody tr:nth-child(even) {{ background: var(--band); }}
#{id} .num {{ text-align: right; font-variant-numeric: tabular-nums; }}
#{id} .wide {{ white-space: normal; max-width: 28em; overflow-wrap: anywhere; }}
#{id} svg {{ vertical-align: -1px; margin-right: 6px; }}
""".strip()

_LIGHT = (
    "--ink: #1d2228; --soft: #5c6670; --line: #d9dde2; --paper: #ffffff; --band: #f5f6f8; --bar: #c8452f; "
    "--trough: #e6e8eb; --note: #8a5a00; color-scheme: light;"
)
_DARK = (
    "--ink: #e4e7eb; --soft: #9aa4af; --line: #39414a; --paper: #16191d; --band: #1d2126; --bar: #ff8168; "
    "--trough: #2c333b; --note: #f0b95c; color-scheme: dark;"
)


def html_table(table: IssueTable, limit: int = HTML_ROWS) -> str:
    """A self-contained picture of the table: no script, nothing loaded, every text escaped."""
    # An id of its own keeps the style away from the rest of the page, and from an older picture's.
    name = f"labelnoise-{uuid4().hex[:12]}"
    lines = [
        f'<div class="lead">{escape(table.summary)}</div>',
        f'<div class="soft">{escape(origin(table))}</div>',
    ]
    if frequent := confusions(table):
        lines.append(f"<div>{escape(frequent)}</div>")
    lines += [f'<div class="note">Warning: {escape(printable(text))}</div>' for text in table.header.warnings]
    rows = list(table.rows(limit))
    if rows:
        hidden = _always_hidden(table)
        shown = [column for column in table.columns if column not in hidden]
        lines += [
            "<table>",
            f"<thead><tr>{''.join(_head(table, column) for column in shown)}</tr></thead>",
            "<tbody>",
        ]
        lines += [
            f"<tr>{''.join(_cell(table, column, row[column]) for column in shown)}</tr>" for row in rows
        ]
        lines += ["</tbody>", "</table>"]
    if len(rows) < len(table):
        lines.append(
            f'<div class="soft">{len(rows):,} of {len(table):,} rows; to_pandas() and save() give all.</div>'
        )
    style = _STYLE.format(id=name, dark=_DARK, light=_LIGHT)
    return f'<div id="{name}">\n<style>\n{style}\n</style>\n' + "\n".join(lines) + "\n</div>"


def _head(table: IssueTable, column: str) -> str:
    numeric = table.columns[column].dtype.kind in "if" and column != "p_wrong"
    title = table.header.unit_name if column == "unit" else column
    return f'<th scope="col"{" class=num" if numeric else ""}>{escape(printable(title))}</th>'


def _cell(table: IssueTable, column: str, value: Any) -> str:
    text = escape(_column_text(column, value, HTML_TEXT))
    if column == "p_wrong":
        return f'<td class="num" style="text-align:left">{_bar(float(value))}{text}</td>'
    if table.columns[column].dtype.kind in "if":
        return f'<td class="num">{text}</td>'
    return f'<td class="wide">{text}</td>'


def _bar(share: float, width: int = 56, height: int = 10) -> str:
    filled = width * min(max(share, 0.0), 1.0)
    return (
        f'<svg width="{width}" height="{height}" aria-hidden="true">'
        f'<rect width="{width}" height="{height}" rx="2" style="fill:var(--trough)"/>'
        f'<rect width="{filled:.1f}" height="{height}" rx="2" style="fill:var(--bar)"/></svg>'
    )
