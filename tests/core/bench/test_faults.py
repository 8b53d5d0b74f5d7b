"""A benchmark under faults: killed, out of memory, out of disk, twice at once, with a clock that goes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.bench import cell as cell_module
from labelnoise.core.bench.grid import canonical_json, parse_grid
from labelnoise.core.bench.run import run_bench
from labelnoise.core.bench.store import Store
from labelnoise.core.cli import build_root, run
from tests.faults import failing, largest_file, needs_posix, one_sentence, read_only, until

ALL = bool(os.environ.get("LABELNOISE_ALL_FAULTS"))
KILLS = 20

pytestmark = needs_posix

CONFIG = """
name = "faults"
seeds = 2
[[block]]
domain = "fake"
datasets = ["disc"]
noise = [{ kind = "symmetric", rates = [0.2] }]
methods = ["strong", "weak"]
"""


def results(store):
    """What must not depend on how the cells were run, byte for byte."""
    return {
        canonical_json(row["determined_by"]): canonical_json(
            {"status": row["status"], "result": row["result"]}
        )
        for row in store.records()
    }


def sound(store, cells):
    assert store.verify() == []
    assert len(store) == cells
    assert store.counts() == {"ok": cells}
    assert not list(store.cells.glob(".*"))


@pytest.fixture
def bench(tmp_path, monkeypatch, capsys):
    """``bench()`` runs the command on a small grid: exit code, standard error without the log."""
    monkeypatch.chdir(tmp_path)
    Path("grid.toml").write_text(CONFIG)

    def call(out="store", *more):
        capsys.readouterr()
        code = run(build_root, ["bench", "--config", "grid.toml", "--out", str(out), *more])
        err = capsys.readouterr().err
        return code, "".join(line for line in err.splitlines(True) if "are in the store" not in line)

    return call


def test_a_full_disk_ends_the_run_by_a_sentence_and_the_next_goes_on(bench):
    for at in (1, 5):
        with failing("fsync", at):
            code, err = bench()
        assert code == 2
        assert "no space left on device" in one_sentence(err)
    store = Store(Path("store"))
    assert store.verify() == []
    assert len(store) == 4, "four cells were finished before the second fault"
    assert not list(store.cells.glob(".*"))
    with largest_file(100):
        code, err = bench()
    assert code == 2
    assert "file too large" in one_sentence(err)
    assert len(store) == 4
    assert bench()[0] == 0
    sound(store, 10)


def test_folders_that_refuse_are_refused_before_the_work(bench, monkeypatch):
    Path("file").touch()
    for out, words in (
        ("file", "is a file"),
        ("file/store", "cannot be made"),
        ("no/where", "make 'no' first"),
    ):
        code, err = bench(out)
        assert code == 2
        assert words in one_sentence(err)
    assert bench()[0] == 0
    for path in Path("store/cells").iterdir():
        path.unlink()
    with read_only(Path("store/cells")):
        code, err = bench()
    assert code == 2
    assert "may not be written to" in one_sentence(err) or "permission denied" in err
    assert bench()[0] == 0
    sound(Store(Path("store")), 10)


def test_a_report_that_cannot_be_written_leaves_the_old_one(bench, capsys):
    assert bench()[0] == 0
    assert run(build_root, ["report", "store"]) == 0
    before = {path.name: path.read_bytes() for path in Path("store").glob("report.*")}
    assert len(before) == 3
    next(Path("store/cells").iterdir()).unlink()
    for function, number in (("fsync", 3), ("replace", 3)):
        for at in range(1, number + 1):
            capsys.readouterr()
            with failing(function, at):
                assert run(build_root, ["report", "store"]) == 2
            assert "no space left on device" in one_sentence(capsys.readouterr().err)
            assert {path.name: path.read_bytes() for path in Path("store").glob("*report.*")} == before


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux")
def test_a_cell_that_runs_out_of_memory_is_a_row_and_the_others_go_on(small_grid, tmp_path, workers):
    store = run_bench(small_grid(["hungry", "strong"], seeds=2), tmp_path, workers=workers)
    rows = [row for row in store.records() if row["determined_by"]["cell"]["method"] == "hungry"]
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert all(row["error"].startswith("MemoryError: ") and "2.00 GiB" in row["error"] for row in rows)
    assert store.counts() == {"failed": 2, "ok": 8}
    assert store.verify() == []


def test_time_that_goes_back_changes_no_duration_and_no_resume(small_grid, tmp_path, monkeypatch):
    clock = [time.time()]

    def back():
        clock[0] -= 3600.0
        return clock[0]

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=clock[0] - 1e9)

    monkeypatch.setattr(time, "time", back)
    monkeypatch.setattr(cell_module, "datetime", Back)
    for workers, timeout in ((1, None), (1, 60.0)):
        out = tmp_path / str(timeout)
        store = run_bench(small_grid(["strong"]), out, workers=workers, timeout=timeout)
        sound(store, 8)
        for row in store.records():
            assert row["cost"]["cpu_seconds"] >= 0
            assert row["cost"]["wall_seconds"] >= 0
        before = {path.name: path.stat().st_mtime_ns for path in store.cells.iterdir()}
        run_bench(small_grid(["strong"]), out, workers=workers, timeout=timeout)
        assert {path.name: path.stat().st_mtime_ns for path in store.cells.iterdir()} == before


def test_a_temporary_file_that_another_run_took_for_old_is_written_again(tmp_path, monkeypatch):
    real, taken = os.replace, []

    def replace(source, target):
        if not taken:
            taken.append(source)
            os.unlink(source)  # what `clean` of a run does whose clock is hours ahead
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    store = Store(tmp_path)
    store.put({"determined_by": {"cell": 1}, "status": "ok"})
    assert taken
    sound(store, 1)


LAUNCHER = """
import os, sys
from pathlib import Path
from labelnoise.core.bench.grid import parse_grid
from labelnoise.core.bench.run import make_tasks, run_bench
import json
grid = parse_grid(json.loads(Path(sys.argv[1]).read_text()))
make_tasks(grid)  # whatever is imported is imported once
print("ready", flush=True)
for line in sys.stdin:
    out, workers = line.split()
    child = os.fork()
    if child == 0:
        os.setsid()
        run_bench(grid, Path(out), workers=int(workers))
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    """A process that has all imports behind it and runs the grid in children of its own, asked by lines."""
    marks = [{"name": "logged", "options": {"mark": mark}} for mark in range(12)]
    block = {"domain": "fake", "datasets": ["disc", "ring"], "methods": marks}
    grid = {"name": "killed", "seeds": 2, "block": [{**block, "noise": [{"kind": "pair", "rates": [0.1]}]}]}
    (tmp_path / "grid.json").write_text(json.dumps(grid))
    monkeypatch.setenv("LABELNOISE_TEST_LOG", str(tmp_path / "log"))
    (tmp_path / "log").touch()
    with subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, str(tmp_path / "grid.json")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process, parse_grid(grid)
        process.stdin.close()


