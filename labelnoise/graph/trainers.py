"""The trainers for graphs by name, each with what it is good and bad for.

Figures in the entries are percentage points above (below) the entry "plain-gcn" on the same draws, with the standard
error of that difference: "Cora symmetric / pair, CiteSeer symmetric / pair"; where one pair of figures is given it is
Cora's. Three draws of 30% wrong labels among training and validation nodes, public splits (20 labels per class), test
labels clean, at the epoch that the noisy validation labels chose. Three draws tell little below two standard errors.
Measured by ``experiments/graph_training.py``; on Photo one draw, where a GCN needs more epochs than the 200 it had.
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
        "The row that every other trainer has to beat: 68.1 / 60.4, 58.7 / 57.3; with clean "
        "labels 81.7 / 81.7, 71.7 / 71.7.",
        "Fits wrong labels after some 50 steps: without a validation split, stop there. 200 "
        "epochs are too few for Photo: 50% where sgc-lr has 71% (symmetric, one draw).",
    ),
    "small_loss": (
        "As plain here: -0.2 ± 0.2 / +0.9 ± 1.0; its use is with many labels.",
        "Its noise rate comes from 140 losses or fewer; worst where errors agree with each other.",
    ),
    "co_teaching": (
        "As small_loss, judged by a peer: +1.3 ± 1.2 / -0.7 ± 1.4.",
        "Two networks on one graph see the same neighbours and make the same mistakes.",
    ),
    "elr": (
        "No noise rate to know: +1.5 ± 1.0 / -3.8 ± 5.4, CiteSeer +1.6 ± 1.0 / -1.7 ± 2.8, "
        "its weight growing over a quarter of the epochs.",
        "At full weight from the first step one class swallows the others; 11% on Photo where "
        "plain has 50% (one draw).",
    ),
    "adaptive_k": (
        "Nothing to choose; as plain here: +0.8 ± 1.5 / +0.3 ± 0.4.",
        "About half of the labels stay out, whatever the noise is, and labels are what is scarce.",
    ),
    "self_distillation": (
        "No noise rate: +2.5 ± 1.0 / -0.2 ± 0.2.",
        "Its teachers share a budget of epochs that is short already.",
    ),
    "sharpness_aware": (
        "Combines with any network; as plain here: -0.6 ± 1.3 / +2.9 ± 2.2.",
        "Two passes a step for what dropout and weight decay do here already.",
    ),
    "cross_split": (
        "Labels softened by a peer that has not seen them, nodes mixed: +5.2 / +2.1 (one draw).",
        "Each network has half of the few labels, and eight times the cost.",
    ),
    "divide_mix": (
        "Mixed nodes and labels guessed by two networks: +10.2 ± 1.3 / +7.7 ± 0.4.",
        "Nine times the cost of plain; not measured beyond Cora.",
    ),
    "bootstrapping": (
        "Second to divide_mix on Cora at a third of its cost, by mixing labelled nodes: +8.8 ± 1.2 / +5.1 ± 1.0, "
        "CiteSeer +5.0 ± 3.9 / -0.4 ± 1.9.",
        "Of no use on CiteSeer's pair noise; stuck at 11% on Photo (one draw); more than twice the cost.",
    ),
    "forward": (
        "Class-dependent noise with enough labels per class to estimate T; as plain here: "
        "+1.1 ± 0.9 / +0.8 ± 0.8, CiteSeer -0.1 ± 0.7 / +0.4 ± 0.5.",
        "20 labels per class are few to estimate T from.",
    ),
    "backward": (
        "As forward: -0.7 ± 0.7 / +1.0 ± 1.2.",
        "As forward, and its loss is unbounded below.",
    ),
    "rent": (
        "Better use of a rough T than a corrected loss: +2.4 ± 1.5 / +0.5 ± 1.1.",
        "A draw with replacement leaves out a third of the few labels in each step.",
    ),
    "dws": (
        "As rent, softer: +2.9 ± 1.3 / +1.9 ± 2.7.",
        "One more constant; within its spread of rent.",
    ),
    "late_stopping": (
        "Graphs with many labels; as plain here: +0.1 ± 0.9 / -0.1 ± 0.1.",
        "Its rounds need epochs: two or three of them fit into 200.",
    ),
    "rescaling": (
        "Nothing to know beforehand; as plain here: +0.5 ± 0.5 / +2.7 ± 2.5.",
        "Plants errors among labels that are scarce already.",
    ),
    "volume": (
        "No anchor points: +1.0 ± 1.4 / +0.5 ± 1.5.",
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
        "gcn+gce",
        _NETWORK + "train_network",
        "A graph convolutional network under generalised cross entropy.",
        "Zhang, Sabuncu 2018, Generalized cross entropy loss for training deep neural networks with noisy labels, NeurIPS",
        formula="(1 - p[y]^q) / q, q = 0.7",
        helps="No T and no noise rate to know: -0.6 ± 1.1 / -1.3 ± 2.4, CiteSeer +2.2 ± 1.3 / +0.5 ± 0.5 (two draws).",
        hurts="No gain on Cora: a bounded loss learns slowly from 20 labels per class.",
        options={"strategy": "plain", "parameters": {"loss": "gce"}},
    ),
    Entry(
        "sgc-lr",
        "labelnoise.graph.closed_form:train_sgc",
        "Logistic regression on features smoothed over two steps, penalty by validation.",
        "Wu et al. 2019, Simplifying graph convolutional networks, ICML, equation 8",
        formula="p = softmax(S^2 X B + b), |B|^2 / (2 C n)",
        helps="A third of the cost of a GCN or less, never worse: +2.7 ± 1.5 / +3.4 ± 2.5, CiteSeer "
        "+0.6 ± 0.4 / +0.1 ± 1.0; Photo 71% where plain-gcn has 50% (one draw).",
        hurts="Linear; one penalty for all classes.",
    ),
    Entry(
        "label-propagation",
        "labelnoise.graph.closed_form:propagate_labels",
        "Labels spread along edges, how far by validation; no features, no network.",
        "Zhou et al. 2004, Learning with local and global consistency, NeurIPS, equation 4",
        formula="F <- alpha D^-1/2 A D^-1/2 F + (1 - alpha) Y",
        helps="Graphs without features; instant. Photo: 66% where plain-gcn has 50% (symmetric, one draw).",
        hurts="Worse where features count: -7.2 ± 1.9 / -3.1 ± 4.2, CiteSeer -12.7 ± 2.5 / -10.1 ± "
        "3.0. Wrong labels spread like right ones; nodes out of reach of any label get the "
        "most frequent class.",
    ),
    Entry(
        "neighbour-relabel",
        _NETWORK + "train_neighbour_relabel",
        "Edges to nodes alike, pseudo labels for confident nodes, contradicted labels replaced.",
        "this project, after Dai, Aggarwal, Wang 2021, NRGNN, KDD, whose edges are learnt and "
        "whose labels stay",
        formula="m_i = (mean p_i + mean over neighbours p_j) / 2; target argmax m_i where max m_i >= .6",
        helps="Many confident nodes beside few labels: +1.4 ± 1.6 / +4.3 ± 2.0, CiteSeer +0.2 ± 1.7 "
        "/ -3.3 ± 1.1.",
        hurts="Pseudo labels confirm confusions of classes (CiteSeer, pair); 3 below plain on Photo (one draw); "
        "the .8 published for pseudo labels replaces no label on Cora.",
    ),
    Entry(
        "curriculum",
        _NETWORK + "train_curriculum",
        "Nodes whose neighbourhood agrees with their label first, the others later.",
        "Wei et al. 2023, CLNode: curriculum learning for node classification, WSDM",
        formula="order by -sum_c q_c log q_c + 1 - p[y] / max p, q the classes around a node",
        helps="Right labels inside of classes come first: +1.0 ± 2.1 / +3.5 ± 2.5, CiteSeer +2.3 ± "
        "0.6 / +0.1 ± 1.7.",
        hurts="36% on Photo where plain has 50% (one draw). Neighbours without a label are judged "
        "by a network that has seen the noise; all labels are back in the end.",
    ),
    Entry(
        "erase",
        "labelnoise.graph.erase:train_erase",
        "Embeddings by coding rate reduction on labels denoised over edges, logistic regression on top.",
        "Chen et al. 2024, ERASE: Error-resilient representation learning on graphs, CIKM",
        formula="Rc(Z | L) - gamma R(Z), R = 1/2 logdet(I + d / (n eps) Z'Z)",
        helps="Published draws of Cora at 30%: 79.3 asymmetric (5 seeds), 81.2 symmetric (3), where SGC-8 with "
        "regression has 76.6 / 77.6.",
        hurts="Chooses its epoch by clean validation labels where they are known; 66 CPU seconds for Cora's 400 "
        "epochs; CiteSeer at 30%, one draw: 60.5 / 65.1 where erase-prototypes has 69.6 / 68.4.",
    ),
    Entry(
        "erase-prototypes",
        "labelnoise.graph.prototypes:train_prototypes",
        "One direction per class on diffused features, and ridges taught by it; the best five by validation averaged.",
        "this project, after Chen et al. 2024, ERASE, CIKM",
        formula="p = softmax(k cos(x, m)), m = pull * mean of x weighted by p + (1 - pull) * mean of labelled x",
        helps="Few labels, many wrong: mean of 10 to 50% symmetric and asymmetric, five draws, 77.0 Cora, 66.5 "
        "CiteSeer, 79.9 Photo, where a regression on smoothed features has 64.0, 55.0, 47.5; under a second.",
        hurts="Classes of one compact group each; below ERASE on Cora's published symmetric draw (80.5, 81.2); 43 to "
        "49 at 50% asymmetric, 10 to 20 points apart between draws.",
    ),
)
