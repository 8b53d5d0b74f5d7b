import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from labelnoise.core.bench import run as run_module
from labelnoise.core.bench.grid import canonical_json
from labelnoise.core.bench.run import make_tasks, run_bench
from labelnoise.core.bench.store import Store
from labelnoise.core.progress import show_progress
from labelnoise.core.validation import InputError


def results(store):
    """What must not depend on how the cells were run, byte for byte."""
    return {
        canonical_json(row["determined_by"]): (row["status"], canonical_json({"result": row["result"]}))
        for row in store.records()
    }


def by_method(store):
    return {record["determined_by"]["cell"]["method"]: record for record in store.records()}


@pytest.fixture
def grid(small_grid):
    return small_grid(["strong", "weak", "noisy_blas"], seeds=2)


def test_results_do_not_depend_on_the_executor(grid, tmp_path):
    here = results(run_bench(grid, tmp_path / "here"))
    assert len(here) == len(grid) == 12
    assert {status for status, _ in here.values()} == {"ok"}
    assert results(run_bench(grid, tmp_path / "two", workers=2)) == here
    with ThreadPoolExecutor(1) as pool:
        assert results(run_bench(grid, tmp_path / "given", executor=pool)) == here


@pytest.mark.slow
def test_results_are_the_same_in_a_spawned_process_pool(grid, tmp_path):
    here = results(run_bench(grid, tmp_path / "here"))
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert results(run_bench(grid, tmp_path / "pool", executor=pool)) == here


@pytest.mark.slow
def test_results_are_the_same_on_a_dask_cluster_by_address(grid, tmp_path):
    distributed = pytest.importorskip("distributed", reason="install labelnoise[cluster]")
    here = results(run_bench(grid, tmp_path / "here"))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        store = run_bench(grid, tmp_path / "dask", cluster=cluster.scheduler_address)
    assert results(store) == here


def test_a_second_run_does_nothing_and_a_larger_grid_only_the_rest(small_grid, tmp_path, monkeypatch):
    ran = []
    real = run_module.run_cell
    monkeypatch.setattr(run_module, "run_cell", lambda task: ran.append(task["key"]) or real(task))
    run_bench(small_grid(["strong"]), tmp_path)
    first = len(ran)
    store = run_bench(small_grid(["strong"]), tmp_path)
    assert len(ran) == first
    run_bench(small_grid(["strong", "weak"]), tmp_path)
    assert len(ran) == first + 2
    next(iter(store.cells.iterdir())).write_text('{"trunc')
    with pytest.warns(RuntimeWarning, match="counts as not run"):
        run_bench(small_grid(["strong", "weak"]), tmp_path)
    assert len(ran) == first + 3
    assert store.verify() == []


