import numpy as np
import pytest

from labelnoise.core.bench import cell as cell_module
from labelnoise.core.bench.cell import code_fingerprint, run_cell
from labelnoise.core.bench.run import make_tasks


@pytest.fixture
def run(small_grid):
    def one(method, dataset="disc", noise=None, **task_changes):
        cell_module.forget_data()
        grid = small_grid([method], [dataset], noise, seeds=1)
        name = method if isinstance(method, str) else method["name"]
        task = next(task for task in make_tasks(grid) if task["determined_by"]["cell"]["method"] == name)
        task["determined_by"].update(task_changes)
        return run_cell(task)

    return one


def test_a_record_holds_all_that_a_report_needs(run):
    record = run("strong")
    assert record["status"] == "ok", record["error"]
    result = record["result"]
    assert result["metrics"]["auroc"] > 0.75
    assert 0.5 < result["metrics"]["suggestion_accuracy"] <= 1
    assert result["data"]["n_units"] == result["data"]["n_scored"] == 240
    assert 0.1 < result["data"]["realised_rate"] < 0.3
    assert result["count"]["low"] < result["count"]["expected"] < result["count"]["high"]
    assert sum(row["count"] for row in result["reliability"]) == 240
    for name in ("realised", "drawn", "estimated"):
        assert np.sum(result["transition"][name], axis=1) == pytest.approx(np.ones(4))
    assert 0 < result["metrics"]["transition_error"] < 0.5
    assert record["cost"]["cpu_seconds"] >= 0
    assert record["cost"]["peak_rss_mib"] > 1
    assert {"python", "numpy", "labelnoise"} <= set(record["versions"])
    assert record["hardware"]["cores"] >= 1


def test_the_realised_transition_and_rate_agree(run):
    result = run("strong")["result"]
    transition = np.array(result["transition"]["realised"])
    assert 0.1 < 1 - np.diag(transition).mean() < 0.3
    assert np.abs(transition - result["transition"]["drawn"]).max() < 0.15


def test_the_oracle_is_perfect_and_flagging_nothing_is_not(run):
    assert run("oracle")["result"]["metrics"]["f1"] == 1
    assert run("oracle")["result"]["metrics"]["suggestion_accuracy"] == 1
    nothing = run("flag-nothing")["result"]["metrics"]
    assert (nothing["auroc"], nothing["f1"], nothing["suggestion_accuracy"]) == (0.5, 0, 0)


def test_own_noise_is_scored_as_it_came_and_simulated_noise_starts_from_the_truth(run):
    own = run("oracle", "planted", ["own"])["result"]
    assert own["data"]["realised_rate"] == pytest.approx(0.15, abs=0.05)
    simulated = run("oracle", "planted", [{"kind": "pair", "rates": [0.0]}])["result"]
    assert simulated["data"]["realised_rate"] == 0
    assert simulated["metrics"]["auroc"] is None
    assert "no true labels" in run("oracle", "disc", ["own"])["error"]


def test_options_reach_the_method(run):
    plain = run("strong")["result"]["metrics"]["expected"]
    soft = run({"name": "strong", "options": {"softness": 3.0}})["result"]["metrics"]["expected"]
    assert soft > plain
    assert "unexpected keyword" in run({"name": "strong", "options": {"colour": 1}})["error"]


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("fails", "ZeroDivisionError: nothing to divide by"),
        ("exits", "SystemExit: 3"),
        ("greedy", "changed the data set"),
    ],
)
def test_failures_are_records_with_a_sentence(run, method, error):
    record = run(method)
    assert record["status"] == "failed"
    assert error in record["error"]
    assert record["result"] is None
    if method == "fails":
        assert record["where"].startswith("labelnoise_fake_domain.py:")


def test_a_greedy_method_does_not_spoil_the_next_cell(run):
    before = run("strong")["result"]
    run("greedy")
    assert run("strong")["result"] == before


def test_other_data_or_other_code_on_the_worker_is_refused(run):
    assert "differs on this worker" in run("strong", data="0" * 40)["error"]
    assert "other code" in run("strong", code="0" * 20)["error"]


def test_missing_data_is_a_failed_record(run):
    record = run("strong", "gone")
    assert record["status"] == "failed"
    assert "the file went away" in record["error"]


def test_the_code_fingerprint_changes_with_the_code(fake_domain):
    first = code_fingerprint("fake")
    source = fake_domain / "labelnoise_fake_domain.py"
    text = source.read_text()
    try:
        source.write_text(text + "# edited\n")
        code_fingerprint.cache_clear()
        assert code_fingerprint("fake") != first
    finally:
        source.write_text(text)
        code_fingerprint.cache_clear()
    assert code_fingerprint("fake") == first


def test_cells_run_in_one_thread(run):
    # the method "threads" expects n / (threads of the busiest library) wrong labels
    assert run("threads")["result"]["metrics"]["expected"] == 240


def test_cost_counts_the_method_and_not_the_process(run):
    assert run({"name": "slow", "options": {"seconds": 0.2}})["cost"]["wall_seconds"] >= 0.2
    assert run("strong")["cost"]["wall_seconds"] < 0.2
