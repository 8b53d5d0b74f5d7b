"""Wrong node labels in graphs: loaders, node noise, GraphCleaner, and a calibrated detector of its own.

Names are imported when they are first used, so that reading a graph loads no more than numpy and scipy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelnoise.graph.calibrated import detect_calibrated
    from labelnoise.graph.data import load_graph
    from labelnoise.graph.dataset import GraphDataset
    from labelnoise.graph.graphcleaner import GraphCleaner

__all__ = ["GraphCleaner", "GraphDataset", "detect_calibrated", "load_graph"]

_HOMES = {
    "GraphCleaner": "labelnoise.graph.graphcleaner",
    "GraphDataset": "labelnoise.graph.dataset",
    "detect_calibrated": "labelnoise.graph.calibrated",
    "load_graph": "labelnoise.graph.data",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
