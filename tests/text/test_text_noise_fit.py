"""Token-wise noise, and noise learned from real tags."""

from dataclasses import replace

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.consistency import form_consistency
from labelnoise.text.data import load_text
from labelnoise.text.dataset import entity_noise, from_sentences
from labelnoise.text.fit import fit_text_noise, fitted
from labelnoise.text.schemes import repair
from labelnoise.text.token_noise import class_dependent, confusion_of, uniform, walk

NEWS = load_text("news")
CLEAN = replace(NEWS, given=NEWS.true, true=None)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.3, 0.6])
def test_token_noise_meets_the_rate_in_valid_tags(rate):
    for made in (uniform(CLEAN, rate, 0), class_dependent(CLEAN, rate, 0, pair=NEWS)):
        assert abs(entity_noise(CLEAN.with_labels(made.labels, true=CLEAN.given)) - rate) < 0.005
        assert (repair(made.labels, starts=CLEAN.starts) == made.labels).all()
        assert made.transition.sum(axis=1) == pytest.approx(1.0)


def test_walk_draws_from_the_row_over_what_may_follow():
    data = from_sentences([["a", "b"]] * 20000, [["O", "O"]] * 20000, name="d")
    data = replace(data, class_names=("O", "B-X", "I-X", "B-Y", "I-Y"))
    weights = np.tile([0.4, 0.2, 0.2, 0.1, 0.1], (5, 1))
    tags = walk(data, weights, np.random.default_rng(0).random(40000)).reshape(-1, 2)
    first = np.bincount(tags[:, 0], minlength=5) / 20000
    assert first == pytest.approx([4 / 7, 2 / 7, 0, 1 / 7, 0], abs=0.01)
    after_x = tags[tags[:, 0] == 1, 1]
    assert np.bincount(after_x, minlength=5) / len(after_x) == pytest.approx(
        [4 / 9, 2 / 9, 2 / 9, 1 / 9, 0], abs=0.02
    )


def test_a_row_without_allowed_weight_begins_anew():
    data = from_sentences([["a", "b"]], [["B-X", "I-X"]], name="d")
    weights = np.array([[1.0, 0, 0], [1, 0, 0], [0, 0, 1]])
    assert walk(data, weights, np.array([0.5, 0.5])).tolist() == [0, 1]


def test_confusion_goes_by_type_names():
    data = from_sentences([["a", "b"]], [["B-X", "O"]], name="d", true=[["B-X", "B-A"]])
    assert confusion_of(data, ("X",)).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    with pytest.raises(InputError, match="no type 'Z'"):
        confusion_of(data, ("Z",))


@pytest.mark.parametrize(
    "options", [{}, {"confusion": np.ones((7, 7)), "pair": NEWS}, {"confusion": np.ones((2, 2))}]
)
def test_matrix_sources_are_checked(options):
    with pytest.raises(InputError):
        class_dependent(CLEAN, 0.1, 0, **options)
    with pytest.raises(InputError, match="pass pair"):
        fitted(CLEAN, 0.1, 0)
    with pytest.raises(InputError, match="no true tags"):
        fitted(CLEAN, 0.1, 0, pair=CLEAN)


def test_a_matrix_that_does_not_err_reaches_no_rate():
    with pytest.raises(InputError, match="cannot be reached"):
        class_dependent(CLEAN, 0.1, 0, confusion=np.eye(7))


def test_fit_sees_kinds_types_and_shifts():
    words = [["Ada", "Bell", "saw", "Rome", "Oslo", "Now"]] * 8
    true = [["B-P", "I-P", "O", "B-L", "B-L", "O"]] * 8
    given = [["B-P", "O", "O", "B-P", "O", "B-L"]] * 8
    data = from_sentences(words, given, name="d", true=true)
    model = fit_text_noise(replace(data, given=data.true, true=None), data)
    assert model.types == ("L", "P")
    assert model.rates == pytest.approx(np.array([[0.5, 0.5, 0], [0, 0, 1]]))
    assert model.type_confusion.tolist() == [[0, 8], [0, 0]]
    assert model.shifts == ((0, -1),)
    assert model.spurious == pytest.approx([1 / 3, 0])
    assert model.plausibility.argmax() == 0
    with pytest.raises(InputError, match="same text"):
        fit_text_noise(CLEAN, data)


@pytest.mark.parametrize("name", ["NoisyNER-1", "NoisyNER-4", "NoisyNER-7"])
def test_replay_repeats_real_noise(real_data, name):
    real = load_text(name, root=real_data / "text")
    # The clean splits carry no label, so nothing is replayed there.
    clean = replace(real, given=np.where(real.labelled, real.true, -1), true=None)
    model = fit_text_noise(clean, replace(real, true=None))
    observed = form_consistency(real)
    assert observed.share - observed.expected > 0.5
    again = model.replay(clean, seed=4)
    noisy = clean.with_labels(again.labels, true=clean.given)
    assert abs(entity_noise(noisy) - entity_noise(real)) < 0.005
    assert abs(form_consistency(noisy).share - observed.share) < 0.05
    if name.endswith("4"):
        assert abs(model.replay(clean, 4, 0.3).rates["entities"] - 0.3) < 0.005
