"""Two views of the target text: what each teaches the other, and that no tag of the target is looked at."""

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.bilingual import Bilingual, entity_f1, with_neighbours
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import repair
from labelnoise.text.two_views import shifted_shares, transfer_by_two_views, two_view_rounds
from tests.text.test_colada import SOURCE, XS, blank, language


def named(data: TextDataset, seed: int) -> TextDataset:
    """The same tags on words that say in most places what they are."""
    rng = np.random.default_rng(seed)
    kind = (np.asarray(data.true) + 1) // 2
    names = np.where(rng.random(len(kind)) < 0.15, rng.integers(0, 3, len(kind)), kind)
    words = [f"{'xyz'[name]}{rng.integers(12)}" for name in names]
    return TextDataset(
        name=data.name,
        given=data.given,
        true=data.true,
        class_names=data.class_names,
        tokens=np.array(words, dtype=object),
        starts=data.starts,
        masks=data.masks,
    )


TARGET, XT = language(2, 1.0, 240)
TEST = TARGET.masks["test"]
NAMED = named(TARGET, 5)
ENCODED = np.vstack([XS, XT + np.random.default_rng(4).normal(scale=2.0, size=XT.shape)])


def test_words_help_the_encoder_and_both_beat_direct_transfer() -> None:
    texts = Bilingual(SOURCE, None, NAMED, encoded=ENCODED)
    scores = {}
    for name, options in (("both", {}), ("head", {"words": False})):
        done = list(two_view_rounds(texts, **options))
        scores[name] = [
            entity_f1(NAMED, repair(r.probs.argmax(axis=1), starts=NAMED.starts), TEST) for r in done
        ]
    assert scores["both"][0] == scores["head"][0]
    assert scores["both"][-1] > scores["both"][0] + 0.1
    assert scores["both"][-1] > scores["head"][-1] + 0.1


def test_tags_of_the_target_are_never_looked_at_and_the_answer_is_valid() -> None:
    one = transfer_by_two_views(SOURCE, NAMED, encoded=ENCODED, rounds=2, beside=4)
    two = transfer_by_two_views(SOURCE, blank(NAMED), encoded=ENCODED, rounds=2, beside=4)
    np.testing.assert_array_equal(one.probs, two.probs)
    np.testing.assert_allclose(one.probs.sum(axis=1), 1)
    np.testing.assert_array_equal(one.predicted, repair(one.predicted, starts=NAMED.starts))
    assert one.chosen == len(one.history) - 1 == 2


def test_shares_move_towards_those_of_the_text() -> None:
    rng = np.random.default_rng(0)
    label = (rng.random(4000) < 0.4).astype(int)
    x = rng.normal(size=4000) + 2 * label
    odds = np.exp(2 * x - 2) * 0.1 / 0.9  # right for a share of .1
    probs = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    assert probs[:, 1].mean() < 0.3
    assert abs(shifted_shares(probs, [0.9, 0.1])[1] - label.mean()) < 0.02


def test_columns_beside_come_from_the_same_sentence_alone() -> None:
    x = np.arange(10.0).reshape(5, 2)
    wide = with_neighbours(x, np.array([0, 3, 5]), 1)
    assert wide[:, 2].tolist() == [0, 0, 1, 0, 3]
    assert wide[:, 3].tolist() == [1, 2, 0, 4, 0]
    assert with_neighbours(x, np.array([0, 3, 5]), 0) is x


def test_numbers_out_of_range_are_refused() -> None:
    texts = Bilingual(SOURCE, None, TARGET, encoded=ENCODED)
    for options in ({"rounds": 0}, {"sharpness": 0.5}, {"shares": 1.5}):
        with pytest.raises(InputError):
            next(iter(two_view_rounds(texts, **options)))
    with pytest.raises(InputError, match="beside"):
        Bilingual(SOURCE, None, TARGET, encoded=ENCODED, beside=-1)
    with pytest.raises(InputError, match="shares above 0"):
        shifted_shares(np.ones((2, 2)) / 2, [1.0, 0.0])
