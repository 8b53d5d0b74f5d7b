"""Transfer to another language on two generated languages whose features differ by a shift."""

import numpy as np
import pytest

from labelnoise.core.validation import InputError
from labelnoise.text.colada import Bilingual, colada, colada_rounds, entity_f1, joined
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import bio_names, repair

TYPES = ("LOC", "PER")


def language(seed: int, shift: float, n: int, wrong: float = 0.0) -> tuple[TextDataset, np.ndarray]:
    """Sentences of 8 tokens; a tag's features are its centre, moved in a direction that differs by language."""
    rng = np.random.default_rng(seed)
    tags = []
    for _ in range(n):
        line = np.zeros(8, dtype=np.int64)
        for place in (1, 5):
            kind = int(rng.integers(2))
            line[place] = 1 + 2 * kind
            if rng.random() < 0.5:
                line[place + 1] = 2 + 2 * kind
        tags.append(line)
    true = np.concatenate(tags)
    centres = np.random.default_rng(7).normal(size=(5, 12)) * 1.5
    away = np.random.default_rng(8).normal(size=(5, 12))
    X = centres[true] + shift * away[true] + rng.normal(scale=0.8, size=(len(true), 12))
    starts = np.arange(0, 8 * n + 1, 8)
    given = true.copy()
    flip = (true > 0) & (rng.random(len(true)) < wrong)
    given[flip] = 0
    sentence = np.repeat(np.arange(n), 8)
    data = TextDataset(
        name=f"language {seed}",
        given=repair(given, starts=starts),
        true=true,
        class_names=bio_names(TYPES),
        tokens=np.array([f"w{seed}-{i}" for i in range(len(true))], dtype=object),
        starts=starts,
        masks={
            "train": sentence < n // 2,
            "val": (sentence >= n // 2) & (sentence < 3 * n // 4),
            "test": sentence >= 3 * n // 4,
        },
    )
    return data, X.astype(np.float32)


SOURCE, XS = language(1, 0.0, 160)
TARGET, XT = language(2, 1.0, 240)
NOISY, XN = language(3, 0.8, 120, wrong=0.3)
ENCODED = np.vstack([XS, XN, XT])
TEST = TARGET.masks["test"]


def blank(data: TextDataset) -> TextDataset:
    return data.with_labels(np.full(data.n_units, -1))


def test_collaboration_beats_direct_transfer_with_noisy_translations() -> None:
    found = colada(SOURCE, NOISY, TARGET, encoded=ENCODED, k=50, rounds=4, select="last")
    texts = Bilingual(SOURCE, NOISY, TARGET, encoded=ENCODED, k=50)
    first = next(iter(colada_rounds(texts)))
    direct = entity_f1(TARGET, first.model.predict(texts.target_features).argmax(axis=1), TEST)
    assert entity_f1(TARGET, found.predicted, TEST) > direct + 0.02
    assert found.probs.shape == (TARGET.n_units, 5)
    np.testing.assert_allclose(found.probs.sum(axis=1), 1)
    np.testing.assert_array_equal(found.predicted, repair(found.predicted, starts=TARGET.starts))


@pytest.mark.parametrize("select", ["source", "last"])
def test_tags_of_the_target_are_never_looked_at(select: str) -> None:
    options = {"encoded": ENCODED, "k": 20, "rounds": 2, "select": select}
    one = colada(SOURCE, NOISY, TARGET, **options)
    two = colada(SOURCE, NOISY, blank(TARGET), **options)
    np.testing.assert_array_equal(one.probs, two.probs)
    assert "clean" not in one.selected_by


def test_selection_by_the_target_is_recorded_and_needs_its_tags() -> None:
    found = colada(SOURCE, NOISY, TARGET, encoded=ENCODED, k=20, rounds=2, select="target")
    assert found.selected_by.startswith("clean")
    assert any("zero-shot" in line for line in found.warnings)
    scores = [record["target_val_f1"] for record in found.history]
    assert found.chosen == 1 + int(np.argmax(scores[1:]))
    with pytest.raises(InputError, match="select='target'"):
        colada(SOURCE, NOISY, blank(TARGET), encoded=ENCODED, select="target")


def test_each_ablation_takes_its_part_away() -> None:
    texts = Bilingual(SOURCE, NOISY, TARGET, encoded=ENCODED, k=20)
    whole, plain, single = (
        list(colada_rounds(texts, rounds=1, **options))[-1]
        for options in ({}, {"instance": False}, {"model": False})
    )
    assert whole.record["target_weight"] < 1 == plain.record["target_weight"]
    assert "translated_weight" in whole.record
    assert "translated_weight" not in single.record
    assert not np.allclose(whole.model.weights, single.model.weights)


def test_full_trust_without_weights_is_a_model_of_the_translation() -> None:
    texts = Bilingual(SOURCE, NOISY, TARGET, encoded=ENCODED, k=20)
    one, two = (list(colada_rounds(texts, rounds=n, trust=(1.0, 1.0), instance=False))[-1] for n in (1, 2))
    np.testing.assert_array_equal(one.model.weights, two.model.weights)


def test_the_source_stands_in_for_a_missing_translation_and_says_so() -> None:
    found = colada(SOURCE, None, TARGET, encoded=np.vstack([XS, XT]), k=20, rounds=1)
    assert any("stood in" in line for line in found.warnings)
    assert not colada(SOURCE, NOISY, TARGET, encoded=ENCODED, k=20, rounds=1).warnings


def test_validation_sentences_are_held_out_by_the_seed() -> None:
    bare = TextDataset(
        name="s",
        given=SOURCE.given,
        class_names=SOURCE.class_names,
        tokens=SOURCE.tokens,
        starts=SOURCE.starts,
    )
    texts = [Bilingual(bare, NOISY, TARGET, encoded=ENCODED, seed=seed) for seed in (0, 0, 1)]
    for one in texts:
        assert one.validation.sum() == 16 * 8
        assert not one.validation[one.train].any()
    assert (texts[0].validation == texts[1].validation).all()
    assert (texts[0].validation != texts[2].validation).any()


def test_copies_of_a_sentence_share_one_row_of_features() -> None:
    twice = TextDataset(
        name="t",
        given=np.zeros(4, np.int64),
        class_names=SOURCE.class_names,
        tokens=np.array(["a", "b", "a", "b"], dtype=object),
        starts=np.array([0, 2, 4]),
    )
    rows = np.random.default_rng(0).normal(size=(4, 12))
    texts = Bilingual(SOURCE, None, twice, encoded=np.vstack([XS, rows]))
    np.testing.assert_array_equal(texts.text_features[2:], texts.text_features[:2])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="rows"):
        colada(SOURCE, NOISY, TARGET, encoded=ENCODED[:-1])
    with pytest.raises(InputError, match="same types"):
        colada(SOURCE, joined(NOISY), TARGET, encoded=ENCODED)
    with pytest.raises(InputError, match="rounds"):
        colada(SOURCE, NOISY, TARGET, encoded=ENCODED, rounds=0)
    with pytest.raises(InputError, match="trust"):
        colada(SOURCE, NOISY, TARGET, encoded=ENCODED, trust=(2.0, 0.1))
    with pytest.raises(InputError, match="k is 0"):
        colada(SOURCE, NOISY, TARGET, encoded=ENCODED, k=0)


def test_a_language_s_own_mean_says_nothing_where_it_is_taken_away() -> None:
    moved = ENCODED.copy()
    moved[-TARGET.n_units :] += 5.0
    options = {"k": 20, "rounds": 1}
    still = colada(SOURCE, NOISY, blank(TARGET), encoded=ENCODED, **options).predicted
    again = colada(SOURCE, NOISY, blank(TARGET), encoded=moved, **options).predicted
    assert (still == again).mean() > 0.999
    lost = colada(SOURCE, NOISY, blank(TARGET), encoded=moved, centred=False, **options).predicted
    assert entity_f1(TARGET, lost, TEST) < entity_f1(TARGET, again, TEST)
