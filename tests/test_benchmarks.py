"""The one command for all figures of speed: its claims, and how they are read from what scripts print."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def load(name: str):
    spec = importlib.util.spec_from_file_location(f"benchmarks_{name}", ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


claims = load("__main__")


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.name)
def test_a_claim_names_a_script_that_exists_and_one_figure(claim):
    assert (ROOT / "benchmarks" / claim.command.split()[0]).is_file()
    assert re.compile(claim.pattern).groups == 1


def test_names_are_unique():
    names = [claim.name for claim in claims.CLAIMS]
    assert len(names) == len(set(names))


def test_figures_are_read_and_judged():
    text = (
        "   units  annotators  rounds    cpu s  crowd-kit   faster  largest gap\n"
        "  100000         100      10    0.183      2.310    12.6x      1.0e-10\n"
        "  100000        1000      10    0.200      0.200     1.0x      1.0e-10\n"
    )
    one, two = claims.figures("core_crowd.py --cost", text)
    assert (one["figure"], one["met"]) == (12.6, True)
    assert (two["figure"], two["met"]) == (1.0, False)
    memory, peak = "segmentation_detection.py --images 700", "peak 1,706 MiB"
    assert claims.figures(memory, peak.replace(",", ""))[0]["met"] is True
    assert claims.figures(memory, "peak 2100 MiB")[0]["met"] is False


def test_a_figure_that_is_missing_is_said_to_be(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(claims, "run", lambda command: "")
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "aum", "--page", "speed.md"])
    assert claims.main() == 1
    assert "not measured" in Path("speed.md").read_text()


def test_figures_of_earlier_runs_stay_on_the_page(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = []
    line = "aum          ratio 20.5\n"
    monkeypatch.setattr(claims, "run", lambda command: asked.append(command) or line)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "margin", "--page", "speed.md"])
    assert claims.main() == 0
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "dynamics", "--missing", "--page", "speed.md"])
    line = "gmm          ratio 9.5\n"
    assert claims.main() == 1
    assert asked == [f"core_dynamics.py --only {name}" for name in ("aum", "gmm", "beta")]
    text = Path("speed.md").read_text()
    assert "20.5 times aum's speed" in text
    assert "9.5 times scikit-learn's speed" in text
    assert "times the published steps' speed" not in text


def test_quick_leaves_out_what_is_slow(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--quick", "--list"])
    assert claims.main() == 0
    listed = capsys.readouterr().out.splitlines()
    slow = sum(claim.slow for claim in claims.CLAIMS)
    assert 0 < slow < len(claims.CLAIMS)
    assert len(listed) == len(claims.CLAIMS) - slow


curves = load("curves")


def test_growth_is_the_slope_beyond_an_idle_call():
    sizes = [100, 1_000, 10_000]
    assert curves.exponent([10, *sizes], [1, *(1 + 2e-4 * n**1.5 for n in sizes)]) == pytest.approx(1.5)
    assert curves.exponent(sizes, [1.0, 1.05, 1.2]) is None
    assert curves.exponent(sizes, [1.0, 3.0, 21.0]) == pytest.approx(1.0)


def test_runs_become_a_table(tmp_path):
    run = {"domain": "graph", "mib": 60, "ended": 0}
    rows = [{**run, "n": 300, "verb": "help", "cpu_seconds": 0.5}]
    seconds = {300: 3.5, 3_000: 5.5, 30_000: 23.5}
    rows += [{**run, "n": n, "verb": "detect", "cpu_seconds": value} for n, value in seconds.items()]
    rows += [{**run, "n": 300_000, "verb": "detect", "cpu_seconds": 31.0, "ended": "limit"}]
    lines = curves.markdown(rows)
    assert lines[0] == "| graph, nodes | 300 | 3,000 | 30,000 | 300,000 | seconds | MiB |"
    assert lines[3] == "| detect | 3.5 s, 60 | 5.5 s, 60 | 23.5 s, 60 | not within 31 s | n^1.00 | - |"
    pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib, which no extra brings")
    curves.plot(rows, tmp_path / "a" / "curves.svg")
    picture = (tmp_path / "a" / "curves.svg").read_text()
    assert "CPU seconds" in picture or "<svg" in picture


def test_nothing_to_measure_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--only", "no such thing"])
    with pytest.raises(SystemExit) as stopped:
        claims.main()
    assert stopped.value.code == 2
    assert "--list" in capsys.readouterr().err


budget = load("budget")


def test_every_piece_of_work_has_a_budget():
    assert json.loads(budget.BUDGET.read_text()).keys() == budget.WORK.keys()


@pytest.mark.parametrize(
    "name", [name for name in budget.WORK if name.startswith("core")] + ["graph: corrupt"]
)
def test_costs_stay_within_their_budget(name):
    now = budget.in_fresh_process(name)
    assert not budget.over_budget(now, json.loads(budget.BUDGET.read_text())[name])


def test_more_calls_or_more_memory_than_allowed_are_named():
    allowed = {"calls": 100, "mib": 2.0}
    assert not budget.over_budget({"calls": 129, "mib": 2.5}, allowed)
    assert budget.over_budget({"calls": 131, "mib": 2.5}, allowed) == ["calls 100 -> 131 (1.31x)"]
    assert "mib" in budget.over_budget({"calls": 1, "mib": 2.7}, allowed)[0]
    assert not budget.over_budget({"calls": 1, "mib": 0.4}, {"calls": 1, "mib": 0.1})


def test_a_loop_in_the_package_is_counted_and_one_outside_is_not():
    from labelnoise.core._issues_files import guard
    from labelnoise.core.noise_matrices import symmetric_transition

    few = budget._counted(lambda: symmetric_transition(3, 0.1))
    assert few > 0
    assert budget._counted(lambda: [len("") for _ in range(1000)]) == 0
    assert budget._counted(lambda: [guard("=") for _ in range(1000)]) >= 1000


PAGES = sorted((ROOT / "docs").glob("measured*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_section_that_states_a_cost_says_what_measures_it(page):
    sections = re.split(r"(?m)^## ", page.read_text(encoding="utf-8"))[1:]
    command = r"python (-m )?(benchmarks|experiments|labelnoise)|labelnoise \w+"
    for section in sections:
        if re.search(r"CPU seconds?\b|\bMiB\b|\bGiB\b|MP/s", section):
            assert re.search(command, section), f"{page.name}, {section.splitlines()[0]!r}: no command"