def begun(tmp_path, since=0):
    return (tmp_path / "log").read_text().split("\n")[since:-1]


@pytest.mark.parametrize(
    "workers", [1, pytest.param(2, marks=pytest.mark.skipif(not ALL, reason="set LABELNOISE_ALL_FAULTS"))]
)
def test_killed_twenty_times_nothing_is_lost_and_nothing_computed_twice(launcher, tmp_path, workers):
    process, grid = launcher
    store = Store(tmp_path / "store")
    rng = np.random.default_rng(0)
    interrupted, computed = 0, 0
    for kill in range(KILLS + 1):
        finished = {path.name: path.read_bytes() for path in store.cells.glob("*.json")}
        marks = [row["determined_by"]["cell"] for row in store.records()]
        done = {(row["dataset"], row["method_options"].get("mark"), row["seed"]) for row in marks}
        lines = len(begun(tmp_path))
        process.stdin.write(f"{store.folder} {workers}\n")
        process.stdin.flush()
        child = int(process.stdout.readline())
        if kill < KILLS:
            # Somewhere in one of the next cells, of which there are sixty in all.
            wanted = len(finished) + int(rng.integers(1, 3))
            until(lambda wanted=wanted: len(store) >= wanted)
            time.sleep(float(rng.uniform(0, 0.03)))
            os.killpg(child, signal.SIGKILL)
        status = int(process.stdout.readline())
        new = begun(tmp_path, lines)
        after = {path.name: path.read_bytes() for path in store.cells.glob("*.json")}
        assert store.verify() == []
        assert all(after[name] == content for name, content in finished.items()), (
            "nothing finished was touched"
        )
        computed += len(new)
        interrupted += status != 0
        both = [
            line for line in new if all((name, *map(int, line.split())) in done for name in ("disc", "ring"))
        ]
        assert both == [], "what was finished does not run again"
    assert interrupted == KILLS
    assert computed > 48, "some kills hit a cell"
    logged = [row for row in store.records() if row["determined_by"]["cell"]["method"] == "logged"]
    assert len(logged) == 48
    assert computed <= 48 + interrupted * workers, "a kill costs the cells it hits, no more"
    assert store.counts() == {"ok": len(grid)}
    alone = run_bench(grid, tmp_path / "alone")
    assert results(alone) == results(store)


def test_two_runs_on_one_store_at_once_end_well(launcher, tmp_path):
    process, grid = launcher
    store = Store(tmp_path / "store")
    process.stdin.write(f"{store.folder} 1\n")
    process.stdin.flush()
    assert process.stdout.readline().strip().isdigit()
    until(lambda: len(store) > 0)
    run_bench(grid, store.folder)  # while the other one runs
    assert process.stdout.readline() == "0\n"
    sound(store, len(grid))
    assert results(run_bench(grid, tmp_path / "alone")) == results(store)


def test_a_store_that_is_gone_in_the_middle_is_made_again(small_grid, tmp_path):
    store = run_bench(small_grid(["strong"]), tmp_path / "store")
    for path in store.cells.iterdir():
        path.unlink()
    store.cells.rmdir()
    sound(run_bench(small_grid(["strong"]), tmp_path / "store"), 8)


@pytest.mark.slow
def test_a_killed_worker_of_a_dask_cluster_costs_no_cell(small_grid, tmp_path):
    if not ALL:
        pytest.skip("set LABELNOISE_ALL_FAULTS")
    distributed = pytest.importorskip("distributed", reason="install labelnoise[cluster]")
    grid = small_grid([{"name": "slow", "options": {"seconds": 0.5}}, "strong"], seeds=3)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]

        def kill():
            until(lambda: len(Store(tmp_path)) >= 2)
            os.kill(pids[0], signal.SIGKILL)

        from threading import Thread

        thread = Thread(target=kill)
        thread.start()
        store = run_bench(grid, tmp_path, cluster=cluster.scheduler_address)
        thread.join()
    assert store.verify() == []
    assert len(store) == len(grid)
    assert store.counts() == {"ok": len(grid)}
