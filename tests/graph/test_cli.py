import pytest

from labelnoise.graph import cli
from labelnoise.graph.domain import GraphDomain


@pytest.fixture(autouse=True)
def no_data_sets(monkeypatch):
    monkeypatch.setattr(GraphDomain, "datasets", lambda self: {})


def test_the_script_has_the_verbs_of_the_modality(capsys):
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert "Usage: labelnoise-graph COMMAND" in out
    assert GraphDomain.summary in out
    for verb in ("corrupt", "detect", "evaluate", "bench"):
        assert verb in out


def test_mistakes_end_as_in_the_root_command(capsys):
    assert cli.main(["detekt"]) == 2
    assert capsys.readouterr().err.startswith("error: Unknown command 'detekt'.")
