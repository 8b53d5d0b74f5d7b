import numpy as np
import pytest

from labelnoise.core.bench.baselines import TRIVIAL, flag_nothing, flag_randomly, oracle
from labelnoise.core.dataset import Dataset
from labelnoise.core.evaluation import detection_metrics
from labelnoise.core.validation import InputError


def data(n=2000, rate=0.2):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, n)
    given = np.where(rng.random(n) < rate, (true + 1) % 3, true)
    given[:10] = -1
    return Dataset(name="d", given=given, true=true, class_names=("a", "b", "c"))


def judged(detector, dataset, seed=0):
    found = detector(dataset, seed)
    keep = dataset.labelled
    return detection_metrics(
        dataset.is_wrong[keep],
        1 - found.quality[keep],
        flagged=found.flagged[keep],
        p_wrong=None if found.p_wrong is None else found.p_wrong[keep],
        count=found.count,
    )


def test_floor_and_ceiling():
    dataset = data()
    rate = dataset.is_wrong.sum() / dataset.labelled.sum()
    nothing, chance, best = (judged(f, dataset) for f in (flag_nothing, flag_randomly, oracle))
    assert (nothing["auroc"], nothing["f1"], nothing["mcc"], nothing["fdr"]) == (0.5, 0, 0, 0)
    assert nothing["brier"] == pytest.approx(rate)
    assert chance["auroc"] == pytest.approx(0.5, abs=0.05)
    assert chance["precision"] == pytest.approx(rate, abs=0.03)
    for name in (
        "auroc",
        "average_precision",
        "precision_at_true_count",
        "f1",
        "mcc",
        "count_ratio",
        "brier_skill",
    ):
        assert best[name] == 1, name


def test_units_without_label_are_never_flagged():
    dataset = data()
    for entry in TRIVIAL.values():
        found = entry.load()(dataset, 0)
        assert not found.flagged[:10].any()
        assert (found.quality[:10] == 1).all()


def test_random_is_seeded_and_the_oracle_needs_the_truth():
    dataset = data()
    assert (flag_randomly(dataset, 1).quality == flag_randomly(dataset, 1).quality).all()
    assert (flag_randomly(dataset, 1).quality != flag_randomly(dataset, 2).quality).any()
    with pytest.raises(InputError, match="no true labels"):
        oracle(Dataset(name="d", given=np.array([0]), class_names=("a",)))
