import numpy as np

from labelnoise.core.domain import get_domain
from labelnoise.core.truth import blind, judge_truth


def test_blind_hides_the_truth_and_how_it_was_lost(pets):
    farm = get_domain("pets").load("farm")
    noted = farm.with_labels(farm.given, corruption={"kind": "next"}, licence="CC0")
    hidden = blind(noted)
    assert hidden.true is None
    assert dict(hidden.meta) == {"licence": "CC0"}
    assert hidden.content_hash() == farm.content_hash()


def test_judge_truth_leaves_out_what_is_not_known(pets):
    farm = get_domain("pets").load("farm")
    nothing = judge_truth(farm, np.zeros(200, bool))
    assert nothing["n"] == 195
    assert nothing["precision"] is None
    assert nothing["precision_low"] is None
    assert nothing["recall"] == 0
    assert "auroc" not in nothing
    assert "suggestion_accuracy" not in nothing