def test_edited_data_is_run_again(small_grid, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("disc")
    run_bench(small_grid([], [str(file)], seeds=1), tmp_path / "out")
    file.write_text("ring")
    store = run_bench(small_grid([], [str(file)], seeds=1), tmp_path / "out")
    assert len(store) == 6
    assert len({record["determined_by"]["data"] for record in store.records()}) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_finished_and_the_next_run_goes_on(small_grid, tmp_path, workers):
    grid = small_grid(["strong", "weak"], seeds=2)

    class Impatient:
        def track(self, items, description, total):
            for done, item in enumerate(items):
                yield item
                if description == "benchmark cells" and done == 2:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), show_progress(Impatient()):
        run_bench(grid, tmp_path, workers=workers)
    store = Store(tmp_path)
    assert store.verify() == []
    assert 2 <= len(store) < len(grid)
    assert store.counts() == {"ok": len(store)}
    assert len(run_bench(grid, tmp_path, workers=workers)) == len(grid)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_loses_no_finished_cell_and_leaves_no_process(tmp_path, workers):
    script = tmp_path / "go.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from labelnoise.core.bench.grid import parse_grid\n"
        "from labelnoise.core.bench.run import run_bench\n"
        "block = {'domain': 'fake', 'datasets': ['disc'], 'noise': [{'kind': 'pair', 'rates': [0.1]}],"
        " 'methods': ['strong', {'name': 'slow', 'options': {'seconds': 60}}]}\n"
        "grid = parse_grid({'name': 'k', 'seeds': 1, 'block': [block]})\n"
        "run_bench(grid, Path(sys.argv[1]), workers=int(sys.argv[2]))\n"
    )
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, str(script), str(out), str(workers)])
    store = Store(out)
    wait_for(lambda: len(store) == 4)  # three trivial ones and "strong"; "slow" is asleep
    children = list(Path("/proc", str(process.pid), "task").glob("*/children"))
    running = [int(pid) for file in children for pid in file.read_text().split()]
    assert len(running) == (workers if workers > 1 and children else 0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(store) == 4
    assert store.verify() == []
    wait_for(lambda: not any(alive(pid) for pid in running))


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    stat = Path("/proc", str(pid), "stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_timeouts_and_crashes_are_rows_and_the_others_finish(small_grid, tmp_path):
    grid = small_grid(["slow", "dies", "fails", "chatty", "strong"], seeds=1)
    started = time.monotonic()
    store = run_bench(grid, tmp_path, timeout=1.0)
    assert time.monotonic() - started < 30
    rows = by_method(store)
    assert len(rows) == len(grid) == 8
    assert rows["slow"]["status"] == "timeout"
    assert "No result after 1 s" in rows["slow"]["error"]
    assert rows["dies"]["status"] == "failed"
    assert "SIGKILL" in rows["dies"]["error"]
    assert "a last word" in rows["dies"]["error"]
    assert rows["fails"]["error"] == "ZeroDivisionError: nothing to divide by"
    for method in ("chatty", "strong", "oracle", "random", "flag-nothing"):
        assert rows[method]["status"] == "ok", rows[method]["error"]


def test_failed_cells_are_tried_again_and_timeouts_only_under_a_longer_limit():
    def record(status, seconds=None):
        return {"status": status, "cost": {"wall_seconds": seconds}}

    settled = run_module._settled
    assert not settled(None, None, True)
    assert settled(record("ok"), None, True)
    assert not settled(record("failed"), None, True)
    assert settled(record("failed"), None, False)
    assert settled(record("timeout", 5.0), 5.0, True)
    assert not settled(record("timeout", 5.0), 6.0, True)
    assert not settled(record("timeout", 5.0), None, True)


def test_an_executor_that_loses_its_workers_gives_failed_rows(small_grid, tmp_path):
    class Broken(ThreadPoolExecutor):
        def submit(self, function, task, limit):
            future = Future()
            future.set_exception(RuntimeError("the node is gone"))
            return future

    grid = small_grid(["strong"], seeds=1)
    with Broken(1) as pool:
        store = run_bench(grid, tmp_path, executor=pool)
    assert store.counts() == {"failed": len(grid)}
    assert by_method(store)["strong"]["error"] == "RuntimeError: the node is gone"


def test_data_that_cannot_be_loaded_fails_its_cells_alone(small_grid, tmp_path):
    store = run_bench(small_grid([], ["gone", "disc"], seeds=1), tmp_path)
    assert store.counts() == {"failed": 3, "ok": 3}


def test_the_key_depends_on_cell_data_and_code(small_grid, monkeypatch):
    first = make_tasks(small_grid(["strong"], seeds=1))
    assert len({task["key"] for task in first}) == len(first)
    assert [task["key"] for task in make_tasks(small_grid(["strong"], seeds=1))] == [
        task["key"] for task in first
    ]
    monkeypatch.setattr(run_module, "code_fingerprint", lambda domain: "edited")
    assert not {task["key"] for task in make_tasks(small_grid(["strong"], seeds=1))} & {
        task["key"] for task in first
    }


def test_workers_find_the_package_wherever_they_are_started(small_grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(os.environ["PYTHONPATH"].split(os.pathsep)[1])
    store = run_bench(small_grid([], seeds=1), tmp_path / "out", workers=2)
    assert store.counts() == {"ok": 3}


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"workers": 0}, "at least 1"),
        ({"timeout": 0}, "above 0"),
        ({"cluster": "tcp://x:1", "executor": object()}, "choose one"),
    ],
)
def test_bad_arguments_are_refused(small_grid, tmp_path, kwargs, message):
    with pytest.raises(InputError, match=message):
        run_bench(small_grid(), tmp_path, **kwargs)


def test_a_cluster_that_is_not_there_is_one_sentence(small_grid, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="install labelnoise[cluster]")
    monkeypatch.setattr(run_module, "CONNECT_SECONDS", 0.5)
    with pytest.raises(InputError, match="cannot be reached"):
        run_bench(small_grid(), tmp_path, cluster="tcp://127.0.0.1:9")


def test_a_typo_in_the_grid_stops_before_anything_is_written(small_grid, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'strong'"):
        run_bench(small_grid(["stong"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_are_plain_json(small_grid, tmp_path):
    store = run_bench(small_grid(["strong"], seeds=1), tmp_path)
    for path in store.cells.iterdir():
        record = json.loads(path.read_text())
        assert {"determined_by", "status", "result", "cost", "versions", "hardware", "checksum"} <= set(
            record
        )
