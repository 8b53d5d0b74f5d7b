"""Cards that play."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.review import png_of, wav_of


def test_cards_hold_five_seconds_at_most_and_a_picture() -> None:
    audio = LazyAudio([8.0, 0.2], 8000, read=lambda s, rate: (np.full(int(s * rate), 0.25, np.float32), rate))
    data = AudioDataset.from_tags([[1, 0], [0, 1]], ("a", "b"), files=("x.wav", "y.wav"), audio=audio)
    cards = AudioDomain().review_cards(data, [1, 2])
    assert [card.title for card in cards] == ["tag x.wav#b", "tag y.wav#a"]
    for card, samples in zip(cards, (80000, 3200)):
        sound = base64.b64decode(card.media[0].src.partition(",")[2])
        wave, rate = soundfile.read(io.BytesIO(sound))
        assert (len(wave), rate) == (samples, 16000)
        assert abs(wave.mean() - 0.25) < 1e-3
    assert "first 5 s of 8.0 s" in cards[0].media[0].text
    assert (
        AudioDomain().review_cards(AudioDataset.single([0], ("a", "b"), files=("x.wav",)), [0])[0].media == ()
    )


def test_the_picture_shows_low_sounds_low() -> None:
    import PIL.Image

    tone = np.sin(2 * np.pi * 300 * np.arange(16000) / 16000).astype(np.float32)
    picture = np.asarray(PIL.Image.open(io.BytesIO(png_of(tone))))
    assert picture.shape == (160, 480, 3)
    assert picture[80:].mean() > 2 * picture[:80].mean()
    assert len(wav_of(np.array([2.0, -2.0], np.float32))) == 48
