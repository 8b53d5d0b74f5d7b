"""The trainers for graphs by name, each with what it is good and bad for.

Accuracies in the entries are percent, "Cora symmetric / Cora pair / CiteSeer symmetric / CiteSeer pair": means over
three draws of 30% wrong labels among training and validation nodes, public splits (20 labels per class), test labels
clean, at the epoch that the noisy validation labels chose. Measured by ``experiments/graph_training.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from labelnoise.core.registry import Entry, Registry
from labelnoise.core.training import STRATEGIES

__all__ = ["GRAPH_TRAINERS"]

_NETWORK = "labelnoise.graph.train_methods:"

#: Ways to train on a graph, by name.
GRAPH_TRAINERS = Registry("trainer")

#: What each strategy of the core is good and bad for on graphs with few labels.
_ON_GRAPHS: Mapping[str, tuple[str, str]] = {
    "plain": (
        "The row that every other trainer has to beat: @plain-gcn; with clean labels @oracle.",
        "Fits wrong labels after some 50 steps: without a validation split, stop there.",
    ),
    "small_loss": (
        "No better than plain here: @gcn+small_loss; its use is with many labels.",
        "Its noise rate comes from 140 losses or fewer; worst where errors agree with each other.",
    ),
    "co_teaching": (
        "As small_loss, judged by a peer: @gcn+co_teaching.",
        "Two networks on one graph see the same neighbours and make the same mistakes.",
    ),
    "elr": (
        "No noise rate to know: @gcn+elr, its weight growing over a quarter of the epochs.",
        "With its weight at full size from the first step one class swallows the others (13% on Cora).",
    ),
    "adaptive_k": (
        "Nothing to choose; no better than plain here: @gcn+adaptive_k.",
        "About half of the labels stay out, whatever the noise is, and labels are what is scarce.",
    ),
    "self_distillation": (
        "No noise rate: @gcn+self_distillation.",
        "Its teachers share a budget of epochs that is short already.",
    ),
    "sharpness_aware": (
        "Combines with any network; as plain here: @gcn+sharpness_aware.",
        "Two passes a step for what dropout and weight decay do here already.",
    ),
    "cross_split": (
        "Labels softened by a peer that has not seen them, nodes mixed: @gcn+cross_split.",
        "Each network has half of the few labels, and eight times the cost.",
    ),
    "divide_mix": (
        "Graphs with many labels; here @gcn+divide_mix.",
        "A mixture of two on 140 losses is badly determined; nine times the cost.",
    ),
    "bootstrapping": (
        "The best here on symmetric noise: @gcn+bootstrapping. It mixes labelled nodes.",
        "Confirms confusions of classes: below plain on Cora's random maps; more than twice the cost.",
    ),
    "forward": (
        "Class-dependent noise with enough labels per class to estimate T; as plain here: @gcn+forward.",
        "20 labels per class are few to estimate T from.",
    ),
    "backward": (
        "As forward: @gcn+backward.",
        "As forward, and its loss is unbounded below.",
    ),
    "rent": (
        "Better use of a rough T than a corrected loss: @gcn+rent.",
        "A draw with replacement leaves out a third of the few labels in each step.",
    ),
    "dws": (
        "As rent, softer: @gcn+dws.",
        "One more constant; within its spread of rent.",
    ),
    "late_stopping": (
        "Graphs with many labels; no better than plain here: @gcn+late_stopping.",
        "Its rounds need epochs: two or three of them fit into 200.",
    ),
    "rescaling": (
        "Nothing to know beforehand; as plain here: @gcn+rescaling.",
        "Plants errors among labels that are scarce already.",
    ),
    "volume": (
        "No anchor points: @gcn+volume.",
        "T moves little in 200 steps.",
    ),
}


def _entries() -> list[Entry]:
    """A GCN under each strategy of the core."""
    made = []
    for name, strategy in STRATEGIES.items():
        helps, hurts = _ON_GRAPHS[name]
        made.append(
            Entry(
                "plain-gcn" if name == "plain" else f"gcn+{name}",
                _NETWORK + "train_network",
                strategy.summary if name != "plain" else "A graph convolutional network, all labels alike.",
                strategy.source
                if name != "plain"
                else "Kipf, Welling 2017, Semi-supervised classification with graph convolutional networks, ICLR",
                formula=strategy.formula,
                helps=helps,
                hurts=hurts,
                options={"strategy": name},
            )
        )
    return made


GRAPH_TRAINERS.add(
    *_entries(),
    Entry(
        "sgc-lr",
        "labelnoise.graph.closed_form:train_sgc",
        "Logistic regression on features smoothed over two steps, penalty by validation.",
        "Wu et al. 2019, Simplifying graph convolutional networks, ICML, equation 8",
        formula="p = softmax(S^2 X B + b), |B|^2 / (2 C n)",
        helps="A fifth of the cost of a GCN and no worse: @sgc-lr.",
        hurts="Linear; one penalty for all classes.",
    ),
    Entry(
        "label-propagation",
        "labelnoise.graph.closed_form:propagate_labels",
        "Labels spread along edges, how far by validation; no features, no network.",
        "Zhou et al. 2004, Learning with local and global consistency, NeurIPS, equation 4",
        formula="F <- alpha D^-1/2 A D^-1/2 F + (1 - alpha) Y",
        helps="Graphs without features; instant: @label-propagation.",
        hurts="Wrong labels spread like right ones; nodes out of reach of any label get the most frequent class.",
    ),
    Entry(
        "neighbour-relabel",
        _NETWORK + "train_neighbour_relabel",
        "Edges to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.",
        "this project, after Dai, Aggarwal, Wang 2021, NRGNN, KDD, whose edges are learnt and whose labels stay",
        formula="m_i = (mean p_i + mean over neighbours p_j) / 2; target argmax m_i where max m_i >= .6",
        helps="Many confident nodes beside few labels: @neighbour-relabel.",
        hurts="Pseudo labels confirm the confusions of class-dependent noise; the .8 published for pseudo labels "
        "replaces no label on Cora.",
    ),
    Entry(
        "curriculum",
        _NETWORK + "train_curriculum",
        "Nodes whose neighbourhood agrees with their label first, the others later.",
        "Wei et al. 2023, CLNode: curriculum learning for node classification, WSDM",
        formula="order by -sum_c q_c log q_c + 1 - p[y] / max p, q the classes around a node",
        helps="Right labels inside of classes come first: @curriculum.",
        hurts="Neighbours without a label are judged by a network that has seen the noise; all labels are back in the end.",
    ),
)
