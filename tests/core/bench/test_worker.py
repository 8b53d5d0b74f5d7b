import os
import threading
import time

import pytest

from labelnoise.core.bench import worker as worker_module
from labelnoise.core.bench.run import make_tasks
from labelnoise.core.bench.worker import Worker


@pytest.fixture
def task(small_grid):
    def make(method):
        tasks = make_tasks(small_grid([method], seeds=1))
        return next(one for one in tasks if one["determined_by"]["cell"]["method"] == method)

    return make


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def test_one_process_serves_many_cells_and_is_replaced_after_a_crash(worker, task):
    assert worker.run(task("strong"), None)["status"] == "ok"
    first = worker._process.pid
    assert worker.run(task("weak"), None)["status"] == "ok"
    assert worker._process.pid == first
    assert "SIGKILL" in worker.run(task("dies"), None)["error"]
    assert worker.run(task("strong"), None)["status"] == "ok"
    assert worker._process.pid != first


def test_an_idle_worker_is_stopped_and_a_later_cell_starts_another(worker, task, monkeypatch):
    monkeypatch.setattr(worker_module, "IDLE_SECONDS", 0.2)
    worker.run(task("strong"), None)
    deadline = time.monotonic() + 10
    while worker._process is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert worker._process is None
    assert worker.run(task("strong"), None)["status"] == "ok"


def test_an_aborted_worker_answers_at_once_and_never_starts_again(worker, task):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(worker.run(task("slow"), None)))
    worker.run(task("strong"), None)
    thread.start()
    time.sleep(0.3)
    worker.abort()
    thread.join(timeout=10)
    assert answers[0]["status"] == "failed"
    assert worker.run(task("strong"), None)["error"] == "The run was stopped."


def test_a_process_that_cannot_start_is_a_failed_row(worker, task, monkeypatch):
    monkeypatch.setattr(worker_module.sys, "executable", os.devnull)
    record = worker.run(task("strong"), None)
    assert record["status"] == "failed"
    assert "could not be started" in record["error"]
