"""The curriculum: difficulty, pace, and that hard nodes come late."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from labelnoise.core.training.arrays import ArrayTask
from labelnoise.core.training.config import TrainConfig
from labelnoise.core.training.loop import train
from labelnoise.core.validation import InputError
from labelnoise.graph.curriculum import PACES, Curriculum, node_difficulty, share_at
from labelnoise.graph.embedded import papers
from labelnoise.graph.gnn_task import GraphTask
from labelnoise.graph.noise import symmetric


def config(epochs: int) -> TrainConfig:
    return TrainConfig(epochs=epochs, lr=0.01, weight_decay=5e-4, select="last", device="cpu")


def test_difficulty_is_entropy_around_a_node_plus_doubt() -> None:
    star = sp.csr_array(np.array([[0, 1, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]], dtype=float))
    given = np.array([0, 0, 1, -1])
    probs = np.array([[0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.1, 0.9]])
    half = np.log(2)
    found = node_difficulty(star, given, probs)
    # The unlabelled node counts by its predicted class, and has no doubt.
    np.testing.assert_allclose(found, [half, 0, half + 0.75, half])
    np.testing.assert_allclose(node_difficulty(star, given, probs, feature_weight=0.0), [half, 0, half, half])
    weighted = star * 7.0
    np.testing.assert_allclose(node_difficulty(weighted, given, probs), found)


@pytest.mark.parametrize("pace", PACES)
def test_the_share_grows_from_start_to_end(pace: str) -> None:
    shares = [share_at(t, 10, 0.2, 0.9, pace) for t in range(15)]
    assert shares[0] == pytest.approx(0.2)
    assert shares[10:] == [0.9] * 5
    assert (np.diff(shares[:11]) > 0).all()
    middle = {"linear": 0.55, "root": np.sqrt((0.04 + 0.81) / 2), "geometric": np.sqrt(0.18)}[pace]
    assert shares[5] == pytest.approx(middle)


def test_wrong_labels_come_late() -> None:
    graph = papers(600, noise_rate=0.0)
    noisy = graph.with_labels(symmetric(graph, 0.3, 0).labels, true=graph.given)
    task = GraphTask(noisy)
    result = train(task, Curriculum(warmup=20, full_after=10, end_share=0.7), config(40))
    kept = [record["kept"] for record in result.history]
    assert kept[:20] == [1.0] * 20
    assert kept[20] == pytest.approx(0.5, abs=0.01)
    assert kept[-1] == pytest.approx(0.7, abs=0.01)
    known = task.given >= 0
    wrong = known & (task.given != graph.given)
    rank = result.units["rank"].numpy()
    assert rank[wrong].mean() > rank[known & ~wrong].mean() + 0.2
    active = result.units["active"].numpy()
    assert wrong[known & active].mean() < 0.7 * wrong[known].mean()


def test_a_run_that_was_interrupted_ends_in_the_same_weights(tmp_path: Any) -> None:
    task = GraphTask(papers(200))
    options = {"lr": 0.01, "select": "last", "device": "cpu"}
    whole = train(task, Curriculum(warmup=2, full_after=3), TrainConfig(epochs=8, **options))

    class Stop(Exception):
        pass

    def stop(run: Any) -> None:
        if run.epoch == 5:
            raise Stop

    stored = TrainConfig(epochs=8, folder=tmp_path, **options)
    with pytest.raises(Stop):
        train(task, Curriculum(warmup=2, full_after=3), stored, callbacks=[stop])
    resumed = train(task, Curriculum(warmup=2, full_after=3), stored)
    for one, other in zip(whole.models[0].parameters(), resumed.models[0].parameters()):
        assert bool((one == other).all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pace": "fast"}, "pace"),
        ({"start_share": 0.0}, "start_share is 0"),
        ({"end_share": 0.3}, "end_share 0.3"),
        ({"warmup": 9}, "warmup is 9"),
        ({"full_after": 0}, "full_after is 0"),
        ({"feature_weight": -1}, "feature_weight is -1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(GraphTask(papers(100)), Curriculum(**{"warmup": 2, **options}), config(9))


def test_it_needs_a_graph() -> None:
    with pytest.raises(InputError, match="GraphTask"):
        train(ArrayTask(np.zeros((4, 2)), [0, 1, 0, 1]), Curriculum(), config(60))
