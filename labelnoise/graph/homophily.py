"""How far neighbours share labels, beyond chance."""

from __future__ import annotations

import numpy as np

from labelnoise.graph.dataset import GraphDataset

__all__ = ["edge_homophily"]


def edge_homophily(dataset: GraphDataset) -> tuple[float | None, float | None]:
    """Share of edges whose ends carry the same given label, and that share adjusted for chance.

    Edges count once and without their weight; those with an unlabelled end do not count.

    Examples
    --------
    >>> from labelnoise.graph.arrays import from_arrays
    >>> graph = from_arrays({"y": [0, 0, 1, 1], "edge_index": [[0, 2, 1], [1, 3, 2]]}, name="path")
    >>> edge_homophily(graph)
    (0.6667, 0.3333)
    """
    edges = dataset.adjacency.tocoo()
    one, other = dataset.given[edges.row], dataset.given[edges.col]
    both = (one >= 0) & (other >= 0)
    if not both.any():
        return None, None
    one, other = one[both], other[both]
    agreement = float((one == other).mean())
    share = np.bincount(one, minlength=dataset.n_classes) / len(one)
    chance = float(share @ share)
    adjusted = (agreement - chance) / (1.0 - chance) if chance < 1.0 else None
    return round(agreement, 4), None if adjusted is None else round(adjusted, 4)
