"""Same seed, same answer with 1 and 2 threads and in 1 and 2 processes: some methods here, all by the script."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.domain import get_domain

ROOT = Path(__file__).resolve().parent.parent

#: Quick ones that use linear algebra, a network and trees; all of them where LABELNOISE_ALL_METHODS is set.
SOME = {
    "graph": ["detect:confident-learning", "detect:votes+sgc", "train:sgc-lr"],
    "text": ["detect:confident-learning", "train:plain"],
}
EVERYTHING = bool(os.environ.get("LABELNOISE_ALL_METHODS"))


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("determinism", ROOT / "benchmarks" / "determinism.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["determinism"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["determinism"]


@pytest.mark.slow
@pytest.mark.parametrize("domain", ("graph", "text", "audio", "segmentation") if EVERYTHING else SOME)
def test_threads_and_processes_do_not_change_an_answer(script, domain):
    pytest.importorskip("torch")
    wanted = script.methods(domain) if EVERYTHING else SOME[domain]
    allowed = script.exceptions()
    for method, threads, processes, refused in script.compare(domain, wanted):
        limit = script.listed(allowed, domain, method)
        assert threads <= limit, (method, threads)
        assert processes <= limit, (method, processes)
        assert EVERYTHING or not refused, method


def test_exceptions_are_listed_in_one_place_and_exist(script):
    listed = script.exceptions()
    for (domain, method), size in listed.items():
        assert fnmatch.filter(script.methods(domain), method)
        assert 0 < size < 1
    for domain in script.DOMAINS:
        assert set(SOME.get(domain, ())) <= set(script.methods(domain))
        assert len(script.methods(domain)) == len(get_domain(domain).detectors) + len(
            get_domain(domain).trainers
        )


def test_a_difference_is_found(script, tmp_path):
    x = np.array([0.5, np.nan])
    np.savez(tmp_path / "a.npz", quality=x)
    np.savez(tmp_path / "same.npz", quality=x.copy())
    np.savez(tmp_path / "near.npz", quality=np.nextafter(x, 1))
    np.savez(tmp_path / "other.npz", probs=x)
    assert script.difference(tmp_path / "a.npz", tmp_path / "same.npz") == 0
    assert 0 < script.difference(tmp_path / "a.npz", tmp_path / "near.npz") < 1e-15
    assert script.difference(tmp_path / "a.npz", tmp_path / "other.npz") == np.inf
