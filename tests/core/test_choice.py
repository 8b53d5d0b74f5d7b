import numpy as np
import pytest

from labelnoise.core.choice import Choice, decision
from labelnoise.core.detection import Detection
from labelnoise.core.validation import InputError


def test_decision_needs_probabilities_only_where_the_rule_does():
    n = 5
    found = Detection(
        method="m",
        quality=np.full(n, 0.5),
        flagged=np.arange(n) < 2,
        suggested=np.zeros(n, dtype=np.int64),
        confidence=np.zeros(n),
    )
    flagged, words = decision(found, Choice())
    assert (flagged.tolist(), words) == (found.flagged.tolist(), "m's own")
    with pytest.raises(InputError, match="choose a calibrated method, or"):
        decision(found, Choice(top=2))


def test_parts_of_the_data_reach_the_decision():
    from labelnoise.core.decision import decide

    rng = np.random.default_rng(0)
    strata = (np.arange(2000) < 400).astype(np.int64)
    p = np.where(strata == 1, rng.choice([0.6, 0.05], 2000), rng.choice([0.97, 0.01], 2000, p=[0.1, 0.9]))
    detection = Detection(
        method="made",
        quality=1 - p,
        flagged=p > 0.5,
        suggested=np.zeros(2000, dtype=np.int64),
        confidence=p,
        p_wrong=p,
        strata=strata,
    )
    flagged, _ = decision(detection, Choice())
    np.testing.assert_array_equal(flagged, decide(p, strata=strata))
    assert flagged.sum() < decide(p).sum()
