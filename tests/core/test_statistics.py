import itertools

import numpy as np
import pytest

from labelnoise.core.statistics import (
    compare_methods,
    friedman,
    hierarchical_bootstrap,
    holm,
    mean_ranks,
    not_clearly_worse,
    wilcoxon_signed_rank,
)
from labelnoise.core.validation import InputError


def table(n=8, k=4, seed=0, digits=None):
    scores = np.random.default_rng(seed).random((n, k)) + np.linspace(0.3, 0, k)
    return scores if digits is None else np.round(scores, digits)


@pytest.mark.parametrize("digits", [None, 1])
def test_ranks_and_friedman_equal_scipy(digits):
    from scipy import stats

    scores = table(digits=digits)
    assert mean_ranks(scores) == pytest.approx(stats.rankdata(-scores, axis=1).mean(axis=0))
    assert mean_ranks(scores, higher_is_better=False) == pytest.approx(
        stats.rankdata(scores, axis=1).mean(axis=0)
    )
    chi2, p = stats.friedmanchisquare(*scores.T)
    found_p, found_f = friedman(scores)
    assert found_p == pytest.approx(p)
    n, k = scores.shape
    f = (n - 1) * chi2 / (n * (k - 1) - chi2)
    assert found_f == pytest.approx(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))


def test_friedman_at_its_limits():
    same_order = np.arange(3)[None] + np.arange(5)[:, None]
    assert friedman(same_order)[1] == 0
    assert friedman(np.ones((4, 3))) == (1, 1)
    with pytest.raises(InputError, match="two of each"):
        friedman([[1, 2]])


def test_wilcoxon_equals_scipy_without_ties_and_enumeration_with_ties():
    from scipy import stats

    rng = np.random.default_rng(0)
    for n in (3, 6, 12, 25):
        values = rng.normal(0.3, 1, n)
        assert wilcoxon_signed_rank(values) == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)
    values = np.array([1, -1, 2, 2, -3, 3, 3, 0])
    kept = values[values != 0]
    ranks = stats.rankdata(np.abs(kept))
    sums = np.array([(ranks * signs).sum() for signs in itertools.product((0, 1), repeat=len(kept))])
    observed = ranks[kept > 0].sum()
    extreme = min(observed, ranks.sum() - observed)
    assert wilcoxon_signed_rank(values) == pytest.approx(min(1, 2 * np.mean(sums <= extreme)))
    assert wilcoxon_signed_rank([0, 0]) == 1


def test_rounding_dust_does_not_break_ties():
    exact = [1.0, 1.0, 1.0, -1.0, 1.0, 1.0]
    dusty = [0.3 - 0.2, 0.4 - 0.3, 0.9 - 0.8, 0.2 - 0.3, 0.1, 0.5 - 0.4]
    assert wilcoxon_signed_rank(dusty) == wilcoxon_signed_rank(exact)


def test_holm_is_monotone_and_capped():
    assert holm([0.5, 0.9]).tolist() == [1, 1]
    assert holm([]).size == 0
    p = np.random.default_rng(0).random(20) ** 3
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


def test_compare_keeps_the_family_error_under_the_null():
    rng = np.random.default_rng(0)
    false = sum(
        any(test.p_holm <= 0.05 for test in compare_methods(rng.random((10, 3)), "abc").pairs)
        for _ in range(400)
    )
    assert false / 400 < 0.075


def test_verdict_on_two_methods_does_not_depend_on_the_others():
    scores = table(n=10, k=5)
    pair = {
        test.p for test in compare_methods(scores, "abcde").pairs if {test.first, test.second} == {"a", "b"}
    }
    assert pair == {test.p for test in compare_methods(scores[:, :2], "ab").pairs}


def test_direction_and_signs():
    scores = np.array([[0.1, 0.3]] * 8) + np.arange(8)[:, None] * [[0.01, 0.011]]
    high = compare_methods(scores, ["a", "b"])
    low = compare_methods(scores, ["a", "b"], higher_is_better=False)
    assert high.methods == ("b", "a")
    assert low.methods == ("a", "b")
    assert high.pairs[0].median_difference > 0 > low.pairs[0].median_difference
    assert (high.pairs[0].wins, low.pairs[0].wins) == (8, 8)
    assert high.pairs[0].p == low.pairs[0].p == 2 / 2**8


