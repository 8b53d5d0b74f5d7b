from __future__ import annotations

import time

import numpy as np
import pytest

from labelnoise.core.crowd.dawid_skene import dawid_skene
from labelnoise.core.crowd.majority import majority_vote
from labelnoise.core.crowd.votes import Votes
from labelnoise.core.noise_annotators import annotate, annotator_transitions
from labelnoise.core.validation import InputError


def crowd(
    n: int = 1500, k: int = 4, annotators: int = 20, per_unit: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True classes, votes (n, A), transitions (A, K, K)."""
    true = np.random.default_rng(seed).integers(0, k, n)
    transitions = annotator_transitions(annotators, k, seed, mean=0.65, std=0.2)
    return true, annotate(true, transitions, seed, n_votes=per_unit).labels, transitions


def peer(votes: Votes, iterations: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Posterior, transitions (A, true, said) and CPU seconds of crowd-kit after so many rounds."""
    pd = pytest.importorskip("pandas")
    aggregation = pytest.importorskip("crowdkit.aggregation")
    frame = pd.DataFrame({"task": votes.unit, "worker": votes.annotator, "label": votes.label})
    model = aggregation.DawidSkene(iterations, tol=-np.inf)
    start = time.process_time()
    model.fit(frame)
    seconds = time.process_time() - start
    posterior = model.probas_.sort_index().sort_index(axis=1).to_numpy()
    index = pd.MultiIndex.from_product([range(votes.n_annotators), range(votes.n_classes)])
    errors = model.errors_.sort_index(axis=1).reindex(index).fillna(0.0).to_numpy()
    shape = (votes.n_annotators, votes.n_classes, votes.n_classes)
    return posterior, errors.reshape(shape).transpose(0, 2, 1), seconds


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("iterations", [1, 25])
@pytest.mark.parametrize("annotators", [8, 200])
def test_equals_crowd_kit_without_smoothing(iterations: int, annotators: int) -> None:
    votes = Votes.from_matrix(crowd(annotators=annotators)[1])
    ours = dawid_skene(votes, smoothing=(0, 0), iterations=iterations, tol=0)
    posterior, transitions, _ = peer(votes, iterations)
    # crowd-kit lifts probabilities below 1e-10 to 1e-10 after each round; nothing else differs.
    assert np.abs(ours.posterior - posterior).max() < 1e-8
    assert np.abs(ours.transitions - transitions).max() < 1e-6
    assert ours.iterations == iterations


@pytest.mark.filterwarnings("ignore")
def test_is_faster_than_crowd_kit() -> None:
    votes = Votes.from_matrix(crowd(n=5000, k=10, annotators=50, per_unit=3)[1])
    start = time.process_time()
    dawid_skene(votes, smoothing=(0, 0), iterations=10, tol=0)
    seconds = time.process_time() - start
    assert peer(votes, 10)[2] > 1.5 * seconds


def test_recovers_annotators_and_beats_the_majority() -> None:
    true, matrix, transitions = crowd(n=4000, annotators=12)
    votes = Votes.from_matrix(matrix)
    result = dawid_skene(votes)
    assert result.converged
    assert np.abs(result.transitions - transitions).max() < 0.12
    assert (result.labels == true).mean() > (majority_vote(votes).labels == true).mean() + 0.03
    realised = np.array([(column == true)[column >= 0].mean() for column in matrix.T])
    assert (np.abs(result.accuracy - realised) < 4 * result.accuracy_error).all()


def test_systematic_confusion_is_found_that_one_accuracy_cannot_tell() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 2000)
    good = 0.8 * np.eye(3) + 0.2 / 3
    swaps = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    votes = annotate(true, np.stack([good, good, good, swaps]), 0).labels
    result = dawid_skene(Votes.from_matrix(votes))
    assert np.abs(result.transitions[3] - swaps).max() < 0.05
    assert (result.labels == true).mean() > 0.95


def test_each_round_raises_the_likelihood() -> None:
    votes = Votes.from_matrix(crowd(n=300)[1])

    def log_likelihood(rounds: int) -> float:
        r = dawid_skene(votes, smoothing=(0, 0), iterations=rounds, tol=0)
        with np.errstate(divide="ignore"):
            logs = np.log(r.transitions)[votes.annotator, :, votes.label]
        joint = np.tile(np.log(r.prior), (votes.n_units, 1))
        np.add.at(joint, votes.unit, logs)
        return float(np.logaddexp.reduce(joint, axis=1).sum())

    values = [log_likelihood(rounds) for rounds in (1, 2, 4, 8, 16)]
    assert (np.diff(values) > 0).all()


