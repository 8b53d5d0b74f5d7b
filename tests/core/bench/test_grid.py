from itertools import pairwise

import pytest

from labelnoise.core.bench.baselines import TRIVIAL
from labelnoise.core.bench.grid import (
    GRIDS,
    Cell,
    Grid,
    canonical_json,
    digest,
    load_grid,
    parse_grid,
    validate_grid,
)
from labelnoise.core.domain import local_source
from labelnoise.core.validation import InputError

BLOCK = {"domain": "fake", "datasets": ["disc"], "noise": ["own"], "methods": ["strong"]}


def raw(**changes):
    block = {**BLOCK, **changes}
    return {
        "name": "g",
        "seeds": 1,
        "block": [{key: value for key, value in block.items() if value is not None}],
    }


def test_cells_are_the_product_with_trivial_methods_in_each_setting():
    grid = parse_grid(
        raw(
            datasets=["disc", "ring"],
            noise=["own", {"kind": "pair", "rates": [0.1, 0.2]}],
            methods=["strong", {"name": "strong", "options": {"softness": 0.1}}],
            seeds=[3, 5],
        )
    )
    assert len(grid) == 2 * 3 * 2 * (2 + len(TRIVIAL))
    assert {cell.seed for cell in grid.cells} == {3, 5}
    assert {cell.method for cell in grid.cells} == {"strong", *TRIVIAL}
    assert {cell.rate for cell in grid.cells if cell.noise == "own"} == {None}


def test_cells_round_trip_and_equal_cells_have_equal_text():
    cell = parse_grid(raw()).cells[-1]
    assert Cell.from_json(cell.to_json()) == cell
    shuffled = dict(reversed(list(cell.to_json().items())))
    assert canonical_json(shuffled) == canonical_json(cell.to_json())


def test_the_config_hash_ignores_order_and_sees_every_change():
    grid = parse_grid(raw(noise=[{"kind": "pair", "rates": [0.1, 0.2]}]))
    assert Grid("other", tuple(reversed(grid.cells))).config_hash == grid.config_hash
    assert parse_grid(raw(noise=[{"kind": "pair", "rates": [0.1, 0.3]}])).config_hash != grid.config_hash
    assert len(digest({})) == 40


def test_overlapping_blocks_give_each_cell_once_and_keep_shared_data_together():
    one = raw(noise=[{"kind": "pair", "rates": [0.1]}])
    two = {
        **one,
        "block": [*one["block"], *raw(datasets=["ring", "disc"], methods=["weak"])["block"], *one["block"]],
    }
    grid = parse_grid(two)
    texts = [canonical_json(cell.to_json()) for cell in grid.cells]
    assert len(set(texts)) == len(texts)
    settings = [(cell.dataset, cell.noise, cell.seed) for cell in grid.cells]
    assert sum(a != b for a, b in pairwise(settings)) == len(set(settings)) - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"methds": ["strong"]}, "Did you mean 'methods'"),
        ({"methods": None}, "neither 'methods' nor 'trainers'"),
        ({"methods": "strong"}, "list is needed"),
        ({"methods": [3]}, "give a name"),
        ({"noise": ["pair"]}, "no rates"),
        ({"noise": [{"kind": "pair", "rates": [1.5]}]}, "must lie from 0 to 1"),
        ({"noise": [{"kind": "own", "rates": [0.1]}]}, "came with"),
        ({"noise": [{"kind": "pair", "rate": 0.1}]}, "Did you mean 'rates'"),
        ({"seeds": 0}, "at least one"),
        ({"seeds": [-1]}, "at least one"),
        ({"seeds": True}, "number or a list"),
        ({"datasets": []}, "no cell"),
    ],
)
def test_mistakes_in_a_grid_are_named(change, message):
    with pytest.raises(InputError, match=message):
        parse_grid(raw(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"domain": "fish"}, "Unknown domain"),
        ({"datasets": ["disk"]}, "Did you mean 'disc'"),
        ({"methods": ["stronk"]}, "Did you mean 'strong'"),
        ({"noise": [{"kind": "pairs", "rates": [0.1]}]}, "Did you mean 'pair'"),
    ],
)
def test_names_that_the_domain_does_not_know_are_refused_before_anything_runs(change, message):
    with pytest.raises(InputError, match=message):
        validate_grid(parse_grid(raw(**change)))


def test_grid_files(tmp_path):
    path = tmp_path / "g.toml"
    path.write_text(
        'name = "mine"\nseeds = 1\n[[block]]\ndomain = "fake"\n'
        'datasets = ["disc"]\nnoise = ["own"]\nmethods = []\n'
    )
    assert load_grid(path).name == "mine"
    assert len(load_grid(path, domains=["fake"])) == len(TRIVIAL)
    with pytest.raises(InputError, match="Unknown domain"):
        load_grid(path, domains=["text"])
    with pytest.raises(InputError, match="choose one"):
        load_grid(path, builtin="quick")
    with pytest.raises(InputError, match="There is no file"):
        load_grid(tmp_path / "none.toml")
    path.write_text("name = ")
    with pytest.raises(InputError, match="not valid TOML"):
        load_grid(path)


@pytest.mark.parametrize("name", GRIDS)
def test_built_in_grids_parse_and_have_at_least_three_seeds(name):
    grid = load_grid(builtin=name)
    assert grid.name == name
    assert len({cell.seed for cell in grid.cells}) >= 3
    assert {"flag-nothing", "random", "oracle"} <= {cell.method for cell in grid.cells}


def test_a_pattern_stands_for_local_data_sets_and_a_path_below_the_local_folder_is_found(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("LABELNOISE_DATA", str(tmp_path))
    folder = tmp_path / "fake" / "real-noise"
    folder.mkdir(parents=True)
    for name in ("b.npz", "a.npz", ".hidden"):
        (folder / name).touch()
    grid = parse_grid(
        {"name": "g", "seeds": 1, "block": [{**BLOCK, "datasets": ["real-noise/*", "disc", "none/*"]}]}
    )
    assert {cell.dataset for cell in grid.cells} == {"real-noise/a.npz", "real-noise/b.npz", "disc"}
    validate_grid(grid)
    assert local_source("fake", "real-noise/a.npz") == str(folder / "a.npz")
    assert local_source("fake", "real-noise/c.npz") == "real-noise/c.npz"
    assert local_source("fake", "a.npz") == "a.npz"


@pytest.mark.parametrize("pattern", ["../*", "/*"])
def test_a_pattern_stays_in_the_local_folder(pattern, tmp_path, monkeypatch):
    monkeypatch.setenv("LABELNOISE_DATA", str(tmp_path))
    (tmp_path / "fake").mkdir()
    with pytest.raises(InputError, match="leaves the folder"):
        parse_grid({"name": "g", "seeds": 1, "block": [{**BLOCK, "datasets": [pattern]}]})


def test_sets_under_if_here_are_left_out_where_they_are_not(monkeypatch):
    from labelnoise.core.domain import get_domain

    monkeypatch.setattr(type(get_domain("fake")), "is_here", lambda self, name: name == "ring")
    block = {**BLOCK, "datasets": ["disc"], "if_here": ["ring", "gone"]}
    assert {cell.dataset for cell in parse_grid({"name": "g", "seeds": 1, "block": [block]}).cells} == {
        "disc",
        "ring",
    }
