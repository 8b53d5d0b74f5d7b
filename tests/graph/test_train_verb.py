"""labelnoise graph train: what a person sees, with and without published splits, and when something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from labelnoise.core.cli import main
from labelnoise.core.truth import blind
from labelnoise.core.validation import InputError
from labelnoise.graph.domain import GraphDomain
from labelnoise.graph.embedded import papers
from labelnoise.graph.splits import node_splits, split_scores
from labelnoise.graph.train_methods import train_graph


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder: 300 nodes, a tenth without a label."""
    monkeypatch.chdir(tmp_path)
    graph = papers(300)
    given = np.where(np.arange(300) % 10 == 0, -1, graph.given)
    Path("own").mkdir()
    GraphDomain().save(replace(graph, given=given, true=None, meta={}), Path("own/nodes.csv"))
    return tmp_path


def test_a_users_folder_trains_and_every_node_is_predicted(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", "train", "own", "--out", "p.csv", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["method"] == GraphDomain.default_trainer
    assert [row["split"] for row in answer["scores"]] == ["train", "validation", "test"]
    assert {row["labels"] for row in answer["scores"]} == {"given"}
    assert sum(row["units"] for row in answer["scores"]) == 270
    table = pd.read_csv("p.csv")
    assert len(table) == 300
    assert table["given"].isna().sum() == 30
    assert table["predicted"].notna().all()
    assert main(["graph", "train", "own", "--method", "gcn+elr", "--set", "epochs=2"]) == 0
    assert "gcn+elr on papers: predicts" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--method", "gcn+erl"], "Did you mean 'gcn+elr'"),
        (["--set", "epochs=3"], "has no option 'epochs'"),
        (["--method", "plain-gcn", "--set", "epoch=3"], "Did you mean 'epochs'"),
        (["--method", "plain-gcn", "--set", "strategy=elr"], "has no option 'strategy'"),
        (["--method", "curriculum", "--set", "epochs=0"], "at least 1 is needed"),
        (["blank"], "no labelled node"),
        (["bare"], "use 'label-propagation', which needs none"),
    ],
)
def test_mistakes_are_one_sentence(
    own: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    for name, label in (("blank", ""), ("bare", "x")):
        Path(name).mkdir()
        rows = "".join(f"{node},{label if node < 'c' else label and 'y'}\n" for node in "abcdef")
        Path(name, "nodes.csv").write_text("id,label\n" + rows)
        Path(name, "edges.csv").write_text("source,target\na,b\nd,e\n")
    source = [] if arguments[0] in ("blank", "bare") else ["own"]
    assert main(["graph", "train", *source, *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_scores_are_of_the_splits_that_were_drawn_and_on_true_labels_where_known() -> None:
    domain, graph = GraphDomain(), papers(300)
    trained = domain.train(blind(graph), method="label-propagation", seed=5)
    masks = node_splits(graph, 5)
    scores = {row["split"]: row for row in domain.training_scores(graph, trained)}
    assert list(scores) == list(masks)
    assert graph.true is not None
    for name, mask in masks.items():
        assert scores[name]["labels"] == "true"
        assert scores[name]["accuracy"] == pytest.approx(trained.accuracy(graph.true, mask), abs=1e-4)
    own = train_graph(graph, "label-propagation", 0, splits={"train": np.arange(300) < 200})
    assert [row["split"] for row in split_scores(graph, own)] == ["all"]


def test_published_masks_are_used() -> None:
    graph = papers(300)
    masks = {"train": np.arange(300) < 100, "test": np.arange(300) >= 200}
    published = replace(graph, masks=masks)
    trained = GraphDomain().train(published)
    assert trained.selected_by == "the middle setting"
    assert [row["units"] for row in split_scores(published, trained)] == [100, 100]


def test_a_fixed_option_cannot_be_overridden() -> None:
    with pytest.raises(InputError, match="fixes 'strategy'"):
        GraphDomain().train(papers(300), method="gcn+elr", strategy="plain")


def test_naming_trainers_loads_no_torch() -> None:
    code = (
        "import sys; from labelnoise.graph.domain import GraphDomain as G; from labelnoise.graph.embedded import papers;"
        "G.trainers['gcn+elr'].summary; G().train(papers(300), method='label-propagation'); print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
