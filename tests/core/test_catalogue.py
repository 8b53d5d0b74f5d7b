"""The catalogue says what the registries say: complete, up to date, and with every character as it was written."""

import html
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import labelnoise.core
from labelnoise.core.catalogue import CORE, TRIVIAL, catalogue, escaped, main, quotes_figures, shelves
from labelnoise.core.registry import Entry, Registry

PAGE = Path(__file__).resolve().parents[2] / "docs" / "catalogue.md"
SHELVES = list(shelves())
ENTRIES = {
    f"{shelf.room}/{shelf.title}/{entry.name}": (shelf, entry) for shelf in SHELVES for entry in shelf.entries
}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue(), (
        "docs/catalogue.md is out of date; run: python -m labelnoise.core.catalogue docs/catalogue.md"
    )


@pytest.mark.parametrize("label", ENTRIES)
def test_every_entry_says_where_it_comes_from_and_when_it_helps_and_hurts(label: str) -> None:
    shelf, entry = ENTRIES[label]
    assert entry.summary.strip()
    assert entry.source.strip()
    if not shelf.trivial:  # rows to be beaten: nothing is claimed of them
        assert entry.helps.strip(), f"{label} does not say when it helps"
        assert entry.hurts.strip(), f"{label} does not say when it hurts"


def test_every_registry_of_the_core_has_a_shelf() -> None:
    shown = {
        id(getattr(importlib.import_module(module), name))
        for module, _, name in (target.partition(":") for target, *_ in [*CORE, *TRIVIAL])
    }
    for info in pkgutil.walk_packages(labelnoise.core.__path__, "labelnoise.core."):
        for name, value in vars(importlib.import_module(info.name)).items():
            if isinstance(value, Registry):
                assert id(value) in shown, f"{info.name}.{name} is not in the catalogue"


def test_each_entry_is_shown_once_and_each_modality_is_there() -> None:
    assert {shelf.room for shelf in SHELVES} >= {"audio", "graph", "segmentation", "text", "core"}
    targets = [(shelf.room, shelf.title, entry.name) for shelf in SHELVES for entry in shelf.entries]
    assert len(targets) == len(set(targets)) > 150
    page = catalogue()
    assert page.count("\n#### ") == len(targets)
    assert f"{len(targets)} entries" in page


@pytest.mark.parametrize("text", ["a_b * c [d](e) <f> g|h `i` {j} #k ~l~ m^2 $n$ & \\o", "T[i, j] = 1 - r"])
def test_escaped_text_renders_as_it_was_written(text: str) -> None:
    shown = re.sub(r"\\([\\`*_\[\]{}|#~^$])", r"\1", escaped(text))
    assert html.unescape(shown) == text
    for sign in "`*_[]{}|":
        assert not re.search(rf"(?<!\\){re.escape(sign)}", escaped(text).replace("\\\\", ""))


def test_tables_have_three_cells_in_each_row() -> None:
    rows = [line for line in catalogue().splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_a_year_is_no_measurement() -> None:
    assert not quotes_figures(Entry("a", "m:f", "It.", "B 2020", helps="As in 2019, with 10 classes."))
    assert quotes_figures(Entry("a", "m:f", "It.", "B 2020", hurts="Loses 3 points."))


def test_main_writes_the_page_and_asks_for_a_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "c.md")]) == 0
    assert (tmp_path / "c.md").read_text(encoding="utf-8") == catalogue()
    assert main([]) == 2
    assert "docs/catalogue.md" in capsys.readouterr().err
