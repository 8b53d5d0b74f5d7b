"""Mixtures of losses: against scikit-learn and the published steps, and what they say when there is no mixture."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from labelnoise.core._mixture import points_of
from labelnoise.core.mixture import beta_mixture, fit_beta_mixture, fit_gaussian_mixture, gaussian_mixture
from labelnoise.core.mixture_gaussian import _two_means
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError

FITS = [fit_gaussian_mixture, fit_beta_mixture]
SELECTORS = [gaussian_mixture, beta_mixture]


def losses(n: int, rate: float = 0.3, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng = generator(seed, "losses")
    wrong = rng.random(n) < rate
    return np.where(wrong, rng.normal(3, 0.8, n).clip(0), rng.exponential(0.3, n)), wrong


def sklearn_posterior(values: Any, seed: int = 0, **start: Any) -> tuple[Any, float]:
    from sklearn.mixture import GaussianMixture

    scaled = ((values - values.min()) / np.ptp(values))[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed, **start)
        peer.fit(scaled)
    return peer.predict_proba(scaled)[:, peer.means_.argmin()], peer.score(scaled) - np.log(np.ptp(values))


@pytest.mark.parametrize(("n", "atol"), [(50, 1e-8), (4096, 1e-8), (60_000, 1e-4)])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_steps_are_those_of_sklearn_from_the_same_start(n: int, atol: float, rate: float) -> None:
    values, _ = losses(n, rate)
    x, counts = points_of(values, values.min(), float(np.ptp(values)), n)
    cut = _two_means(x, counts)
    parts = x[:cut], x[cut:]
    expected, score = sklearn_posterior(
        values,
        weights_init=[len(part) / n for part in parts],
        means_init=[[part.mean()] for part in parts],
        precisions_init=[[[1 / (part.var() + 5e-4)]] for part in parts],
    )
    mixture = fit_gaussian_mixture(values)
    np.testing.assert_allclose(mixture.posterior(values), expected, atol=atol)
    assert mixture.log_likelihood == pytest.approx(score, abs=10 * atol)


@pytest.mark.parametrize("n", [300, 20_000])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_equals_sklearn_with_its_own_start(n: int, rate: float) -> None:
    values, wrong = losses(n, rate, seed=n)
    mixture = fit_gaussian_mixture(values)
    assert mixture.separated
    expected, score = sklearn_posterior(values)
    np.testing.assert_allclose(mixture.posterior(values), expected, atol=1e-2)
    assert mixture.log_likelihood == pytest.approx(score, abs=1e-3)
    kept = gaussian_mixture(values)
    assert (kept == ~wrong).mean() > 0.93


def test_start_is_the_best_split_into_two_means() -> None:
    values = np.sort(losses(200)[0])
    costs = [len(a) * a.var() + len(b) * b.var() for a, b in (np.split(values, [i]) for i in range(1, 200))]
    assert _two_means(values, np.ones(200)) == 1 + int(np.argmin(costs))


def test_histogram_keeps_the_answer_and_narrow_components_leave_it() -> None:
    values, _ = losses(30_000)
    exact = fit_gaussian_mixture(values, bins=30_000).posterior(values)
    np.testing.assert_allclose(fit_gaussian_mixture(values).posterior(values), exact, atol=1e-4)
    # Two groups inside one of 16 bins: the histogram cannot tell them apart, the units can.
    rng = generator(3, "narrow")
    narrow = np.r_[rng.normal(0.5, 1e-5, 500), rng.normal(0.501, 1e-5, 500), 0.0, 1.0]
    settings: dict[str, Any] = {"regularisation": 1e-10, "max_steps": 200, "tolerance": 0.0}
    coarse = fit_gaussian_mixture(narrow, bins=16, **settings)
    fine = fit_gaussian_mixture(narrow, bins=2000, **settings)
    np.testing.assert_allclose(coarse.means, fine.means, rtol=1e-9)


def published_beta(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Arazo et al. (2019) step by step on the losses themselves: the posterior of the low component."""
    low, high = np.percentile(values, [5, 95])
    x = ((values[(values >= low) & (values <= high)] - low) / (high - low)).clip(1e-3, 1 - 1e-3)
    a, b, w = [1.0, 2.0], [2.0, 1.0], [0.5, 0.5]
    for _ in range(10):
        dense = np.maximum([w[k] * beta.pdf(x, a[k], b[k]) for k in (0, 1)], 1e-12)
        share = dense / dense.sum(axis=0)
        for k in (0, 1):
            mean = np.average(x, weights=share[k])
            variance = np.average((x - mean) ** 2, weights=share[k])
            a[k] = mean * (mean * (1 - mean) / variance - 1)
            b[k] = a[k] * (1 - mean) / mean
        w = share.sum(axis=1) / share.sum()
    grid = np.linspace(1e-12, 1 - 1e-12, 100)
    dense = np.array([w[k] * beta.pdf(grid, a[k], b[k]) for k in (0, 1)])
    table = dense[1] / (dense.sum(axis=0) + 1e-12)
    table[table.argmax() :] = table.max()
    scaled = ((values - low) / (high - low)).clip(1e-3, 1 - 1e-3)
    return np.asarray(1 - table[(scaled * 100).astype(int)].clip(1e-4, 1 - 1e-4))


