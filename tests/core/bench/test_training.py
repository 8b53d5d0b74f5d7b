"""Cells that train: the truth stays hidden, gains are paired, real noise stands beside matched noise."""

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.bench import training
from labelnoise.core.bench.gains import share_of_gap
from labelnoise.core.bench.grid import load_grid, parse_grid
from labelnoise.core.bench.run import run_bench
from labelnoise.core.bench.store import Store
from labelnoise.core.bench.summary import method_label, summarise
from labelnoise.core.bench.training import test_scores as scores_on_test
from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import get_domain, score_row
from labelnoise.core.truth import blind, realised_transition
from labelnoise.core.validation import InputError


@pytest.fixture(scope="module")
def summary(tmp_path_factory):
    block = {
        "domain": "fake",
        "datasets": ["planted"],
        "noise": ["own", "matched", {"kind": "symmetric", "rates": [0.4]}],
        "methods": ["strong", "weak"],
        "trainers": ["robust", "constant", "short"],
    }
    folder = tmp_path_factory.mktemp("store")
    return summarise(run_bench(parse_grid({"name": "t", "seeds": 3, "block": [block]}), folder))


def part(summary, task):
    (found,) = [domain for domain in summary["domains"] if domain["task"] == task]
    return found


def row(summary, method, setting="planted, symmetric 40%"):
    (found,) = [
        row
        for row in part(summary, "train")["results"]
        if row["method"] == method and row["setting"] == setting
    ]
    return found


def test_detection_and_training_stand_apart(summary):
    assert [(domain["domain"], domain["task"]) for domain in summary["domains"]] == [
        ("fake", "detect"),
        ("fake", "train"),
    ]
    labels = [method["label"] for method in part(summary, "train")["methods"]]
    assert labels[-2:] == ["most-frequent", "clean-labels"]
    assert {"plain", "robust", "constant"} < set(labels[:-2])


def test_true_labels_are_the_ceiling_and_gains_are_paired(summary):
    plain, robust, clean = (row(summary, name)["metrics"] for name in ("plain", "robust", "clean-labels"))
    assert plain["score"]["mean"] < robust["score"]["mean"]
    assert plain["score"]["mean"] < clean["score"]["mean"]
    expected = np.subtract(robust["score"]["values"], plain["score"]["values"])
    assert robust["gain"]["values"] == pytest.approx(expected.tolist())
    assert plain["gain"]["values"] == [0, 0, 0]
    share = share_of_gap(part(summary, "train")["results"], "planted, symmetric 40%", "robust")
    gap = clean["score"]["mean"] - plain["score"]["mean"]
    assert share == pytest.approx(robust["gain"]["mean"] / gap)


def test_a_trainer_below_plain_is_listed(summary):
    losses = {loss["method"]: loss for loss in part(summary, "train")["losses"]}
    assert "planted, own noise" in losses["constant"]["below_plain"]
    assert losses["plain"]["below_plain"] == []
    assert losses["robust"]["widest_gap"] is None or losses["robust"]["widest_gap"]["gap"] > 0


def test_a_trainer_that_skips_units_fails(summary):
    errors = {failure["error"] for failure in summary["failures"]}
    assert errors == {"plain predicted 239 of 240 units; it must predict each."}
    assert {failure["task"] for failure in summary["failures"]} == {"train"}


def test_own_noise_stands_beside_matched_noise(summary):
    pairs = {(pair["task"], pair["method"]): pair for pair in summary["across"]["real"]}
    assert {("detect", "strong"), ("train", "plain"), ("train", "clean-labels")} <= set(pairs)
    strong = pairs["detect", "strong"]
    assert abs(strong["rates"][0] - strong["rates"][1]) < 0.06
    auroc = strong["measures"]["auroc"]
    assert auroc["difference"] == pytest.approx(auroc["real"]["mean"] - auroc["simulated"]["mean"])


def test_standing_ranks_only_who_competes(summary):
    rows = [row for row in summary["across"]["standing"] if row["task"] == "train"]
    assert all((row["rank"] is None) == row["trivial"] for row in rows)
    assert min(row["rank"] for row in rows if row["rank"]) >= 1
    assert all(row["settings"] == 3 for row in rows)


