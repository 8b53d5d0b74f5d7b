import json
import shutil

import pytest

from labelnoise.core.bench.grid import parse_grid
from labelnoise.core.bench.measures import BENCH_METRICS
from labelnoise.core.bench.run import run_bench
from labelnoise.core.bench.store import Store
from labelnoise.core.bench.summary import _pool, summarise
from labelnoise.core.validation import InputError

SEVEN = ("cross", "disc", "moon", "ring", "spiral", "square", "star")


def grid(datasets=("disc", "ring"), methods=("strong", "sure", "weak"), seeds=3, rates=(0.1, 0.3)):
    blocks = [
        {"domain": "fake", "datasets": list(datasets), "methods": list(methods),
         "noise": [{"kind": "symmetric", "rates": list(rates)}]},
        {"domain": "fake", "datasets": ["planted"], "methods": list(methods), "noise": ["own"]},
    ]  # fmt: skip
    return parse_grid({"name": "s", "seeds": seeds, "block": blocks})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    run_bench(grid(methods=("strong", "sure", "weak", "fails")), folder)
    return folder


@pytest.fixture(scope="module")
def summary(folder):
    return summarise(Store(folder))


def test_it_is_plain_json_and_the_same_every_time(summary, folder):
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text) == summary
    assert json.dumps(summarise(Store(folder))) == text


def test_means_equal_the_cells(summary, folder):
    cells = [
        record["result"]["metrics"]["auroc"]
        for record in Store(folder).records()
        if (cell := record["determined_by"]["cell"])["method"] == "weak"
        and (cell["dataset"], cell["rate"]) == ("disc", 0.3)
    ]
    (row,) = [
        row
        for row in summary["domains"][0]["results"]
        if (row["method"], row["setting"]) == ("weak", "disc, symmetric 30%")
    ]
    assert sorted(row["metrics"]["auroc"]["values"]) == sorted(cells)
    assert row["metrics"]["auroc"]["mean"] == pytest.approx(sum(cells) / 3)
    assert row["metrics"]["auroc"]["low"] < row["metrics"]["auroc"]["mean"]
    assert row["seeds"] == [0, 1, 2]


def test_order_trivial_methods_last_and_own_noise_named(summary):
    domain = summary["domains"][0]
    labels = [method["label"] for method in domain["methods"]]
    assert labels[-3:] == ["flag-nothing", "random", "oracle"]
    assert labels.index("strong") < labels.index("weak")
    assert [row["label"] for row in domain["settings"]] == [
        "disc, symmetric 10%",
        "disc, symmetric 30%",
        "planted, own noise",
        "ring, symmetric 10%",
        "ring, symmetric 30%",
    ]
    assert domain["unit"] == "point"
    assert domain["methods"][0]["summary"] == "A detector."


def test_each_setting_has_one_best_and_no_trivial_winner(summary):
    domain = summary["domains"][0]
    for setting in domain["settings"]:
        rows = [row for row in domain["results"] if row["setting"] == setting["label"]]
        marks = {row["method"]: row["metrics"]["auroc"]["mark"] for row in rows}
        assert list(marks.values()).count("best") == 1
        assert marks["oracle"] is marks["random"] is marks["flag-nothing"] is None


def test_failures_are_listed_and_never_in_the_means(summary):
    assert len(summary["failures"]) == summary["header"]["cells"]["failed"] == 15
    assert summary["failures"][0]["error"] == "ZeroDivisionError: nothing to divide by"
    domain = summary["domains"][0]
    rows = [row for row in domain["results"] if row["method"] == "fails"]
    assert all(row["failed"] == 3 and row["metrics"]["auroc"]["mean"] is None for row in rows)
    loss = next(row for row in domain["losses"] if row["method"] == "fails")
    assert (loss["failed_cells"], loss["settings"]) == (15, 0)
    assert all("fails" in comparison["left_out"] for comparison in domain["comparisons"])


