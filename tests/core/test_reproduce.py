"""Published settings: the files are sound, runs are kept, and a figure is judged by its stated tolerance."""

import inspect
import json
import re
from urllib.parse import urlparse

import pytest

from labelnoise.core.cli import main
from labelnoise.core.reproduce import Experiment, Published, Setting, experiments, parse_experiment, reproduce
from labelnoise.core.validation import InputError

KNOWN = experiments()
CALLS = []


def one_run(setting, options, seed):
    CALLS.append((setting["rate"], seed))
    return {"f1": setting["rate"] + options["more"] + seed / 100, "extra": 1.0}


def made(**changes):
    fields = {
        "name": "doe2020_table_data",
        "title": "A table",
        "source": "https://example.org",
        "domain": "graph",
        "run": f"{__name__}:one_run",
        "seeds": (0, 1, 2),
        "cpu_minutes": 1,
        "settings": (
            Setting("low", {"rate": 0.1}, {"f1": Published(0.2, 0.01, 0.05)}),
            Setting("high", {"rate": 0.5}, {"f1": Published(0.2, tolerance=0.05), "unknown": Published(1)}),
        ),
        "options": {"more": 0.1},
        "smoke": {"more": 0.0},
    }
    return Experiment(**{**fields, **changes})


@pytest.mark.parametrize("name", KNOWN)
def test_each_file_is_sound(name):
    experiment = KNOWN[name]
    assert re.fullmatch(r"[a-z]+\d{4}_[a-z0-9]+(_[a-z0-9]+)+", name), "author, year, method, data"
    assert urlparse(experiment.source).scheme == "https"
    assert experiment.run.startswith(f"labelnoise.{experiment.domain}.")
    assert list(inspect.signature(experiment.load()).parameters) == ["setting", "options", "seed"]
    assert len({setting.label for setting in experiment.settings}) == len(experiment.settings)
    compared = any(setting.published for setting in experiment.settings)
    assert compared or experiment.note.startswith("No published figure"), "nothing to compare with"
    assert experiment.smoke or experiment.cpu_minutes <= 0.5, "there is no short run to try it with"


@pytest.mark.parametrize("name", KNOWN)
def test_each_gives_the_measures_that_were_published(name, tmp_path, real_data):
    experiment = KNOWN[name]
    try:
        rows = reproduce(experiment, tmp_path, smoke=True)
    except InputError as error:
        if "is not downloaded" not in str(error):
            raise
        pytest.skip(str(error))  # text that its owners license to each user
    measured = {row.measure for row in rows}
    assert set(experiment.settings[0].published) <= measured


def test_runs_are_kept_and_not_repeated(tmp_path):
    CALLS.clear()
    rows = reproduce(made(), tmp_path)
    assert len(CALLS) == 6
    assert reproduce(made(), tmp_path)[0].mean == rows[0].mean
    assert len(CALLS) == 6
    damaged = next((tmp_path / "doe2020_table_data").iterdir())
    damaged.write_text(damaged.read_text()[:20])
    reproduce(made(options={"more": 0.1}), tmp_path)
    assert len(CALLS) == 7
    reproduce(made(options={"more": 0.2}), tmp_path)
    assert len(CALLS) == 13


def test_ours_stands_beside_theirs(tmp_path):
    rows = {(row.setting, row.measure): row for row in reproduce(made(), tmp_path)}
    assert rows["low", "f1"].mean == pytest.approx(0.21)
    assert (rows["low", "f1"].verdict, rows["high", "f1"].verdict) == ("within", "outside")
    assert rows["low", "extra"].published is None
    assert ("high", "unknown") not in rows
    assert rows["low", "f1"].low < 0.21 < rows["low", "f1"].high


def test_a_smoke_run_is_one_run_with_its_own_options(tmp_path):
    CALLS.clear()
    (row, _) = reproduce(made(), tmp_path, smoke=True)
    assert CALLS == [(0.1, 0)]
    assert row.mean == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("titel = 'x'", "Did you mean 'title'"),
        ("seeds = 3", "wrong type"),
        ("seeds = []", "no setting or no seed"),
        ("[", "not valid TOML"),
        ("[[setting]]\nrate = 1", "has no label"),
    ],
)
def test_mistakes_in_a_file_are_named(change, message):
    lines = {
        "title": "title = 'T'", "source": "source = 'https://a.org'", "run": "run = 'm:f'", "seeds": "seeds = [0]",
        "cpu_minutes": "cpu_minutes = 1", "setting": "[[setting]]\nlabel = 'a'",
    }  # fmt: skip
    key = (
        change.split(" =")[0]
        if " =" in change and "\n" not in change
        else "setting"
        if "[[" in change
        else "x"
    )
    lines[key] = change
    if key == "titel":
        lines.pop("title")
    ordered = [text for name, text in lines.items() if name != "setting"] + [lines["setting"]]
    with pytest.raises(InputError, match=message):
        parse_experiment("\n".join(ordered), name="n", domain="graph")


def test_the_command_lists_and_refuses(capsys):
    assert main(["reproduce"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in KNOWN)
    assert main(["reproduce", "li2023_graphcleaner_planetoit"]) == 2
    assert "Did you mean" in capsys.readouterr().err
    assert main(["reproduce", "li2023_graphcleaner_planetoid", "--seeds", "none"]) == 2
    assert "--seeds" in capsys.readouterr().err


def test_the_command_prints_both_figures(tmp_path, capsys, real_data):
    out = str(tmp_path / "runs")
    assert main(["reproduce", "li2023_graphcleaner_planetoid", "--smoke", "--out", out]) == 0
    shown = capsys.readouterr().out
    assert "0.795" in shown
    assert "mean nothing" in shown
    assert main(["reproduce", "li2023_graphcleaner_planetoid", "--smoke", "--json", "--out", out]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["published"]["value"] == 0.795