@pytest.mark.parametrize(("n", "atol"), [(200, 1e-9), (4000, 1e-9), (40_000, 1e-4)])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
def test_beta_mixture_is_the_published_one(n: int, atol: float, rate: float) -> None:
    values, _ = losses(n, rate, seed=1)
    mixture = fit_beta_mixture(values)
    np.testing.assert_allclose(mixture.posterior(values, monotone=False), published_beta(values), atol=atol)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.3])
def test_beta_posterior_never_rises_with_the_loss(rate: float) -> None:
    values = np.sort(losses(3000, rate, seed=2)[0])
    p = fit_beta_mixture(values).posterior(values)
    assert (np.diff(p) <= 0).all()
    assert p[0] > 0.5
    assert p.min() >= 1e-4
    assert p.max() <= 1 - 1e-4


def test_the_published_beta_table_calls_the_lowest_losses_wrong_and_ours_does_not() -> None:
    values, wrong = losses(20_000, 0.08, seed=2)
    lowest = values < np.percentile(values, 5)
    mixture = fit_beta_mixture(values)
    assert (mixture.posterior(values, monotone=False)[lowest] < 0.5).all()
    assert beta_mixture(values)[lowest].all()
    assert not beta_mixture(values)[wrong & (values > 2)].any()


def test_monotone_gaussians_hold_beyond_the_turn() -> None:
    # The low component is the wider one: as published, the highest losses would be called clean.
    rng = generator(4, "wide")
    values = np.r_[rng.normal(0, 1, 4000), rng.normal(3, 0.2, 3000)]
    mixture = fit_gaussian_mixture(values)
    far = np.linspace(3, 8, 50)
    assert mixture.posterior(far)[-1] > 0.9
    held = mixture.posterior(np.linspace(-8, 8, 400), monotone=True)
    assert (np.diff(held) <= 0).all()
    assert held[-1] < 0.5
    near = np.linspace(-2, 3, 50)
    np.testing.assert_array_equal(mixture.posterior(near, monotone=True), mixture.posterior(near))


@pytest.mark.parametrize("fit", FITS)
def test_scale_and_order_of_the_losses_do_not_matter(fit: Any) -> None:
    values, _ = losses(2000)
    order = generator(5, "order").permutation(2000)
    p = fit(values).posterior(values)
    np.testing.assert_allclose(fit(values[order]).posterior(values[order]), p[order], atol=1e-9)
    np.testing.assert_allclose(fit(7 * values - 3).posterior(7 * values - 3), p, atol=1e-6)
    moved = fit(7 * values - 3)
    np.testing.assert_allclose(moved.means, 7 * fit(values).means - 3)
    assert moved.log_likelihood == pytest.approx(fit(values).log_likelihood - np.log(7))


@pytest.mark.parametrize("fit", FITS)
def test_units_without_a_label_change_nothing(fit: Any) -> None:
    values, _ = losses(1000)
    labels = generator(6, "labels").integers(-1, 2, 1000)
    known = labels >= 0
    strange = np.where(known, values, np.nan)
    mixture, alone = fit(strange, labels=labels), fit(values[known])
    np.testing.assert_array_equal(mixture.means, alone.means)
    p = mixture.posterior(strange, labels=labels)
    assert (p[~known] == 1).all()
    np.testing.assert_array_equal(p[known], alone.posterior(values[known]))


