"""Valid examples, made by the package's own writers where there are any."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.mutate import Files


def files_of(folder: Path) -> Files:
    """All files below a folder, by their relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def written(domain: str, dataset: Any, name: str) -> Files:
    """What a modality writes for a data set."""
    from labelnoise.core.domain import get_domain

    with tempfile.TemporaryDirectory() as home:
        get_domain(domain).save(dataset, Path(home) / name)
        return files_of(Path(home))


@cache
def news() -> Any:
    """Sixty generated sentences."""
    from labelnoise.text.dataset import from_sentences
    from labelnoise.text.embedded import news as all_news
    from labelnoise.text.schemes import encode

    data = all_news()
    tags = encode(data.given, data.types, starts=data.starts)
    rows = [slice(int(a), int(b)) for a, b in zip(data.starts[:14], data.starts[1:15])]
    return from_sentences(
        [list(data.tokens[row]) for row in rows], [list(tags[row]) for row in rows], name="news"
    )


def table(*rows: str) -> bytes:
    """Lines as the bytes of a text file."""
    return ("\n".join(rows) + "\n").encode()
