"""Ambiguity is high where a plausible truth and a model trained on it part, and follows its seed only."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from labelnoise.core.progress import show_progress
from labelnoise.core.risk import Ambiguity, ambiguity, plausible_labels, true_posterior
from labelnoise.core.transition_estimate import TransitionEstimate
from labelnoise.core.validation import InputError

Labels = NDArray[np.int64]


def noise(k: int, rate: float) -> NDArray[np.float64]:
    return (1 - rate) * np.eye(k) + rate / (k - 1) * (1 - np.eye(k))


def world(k: int, rate: float, n: int = 1500, seed: int = 0) -> tuple[NDArray[np.float64], Labels, Labels]:
    rng = np.random.default_rng(seed)
    true = rng.integers(0, k, n)
    x = rng.normal(size=(n, k)) + 2 * np.eye(k)[true]
    given = np.where(rng.random(n) < rate, (true + rng.integers(1, k, n)) % k, true)
    return x, given, true


def measured(
    model: Any, k: int, rate: float, **more: Any
) -> tuple[Ambiguity, Labels, Labels, NDArray[np.float64]]:
    x, given, true = world(k, rate)
    prior = np.full(k, 1 / k)
    return (
        ambiguity(model, x, given, transition=noise(k, rate), prior=prior, true=true, **more),
        given,
        true,
        x,
    )


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize(
    "model", [LogisticRegression(), DecisionTreeClassifier(max_depth=5)], ids=["linear", "tree"]
)
def test_ambiguity_ranks_regret(model: Any, k: int) -> None:
    result, given, true, _ = measured(model, k, 0.2)
    assert result.regret is not None
    assert result.regret.auroc is not None
    assert result.regret.auroc > 0.8
    assert result.flip_rate == pytest.approx(0.2, abs=0.02)
    assert 0 < result.regret.overlooked < result.regret.rate < 0.25
    assert result.ambiguity[given != true].mean() > 2 * result.ambiguity[given == true].mean()


def test_ambiguity_finds_mistakes_that_agree_with_the_given_label() -> None:
    result, *_ = measured(DecisionTreeClassifier(max_depth=5), 4, 0.2)
    assert result.regret is not None
    assert result.regret.auroc_overlooked is not None
    assert result.regret.auroc_overlooked > 0.7


def test_rightly_labelled_units_near_the_boundary_are_more_ambiguous() -> None:
    result, given, true, x = measured(KNeighborsClassifier(15), 2, 0.2)
    distance = np.abs(x[:, 0] - x[:, 1])
    right = given == true
    near, far = result.ambiguity[right & (distance < 0.5)], result.ambiguity[right & (distance > 2)]
    assert near.mean() > far.mean() + 4 * near.std() / np.sqrt(len(near))


def test_with_two_classes_regret_is_the_wrong_label() -> None:
    result, given, true, _ = measured(LogisticRegression(), 2, 0.3, draws=2)
    assert result.regret is not None
    assert (result.regret.per_unit == (given != true)).all()


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_model_that_memorises_is_never_ambiguous(rate: float) -> None:
    result, *_ = measured(DecisionTreeClassifier(), 3, rate, draws=3)
    assert not result.ambiguity.any()
    assert not result.standard_error.any()
    assert result.flip_rate == pytest.approx(rate, abs=0.03)


def test_without_noise_every_draw_is_the_given_labels() -> None:
    """Ambiguity is then the training error of the one model."""
    x, given, _ = world(3, 0.2)
    result = ambiguity(LogisticRegression(), x, given, transition=np.eye(3), prior=np.full(3, 1 / 3), draws=3)
    errors = LogisticRegression().fit(x, given).predict(x) != given
    assert (result.ambiguity == errors).all()
    assert result.flip_rate == 0
    assert result.regret is None


def test_the_standard_error_is_what_repeating_shows() -> None:
    x, given, _ = world(2, 0.2, n=300)
    runs = [
        ambiguity(
            LogisticRegression(), x, given, transition=noise(2, 0.2), prior=[0.5, 0.5], draws=10, seed=s
        )
        for s in range(30)
    ]
    seen = np.std([run.ambiguity for run in runs], axis=0).mean()
    told = np.mean([run.standard_error for run in runs])
    assert told == pytest.approx(seen, rel=0.2)


def test_the_seed_decides_and_more_draws_keep_the_first() -> None:
    x, given, _ = world(2, 0.2, n=300)

    def run(draws: int, seed: int) -> NDArray[np.float64]:
        model = DecisionTreeClassifier(max_depth=3, max_features=1)
        return ambiguity(
            model, x, given, transition=noise(2, 0.2), prior=[0.5, 0.5], draws=draws, seed=seed
        ).ambiguity

    assert (run(4, 1) == run(4, 1)).all()
    assert (run(4, 1) != run(4, 2)).any()
    # Of six draws the first four part at least as often as they do alone.
    more = 6 * run(6, 1) - 4 * run(4, 1)
    assert (np.abs(more - 1) < 1 + 1e-9).all()


def test_units_without_a_label_change_nothing_and_have_no_ambiguity() -> None:
    x, given, true = world(3, 0.2, n=300)
    masked, more = np.insert(given, [0, 150, 300], -1), np.insert(x, [0, 150, 300], 1e6, axis=0)
    settings: dict[str, Any] = {"transition": noise(3, 0.2), "prior": np.full(3, 1 / 3), "draws": 4}
    model = DecisionTreeClassifier(max_depth=3)
    whole = ambiguity(model, x, given, true=true, **settings)
    part = ambiguity(model, more, masked, true=np.insert(true, [0, 150, 300], 0), **settings)
    known = masked != -1
    assert (part.ambiguity[known] == whole.ambiguity).all()
    assert (part.standard_error[known] == whole.standard_error).all()
    assert not part.ambiguity[~known].any()
    assert part.flip_rate == whole.flip_rate
    assert part.regret is not None
    assert whole.regret is not None
    assert (part.regret.rate, part.regret.auroc) == (whole.regret.rate, whole.regret.auroc)
    assert not part.regret.per_unit[~known].any()


def test_a_function_is_as_good_as_a_classifier_and_cannot_spoil_the_labels() -> None:
    x, given, _ = world(3, 0.2, n=300)
    settings: dict[str, Any] = {"transition": noise(3, 0.2), "prior": np.full(3, 1 / 3), "draws": 4}

    def fit(features: Any, labels: Labels, seed: int) -> Any:
        model = DecisionTreeClassifier(max_depth=3, random_state=seed).fit(features, labels)
        labels[:] = 0
        return model.predict

    a = ambiguity(fit, x, given, **settings)
    b = ambiguity(DecisionTreeClassifier(max_depth=3), x.tolist(), given, **settings)
    assert (a.ambiguity == b.ambiguity).all()


def test_progress_counts_the_draws() -> None:
    told: list[int | None] = []

    class Reporter:
        def track(self, items: Any, description: str, total: int | None) -> Any:
            told.append(total)
            yield from items

    x, given, _ = world(2, 0.2, n=50)
    with show_progress(Reporter()):
        ambiguity(LogisticRegression(), x, given, transition=noise(2, 0.2), prior=[0.5, 0.5], draws=3)
    assert told == [3]


def test_an_estimate_of_t_may_bring_the_prior() -> None:
    x, given, _ = world(2, 0.2, n=100)
    estimate = TransitionEstimate(
        matrix=noise(2, 0.2),
        standard_error=np.zeros((2, 2)),
        method="test",
        n_units=9,
        prior=np.array([0.5, 0.5]),
    )
    a = ambiguity(LogisticRegression(), x, given, transition=estimate, draws=2)
    b = ambiguity(LogisticRegression(), x, given, transition=noise(2, 0.2), prior=[0.5, 0.5], draws=2)
    assert (a.ambiguity == b.ambiguity).all()


def test_the_posterior_is_bayes_rule() -> None:
    matrix, prior = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.5, 0.5]]), np.array([0.5, 0.3, 0.2])
    posterior = true_posterior(matrix, prior)
    assert posterior[1, 2] == pytest.approx(0.5 * 0.2 / (0.1 * 0.5 + 0.7 * 0.3 + 0.5 * 0.2))
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    # A label that no class with any share is given as stays what it is.
    assert true_posterior([[1, 0], [1, 0]], [0.5, 0.5])[1].tolist() == [0, 1]


def test_drawn_labels_have_the_posterior_within_epsilon() -> None:
    matrix, prior = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1], [0.0, 0.5, 0.5]]), np.array([0.5, 0.3, 0.2])
    posterior = true_posterior(matrix, prior)
    given = np.repeat([0, 1, 2], [500, 300, 40])
    drawn = np.array([plausible_labels(given, posterior, draw=m) for m in range(300)])
    for g, n in ((0, 500), (1, 300), (2, 40)):
        share = np.bincount(drawn[:, given == g].ravel(), minlength=3) / (300 * n)
        np.testing.assert_allclose(share, posterior[g], atol=0.01)
        expected = n * (1 - posterior[g, g])
        flips = (drawn[:, given == g] != g).sum(axis=1)
        assert np.abs(flips - expected).max() <= max(0.1 * expected, 0.5) + 1e-9
        assert flips.std() > 0
    free = np.array([plausible_labels(given, posterior, draw=m, epsilon=1.0) for m in range(300)])
    assert (free != given).sum(axis=1).std() > (drawn != given).sum(axis=1).std()
    assert not (drawn[:, given == 2] == 0).any(), "an impossible true label"


def test_the_direct_draw_has_the_distribution_of_drawing_until_accepted() -> None:
    rng, n, flip = np.random.default_rng(0), 60, 0.25
    tries = rng.binomial(n, flip, 20_000)
    accepted = tries[np.abs(tries - 15) <= 3]
    posterior = np.array([[1 - flip, flip], [0, 1]])
    given = np.zeros(n, dtype=int)
    direct = np.array([plausible_labels(given, posterior, epsilon=0.2, draw=m) for m in range(3000)])
    shares = [np.bincount(counts, minlength=19) / len(counts) for counts in (accepted, direct.sum(axis=1))]
    np.testing.assert_allclose(*shares, atol=0.03)
    np.testing.assert_allclose(direct.mean(axis=0), flip, atol=0.04)


def test_few_units_have_a_draw_too() -> None:
    """An expectation of 0.2 changed labels has no whole number within a tenth of it."""
    posterior = true_posterior(noise(2, 0.1), [0.5, 0.5])
    assert plausible_labels([0, 0, 1], posterior).tolist() == [0, 0, 1]


def test_refusals() -> None:
    x, given, true = world(2, 0.2, n=20)
    settings: dict[str, Any] = {"transition": noise(2, 0.2), "prior": [0.5, 0.5]}
    model = LogisticRegression()
    with pytest.raises(InputError, match="Lengths differ: features 19"):
        ambiguity(model, x[1:], given, **settings)
    with pytest.raises(InputError, match="Lengths differ: given 20, true 19"):
        ambiguity(model, x, given, true=true[1:], **settings)
    with pytest.raises(InputError, match="pass prior"):
        ambiguity(model, x, given, transition=noise(2, 0.2))
    with pytest.raises(InputError, match="sums to 0.9"):
        ambiguity(model, x, given, transition=noise(2, 0.2), prior=[0.5, 0.4])
    with pytest.raises(InputError, match="draws is 1"):
        ambiguity(model, x, given, draws=1, **settings)
    with pytest.raises(InputError, match="no label"):
        ambiguity(model, x, np.full(20, -1), **settings)
    with pytest.raises(InputError, match="fit is LogisticRegression; pass"):
        ambiguity(LogisticRegression, x, given, **settings)
    with pytest.raises(InputError, match="fit is str"):
        ambiguity("tree", x, given, **settings)
    with pytest.raises(InputError, match="predicted 3 labels for 20"):
        ambiguity(lambda features, labels, seed: lambda rows: [0, 1, 1], x, given, **settings)
    with pytest.raises(InputError, match="epsilon is 2"):
        plausible_labels([0, 1], np.eye(2), epsilon=2)
