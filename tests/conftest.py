"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def real_data() -> Path:
    """The folder with real data sets, or a skip with the reason."""
    return Path(
        os.environ.get("LABELNOISE_DATA") or pytest.skip("set LABELNOISE_DATA to the folder with real data")
    )
