"""Graphs by name: public data sets from a local folder, the cache or their source, and the embedded ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.download import LOCK_NAME, cache_root, fetch
from labelnoise.core.named_sets import check_root, folded, unknown_name
from labelnoise.core.validation import InputError
from labelnoise.graph.checksums import SHA256
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.embedded import DIGITS, PAPERS, digits, papers
from labelnoise.graph.files import ENDINGS, read_graph
from labelnoise.graph.public import PUBLIC, PublicGraph
from labelnoise.graph.pyg import from_pyg, to_pyg

__all__ = ["DATASETS", "check_detectable", "from_pyg", "load_graph", "to_pyg"]

_EMBEDDED: Mapping[str, Callable[[], GraphDataset]] = {PAPERS.name: papers, DIGITS.name: digits}

#: Graphs that `load_graph` knows by name.
DATASETS: Mapping[str, DatasetInfo] = {
    PAPERS.name: PAPERS,
    DIGITS.name: DIGITS,
    **{name: graph.info for name, graph in PUBLIC.items()},
}


def load_graph(source: str, *, root: Path | None = None) -> GraphDataset:
    """Load a graph by name, or your own from a path.

    Parameters
    ----------
    source : str
        A name from `DATASETS`, in any case; or a path. What exists as a file, or as a folder with a node
        table, is read as your own graph even if it is called like a data set.
    root : Path, optional
        Folder laid out as torch-geometric's roots (``root/Cora/raw/ind.cora.x``). Public data sets are
        looked for there, then in the cache (``$LABELNOISE_CACHE``, or the platform's), and else downloaded
        into the cache. Files in the cache are checked against their SHA-256 at every use, files under
        ``root`` are taken as they are.

    Returns
    -------
    GraphDataset
        Undirected public graphs store each edge in both directions, without self loops.

    Raises
    ------
    InputError
        Unknown name, missing or broken file, no connection.

    Examples
    --------
    >>> graph = load_graph("papers")
    >>> graph.n_nodes, graph.class_names[:3]
    (1500, ('databases', 'graphics', 'languages'))
    >>> load_graph("Corra")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown graph 'Corra'. Choose one of: ... Did you mean 'Cora'?
    """
    path = Path(source)
    own_folder = path.is_dir() and any((path / f"nodes{ending}").is_file() for ending in ENDINGS)
    if path.is_file() or own_folder or path.suffix.lower() in ENDINGS:
        return read_graph(path)
    name = _NAMES.get(folded(source))
    if name is None:
        if path.is_dir() or len(path.parts) > 1:
            return read_graph(path)
        raise unknown_name(source, "graph", DATASETS, _NAMES)
    if name in _EMBEDDED:
        return _EMBEDDED[name]()
    public = PUBLIC[name]
    folder, checksum = _locate(public, root)
    graph = public.read(folder, public)
    meta = {**graph.meta, "licence": public.info.licence, "checksum": checksum}
    return replace(graph, source=str(folder), meta=meta)


def check_detectable(dataset: GraphDataset) -> None:
    """Refuse a graph whose labels cannot be judged, with the reason and the way out.

    Raises
    ------
    InputError
        No labelled node; one class only; a class with a single labelled node (nothing of its kind is left
        to compare it with once it is held out).

    Examples
    --------
    >>> from labelnoise.graph.arrays import from_arrays
    >>> check_detectable(from_arrays({"y": ["a", "a", "b"], "edge_index": [[0], [1]]}, name="three"))
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Class 'b' has one labelled node (2), which cannot be judged ...
    """
    counts = np.bincount(dataset.given[dataset.labelled], minlength=dataset.n_classes)
    present = np.flatnonzero(counts)
    if len(present) == 0:
        raise InputError(
            f"No node of {dataset.name!r} carries a label; labels are what is judged, so give some."
        )
    if len(present) == 1:
        raise InputError(
            f"All labelled nodes of {dataset.name!r} are {dataset.class_names[present[0]]!r}; "
            "a label can only be wrong where there are at least two classes."
        )
    single = np.flatnonzero(counts == 1)
    if len(single):
        names = ", ".join(repr(dataset.class_names[index]) for index in single[:5])
        node = dataset.ids[np.flatnonzero(dataset.given == single[0])[0]]
        subject = f"Class {names} has" if len(single) == 1 else f"Classes {names} have"
        raise InputError(
            f"{subject} one labelled node ({node}), which cannot be judged without another of its class; "
            "merge it into another class, label more nodes of it, or take its label away (-1)."
        )


def _locate(public: PublicGraph, root: Path | None) -> tuple[Path, str]:
    """The folder that holds all raw files, and what is known of their integrity."""
    if root is not None:
        check_root(root)
        local = Path(root) / public.folder / "raw"
        if all((local / file).is_file() for file in public.files):
            return local, "local files, not checked"
    base = cache_root() / "graph"
    folder = base / public.folder / "raw"
    published = [
        fetch(public.url + file, folder / file, sha256=SHA256.get(file), lock=base / LOCK_NAME)
        for file in public.files
    ]
    if all(published):
        return folder, "SHA-256 as published"
    return folder, f"SHA-256 as recorded at the first download in {base / LOCK_NAME} (none is published)"


#: Names and aliases, folded, to names.
_NAMES: Mapping[str, str] = {
    **{folded(alias): name for name, graph in PUBLIC.items() for alias in graph.aliases},
    **{folded(name): name for name in DATASETS},
}
