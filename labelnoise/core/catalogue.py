"""The catalogue of methods: one page in Markdown, generated from the registries, so that it cannot say else than they do.

``python -m labelnoise.core.catalogue docs/catalogue.md`` writes it.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

from labelnoise.core.domain import ENTRY_POINT_GROUP, get_domain
from labelnoise.core.files import replacing
from labelnoise.core.registry import Entry, Registry

__all__ = ["Shelf", "catalogue", "escaped", "shelves"]

#: The core's registries: where they are, the heading, what they are for, and the page with their figures.
CORE = (
    (
        "labelnoise.core.noise:NOISES",
        "Noise models",
        "How right labels are turned into wrong ones.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.quality:QUALITY_SCORES",
        "Label quality scores",
        "From probabilities to a score between 0 (surely wrong) and 1 (surely right).",
        "measured_core.md",
    ),
    (
        "labelnoise.core.selection:SELECTORS",
        "Selection",
        "From scores, losses or features to the units that are kept or flagged.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.transition_estimators:TRANSITIONS",
        "Estimates of T",
        "T[i, j] = P(given = j | true = i), each with standard errors.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.dynamics:DYNAMICS",
        "Training dynamics",
        "What the course of training tells of each unit.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.crowd:CROWD",
        "Several annotators",
        "One label from many votes.",
        "measured_core.md",
    ),
    ("labelnoise.core.losses:LOSSES", "Losses", "One value per unit, for one label.", "measured_core.md"),
    (
        "labelnoise.core.losses:MULTILABEL_LOSSES",
        "Losses for several labels",
        "One value per unit and class.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.losses:REGULARIZERS",
        "Regularisers",
        "Terms that are added to a loss.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.training:STRATEGIES",
        "Training strategies",
        "Plug into the one training loop; a modality offers them as trainers.",
        "measured_core.md",
    ),
    (
        "labelnoise.core.kernels:KERNELS",
        "Kernels",
        "What counts as near where features judge.",
        "measured_core.md",
    ),
)
#: The rows that every benchmark has: they are there to be beaten, so nothing is claimed for or against them.
TRIVIAL = (
    (
        "labelnoise.core.bench.baselines:TRIVIAL",
        "Detectors to be beaten",
        "Rows of every benchmark of detection.",
    ),
    (
        "labelnoise.core.bench.training:TRIVIAL_TRAINERS",
        "Trainers to be beaten",
        "Rows of every benchmark of training.",
    ),
)
#: What a modality registers, and the command that takes its names.
VERBS = (
    ("detectors", "Detectors", "detect --method"),
    ("trainers", "Trainers", "train --method"),
    ("noises", "Noise kinds", "corrupt --kind"),
)
#: Pages with the figures of a modality, where it has its own.
MEASURED = {
    "audio": "measured_audio.md",
    "graph": "measured.md",
    "segmentation": "measured_segmentation.md",
    "text": "measured_text.md",
}

HEAD = """# Method catalogue

