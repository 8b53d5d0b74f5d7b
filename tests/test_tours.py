"""What the pages show is what happens: each console, Python and file block of the tours is run, top to bottom.

A page is a session in an empty folder. Its blocks are

- ``console``: lines that start with ``$`` are run, the lines below them are what was printed, in this order; ``...``
  stands for lines left out; numbers may differ by 2%, as another machine's rounding moves the last digits;
- ``python``: doctests, which share their names down the page;
- a block with a ``title="name"``: a file of that name, written to the folder.
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
import resource
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from labelnoise.core.cli import main

ROOT = Path(__file__).resolve().parent.parent
TOURS = sorted((ROOT / "docs" / "tours").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", *TOURS]
#: Processor seconds that one command or one Python block may take: a page is read, not waited for.
LONGEST_BLOCK = 20.0
#: Width of the terminal that a page was written on; 96 if not named.
WIDTH = {"README.md": 110}
NUMBER = re.compile(r"[\d.,]*\d(?:e-\d+)?$")
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", flags=re.S | re.M)


class Block(NamedTuple):
    """A fenced block: its language, the file that it is (or nothing), its text and where it starts."""

    language: str
    title: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        title = re.search(r'title="([^"]+)"', match[2])
        yield Block(match[1], title[1] if title else "", match[3], text.count("\n", 0, match.start()) + 1)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines shown below it."""
    shown: list[str] = []
    command = ""
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
        elif command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            shown.append(line)
    if command:
        yield command, shown


def close(shown: str, real: str) -> bool:
    try:
        one, other = (float(word.strip("[]%;,><").replace(",", "")) for word in (shown, real))
    except ValueError:
        return False
    return abs(one - other) <= max(0.02 * abs(one), 1e-6)


def same(shown: str, real: str) -> bool:
    words, others = shown.split(), real.split()
    return len(words) == len(others) and all(
        a == b or (NUMBER.search(a.strip("[];,%>")) is not None and close(a, b))
        for a, b in zip(words, others)
    )


def missing(shown: list[str], real: list[str]) -> str | None:
    """The first line shown that was not printed after the ones before it."""
    place, gap = 0, False
    lines = [line for line in real if line.strip()]
    for line in (line for line in shown if line.strip()):
        if line.strip() == "...":
            gap = True
            continue
        found = next((i for i in range(place, len(lines)) if same(line, lines[i])), None)
        if found is None or (found > place and not gap):
            return line
        place, gap = found + 1, False
    return None if place == len(lines) or gap else f"(nothing) where this was printed: {lines[place]}"


def cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def install(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """What ``pip install .`` does to a project of one module: it can be imported, its entry points are found."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in points.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    patch.syspath_prepend(str(folder))
    patch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    importlib.invalidate_caches()


class Session:
    """One page at work in one folder."""

    def __init__(
        self, page: Path, folder: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.page, self.folder, self.patch, self.capsys = page, folder, patch, capsys
        self.names: dict[str, Any] = {}
        patch.chdir(folder)
        patch.setenv("COLUMNS", str(WIDTH.get(page.name, 96)))

    def run(self, block: Block) -> None:
        where = f"{self.page.name}, line {block.line}"
        start = cpu_seconds()
        if block.title:
            (self.folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            self.python(block, where)
        else:
            for command, shown in commands(block.text):
                self.command(command, shown, where)
        assert cpu_seconds() - start < LONGEST_BLOCK, f"{where}: {cpu_seconds() - start:.0f} CPU seconds"

    def python(self, block: Block, where: str) -> None:
        assert ">>> " in block.text, f"{where}: an example without a prompt is not run"
        parsed = doctest.DocTestParser().get_doctest(
            block.text, self.names, where, str(self.page), block.line
        )
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
        said: list[str] = []
        result = runner.run(parsed, out=said.append, clear_globs=False)
        self.names = parsed.globs
        assert result.failed == 0, "".join(said)

    def command(self, command: str, shown: list[str], where: str) -> None:
        if command == "pip install .":
            install(self.folder, self.patch)
            return
        self.capsys.readouterr()
        if command.startswith("labelnoise "):
            code = main(shlex.split(command)[1:])
            said = self.capsys.readouterr()
            refused = any(line.startswith("error:") for line in shown)
            printed, wrong = said.err + said.out, bool(code) != refused
        else:
            done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
            printed, wrong = done.stdout + done.stderr, done.returncode != 0
        assert not wrong, f"{where}: {command}\n{printed}"
        line = missing(shown, printed.splitlines()) if shown else None
        assert line is None, f"{where}: {command} does not print: {line}\nIt prints:\n{printed}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_says_what_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    modules = set(sys.modules)
    session = Session(page, tmp_path, monkeypatch, capsys)
    try:
        for block in blocks(page):
            console = block.language == "console" or block.text.startswith("$ ")
            if console or block.title or block.language == "python":
                session.run(block)
    finally:
        for name in set(sys.modules) - modules:
            if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
                sys.modules[name].__file__
            ):
                del sys.modules[name]


@pytest.mark.parametrize("page", TOURS, ids=lambda page: page.name)
def test_a_tour_shows_nothing_that_is_not_run(page: Path) -> None:
    found = list(blocks(page))
    assert any(block.language == "console" or block.language == "python" for block in found)
    for block in found:
        assert block.language in ("console", "python") or block.title, (
            f"{page.name}, line {block.line}: a block of {block.language!r} is not run"
        )


def test_there_is_a_tour_for_everybody_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        assert str(page.relative_to(ROOT / "docs")) in navigation, f"{page.name} is not in mkdocs.yml"
    for modality in ("graph", "text", "audio", "segmentation"):
        assert f"find-{modality}.md" in {page.name for page in TOURS}


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="install the extra 'docs'")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "catalogue.html").exists()


def test_lines_are_compared_in_their_order() -> None:
    real = ["first 1.00", "", "second", "third 10"]
    assert missing(["first 1.01", "second", "third 10"], real) is None
    assert missing(["first 1.00", "..."], real) is None
    assert missing(["...", "third 10"], real) is None
    assert missing(["second", "first 1.00", "third 10"], real) == "second"
    assert missing(["first 1.00", "third 10"], real) == "third 10"
    assert missing(["first 1.00"], real) is not None
    assert missing(["first 1.10", "..."], real) == "first 1.10"
