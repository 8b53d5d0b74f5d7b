"""Graphs with real wrong labels: the names of NoisyNER as nodes, labelled by a gazetteer.

    LABELNOISE_DATA=... python experiments/graph_names.py --out FOLDER [--sets 1,4,7]
    labelnoise bench --real --domains graph        (takes every graph of $LABELNOISE_DATA/graph/real-noise)

No public graph comes with labels that went wrong at work and the truth beside them. This makes one from a text that
does: a node is a capitalised word form of the training text (letters only, two or more), its given label the class that
most of its occurrences have in a noisy set (O, LOC, ORG, PER), its true label the same from the clean tags. Two
forms are linked if they occur in one sentence or begin with the same five letters (Estonian inflects names). Features
are hashed: letters of the form (2 to 4 in a row, with its ends) and the words before and after it, as TF-IDF. Files
are `names-1.npz` ... in this project's own layout, which `labelnoise graph detect` reads too.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

#: Letters that word forms must share from the start to be linked.
PREFIX = 5
LETTERS, WORDS = 1024, 1024


def of_one_kind(forms: Any, groups: Any) -> Any:
    """Links (both ways, without loops) between all forms that share a group; rows of `groups` are pairs form, group."""
    import numpy as np
    import scipy.sparse as sp

    inside = sp.csr_array(
        (np.ones(len(groups)), (groups[:, 0], groups[:, 1])), shape=(len(forms), groups[:, 1].max() + 1)
    )
    links = (inside @ inside.T).tocoo()
    apart = links.row != links.col
    return np.stack([links.row[apart], links.col[apart]])


def names_graph(number: int) -> Any:
    """The names of one noisy set as a graph."""
    import numpy as np
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    from labelnoise.graph.dataset import GraphDataset
    from labelnoise.text.domain import TextDomain

    text = TextDomain().load(f"noisyner-{number}")
    chosen = np.flatnonzero(
        [
            seen and word[:1].isupper() and word.isalpha()
            for seen, word in zip(text.masks["train"], text.tokens)
        ]
    )
    chosen = chosen[[len(text.tokens[row]) > 1 for row in chosen]]
    forms, form = np.unique(text.tokens[chosen].astype(str), return_inverse=True)
    names = ("O", *text.types)

    def majority(tags: Any) -> Any:
        counts = np.zeros((len(forms), len(names)))
        np.add.at(counts, (form, (tags[chosen] + 1) // 2), 1)  # B- and I- of a type are one class
        return counts.argmax(axis=1)

    sentences = np.column_stack([form, text.groups[chosen]])
    starts = np.unique([word[:PREFIX].lower() for word in forms], return_inverse=True)[1]
    long_enough = np.flatnonzero([len(word) >= PREFIX for word in forms])
    edges = np.concatenate(
        [
            of_one_kind(forms, sentences),
            of_one_kind(forms, np.column_stack([long_enough, starts[long_enough]])),
        ],
        axis=1,
    )
    around: list[list[str]] = [[] for _ in forms]
    for row, node in zip(chosen, form):
        for name, place in (("before", row - 1), ("after", row + 1)):
            inside = 0 <= place < text.n_units and text.groups[place] == text.groups[row]
            around[node].append(f"{name}={text.tokens[place].lower() if inside else ''}")
    letters = HashingVectorizer(
        analyzer="char_wb", ngram_range=(2, 4), n_features=LETTERS, alternate_sign=False
    )
    words = HashingVectorizer(analyzer=lambda document: document, n_features=WORDS, alternate_sign=False)
    parts = (letters.transform(forms.tolist()), words.transform(around))
    return GraphDataset(
        name=f"names-{number}",
        given=majority(text.given),
        true=majority(text.true),
        class_names=names,
        unit_ids=forms,
        source=f"NoisyNER, set {number} (Hedderich, Zhu, Klakow 2021); text CC BY-NC, labels CC BY 4.0",
        x=sp.csr_array(sp.hstack([TfidfTransformer().fit_transform(part) for part in parts])).astype(
            np.float32
        ),
        edge_index=np.unique(edges, axis=1).astype(np.int64),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default="1,4,7")
    args = parser.parse_args()

    from labelnoise.graph.files import write_graph

    args.out.mkdir(parents=True, exist_ok=True)
    for number in args.sets.split(","):
        graph = names_graph(int(number))
        wrong = (graph.given != graph.true).mean()
        path = args.out / f"{graph.name}.npz"
        write_graph(graph, path)
        print(
            f"{path}: {graph.n_nodes:,} nodes, {graph.edge_index.shape[1]:,} stored edges, {wrong:.1%} wrong"
        )


if __name__ == "__main__":
    main()