def test_matched_noise_has_the_rate_and_the_confusions_of_the_data():
    domain = get_domain("fake")
    data = domain.load("planted")
    own = realised_transition(data.true, data.given, data.n_classes)
    drawn = [domain.corrupt_alike(data, seed=seed) for seed in range(40)]
    assert np.allclose(drawn[0][1].transition, own)
    rates = [made.rate for _, made in drawn]
    assert np.mean(rates) == pytest.approx((data.true != data.given).mean(), abs=0.02)
    assert (drawn[0][0].true == data.true).all()
    with pytest.raises(InputError, match="no true labels"):
        domain.corrupt_alike(domain.load("disc"), seed=0)


@pytest.mark.parametrize("noise", ["matched", "symmetric"])
def test_hidden_test_labels_stay_known_under_simulated_noise(noise, monkeypatch):
    from labelnoise.core.bench import cell

    data = get_domain("fake").load("planted")
    hidden = np.arange(data.n_units) % 3 == 0
    monkeypatch.setattr(
        cell, "_clean_data", lambda *_: (replace(data, given=np.where(hidden, -1, data.given)), "")
    )
    made, _ = cell._noisy_data.__wrapped__("fake", "planted", noise, 0.2, "{}", 0)
    assert (made.given[hidden] == -1).all()
    assert (made.true == data.true).all()
    assert (made.given != made.true)[~hidden].mean() > 0.1


def test_nothing_known_is_no_true_label():
    domain = get_domain("fake")
    data = domain.load("planted")
    blank = np.arange(data.n_units) % 2 == 0
    unknown = replace(data, given=np.where(blank, -1, data.given), true=np.where(blank, -1, data.true))
    made = domain.train(blind(unknown), method="plain")
    assert score_row(unknown, made, "test", blank)["labels"] == "given"
    with pytest.raises(InputError, match="without a true label"):
        scores_on_test(_Blank(blank), unknown, made)


class _Blank:
    """A modality whose test split is where nothing is known, and whose measure is 0 there."""

    def __init__(self, rows):
        self.rows = rows

    def training_scores(self, data, trained):
        return [{**score_row(data, trained, "test", self.rows), "score": 0.0}]

    def training_measure(self, data):
        return "score"


def test_no_test_split_no_score():
    domain = get_domain("fake")
    data = domain.load("disc")
    with pytest.raises(InputError, match="without a true label"):
        training.test_scores(domain, data, training.most_frequent(domain, data))


def test_the_quick_grid_has_both_tasks_in_all_modalities():
    grid = load_grid(builtin="quick")
    assert {(cell.domain, cell.task) for cell in grid.cells} == {
        (domain, task)
        for domain in ("audio", "graph", "segmentation", "text")
        for task in ("detect", "train")
    }


def test_finished_training_cells_do_not_run_again(tmp_path):
    block = {"domain": "fake", "datasets": ["disc"], "noise": [{"kind": "pair", "rates": [0.2]}]}
    grid = parse_grid({"name": "t", "seeds": 1, "block": [{**block, "trainers": ["robust"]}]})
    store = run_bench(grid, tmp_path)
    first = {key: store.read(key)["finished"] for key in store.names()}
    run_bench(grid, tmp_path)
    assert {key: Store(tmp_path).read(key)["finished"] for key in store.names()} == first
    assert len(first) == 4


def test_plain_training_gets_the_options_of_its_block():
    block = {
        "domain": "fake",
        "datasets": ["planted"],
        "noise": ["own"],
        "trainers": ["robust"],
        "plain_training": {"epochs": 3},
    }
    cells = {cell.method: cell for cell in parse_grid({"name": "t", "seeds": 1, "block": [block]}).cells}
    assert {name: cell.method_options for name, cell in cells.items()} == {
        "most-frequent": {},
        "plain": {"epochs": 3},
        "clean-labels": {"epochs": 3},
        "robust": {},
    }
    assert method_label(cells["plain"].to_json()) == "plain"
    with pytest.raises(InputError, match="plain_training"):
        parse_grid({"name": "t", "seeds": 1, "block": [{**block, "plain_training": 3}]})


def test_plain_training_hands_its_options_on():
    seen = {}

    class Spy:
        plain_trainer = "plain"

        def train(self, dataset, **options):
            seen.update(options, given=dataset.given.tolist())

    data = Dataset(name="d", given=np.array([1, 0]), class_names=("a", "b"), true=np.array([1, 1]))
    training.train_on_truth(Spy(), data, 4, epochs=3)
    assert seen == {"method": "plain", "seed": 4, "epochs": 3, "given": [1, 1]}
