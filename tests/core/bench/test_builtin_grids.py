"""The grids that ship with the package name only what the installed modalities know."""

import importlib.util

import pytest

from labelnoise.core.bench.grid import load_grid, validate_grid
from labelnoise.core.domain import domain_names


@pytest.mark.parametrize("quick", [True, False])
def test_built_in_grids_name_only_what_the_domains_know(quick):
    grid = load_grid(quick=quick)
    missing = set(grid.domains) - set(domain_names())
    if missing:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    for name in grid.domains:
        if importlib.util.find_spec(f"labelnoise.{name}.data") is None:
            pytest.skip(f"labelnoise.{name} has no data sets")
    validate_grid(grid)
