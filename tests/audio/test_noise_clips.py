"""Noise of clips and tags."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.embedded import events
from labelnoise.audio.noise_clips import human_confusion, out_of_vocabulary, read_confusions
from labelnoise.core.validation import InputError

DOMAIN = AudioDomain()


@pytest.fixture(scope="module")
def tagged() -> AudioDataset:
    rng = np.random.default_rng(0)
    tags = (rng.random((400, 5)) < 0.3).astype(int)
    tags[0, 0] = -1
    return AudioDataset.from_tags(tags, tuple("abcde"), files=[f"{i}.wav" for i in range(400)])


@pytest.mark.parametrize("kind", ["missing-tags", "extra-tags", "single-positive", "symmetric"])
def test_tag_noise_moves_only_what_it_should(tagged: AudioDataset, kind: str) -> None:
    noisy, made = DOMAIN.corrupt(tagged, kind=kind, rate=0.4, seed=1)
    before, after = tagged.given, noisy.given
    assert after[0] == -1
    assert made.changed.any()
    assert np.array_equal(noisy.is_wrong, made.changed)
    if kind in ("missing-tags", "single-positive"):
        assert (before[made.changed] == 1).all()
    if kind == "extra-tags":
        assert abs(made.rates["negatives"] - 0.4) < 0.05
        assert (before[made.changed] == 0).all()
    if kind == "symmetric":
        assert np.array_equal((noisy.tags == 1).sum(axis=1), (tagged.tags == 1).sum(axis=1))


def test_confusions_are_found_by_name_and_tempered(tmp_path: Path) -> None:
    data = events()
    k = data.n_classes
    order = np.random.default_rng(0).permutation(k)
    names = [data.class_names[c].title() for c in order]
    # everybody is taken for the next class of the data set
    counts = np.zeros((k, k))
    counts[np.arange(k), np.arange(k)] = 9
    counts[np.arange(k), (np.arange(k) + 1) % k] = 1
    shuffled = counts[np.ix_(order, order)]
    lines = [",".join(["truth", *names])] + [
        ",".join([n, *map(str, r)]) for n, r in zip(names, shuffled.tolist())
    ]
    path = tmp_path / "c.csv"
    path.write_text("\n".join(lines))
    assert np.array_equal(read_confusions(str(path), data.class_names), counts)
    for hardness in ("even", "human"):
        made = human_confusion(data, 0.4, 0, matrix=str(path), exact=True, hardness=hardness)
        assert abs(made.rate - 0.4) < 0.01
        wrong = made.changed
        assert ((made.labels[wrong] - data.given[wrong]) % k == 1).all()
    path.write_text("1,2\n3,4\n")
    with pytest.raises(InputError, match="10 x 10"):
        human_confusion(data, 0.4, 0, matrix=str(path))
    with pytest.raises(InputError, match="There is no file"):
        human_confusion(data, 0.4, 0, matrix=str(tmp_path / "none.csv"))


def test_sounds_from_leaving_classes() -> None:
    data = events(per_class=6)
    noisy, made = DOMAIN.corrupt(data, kind="out-of-vocabulary", rate=0.3, seed=0, outside="bell,pluck")
    taken = made.status == 2
    leaving = [data.class_names.index(name) for name in ("bell", "pluck")]
    assert taken.any()
    assert np.isin(noisy.true[taken], leaving).all()
    assert not np.isin(noisy.given, leaving).any()
    assert np.array_equal(noisy.is_wrong, taken)
    i = int(np.flatnonzero(taken)[0])
    assert np.array_equal(noisy.audio[i], data.audio[int(made.sound_of[i])])
    with pytest.raises(InputError, match="class"):
        out_of_vocabulary(data, 0.3, 0, outside="unicorn")


def test_sounds_from_a_folder(tmp_path: Path, tagged: AudioDataset) -> None:
    soundfile.write(tmp_path / "x.wav", np.full(1600, 0.5, np.float32), 16000)
    data = events(per_class=4)
    noisy, made = DOMAIN.corrupt(data, kind="out-of-vocabulary", rate=0.5, seed=0, folder=str(tmp_path))
    taken = made.status == 2
    assert noisy.class_names[-1] == "(none of these)"
    assert np.array_equal(noisy.is_wrong, taken)
    assert len(noisy.audio[int(np.flatnonzero(taken)[0])]) == 1600
    saved = DOMAIN.save(noisy, tmp_path / "out")
    assert saved
    again = DOMAIN.load(str(tmp_path / "out"))
    assert len(again.audio[int(np.flatnonzero(taken)[0])]) == 1600
    with pytest.raises(InputError, match="without sound"):
        out_of_vocabulary(tagged, 0.5, 0, folder=str(tmp_path))


def test_tags_are_not_dropped_from_single_classes() -> None:
    with pytest.raises(InputError, match="one class each"):
        DOMAIN.corrupt(events(per_class=2), kind="missing-tags", rate=0.5, seed=0)