def test_smoothing_helps_where_annotators_have_few_votes() -> None:
    true, matrix, _ = crowd(n=1000, k=8, annotators=400, per_unit=3)
    votes = Votes.from_matrix(matrix)
    plain, smooth = dawid_skene(votes, smoothing=(0, 0)), dawid_skene(votes)
    assert (smooth.labels == true).mean() > (plain.labels == true).mean() + 0.05


@pytest.mark.parametrize("k", [2, 10, 50])
def test_the_prior_accuracy_does_not_fall_with_the_number_of_classes(k: int) -> None:
    # Nobody was ever heard on the last class: its row is the prior alone.
    votes = Votes.from_matrix(np.zeros((40, 3), dtype=int), n_classes=k)
    last = dawid_skene(votes, smoothing=(2.0, 1.0)).transitions[0, -1]
    assert last[-1] == pytest.approx(2 / 3, abs=1e-3)
    assert last[:-1] == pytest.approx(np.full(k - 1, 1 / 3 / (k - 1)), abs=1e-3)


def test_nothing_hangs_on_the_order_of_units_annotators_and_classes() -> None:
    _, matrix, _ = crowd(n=200)
    rng = np.random.default_rng(3)
    units, annotators, classes = rng.permutation(200), rng.permutation(20), rng.permutation(4)
    plain = dawid_skene(Votes.from_matrix(matrix))
    renamed = np.where(matrix >= 0, classes[matrix], -1)
    moved = dawid_skene(Votes.from_matrix(renamed[units][:, annotators]))
    assert np.allclose(moved.posterior[:, classes], plain.posterior[units], atol=1e-8)
    assert np.allclose(moved.accuracy, plain.accuracy[annotators])
    assert np.allclose(moved.transitions[:, classes][:, :, classes], plain.transitions[annotators], atol=1e-8)


def test_silent_units_and_annotators_change_nothing_else() -> None:
    _, matrix, _ = crowd(n=100)
    wide = np.full((103, 21), -1)
    wide[:100, :20] = matrix
    for smoothing in ((0.0, 0.0), (2.0, 1.0), (1.0, 0.0)):
        plain = dawid_skene(Votes.from_matrix(matrix), smoothing=smoothing)
        more = dawid_skene(Votes.from_matrix(wide, n_classes=4), smoothing=smoothing)
        assert np.allclose(more.posterior[:100], plain.posterior)
        assert more.labels[100:].tolist() == [-1] * 3
        assert np.allclose(more.posterior[100:], more.prior)
        assert np.allclose(more.transitions.sum(axis=2), 1.0)
        assert np.isinf(more.accuracy_error[20])
        assert np.isfinite(more.accuracy).all()


def test_no_votes_one_annotator_one_class() -> None:
    nothing = dawid_skene(Votes.from_arrays([], [], [], n_units=2, n_annotators=3, n_classes=2))
    assert nothing.labels.tolist() == [-1, -1]
    assert nothing.transitions.shape == (3, 2, 2)
    assert nothing.transitions == pytest.approx(0.5)
    one = dawid_skene(Votes.from_matrix([[0], [1], [1]]))
    assert one.labels.tolist() == [0, 1, 1]
    assert one.warnings
    single = dawid_skene(Votes.from_matrix([[0, 0], [0, -1]]))
    assert single.posterior.tolist() == [[1.0], [1.0]]
    assert single.labels.tolist() == [0, 0]


def test_the_seed_decides_ties_alone() -> None:
    votes = Votes.from_matrix(np.tile([[0, 1], [1, 0]], (200, 1)))
    first, again, other = (dawid_skene(votes, seed=seed) for seed in (0, 0, 1))
    assert (first.labels == again.labels).all()
    assert (first.posterior == other.posterior).all()
    assert (first.labels != other.labels).any()


@pytest.mark.parametrize(
    "options", [{"smoothing": (-1, 0)}, {"iterations": 0}, {"tol": -1.0}, {"tol": float("nan")}]
)
def test_settings_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(InputError):
        dawid_skene(Votes.from_matrix([[0, 1]]), **options)
