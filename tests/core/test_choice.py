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
