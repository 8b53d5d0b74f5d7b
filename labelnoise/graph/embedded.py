"""Two graphs without a download: generated papers with planted wrong labels, real handwritten digits."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate
from labelnoise.graph.dataset import GraphDataset, distinct_pairs

__all__ = ["DIGITS", "PAPERS", "TOPICS", "VOCABULARY", "digits", "papers"]

PAPERS = DatasetInfo(
    "papers",
    "1,500 generated papers, 7 topics, citations, 8 % wrong labels that are known",
    "Apache-2.0",
    "generated (labelnoise.graph.embedded.papers)",
    embedded=True,
)
DIGITS = DatasetInfo(
    "digits",
    "1,797 real handwritten digits, joined to their 6 nearest neighbours; labels as published",
    "CC BY 4.0 (UCI, E. Alpaydin and C. Kaynak)",
    "shipped with scikit-learn (sklearn.datasets.load_digits)",
    embedded=True,
)

# Words of each topic, the most telling first: the k-th is drawn with probability proportional to 1 / (k + 2).
_TOPIC_WORDS = {
    "databases": """query index transaction join schema table relational storage optimizer concurrency
        replication lock recovery tuple view warehouse olap column cursor commit buffer partition
        key durable log snapshot constraint aggregate spill shard stored ledger""",
    "graphics": """rendering shading texture mesh ray illumination shadow polygon animation shader
        rasterization geometry surface lighting curve reflection volume spline subdivision camera
        scene material hair cloth deformation sketch fluid viewpoint pixel projection tessellation
        radiance""",
    "languages": """compiler type semantics program syntax inference functional lambda verification
        garbage parser polymorphism closure proof macro monad static abstraction inlining register
        effect interpreter module pointer logic pattern loop soundness specification analysis
        refinement continuation""",
    "learning": """gradient classifier kernel regression training bayesian network boosting
        regularization feature clustering policy reward embedding loss supervised prior margin
        bandit sample generalization layer ensemble attention posterior sparse optimization
        likelihood representation variance reinforcement tree""",
    "networks": """routing packet congestion protocol latency bandwidth wireless topology router
        throughput multicast link switch mobile queue flow traffic ethernet peer channel gateway
        transport datacenter loss spectrum handover mac overlay relay jitter sensor tunnel""",
    "security": """encryption attack malware authentication key cryptography privacy vulnerability
        signature adversary intrusion password cipher trust exploit anonymity secret certificate
        leakage botnet audit firewall protocol isolation forensic hash threat sandbox fuzzing
        credential tamper spam""",
    "vision": """image segmentation recognition camera stereo detector pixel motion face pose optical
        tracking edge descriptor matching depth video shape registration silhouette saliency
        calibration feature contour convolution object scene texture lidar gesture keypoint region""",
}
_COMMON_WORDS = """method result approach problem system model data new paper show propose present
        evaluate time large efficient performance algorithm experiment framework technique design
        analysis application state art general several different based use study improve existing
        work first set number cost compare simple novel effective real world provide case order
        given further reduce increase available structure level high low bound error accuracy task
        domain complex support implementation user measure scale dynamic local global random linear
        parallel distributed adaptive robust automatic common single multiple theory practice tool
        quality test change process environment resource"""

#: Class names of `papers`.
TOPICS: tuple[str, ...] = tuple(_TOPIC_WORDS)

# How often papers of the first topic also belong to the second one, and the other way round.
_NEIGHBOURING = {
    ("graphics", "vision"): 4.0,
    ("learning", "vision"): 4.0,
    ("networks", "security"): 4.0,
    ("databases", "networks"): 2.0,
    ("languages", "security"): 2.0,
    ("learning", "languages"): 1.5,
    ("databases", "learning"): 1.5,
    ("databases", "languages"): 1.5,
    ("graphics", "languages"): 1.0,
}
_SHARE = np.array([0.17, 0.09, 0.13, 0.22, 0.15, 0.11, 0.13])


def _vocabulary() -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """All words once, and for each topic (and last for common words) the columns of its words."""
    lists = [text.split() for text in (*_TOPIC_WORDS.values(), _COMMON_WORDS)]
    words = tuple(sorted({word for words in lists for word in words}))
    column = {word: index for index, word in enumerate(words)}
    return words, [np.array([column[word] for word in words]) for words in lists]


#: The word of each feature column of `papers`.
VOCABULARY: tuple[str, ...] = _vocabulary()[0]

# Shape of the generated graph, set so that the difficulty is that of Cora (see `papers`).
_EDGES_PER_NODE = 1.5
_DEGREE_EXPONENT = 2.6
_ISOLATED = 0.015
_BETWEEN = 0.17
_UNRELATED_EDGES = 0.025
_SPECIALITIES = 8
_SAME_SPECIALITY = 0.75
_COPIED = 0.5
_WORDS_PER_PAPER = 20
_COMMON_SHARE = 0.86
_CONFUSED = 0.3


def papers(n_nodes: int = 1500, *, noise_rate: float = 0.08, seed: int = 0) -> GraphDataset:
    """Generate a citation graph whose labels are partly wrong, with the truth at hand.

    Each paper has a main topic (its true label) and a share of a neighbouring one, and draws its words and
    citations from both; one paper in six stands between its two topics. Popularity follows a power law, 1.5 %
    of the papers neither cite nor are cited. Of the wrong labels 30 % are the paper's own second topic, as a
    hurried annotator would choose, most often where it stands between two; 70 % are any other topic.

    Difficulty is that of Cora with one label in ten wrong. Votes of all neighbours within two steps rank the
    wrong labels with an AUC of .966 (mean over 8 seeds; Cora: .975 for uniform, .950 for next-class noise),
    logistic regression on features averaged over two steps with .982 (Cora: .984); edge homophily of the true
    topics is .84 (Cora: .81), mean degree 3.8 (3.9), text alone classifies 78 % right (73 %).

    Parameters
    ----------
    n_nodes : int
        At least 100; the graph has about 1.9 citations per paper at any size.
    noise_rate : float
        Share of wrong labels, from 0 to 0.5; the count is exact to within rounding.
    seed : int

    Returns
    -------
    GraphDataset
        Sparse 0/1 features, one column per word of `VOCABULARY`; ids "paper-0000" ...; each citation is
        stored in both directions.

    Raises
    ------
    InputError
        Too few nodes, a rate out of range.

    Examples
    --------
    >>> graph = papers()
    >>> graph.n_nodes, graph.n_classes, int(graph.is_wrong.sum())
    (1500, 7, 120)
    >>> graph.ids[42], graph.class_names[graph.given[42]]
    (np.str_('paper-0042'), 'networks')
    """
    if int(n_nodes) != n_nodes or n_nodes < 100:
        raise InputError(f"n_nodes is {n_nodes}; give a whole number of at least 100 papers.")
    rate = as_rate(noise_rate, name="noise_rate", upper=0.5)
    n, k = int(n_nodes), len(TOPICS)
    related = np.zeros((k, k))
    for (one, other), weight in _NEIGHBOURING.items():
        a, b = TOPICS.index(one), TOPICS.index(other)
        related[a, b] = related[b, a] = weight
    draw = generator(seed, "papers", "topics")
    main = _pick(np.cumsum(_SHARE), draw.random(n))
    second = _pick_rows(related, main, draw.random(n))
    # How much of a paper belongs to its main topic: some stand between two.
    between = draw.random(n) < _BETWEEN
    purity = np.where(between, draw.uniform(0.55, 0.8, size=n), draw.uniform(0.9, 1.0, size=n))
    given = _mislabel(main, second, purity, rate, generator(seed, "papers", "labels"))
    width = max(4, len(str(n - 1)))
    return GraphDataset(
        name="papers",
        given=given,
        true=main,
        class_names=TOPICS,
        unit_ids=np.char.add("paper-", np.char.zfill(np.arange(n).astype(str), width)),
        x=_words(main, second, purity, generator(seed, "papers", "words")),
        edge_index=_citations(main, second, purity, generator(seed, "papers", "citations")),
        source=PAPERS.source,
        meta={"licence": PAPERS.licence, "planted_noise_rate": float((given != main).mean()), "seed": seed},
    )


def _pick(cumulative: NDArray[np.float64], uniform: NDArray[np.float64]) -> NDArray[np.int64]:
    """Inverse CDF of one discrete distribution."""
    found = np.searchsorted(cumulative, uniform * cumulative[-1], side="right")
    return np.minimum(found, len(cumulative) - 1).astype(np.int64)


def _pick_rows(
    weights: NDArray[np.float64], row: NDArray[np.int64], uniform: NDArray[np.float64]
) -> NDArray[np.int64]:
    """One draw from the chosen row of weights for each unit."""
    bounds = weights.cumsum(axis=1) / weights.sum(axis=1, keepdims=True)
    return np.minimum((uniform[:, None] >= bounds[row]).sum(axis=1), weights.shape[1] - 1).astype(np.int64)


def _mislabel(
    main: NDArray[np.int64],
    second: NDArray[np.int64],
    purity: NDArray[np.float64],
    rate: float,
    draw: np.random.Generator,
) -> NDArray[np.int64]:
    """Wrong labels: papers of divided topic get their second one, any paper a random one."""
    n, k = len(main), len(TOPICS)
    n_wrong = round(rate * n)
    n_confused = round(_CONFUSED * n_wrong)
    # Weighted sampling without replacement: the smallest exponentials divided by the weights.
    clock = draw.exponential(size=n) / (1.5 - purity)
    confused = np.argsort(clock, kind="stable")[:n_confused]
    rest = np.setdiff1d(np.arange(n), confused)
    anything = draw.permutation(rest)[: n_wrong - n_confused]
    given = main.copy()
    given[confused] = second[confused]
    given[anything] = (main[anything] + draw.integers(1, k, size=len(anything))) % k
    return given


def _citations(
    main: NDArray[np.int64], second: NDArray[np.int64], purity: NDArray[np.float64], draw: np.random.Generator
) -> NDArray[np.int64]:
    """Degree-corrected communities: a popular paper is cited from its own topic, and from related ones."""
    n, k = len(main), len(TOPICS)
    popularity = np.minimum((1.0 - draw.random(n)) ** (-1.0 / (_DEGREE_EXPONENT - 1.0)), n**0.5)
    isolated = draw.permutation(n)[: round(_ISOLATED * n)]
    popularity[isolated] = 0.0
    # Everyone who is not isolated cites once at least; who is popular cites more, and is cited much more.
    citing = np.setdiff1d(np.arange(n), isolated)
    m = round(_EDGES_PER_NODE * n)
    more = _pick(np.cumsum(np.sqrt(popularity)), draw.random(m - len(citing)))
    source = np.concatenate([citing, more])
    own = draw.random(m) < purity[source]
    topic = np.where(own, main[source], second[source])
    topic = np.where(draw.random(m) < _UNRELATED_EDGES, _pick(np.cumsum(_SHARE), draw.random(m)), topic)
    # A topic falls into specialities, whose papers cite each other most: friends of friends are friends.
    speciality = main * _SPECIALITIES + draw.integers(0, _SPECIALITIES, size=n)
    close = (topic == main[source]) & (draw.random(m) < _SAME_SPECIALITY)
    first = np.where(close, speciality[source], topic * _SPECIALITIES)
    last = np.where(close, speciality[source], topic * _SPECIALITIES + _SPECIALITIES - 1)
    # One CDF over papers sorted by speciality; a draw within a topic is a draw within its stretch.
    order = np.argsort(speciality, kind="stable")
    cumulative = np.concatenate([[0.0], np.cumsum(popularity[order])])
    edge = np.searchsorted(speciality[order], np.arange(k * _SPECIALITIES + 1))
    low, high = cumulative[edge[first]], cumulative[edge[last + 1]]
    target = order[_pick(cumulative[1:], (low + draw.random(m) * (high - low)) / cumulative[-1])]
    first_edges = _both_ways(source, target, n)
    # Some more are copied from a paper that they cite, or that cites them: that closes triangles.
    start = np.searchsorted(first_edges[0], np.arange(n + 1))
    follow = source[draw.permutation(m)[: round(_COPIED * m)]]
    middle = _random_neighbour(first_edges[1], start, follow, draw.random(len(follow)))
    final = _random_neighbour(first_edges[1], start, middle, draw.random(len(follow)))
    return _both_ways(np.concatenate([source, follow]), np.concatenate([target, final]), n)


def _random_neighbour(
    neighbours: NDArray[np.int64],
    start: NDArray[np.int64],
    node: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> NDArray[np.int64]:
    """A neighbour of each node; the node itself where it has none."""
    count = start[node + 1] - start[node]
    position = start[node] + (uniform * count).astype(np.int64)
    return np.where(count > 0, neighbours[np.minimum(position, len(neighbours) - 1)], node)


def _both_ways(source: NDArray[np.int64], target: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Each edge in both directions, once, sorted; no self loops."""
    return np.stack(distinct_pairs(np.concatenate([source, target]), np.concatenate([target, source]), n))


