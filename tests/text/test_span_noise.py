"""Noise of entities: exact rates, the kinds asked for, valid tags, repetition per form."""

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.consistency import form_consistency
from labelnoise.text.data import load_text
from labelnoise.text.dataset import entity_noise, from_sentences
from labelnoise.text.domain import TextDomain
from labelnoise.text.noise import NOISES
from labelnoise.text.schemes import repair
from labelnoise.text.span_noise import boundary, missing, mixed, spurious, wrong_type
from labelnoise.text.spans import KINDS

NEWS = load_text("news")
CLEAN = replace(NEWS, given=NEWS.true, true=None)


def noisy_of(data, made):
    return data.with_labels(made.labels, true=data.given)


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.55])
@pytest.mark.parametrize("consistency", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["missing", "spurious", "type", "boundary", "mixed"])
def test_realised_rate_is_the_asked_one_and_tags_are_valid(kind, rate, consistency):
    made = NOISES[kind].load()(CLEAN, rate, 3, consistency=consistency)
    noisy = noisy_of(CLEAN, made)
    assert abs(entity_noise(noisy) - rate) < 0.005
    assert made.rates["entities"] == pytest.approx(entity_noise(noisy))
    assert (repair(made.labels, starts=CLEAN.starts) == made.labels).all()
    if kind != "mixed":
        assert all(made.rates[other] == 0 for other in KINDS if other != kind)


def test_shares_hold_and_form_consistency_follows():
    shares = {"missing": 2.0, "type": 1.0, "boundary": 1.0}
    found = []
    for consistency in (0.0, 0.5, 1.0):
        made = mixed(CLEAN, 0.4, 0, shares=shares, consistency=consistency)
        wrong = sum(made.rates[kind] for kind in KINDS)
        assert made.rates["missing"] / wrong == pytest.approx(0.5, abs=0.01)
        assert made.rates["type"] / wrong == pytest.approx(0.25, abs=0.01)
        assert made.rates["spurious"] == 0
        measured = form_consistency(noisy_of(CLEAN, made))
        assert measured.share == made.rates["form_consistency"]
        found.append(measured)
    chance = found[0].expected
    # A form of three mentions is uniform with c + (1 - c) chance; 116 forms scatter by 0.05.
    assert found[0].share == pytest.approx(chance, abs=0.1)
    assert found[1].share == pytest.approx(0.5 + 0.5 * chance, abs=0.12)
    assert found[2].share > 0.96


def test_spurious_words_of_a_form_go_together():
    made = spurious(CLEAN, 0.2, 1, consistency=1.0)
    alone, used = {}, noisy_of(CLEAN, made).spans()
    starts = set(used["start"].tolist())
    free = (CLEAN.given == 0) & (CLEAN.position > 0)
    for row in np.flatnonzero(free & ~np.roll(free, 1)):
        word = CLEAN.tokens[row]
        if word.islower():
            alone.setdefault(word, set()).add(int(row) in starts)
    # One form at most is split, to meet the rate.
    assert sum(len(fates) == 2 for fates in alone.values()) <= 1


def test_same_seed_same_noise_and_nested_in_the_rate():
    low, high = missing(CLEAN, 0.1, 5), missing(CLEAN, 0.3, 5)
    assert (missing(CLEAN, 0.1, 5).labels == low.labels).all()
    assert not (missing(CLEAN, 0.1, 6).labels == low.labels).all()
    assert (high.changed >= low.changed).all()


def test_sentences_in_another_order_err_alike():
    words, tags = [["Ada", "met", f"X{i}"] for i in range(40)], [["B-PER", "O", "B-PER"]] * 40
    first = missing(from_sentences(words, tags, name="d"), 0.3, 0, consistency=1.0)
    turned = missing(from_sentences(words[::-1], tags, name="d"), 0.3, 0, consistency=1.0)
    assert (first.labels.reshape(40, 3)[::-1] == turned.labels.reshape(40, 3)).all()


def test_unlabelled_tokens_stay_and_change_nothing_nearby():
    data = from_sentences(
        [["Ada", "Bell", "x", "Rome"]] * 50, [["B-PER", "I-PER", "_", "B-LOC"]] * 50, name="d"
    )
    for kind in ("missing", "type", "boundary", "mixed"):
        options = {"shares": {"missing": 1.0, "boundary": 1.0}} if kind == "mixed" else {}
        made = NOISES[kind].load()(data, 0.4, 0, **options)
        assert (made.labels.reshape(-1, 4)[:, 2] == -1).all()


def test_zero_changes_no_entity_and_one_leaves_none():
    assert mixed(CLEAN, 0.0, 0).rates["entities"] == 0
    assert not (missing(CLEAN, 1.0, 0).labels > 0).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: spurious(CLEAN, 0.9, 0), "cannot be reached"),
        (lambda: spurious(CLEAN, 1.0, 0), "below 1"),
        (lambda: mixed(CLEAN, 0.1, 0, shares={"mising": 1.0}), "missing"),
        (lambda: mixed(CLEAN, 0.1, 0, shares=[0, 0, 0, 0]), "not all 0"),
        (lambda: mixed(CLEAN, 0.1, 0, consistency=1.5), "consistency"),
        (lambda: wrong_type(CLEAN, 0.1, 0, confusion=np.ones((2, 2))), "3 x 3"),
        (lambda: wrong_type(from_sentences([["A"]], [["B-X"]], name="d"), 1.0, 0), "only one entity type"),
        (lambda: boundary(from_sentences([["A"]], [["B-X"]], name="d"), 1.0, 0), "cannot be reached"),
        (lambda: missing(from_sentences([["a"]], [["O"]], name="d"), 0.1, 0), "no entity"),
        (lambda: form_consistency(NEWS, mentions=1), "mentions is 1"),
    ],
)
def test_refusals_say_why(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_the_domain_records_both_rates():
    noisy, made = TextDomain().corrupt(CLEAN, kind="missing", rate=0.3, seed=0)
    assert noisy.meta["corruption"]["realised_rate"] == made.rate < 0.2
    assert noisy.meta["corruption"]["realised_entity_rate"] == pytest.approx(0.3, abs=0.005)
