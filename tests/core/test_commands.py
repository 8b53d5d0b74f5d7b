import json
from pathlib import Path

import pytest

from labelnoise.core.cli import build_root, run

GRID = """
name = "mine"
seeds = 1
[[block]]
domain = "pets"
datasets = ["zoo"]
noise = [{ kind = "symmetric", rates = [0.2] }]
methods = [%s]
"""


@pytest.fixture
def call(pets, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments):
        code = run(build_root, [str(item) for item in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def test_bench_then_report(call):
    Path("grid.toml").write_text(GRID % '"nearest"')
    code, out, err = call("pets", "bench", "--config", "grid.toml", "--out", "store")
    assert code == 0
    assert out.startswith(
        "the grid 'mine' with 4 cells is done; store holds 4 results, 0 failures, 0 time-outs"
    )
    assert "0 of 4 cells are in the store already" in err
    code, out, err = call("bench", "--config", "grid.toml", "--out", "store", "--domains", "pets")
    assert code == 0
    assert "4 of 4 cells are in the store already" in err
    code, out, _ = call("report", "store")
    assert code == 0
    assert "written: store/report.html" in out
    assert Path("store/report.html").stat().st_size > 1000
    code, out, _ = call("report", "store", "--out", "page.html")
    assert Path("page.html").read_text().startswith("<!")


def test_failed_cells_are_named_and_change_the_exit_code(call):
    Path("grid.toml").write_text(GRID % '"nearest", "broken"')
    code, out, _ = call("bench", "--config", "grid.toml", "--out", "store")
    assert code == 1
    assert "4 results, 1 failures" in out
    assert "broken, seed 0: ZeroDivisionError: nothing to divide by" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bench", "--config", "nope.toml"], "nope.toml"),
        (["bench", "--quick", "--config", "grid.toml"], "choose one of them"),
        (["bench", "--config", "grid.toml", "--out", "grid.toml"], "is a file"),
        (["bench", "--config", "grid.toml", "--out", "a/b"], "folder that does not exist"),
        (["bench", "--config", "grid.toml", "--workers", "0"], "workers is 0"),
        (["bench", "--config", "grid.toml", "--domains", "petz"], "Did you mean 'pets'?"),
        (["report"], "STORE requires"),
        (["report", "nope"], "There is no folder 'nope'"),
        (["report", "."], "holds no benchmark results"),
        (["report", ".", "--out", "page.pdf"], "choose one of: .html, .htm"),
        (["report", ".", "--out", "a/page.html"], "folder that does not exist"),
        (["datasets", "petz"], "Unknown domain 'petz'"),
        (["methods", "bare"], "needs 'labelnoise_no_such_extra', which is not installed"),
    ],
)
def test_mistakes_are_one_sentence(call, arguments, words):
    Path("grid.toml").write_text(GRID % '"nearest"')
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err


def test_methods_lists_both_registries(call):
    code, out, _ = call("methods", "pets")
    assert code == 0
    assert "nearest (default)" in out
    rows = json.loads(call("methods", "pets", "--json")[1])["methods"]
    assert {(row["what"], row["name"]) for row in rows} >= {("detector", "ranker"), ("noise", "next")}
    assert {row["name"]: row["calibrated"] for row in rows if row["what"] == "detector"}["ranker"] is False
    assert all(row["source"] for row in rows)


def test_datasets_lists_licences_and_says_what_cannot_be_listed(call):
    code, out, _ = call("datasets", "pets")
    assert code == 0
    assert "zoo (default)" in out
    assert "CC0" in out
    code, out, _ = call("datasets", "--json")
    answer = json.loads(out)
    assert "farm" in {row["name"] for row in answer["datasets"]}
    assert any("pip install 'labelnoise[bare]'" in note for note in answer["notes"])