def test_too_few_data_sets_are_called_underpowered():
    few = compare_methods(table(n=5, k=2), ["a", "b"])
    assert few.underpowered.startswith("fewer than 6 data sets (5)")
    assert few.groups == ()
    many_pairs = compare_methods(table(n=6, k=5), "abcde")
    assert "10 pairs" in many_pairs.underpowered
    assert "9 data sets are needed" in many_pairs.underpowered
    # ... and that number is right: nine data sets can carry ten pairs
    perfect = np.arange(5)[None] * 1.0 + np.random.default_rng(0).random((9, 5)) / 10
    assert all(test.p_holm <= 0.05 for test in compare_methods(perfect, "abcde").pairs)
    one = compare_methods(table(n=1, k=2), ["a", "b"])
    assert (one.p_friedman, one.p_iman_davenport) == (None, None)


def test_groups_are_runs_without_a_significant_pair():
    rng = np.random.default_rng(1)
    base = rng.random((12, 1))
    scores = base + [[0.3, 0.3, 0.0]] + rng.normal(0, 0.02, (12, 3))
    found = compare_methods(scores, ["a", "b", "c"])
    assert sorted(map(sorted, found.groups)) == [["a", "b"], ["c"]]


def test_bad_tables_are_refused():
    with pytest.raises(InputError, match="shape"):
        compare_methods([0.1, 0.2], ["a", "b"])
    with pytest.raises(InputError, match="NaN"):
        compare_methods([[0.1, np.nan]], ["a", "b"])
    with pytest.raises(InputError, match="name"):
        compare_methods([[0.1, 0.2]], ["a", "a"])


def test_hierarchical_bootstrap_takes_data_sets_as_the_unit():
    rng = np.random.default_rng(0)
    means = rng.random(8)
    few_seeds = [list(mean + rng.normal(0, 0.01, 2)) for mean in means]
    many_seeds = [list(mean + rng.normal(0, 0.01, 200)) for mean in means]
    first, second = hierarchical_bootstrap(few_seeds), hierarchical_bootstrap(many_seeds)
    # A hundred times the seeds must not make the answer on data sets any surer.
    assert (second.high - second.low) / (first.high - first.low) == pytest.approx(1, abs=0.05)
    standard = means.std() / np.sqrt(8)
    assert first.high - first.low == pytest.approx(2 * 1.96 * standard, rel=0.1)
    assert hierarchical_bootstrap(few_seeds) == first
    assert hierarchical_bootstrap([[0.1, 0.9]]) == (0.5, None, None, 1)
    with pytest.raises(InputError):
        hierarchical_bootstrap([[0.1], []])


def test_hierarchical_bootstrap_with_unequal_seeds_weights_data_sets_equally():
    found = hierarchical_bootstrap([[1.0] * 50, [0.0]])
    assert found.mean == 0.5
    assert (found.low, found.high) == (0, 1)


def test_not_clearly_worse():
    assert not_clearly_worse({"a": [0.9], "b": [0.9], "c": [0.8]}) == {"a", "b"}
    assert not_clearly_worse({"a": [0.9, 0.9], "b": [0.8, 0.8]}) == {"a"}
    # A constant gap between noisy runs is a gap (paired), however wide the runs scatter.
    noisy = np.array([0.2, 0.5, 0.8, 0.4])
    assert not_clearly_worse({"a": noisy + 0.1, "b": noisy + [0, 0.001, 0, 0.001]}) == {"a"}
    assert not_clearly_worse({"a": [0.2, 0.3], "b": [0.1, 0.9]}, higher_is_better=False) == {"a", "b"}
    assert not_clearly_worse({}) == set()
    with pytest.raises(InputError, match="different numbers"):
        not_clearly_worse({"a": [1.0], "b": [1.0, 2.0]})
