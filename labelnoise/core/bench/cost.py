"""What a cell costs, on what machine, under which versions; and one thread, so that cost means one core."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import labelnoise

__all__ = ["THREAD_VARIABLES", "Cost", "hardware", "one_thread", "versions"]

#: What BLAS and OpenMP libraries read when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block numerical libraries use one thread: sums keep their order, cost means one core."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    torch = sys.modules.get("torch")
    # A torch that is first loaded inside the block would stay with one thread for good.
    torch_threads = (
        torch.get_num_threads() if torch else int(before["OMP_NUM_THREADS"] or os.cpu_count() or 1)
    )
    try:
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        with threadpool_limits(1):
            if torch:
                torch.set_num_threads(1)
            yield
    finally:
        torch = sys.modules.get("torch")
        if torch:
            torch.set_num_threads(torch_threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class Cost:
    """CPU, wall and memory between start and stop, of this process and the children that it waited for."""

    def __init__(self) -> None:
        self._resident = self._memory("VmRSS")
        try:
            # Linux: makes the kernel forget the peak so far, so that each cell gets its own.
            Path("/proc/self/clear_refs").write_text("5")
            self._own_peak = True
        except OSError:
            self._own_peak = False
        self._wall = time.perf_counter()
        self._cpu = self._cpu_seconds()

    @staticmethod
    def _cpu_seconds() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    @staticmethod
    def _memory(field: str) -> float | None:
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith(field + ":"):
                    return int(line.split()[1]) / 1024
        except OSError:
            pass
        return None

    def stop(self) -> dict[str, float | None]:
        """Seconds of CPU and wall clock, and MiB: the highest resident memory and how much of it is new."""
        cpu, wall = self._cpu_seconds() - self._cpu, time.perf_counter() - self._wall
        peak = self._memory("VmHWM") if self._own_peak else None
        if peak is None and sys.platform != "win32":
            import resource

            scale = 1024**2 if sys.platform == "darwin" else 1024
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
        grown = None if self._resident is None or peak is None else max(0.0, peak - self._resident)
        return {
            "cpu_seconds": round(cpu, 3),
            "wall_seconds": round(wall, 3),
            "peak_rss_mib": None if peak is None else round(peak, 1),
            "grown_rss_mib": None if grown is None else round(grown, 1),
        }


def versions() -> dict[str, str]:
    """Versions of Python, this package and the numerical libraries that the process has loaded."""
    found = {"python": platform.python_version(), "labelnoise": labelnoise.__version__}
    names = {"numpy": "numpy", "scipy": "scipy", "sklearn": "scikit-learn", "torch": "torch"}
    names["torch_geometric"] = "torch-geometric"
    for module, distribution in names.items():
        if module in sys.modules:
            found[distribution] = importlib.metadata.version(distribution)
    return found


@lru_cache(maxsize=1)
def _machine() -> dict[str, Any]:
    cpu = platform.processor()
    memory = None
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
                break
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1)
    except (OSError, ValueError):
        pass
    return {
        "system": platform.system(),
        "cpu": cpu or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": memory,
    }


def hardware() -> dict[str, Any]:
    """Processor, cores, memory and, if it was used, the GPU; nothing that names the machine or its owner."""
    gpu = None
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        gpu = torch.cuda.get_device_name()
    return {**_machine(), "gpu": gpu}
