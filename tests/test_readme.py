"""What the README says is true: its commands run, what it names exists, its links lead somewhere.

Its output and its Python examples are run with those of the tours, in ``test_tours.py``.
"""

from __future__ import annotations

import os
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path

import pytest

from labelnoise.core.cli import main
from labelnoise.core.domain import domain_names, get_domain
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.decisions import Decision, Decisions

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BASH = re.findall(r"<!-- (\w+) command -->\n```bash\n(.*?)```", README, flags=re.S)

#: The modalities that this distribution brings.
OWN = {point.name for point in distribution("labelnoise").entry_points if point.group == "labelnoise.domains"}

#: One setting, one method, one seed, in place of the quick grid's minutes.
SMALL_GRID = """
name = "small"
seeds = 1
[[block]]
domain = "graph"
datasets = ["digits"]
noise = [{ kind = "pair", rates = [0.2] }]
methods = ["votes"]
"""


def commands() -> list[str]:
    """Every ``labelnoise`` command of the bash blocks and of the text, options included."""
    lines = [line for _, block in BASH for line in re.split(r"\n|&&", block) if "bin/labelnoise " in line]
    return list(
        dict.fromkeys(line.strip() for line in [*lines, *re.findall(r"`(labelnoise [^`]+)`", README)])
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the README's commands name."""
    from labelnoise.graph.domain import GraphDomain
    from labelnoise.graph.embedded import papers

    folder = tmp_path_factory.mktemp("readme")
    graph, domain = papers(400), GraphDomain()
    (folder / "folder").mkdir()
    domain.save(graph, folder / "folder" / "nodes.csv")
    domain.save(graph, folder / "graph.npz")
    torch, data = pytest.importorskip("torch"), pytest.importorskip("torch_geometric.data").Data
    tensor = {"edge_index": torch.tensor(graph.edge_index), "y": torch.tensor(graph.given)}
    dense = graph.x.toarray() if hasattr(graph.x, "toarray") else graph.x
    torch.save(data(x=torch.tensor(dense), **tensor).to_dict(), folder / "graph.pt")
    (folder / "small.toml").write_text(SMALL_GRID)
    others = (
        ("text", "news", "my.conll"),
        ("audio", "events", "sounds"),
        ("segmentation", "scenes", "photos"),
    )
    for modality, name, path in others:
        if modality in domain_names():
            other = get_domain(modality)
            other.save(other.load(name), folder / path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(shlex.split("graph corrupt digits --kind pair --rate 0.1 --out noisy.npz")) == 0
        assert main(shlex.split("graph detect noisy.npz --method votes --out issues.parquet")) == 0
        assert main(shlex.split("bench --config small.toml --out results")) == 0
        decide_one(Path("issues.parquet"), Path("decisions.json"))
    return folder


def decide_one(issues: Path, decisions: Path) -> None:
    """What a person exports who accepts the first suggestion."""
    table = IssueTable.load(issues)
    row, header = next(table.rows(1)), table.header
    accepted = Decision(row["index"], str(row["unit"]), row["given"], "accept", row["suggested"])
    Decisions(
        domain=header.domain,
        dataset=header.dataset,
        data_hash=header.data_hash,
        source=header.source,
        decisions=(accepted,),
    ).save(decisions)


def test_there_are_two_commands_one_to_use_it_and_one_to_test_it() -> None:
    assert [name for name, _ in BASH] == ["main", "test"]
    assert len(re.findall(r"```bash", README)) == 2
    (_, use), (_, test) = BASH
    for block in (use, test):
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    assert ".venv/bin/labelnoise graph detect" in use
    assert test.rstrip().endswith(".venv/bin/python -m pytest -q")
    assert test.count("\n") == 1  # .ci/run runs it as it stands here


@pytest.mark.parametrize("command", commands())
def test_commands_run(
    command: str, workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As written, with a small grid for the quick one and fewer repetitions where that only saves time."""
    monkeypatch.chdir(workplace)
    words = shlex.split(command)[1:]
    names = {
        "NAME": "li2023_graphcleaner_planetoid",
        "[DATA]": "digits",
        "ISSUES": "issues.parquet",
        "STORE": "results",
        "FILE.json": "exported.json",
        "SOURCE": "news",
        "TARGET": "news-de",
        "--quick": "--config",
    }
    words = [names.get(word, word) for word in words]
    if {"Cora", "reproduce"} & set(words) and not os.environ.get("LABELNOISE_DATA"):
        pytest.skip("set LABELNOISE_DATA to the folder with real data; Cora would be downloaded")
    if "reproduce" in words:
        words += ["--smoke", "--out", "reproduced"]
    if "--config" in words:
        words.insert(words.index("--config") + 1, "small.toml")
    elif "bench" in words:
        words += ["--config", "small.toml", "--out", "results"]
    if words[:2] == ["graph", "detect"]:
        words += ["--set", "partitions=1", "--set", "resamples=0"]
    if words[:2] == ["segmentation", "detect"]:
        words += ["--set", "epochs=2"]
    if "corrupt" in words:
        words[words.index("noisy.npz")] = "again.npz"
    code = main(words)
    said = capsys.readouterr()
    assert code == 0, said.err
    assert said.out.strip()
    if "--out" in words:
        assert Path(words[words.index("--out") + 1]).exists()


def test_every_verb_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    for app, prefix in (([], "labelnoise"), (["graph"], "labelnoise graph")):
        assert main([*app, "--help"]) == 0
        listed = re.findall(r"^│ ([a-z]+) ", capsys.readouterr().out, flags=re.M)
        assert len(listed) >= 4
        # Modalities of other distributions, such as the tests' own, have their own pages.
        for verb in set(listed) - (set(domain_names()) - OWN):
            assert re.search(rf"\b{prefix} {verb}\b", README), f"'{prefix} {verb}' is not in the README"


def test_flags_and_methods_exist(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        "graph detect",
        "text detect",
        "text transfer",
        "graph corrupt",
        "graph evaluate",
        "graph apply",
        "graph export",
        "bench",
        "report",
    ):
        assert main([*words.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    for flag in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README)) - {"--help"}:
        assert re.search(rf"{flag}\b", shown), flag
    from labelnoise.graph.domain import DETECTORS

    for method in re.findall(r"--method ([\w+-]+)", README):
        assert method in DETECTORS


@pytest.mark.parametrize(
    "page", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda path: str(path.relative_to(ROOT))
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"
    assert "@@" not in text
