from dataclasses import replace

import numpy as np
import pytest

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedded import events
from labelnoise.audio.noise_challenge import CURATED, NOISY, challenge_mix
from labelnoise.audio.train_methods import train_audio
from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError


def tagged(m: int = 400, k: int = 6) -> AudioDataset:
    tags = (np.random.default_rng(0).random((m, k)) < 0.4).astype(np.int8)
    tags[np.arange(m), np.arange(m) % k] = 1
    return AudioDataset.from_tags(tags, tuple("abcdef"), files=tuple(f"{i}.wav" for i in range(m)))


def test_only_the_noisy_part_has_errors_and_each_kind_its_share():
    data = events()
    noisy, made = get_domain("audio").corrupt(
        data, kind="challenge-mix", rate=0.5, seed=1, outside="bell,pluck"
    )
    wrong = (noisy.given >= 0) & (noisy.given != noisy.true)
    curated = noisy.origin == CURATED
    assert 0.17 < curated.mean() < 0.21
    assert not wrong[curated].any()
    assert 0.38 < wrong[(noisy.origin == NOISY) & noisy.labelled].mean() < 0.62
    assert made.rate == pytest.approx(wrong[noisy.labelled].mean())
    bell = [data.class_names.index(name) for name in ("bell", "pluck")]
    assert not np.isin(noisy.given, bell).any()
    from_outside = np.isin(noisy.true, bell) & noisy.labelled
    assert from_outside.sum() == (made.status == 2).sum()
    assert 0.4 < from_outside.sum() / wrong.sum() < 0.8
    heard = noisy.audio[int(np.flatnonzero(from_outside)[0])]
    donor = made.sound_of[np.flatnonzero(from_outside)[0]]
    assert np.array_equal(heard, data.audio[int(donor)])


def test_recordings_stay_in_one_part():
    data = replace(
        events(), recordings=np.array([f"r{i // 3}" for i in range(events().n_clips)], dtype=object)
    )
    made = challenge_mix(data, 0.4, 0, curated=0.3)
    for start in range(0, data.n_clips, 3):
        assert len(set(made.origin[start : start + 3])) == 1


def test_tags_are_exchanged_or_lost_in_the_noisy_part_alone():
    data = tagged()
    made = challenge_mix(data, 1.0, 0, missing=0.5)
    before, after = data.tags, made.labels.reshape(data.tags.shape)
    curated = made.origin == CURATED
    assert np.array_equal(before[curated], after[curated])
    less = (after.sum(1) < before.sum(1)) & ~curated
    same = (after.sum(1) == before.sum(1)) & (after != before).any(1)
    assert 0.3 < less.sum() / (~curated).sum() < 0.6
    assert same.sum() > 50
    assert made.rates["open"] == 0
    lost = challenge_mix(data, 1.0, 0, missing=1.0).labels.reshape(before.shape)
    assert (lost <= before).all()


def test_the_same_seed_gives_the_same_noise_and_more_of_it_at_a_higher_rate():
    data = events()
    one, again, more = (challenge_mix(data, rate, 5) for rate in (0.3, 0.3, 0.6))
    assert np.array_equal(one.labels, again.labels)
    assert np.array_equal(one.sound_of, again.sound_of)
    assert more.rate > one.rate
    assert np.array_equal(one.origin, more.origin)
    assert challenge_mix(data, 0.0, 5).rate == 0


def test_methods_that_know_the_origin_run_on_it():
    noisy, _ = get_domain("audio").corrupt(events(), kind="challenge-mix", rate=0.5, seed=0)
    trained = train_audio(noisy, "curated-only", epochs=1)
    assert trained.probs.shape[0] == noisy.n_units


def test_shares_out_of_range_are_refused():
    with pytest.raises(InputError, match="curated"):
        challenge_mix(events(), 0.5, 0, curated=1.0)
    with pytest.raises(InputError, match="from a folder"):
        challenge_mix(replace(tagged(), audio=events().audio.take([0] * 400)), 0.5, 0, open=0.5)