def _words(
    main: NDArray[np.int64], second: NDArray[np.int64], purity: NDArray[np.float64], draw: np.random.Generator
) -> sp.csr_array:
    n, k = len(main), len(TOPICS)
    vocabulary, columns = _vocabulary()
    weights = np.zeros((k + 1, len(vocabulary)))
    for topic, column in enumerate(columns):
        np.add.at(weights[topic], column, 1.0 / (np.arange(len(column)) + 2.0))
    paper = np.repeat(np.arange(n), _WORDS_PER_PAPER)
    subject = np.where(draw.random(len(paper)) < purity[paper], main[paper], second[paper])
    subject = np.where(draw.random(len(paper)) < _COMMON_SHARE, k, subject)
    # All topics' CDFs end to end, as in `_citations`.
    cumulative = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1) + np.arange(k + 1)[:, None]
    found = np.searchsorted(cumulative.ravel(), subject + draw.random(len(paper)), side="right")
    word = np.minimum(found - subject * len(vocabulary), len(vocabulary) - 1)
    pairs = np.unique(paper * len(vocabulary) + word)
    row, columns_used = pairs // len(vocabulary), pairs % len(vocabulary)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))])
    return sp.csr_array(
        (np.ones(len(pairs), dtype=np.float32), columns_used.astype(np.int32), indptr.astype(np.int32)),
        shape=(n, len(vocabulary)),
    )


