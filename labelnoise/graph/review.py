"""What a person sees of a node: its neighbourhood as a picture, and its neighbours' labels in words."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.review.cards import PALETTE, Card, printable, svg_picture
from labelnoise.graph.dataset import GraphDataset

__all__ = ["neighbourhood_svg", "node_cards"]

#: Neighbours that are drawn; the rest are counted.
DRAWN = 24
#: Neighbours that are named.
NAMED = 12
OTHER, UNLABELLED = "#5c6670", "#ffffff"
WIDTH, HEIGHT, RADIUS = 560, 300, 118


def node_cards(dataset: GraphDataset, units: Sequence[int]) -> list[Card]:
    """One card per node.

    Parameters
    ----------
    dataset : GraphDataset
    units : sequence of int

    Returns
    -------
    list of Card
        With the picture of the neighbourhood (isolated nodes have none) and the labels of the
        neighbours by name.

    Examples
    --------
    >>> from labelnoise.graph.data import load_graph
    >>> card = node_cards(load_graph("papers"), [42])[0]
    >>> card.title, card.media[0].text
    ('node paper-0042', '3 neighbours of node paper-0042, coloured by their given labels')
    """
    ids = dataset.ids
    cards = []
    for unit in map(int, units):
        near = _neighbours(dataset, unit)
        named = ", ".join(f"{ids[node]}: {_label(dataset, node)}" for node in near[:NAMED])
        more = f" and {len(near) - NAMED} more" if len(near) > NAMED else ""
        facts = [("neighbours by id", named + more)] if len(near) else []
        media = []
        if len(near):
            words = f"{len(near)} neighbours of node {ids[unit]}, coloured by their given labels"
            media = [svg_picture(neighbourhood_svg(dataset, unit), words)]
        cards.append(Card(f"node {ids[unit]}", facts, media))
    return cards


def neighbourhood_svg(dataset: GraphDataset, unit: int) -> str:
    """The node in the middle, its neighbours around it, those with like labels side by side; edges among them too."""
    near = _neighbours(dataset, unit)
    labels = dataset.given[near]
    near = near[np.argsort(labels, kind="stable")]
    if len(near) > DRAWN:  # an even share of every label
        near = near[np.linspace(0, len(near) - 1, DRAWN).round().astype(int)]
    colour = _colours(dataset, near, unit)
    angle = 2 * np.pi * (np.arange(len(near)) + 0.5) / max(len(near), 1) - np.pi / 2
    place = {
        int(node): (HEIGHT / 2 + RADIUS * float(np.cos(a)), HEIGHT / 2 + RADIUS * float(np.sin(a)))
        for node, a in zip(near, angle)
    }
    middle = (HEIGHT / 2, HEIGHT / 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    among = dataset.adjacency[near][:, near].tocoo()
    for i, j in zip(among.row, among.col):
        if i < j:
            parts.append(_line(place[int(near[i])], place[int(near[j])], "#c9ced4", 1.0))
    parts += [_line(middle, point, "#8a939c", 1.4) for point in place.values()]
    parts += [_dot(point, 9, colour[int(dataset.given[node])]) for node, point in place.items()]
    parts.append(_dot(middle, 15, colour[int(dataset.given[unit])], ring=3))
    for row, (label, fill) in enumerate(colour.items()):
        count = int((dataset.given[_neighbours(dataset, unit)] == label).sum())
        name = dataset.class_names[label] if label >= 0 else "no label"
        short = name if len(name) <= 24 else name[:23] + "…"
        y = 26 + 22 * row
        if y > HEIGHT - 20:
            break
        parts.append(_dot((HEIGHT + 12, y - 4), 7, fill))
        parts.append(
            f'<text x="{HEIGHT + 28}" y="{y}" fill="#1b1f24">{escape(printable(short))}: {count}</text>'
        )
    return "".join([*parts, "</svg>"])


def _neighbours(dataset: GraphDataset, unit: int) -> NDArray[np.int64]:
    adjacency = dataset.adjacency
    found = adjacency.indices[adjacency.indptr[unit] : adjacency.indptr[unit + 1]]
    return np.asarray(found[found != unit], dtype=np.int64)


def _label(dataset: GraphDataset, node: int) -> str:
    return dataset.class_names[dataset.given[node]] if dataset.given[node] >= 0 else "no label"


def _colours(dataset: GraphDataset, near: NDArray[np.int64], unit: int) -> dict[int, str]:
    """A colour per label in the picture: the node's own first, then by frequency."""
    own = int(dataset.given[unit])
    labels, counts = np.unique(dataset.given[near], return_counts=True)
    order = [own, *(int(label) for label in labels[np.argsort(-counts, kind="stable")] if label != own)]
    named = [label for label in order if label >= 0]
    fills = {label: PALETTE[i] if i < len(PALETTE) else OTHER for i, label in enumerate(named)}
    return {label: fills.get(label, UNLABELLED) for label in order}


def _line(a: tuple[float, float], b: tuple[float, float], stroke: str, width: float) -> str:
    return (
        f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" stroke="{stroke}" '
        f'stroke-width="{width}"/>'
    )


def _dot(at: tuple[float, float], radius: float, fill: str, ring: float = 1.2) -> str:
    return (
        f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius}" fill="{fill}" stroke="#1b1f24" '
        f'stroke-width="{ring}"/>'
    )