@pytest.mark.parametrize("select", SELECTORS)
def test_selectors_keep_labelled_units_above_the_threshold(select: Any) -> None:
    values, _ = losses(1000)
    labels = np.where(np.arange(1000) % 7 == 0, -1, 0)
    kept = select(values, labels=labels)
    assert not kept[labels < 0].any()
    np.testing.assert_array_equal(kept[labels >= 0], select(values[labels >= 0]))
    assert select(values, threshold=0.9).sum() <= select(values, threshold=0.1).sum()


@pytest.mark.parametrize("select", SELECTORS)
def test_tensors_are_taken_with_their_gradients(select: Any) -> None:
    torch = pytest.importorskip("torch")
    values, labels = losses(500)[0].astype(np.float32), np.arange(500) % 3 - 1
    kept = select(torch.tensor(values, requires_grad=True), labels=torch.tensor(labels))
    np.testing.assert_array_equal(kept, select(values, labels=labels))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("values", "says"), [([], "0 labelled units"), ([1.0], "1 labelled unit;"), ([2.0, 2.0], "equal")]
)
def test_nothing_to_split(fit: Any, values: list[float], says: str) -> None:
    mixture = fit(values)
    assert says in mixture.warning
    assert not mixture.fitted
    assert not mixture.separated
    assert mixture.posterior(values).tolist() == [1.0] * len(values)
    select = gaussian_mixture if fit is fit_gaussian_mixture else beta_mixture
    assert select(values).tolist() == [True] * len(values)


def test_equal_percentiles_leave_the_beta_mixture_nothing() -> None:
    mixture = fit_beta_mixture([0.0] * 99 + [5.0])
    assert "percentile" in mixture.warning
    assert mixture.posterior([0.0, 5.0]).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    "values", [[0.0, 1.0], [0.0, 0.0, 0.0, 1.0], [1e-300, 2e-300, 5e-300], [-1e9, 1e9, 0.0]]
)
def test_few_or_extreme_values_stay_finite(fit: Any, values: list[float]) -> None:
    mixture = fit(values)
    p = mixture.posterior(values)
    assert np.isfinite(p).all()
    assert np.isfinite(mixture.weights).all()
    assert mixture.weights.sum() == pytest.approx(1)
    assert np.isfinite(mixture.posterior([-1e12, 1e12])).all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", ["normal", "exponential", "lognormal"])
def test_one_group_is_said_to_be_one(fit: Any, shape: str) -> None:
    values = getattr(generator(7, shape), shape)(size=20_000)
    assert "one group" in fit(values).warning
    select = gaussian_mixture if fit is fit_gaussian_mixture else beta_mixture
    with pytest.warns(UserWarning, match="one group"):
        assert 0 < select(values).sum() < 20_000
    assert select(values, unseparated="keep").all()


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.4])
def test_two_groups_are_said_to_be_two(fit: Any, rate: float) -> None:
    assert fit(losses(20_000, rate)[0]).separated


def test_outliers_are_named() -> None:
    values = np.r_[losses(20_000)[0], 500.0]
    assert "outliers" in fit_gaussian_mixture(values).warning
    assert fit_beta_mixture(values).separated


@pytest.mark.parametrize("call", [*FITS, *SELECTORS])
def test_bad_input_is_refused(call: Any) -> None:
    for values in ([np.nan, 1.0], [np.inf, 1.0]):
        with pytest.raises(InputError, match="NaN or infinity"):
            call(values)
    with pytest.raises(InputError, match="vector"):
        call([[1.0, 2.0]])
    with pytest.raises(InputError, match="Lengths differ"):
        call([1.0, 2.0], labels=[0])


def test_bad_settings_are_refused() -> None:
    settings: list[dict[str, Any]] = [{"max_steps": 0}, {"tolerance": -1}, {"regularisation": 0}, {"bins": 4}]
    for setting in settings:
        with pytest.raises(InputError, match="needed"):
            fit_gaussian_mixture([0.0, 1.0], **setting)
    with pytest.raises(InputError, match="step"):
        fit_beta_mixture([0.0, 1.0], max_steps=0)
    with pytest.raises(InputError, match="resolution"):
        fit_beta_mixture([0.0, 1.0]).posterior([0.0], resolution=1)
    with pytest.raises(InputError, match="range"):
        fit_gaussian_mixture([-1e308, 1e308])
    with pytest.raises(InputError, match="unseparated"):
        gaussian_mixture([0.0, 1.0], unseparated="drop")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="threshold"):
        gaussian_mixture([0.0, 1.0], threshold=2)
    with pytest.raises(InputError, match="NaN"):
        fit_gaussian_mixture([0.0, 1.0]).posterior([np.nan])
