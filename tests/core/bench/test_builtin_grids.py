"""The grids that ship with the package name only what the installed modalities know."""

import importlib.util

import pytest

from labelnoise.core.bench.grid import GRIDS, load_grid, validate_grid
from labelnoise.core.domain import domain_names


@pytest.mark.parametrize("name", GRIDS)
def test_built_in_grids_name_only_what_the_domains_know(name):
    grid = load_grid(builtin=name)
    missing = set(grid.domains) - set(domain_names())
    if missing:
        pytest.skip(f"not installed: {', '.join(sorted(missing))}")
    for domain in grid.domains:
        if importlib.util.find_spec(f"labelnoise.{domain}.data") is None:
            pytest.skip(f"labelnoise.{domain} has no data sets")
    validate_grid(grid)
