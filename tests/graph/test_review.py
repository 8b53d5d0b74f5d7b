"""The picture of a neighbourhood: who is there, in which colour, whatever the names are."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np

from labelnoise.graph.arrays import from_arrays
from labelnoise.graph.dataset import GraphDataset
from labelnoise.graph.review import DRAWN, neighbourhood_svg, node_cards

EVIL = '<script>"&\x01'


def star(leaves: int) -> GraphDataset:
    ends = np.arange(1, leaves + 1)
    y = np.r_[0, np.arange(leaves) % 3, 1]  # the last node is alone
    arrays = {
        "y": y,
        "edge_index": np.stack([np.zeros(leaves, dtype=int), ends]),
        "class_names": np.array(["cat", "dog", EVIL]),
    }
    return from_arrays(arrays, name="star")


def test_every_neighbour_is_a_dot_and_every_label_is_counted() -> None:
    svg = neighbourhood_svg(star(7), 0)
    root = ElementTree.fromstring(svg)
    assert len(root.findall("{*}circle")) == 7 + 1 + 3
    words = [element.text for element in root.findall("{*}text")]
    assert words[:2] == ["cat: 3", "dog: 2"]
    assert words[2] == '<script>"&\ufffd: 2'


def test_hubs_show_a_sample_and_say_the_whole_count() -> None:
    svg = neighbourhood_svg(star(300), 0)
    root = ElementTree.fromstring(svg)
    assert len(root.findall("{*}circle")) == DRAWN + 1 + 3
    assert "cat: 100" in re.sub(r"<[^>]*>", "|", svg)


def test_cards_name_neighbours_and_isolated_nodes_have_no_picture() -> None:
    hub, alone = node_cards(star(20), [0, 21])
    assert "and 8 more" in dict(hub.facts)["neighbours by id"]
    assert len(hub.media) == 1
    assert alone.media == []
    assert alone.facts == []
