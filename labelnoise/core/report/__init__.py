"""Reports: one summary of a benchmark store, written as HTML, Markdown and JSON."""

from __future__ import annotations

from pathlib import Path

from labelnoise.core.files import all_or_nothing, make_folder, replacing
from labelnoise.core.validation import InputError

__all__ = ["write_report"]


def write_report(store_dir: Path, out: Path) -> list[Path]:
    """Write the report of a benchmark store, from nothing but the store.

    Parameters
    ----------
    store_dir : Path
        Folder that `labelnoise.core.bench.run.run_bench` filled.
    out : Path
        The page, ending in ``.html``; its twins ``.json`` and ``.md`` are put beside it.

    Returns
    -------
    list of Path
        The page, the JSON, the Markdown. The same store gives the same bytes.

    Raises
    ------
    InputError
        No store there, or ``out`` has another suffix.
    """
    from labelnoise.core.bench.store import Store
    from labelnoise.core.bench.summary import summarise
    from labelnoise.core.report.html import render_html
    from labelnoise.core.report.json import render_json
    from labelnoise.core.report.markdown import render_markdown

    out = Path(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"The report would be written to {out.name!r}; give a name that ends in .html.")
    summary = summarise(Store(Path(store_dir)))
    texts = {
        out: render_html(summary, twin=out.stem),
        out.with_suffix(".json"): render_json(summary),
        out.with_suffix(".md"): render_markdown(summary),
    }
    with all_or_nothing():
        make_folder(out.parent)
        for path, text in texts.items():
            with replacing(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
    return list(texts)