def digits(k: int = 6) -> GraphDataset:
    """Real handwritten digits as a graph: each of the 1,797 images is joined to its nearest ones.

    Labels are as published; the true ones are not known (``true`` is None).

    Parameters
    ----------
    k : int
        Neighbours per image, by Euclidean distance of the 64 pixels (ties go to the earlier image); an edge
        is there if either names the other. From 1 to 50.

    Returns
    -------
    GraphDataset
        Dense features from 0 to 1.

    Raises
    ------
    InputError
        ``k`` out of range.

    Examples
    --------
    >>> graph = digits()
    >>> graph.n_nodes, graph.n_classes, int(graph.degree.min())
    (1797, 10, 6)
    """
    if int(k) != k or not 1 <= k <= 50:
        raise InputError(f"k is {k}; give a whole number of neighbours from 1 to 50.")
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    whole = pixels.astype(np.float32)  # whole numbers up to 16: all products below are exact
    n = len(whole)
    norm = (whole**2).sum(axis=1)
    distance = (norm[:, None] + norm[None, :] - 2.0 * whole @ whole.T).astype(np.int64)
    np.fill_diagonal(distance, 64 * 16**2 + 1)
    # The column number breaks ties, so that the same graph results on every machine.
    near = np.argpartition(distance * n + np.arange(n), k - 1, axis=1)[:, :k]
    source, target = np.repeat(np.arange(n), k), near.ravel()
    return GraphDataset(
        name="digits",
        given=labels,
        class_names=tuple(str(digit) for digit in range(10)),
        x=whole / np.float32(16.0),
        edge_index=_both_ways(source, target, n),
        source=DIGITS.source,
        meta={"licence": DIGITS.licence, "neighbours": int(k)},
    )
