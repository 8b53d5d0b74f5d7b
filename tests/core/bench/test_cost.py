import os
import subprocess
import sys
import time

import numpy as np
import pytest

from labelnoise.core.bench.cost import THREAD_VARIABLES, Cost, hardware, one_thread, versions


def test_one_thread_sets_and_restores_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread():
        assert {os.environ[name] for name in THREAD_VARIABLES} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


@pytest.mark.slow
def test_torch_loaded_inside_gets_its_threads_back():
    pytest.importorskip("torch")
    code = (
        "from labelnoise.core.bench.cost import one_thread\n"
        "with one_thread():\n"
        "    import torch\n"
        "    assert torch.get_num_threads() == 1\n"
        "assert torch.get_num_threads() == 2, torch.get_num_threads()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "OMP_NUM_THREADS": "2"})


def test_cost_tells_work_from_waiting():
    cost = Cost()
    time.sleep(0.2)
    waited = cost.stop()
    assert waited["wall_seconds"] >= 0.2
    assert waited["cpu_seconds"] < 0.15
    cost = Cost()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    assert cost.stop()["cpu_seconds"] >= 0.15


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the peak of one cell is measured on Linux only"
)
def test_the_peak_is_this_cells_and_not_an_earlier_ones():
    cost = Cost()
    big = np.ones(25_000_000)
    first = cost.stop()
    del big
    cost = Cost()
    second = cost.stop()
    assert first["grown_rss_mib"] > 150
    assert second["peak_rss_mib"] < first["peak_rss_mib"] - 100


def test_machine_and_versions_name_no_one():
    facts = hardware()
    assert set(facts) == {"system", "cpu", "cores", "memory_gib", "gpu"}
    assert os.uname().nodename not in str(facts)
    assert versions()["numpy"] == np.__version__
