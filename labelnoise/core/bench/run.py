"""Running a grid: in this process, in worker processes or on a cluster; no finished cell runs twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labelnoise.core.bench.cell import code_fingerprint, data_hash, failed_record, forget_data, run_cell
from labelnoise.core.bench.grid import Grid, digest, validate_grid
from labelnoise.core.bench.store import SCHEMA_VERSION, Store
from labelnoise.core.bench.worker import Workers, run_isolated
from labelnoise.core.domain import get_domain, local_source
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError

__all__ = ["make_tasks", "run_bench"]

log = logging.getLogger("labelnoise.bench")

#: How long a Dask scheduler may take to answer.
CONNECT_SECONDS = 20.0


def make_tasks(grid: Grid) -> list[dict[str, Any]]:
    """One task per cell, with all that determines its result; every data set is loaded once, to hash it.

    Returns
    -------
    list of dict
        ``key``, ``determined_by`` and, for data that cannot be loaded, ``load_error``.
    """
    hashes: dict[tuple[str, str], tuple[str | None, str | None]] = {}
    tasks = []
    for cell in track(grid.cells, "reading data"):
        source = (cell.domain, cell.dataset)
        if source not in hashes:
            try:
                hashes[source] = (
                    data_hash(get_domain(cell.domain).load(local_source(*source))),
                    None,
                )
            except Exception as error:
                reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
                hashes[source] = None, f"The data set {cell.dataset!r} cannot be loaded: {reason}"
        found, load_error = hashes[source]
        decisive = {
            "schema": SCHEMA_VERSION,
            "cell": cell.to_json(),
            "data": found,
            "code": code_fingerprint(cell.domain),
        }
        task = {"key": digest(decisive), "determined_by": decisive}
        tasks.append({**task, "load_error": load_error} if load_error else task)
    return tasks


def run_bench(
    grid: Grid,
    out: Path,
    *,
    workers: int = 1,
    cluster: str | None = None,
    executor: Executor | None = None,
    timeout: float | None = None,
    retry_failed: bool = True,
) -> Store:
    """Run the cells of a grid that the store lacks, and keep each result as soon as it is there.

    A run that was killed, or that is started again with more cells, goes on where the store ends. Results do
    not depend on how they were run: every cell computes with one thread, from its own seed.

    Parameters
    ----------
    grid : Grid
    out : Path
        Folder of the store; made if missing.
    workers : int
        1 runs cells in this process (unless there is a ``timeout``); more run them in so many worker
        processes.
    cluster : str, optional
        Address of a Dask scheduler, ``tcp://host:port``; needs the extra ``cluster``. Its workers need the
        same code and data; both are checked.
    executor : concurrent.futures.Executor, optional
        Any executor instead; cells run in a process of their own beside its workers.
    timeout : float, optional
        Seconds after which a cell is stopped and recorded as such.
    retry_failed : bool
        Run cells again that failed earlier, or were stopped under a shorter time limit. Those stopped under
        the same or a longer limit stay as they are.

    Returns
    -------
    Store
        With a record for every cell; failures and time-outs are records too.

    Raises
    ------
    InputError
        The grid names something unknown, or the cluster cannot be reached.
    """
    if workers < 1:
        raise InputError(f"workers is {workers}; at least 1 is needed.")
    if timeout is not None and not timeout > 0:
        raise InputError(f"timeout is {timeout}; a number of seconds above 0 is needed.")
    if cluster is not None and executor is not None:
        raise InputError("Both a cluster and an executor were given; choose one of them.")
    validate_grid(grid)
    forget_data()
    store = Store(out)
    store.clean()
    tasks = make_tasks(grid)
    todo = [task for task in tasks if not _settled(store.get(task["key"]), timeout, retry_failed)]
    log.info("%d of %d cells are in the store already", len(tasks) - len(todo), len(tasks))
    if not todo:
        return store
    try:
        if cluster is None and executor is None and workers == 1 and timeout is None:
            records = (run_cell(task) for task in todo)
            _keep(store, records, len(todo))
        else:
            with _executor(workers, cluster, executor) as pool:
                _keep(store, _submitted(pool, todo, timeout), len(todo))
    finally:
        forget_data()
    return store


def _keep(store: Store, records: Iterator[dict[str, Any]], total: int) -> None:
    for record in track(records, "benchmark cells", total=total):
        store.put(record)


def _settled(record: Mapping[str, Any] | None, timeout: float | None, retry_failed: bool) -> bool:
    if record is None:
        return False
    if record["status"] == "ok" or not retry_failed:
        return True
    if record["status"] == "timeout":
        return timeout is not None and timeout <= record["cost"]["wall_seconds"]
    return False


@contextmanager
def _executor(workers: int, cluster: str | None, given: Executor | None) -> Iterator[Executor]:
    if given is not None:
        yield given
        return
    if cluster is not None:
        with _dask(cluster) as pool:
            yield pool
        return
    # One thread per worker process: the threads only wait, the processes compute.
    processes = Workers()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="labelnoise-bench", initializer=processes.join)
    try:
        yield pool
    finally:
        # After Ctrl-C: drop what has not begun, stop what has; the store holds all that was finished.
        pool.shutdown(wait=False, cancel_futures=True)
        processes.abort()
        pool.shutdown(wait=True)
        processes.close()


@contextmanager
def _dask(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "A cluster needs 'distributed', which is not installed. Run: pip install 'labelnoise[cluster]'"
        ) from error
    try:
        client = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise InputError(
            f"The Dask scheduler at {address!r} cannot be reached ({error}); start one with 'dask scheduler'."
        ) from error
    with client:
        pool: Executor = client.get_executor(pure=False, retries=0)
        try:
            yield pool
        finally:
            pool.shutdown(wait=False)


def _submitted(
    pool: Executor, tasks: list[dict[str, Any]], timeout: float | None
) -> Iterator[dict[str, Any]]:
    futures: dict[Future[dict[str, Any]], dict[str, Any]] = {
        pool.submit(run_isolated, task, timeout): task for task in tasks
    }
    try:
        for future in as_completed(futures):
            try:
                yield future.result()
            except Exception as error:  # the executor lost its worker; the cell counts as failed
                yield failed_record(futures[future], error)
    finally:
        for future in futures:
            future.cancel()