def test_few_data_sets_are_called_underpowered(summary):
    comparison = summary["domains"][0]["comparisons"][0]
    assert comparison["datasets"] == ["disc", "planted", "ring"]
    assert comparison["result"]["underpowered"].startswith("fewer than 6 data sets (3)")
    overall = {row["method"]: row for row in summary["domains"][0]["overall"]}
    assert overall["strong"]["metrics"]["auroc"]["n_datasets"] == 3
    assert overall["fails"]["metrics"]["auroc"] is None
    assert overall["oracle"]["metrics"]["auroc"]["mean"] == 1


def test_enough_data_sets_tell_methods_apart(tmp_path):
    run_bench(grid(SEVEN, ("strong", "weak"), seeds=2, rates=(0.2,)), tmp_path)
    result = summarise(Store(tmp_path))["domains"][0]["comparisons"][0]["result"]
    assert result["underpowered"] == ""
    assert result["methods"] == ["strong", "weak"]
    assert result["pairs"][0]["p_holm"] < 0.05
    assert result["groups"] == [["strong"], ["weak"]]


def test_losses_are_counted(summary):
    losses = {row["method"]: row for row in summary["domains"][0]["losses"]}
    assert losses["weak"]["best_or_tied"] + losses["weak"]["clearly_worse"] == losses["weak"]["settings"] == 5
    assert losses["weak"]["clearly_worse"] > 0
    assert losses["weak"]["widest_gap"]["gap"] > 0
    assert losses["weak"]["widest_gap"]["winner"] != "weak"
    assert losses["sure"]["counts"]["intervals"] == 15
    assert losses["weak"]["counts"]["settings"] == 0


def test_the_newest_run_of_a_cell_counts_and_damage_is_told(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    store = Store(tmp_path / "copy")
    record = next(row for row in store.records() if row["determined_by"]["cell"]["method"] == "strong")
    record["determined_by"]["code"] = "other"
    record["finished"] = "2999-01-01T00:00:00+00:00"
    record["result"]["metrics"]["auroc"] = 0.123
    store.put(record)
    store.path("f" * 40).write_text("{")
    found = summarise(store)
    assert found["header"]["cells"]["superseded"] == 1
    assert len(found["header"]["cells"]["damaged"]) == 1
    assert len(found["header"]["code"]) == 2
    values = [value for row in found["domains"][0]["results"] for value in row["metrics"]["auroc"]["values"]]
    assert values.count(0.123) == 1


def test_header_states_what_was_run(summary):
    header = summary["header"]
    assert header["seeds"] == [0, 1, 2]
    assert [row["dataset"] for row in header["data"]] == ["disc", "planted", "ring"]
    assert all(len(row["hash"]) == 40 and row["n_units"] == 240 for row in header["data"])
    assert header["cost"]["cpu_seconds"] >= 0
    assert len(header["versions"]["python"]) == 1


def test_pooled_bins_keep_every_unit():
    one = [
        {"claimed": 0.1 * i, "wrong": i, "count": 10, "realised": i / 10, "low": 0, "high": 1}
        for i in range(10)
    ]
    pooled = _pool([one, None, one, one])
    assert len(pooled) == 10
    assert sum(row["count"] for row in pooled) == 300
    assert [row["realised"] for row in pooled] == pytest.approx([row["realised"] for row in one])
    assert _pool([None, None]) is None
    lump = {"claimed": 0, "wrong": 1, "count": 1000, "realised": 0.001, "low": 0, "high": 1}
    assert len(_pool([[lump, *one[5:]]])) <= 3


def test_every_measure_has_a_name_and_a_direction():
    assert {info.better for info in BENCH_METRICS.values()} == {"", "high", "low", "one"}
    assert len({info.label for info in BENCH_METRICS.values()}) == len(BENCH_METRICS)


def test_an_empty_store_is_refused(tmp_path):
    with pytest.raises(InputError, match="no benchmark results"):
        summarise(Store(tmp_path))
    Store(tmp_path).cells.mkdir(parents=True)
    with pytest.raises(InputError, match="no sound"):
        summarise(Store(tmp_path))