Generated from the registries by `python -m labelnoise.core.catalogue docs/catalogue.md`: {entries} entries with
formula, source, when it helps and when it hurts. In the tables, "figures" says that the entry itself quotes a
measurement; the commands that measure stand on the pages named under each heading.
`labelnoise methods` prints the names in a terminal.
"""


class Shelf(NamedTuple):
    """One registry as the catalogue shows it.

    Attributes
    ----------
    room, title : str
        Heading and subheading.
    about : str
        What the names are for, in Markdown.
    measured : str
        The page with measurements; empty for none.
    entries : sequence of Entry
        What is shown, in the order of registration.
    trivial : bool
        Rows that are there to be beaten.
    """

    room: str
    title: str
    about: str
    measured: str
    entries: Sequence[Entry]
    trivial: bool = False


def escaped(text: str) -> str:
    r"""Plain text as Markdown that renders to the same characters, in a line or in a cell of a table.

    Examples
    --------
    >>> escaped("P[i, j] < a_b * c | d")
    'P\\[i, j\\] &lt; a\\_b \\* c \\| d'
    """
    text = re.sub(r"([\\`*_\[\]{}|#~^$])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(text: str) -> str:
    """A code span, whatever the text holds; in a list, not in a table."""
    text = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _registry(target: str) -> Registry:
    module, _, attribute = target.partition(":")
    registry = getattr(importlib.import_module(module), attribute)
    assert isinstance(registry, Registry)
    return registry


def shelves() -> Iterator[Shelf]:
    """Every registry: the modalities of this distribution, by name, then the core.

    Yields
    ------
    Shelf
        Entries that are the core's trivial rows are shown once, on their own shelf.

    Examples
    --------
    >>> [shelf.title for shelf in shelves() if shelf.room == "graph"]
    ['Detectors', 'Trainers', 'Noise kinds']
    """
    trivial = {entry.target for target, *_ in TRIVIAL for entry in _registry(target).values()}
    own = {
        point.name
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.value.partition(".")[0] == "labelnoise"
    }
    for name in sorted(own):
        domain = get_domain(name)
        for attribute, title, flag in VERBS:
            registry: Registry = getattr(domain, attribute)
            entries = [entry for entry in registry.values() if entry.target not in trivial]
            if entries:
                about = f"`labelnoise {name} {flag} NAME`."
                yield Shelf(name, title, about, MEASURED.get(name, ""), entries)
        for verb, (title, registry) in domain.extra_methods().items():
            about = f"`labelnoise {name} {verb} --method NAME`."
            yield Shelf(name, title, about, MEASURED.get(name, ""), list(registry.values()))
    for target, title, about, measured in CORE:
        module = target.partition(":")[0]
        about = f"{escaped(about)} In Python: `{module}`."
        yield Shelf("core", title, about, measured, list(_registry(target).values()))
    for target, title, about in TRIVIAL:
        yield Shelf("core", title, escaped(about), "", list(_registry(target).values()), trivial=True)


#: A decimal, a share, a ratio or points: what a measurement looks like, and a year or a class count does not.
FIGURE = re.compile(r"(?<![\w.])\d*\.\d|\d ?%|\bAUROC \d|\bF1 \d|\d+ points|\dx\b")


def quotes_figures(entry: Entry) -> bool:
    """Whether an entry quotes a measurement in when it helps or hurts.

    Examples
    --------
    >>> quotes_figures(Entry("a", "m:f", "It.", "Someone 2020", helps="F1 .77 on Cora."))
    True
    """
    return bool(FIGURE.search(f"{entry.helps} {entry.hurts}"))


def _entry(entry: Entry) -> Iterator[str]:
    yield f"#### {escaped(entry.name)}"
    yield ""
    yield escaped(entry.summary)
    yield ""
    if entry.formula.strip():
        yield f"- **Formula:** {_code(entry.formula)}"
    for label, text in (("Source", entry.source), ("Helps", entry.helps), ("Hurts", entry.hurts)):
        if text.strip():
            yield f"- **{label}:** {escaped(text[0].upper() + text[1:])}"
    if entry.calibrated is not None:
        answer = (
            "calibrated probabilities and an expected count" if entry.calibrated else "a ranking and flags"
        )
        yield f"- **Answers:** {answer}"
    fixed = ", ".join(f"{key}={value!r}" for key, value in entry.options.items())
    yield f"- **Python:** {_code(entry.target.replace(':', '.'))}{' with ' + _code(fixed) if fixed else ''}"
    yield ""


def catalogue() -> str:
    """The whole page.

    Returns
    -------
    str
        Markdown with a table of names per registry, followed by one section per entry.

    Examples
    --------
    >>> catalogue().splitlines()[0]
    '# Method catalogue'
    """
    shown = list(shelves())
    lines = HEAD.format(entries=sum(len(shelf.entries) for shelf in shown)).splitlines()
    room = ""
    for shelf in shown:
        if shelf.room != room:
            room = shelf.room
            lines += ["", f"## {room.capitalize()}"]
        lines += ["", f"### {room.capitalize()}: {shelf.title[0].lower()}{shelf.title[1:]}", "", shelf.about]
        if shelf.measured:
            lines[-1] += f" Measured: [{shelf.measured}]({shelf.measured})."
        lines += ["", "| name | what it does | figures |", "|---|---|---|"]
        for entry in shelf.entries:
            figures = "yes" if quotes_figures(entry) else ""
            lines.append(f"| {escaped(entry.name)} | {escaped(entry.summary)} | {figures} |")
        lines.append("")
        for entry in shelf.entries:
            lines += _entry(entry)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page to the path that is named; exit code 2 where none is."""
    if len(arguments) != 1:
        print("Name one file to write, for instance docs/catalogue.md.", file=sys.stderr)
        return 2
    with replacing(Path(arguments[0])) as temporary:
        temporary.write_text(catalogue(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
