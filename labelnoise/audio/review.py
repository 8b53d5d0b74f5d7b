"""What a person hears and sees of a clip: the sound itself, and its spectrogram."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.features import log_mel
from labelnoise.core.review.cards import Card, Media

__all__ = ["clip_cards", "png_of", "wav_of"]

#: Samples per second and seconds of the sound on a page: 160 kB.
RATE, SECONDS = 16_000, 5
#: Decibels below the loudest that are still drawn.
_RANGE = 70.0
#: Dark to light, readable without colour: levels in order, interpolated.
_COLOURS = np.array([(0, 0, 4), (40, 11, 84), (120, 28, 109), (190, 55, 82), (237, 121, 37), (252, 255, 164)])
_SIZE = (160, 480)

Wave = NDArray[np.float32]


def clip_cards(dataset: AudioDataset, units: Sequence[int]) -> list[Card]:
    """One card per unit; where the data set has sound, with the first 5 s to play and their spectrogram.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> card = clip_cards(events(per_class=1), [3])[0]
    >>> [medium.kind for medium in card.media], card.media[0].src[:22]
    (['audio', 'image'], 'data:audio/wav;base64,')
    """
    kind = "tag" if dataset.multilabel else "clip"

    @lru_cache(maxsize=8)
    def media(clip: int) -> tuple[Media, ...]:
        assert dataset.audio is not None
        whole = dataset.audio.at(RATE)[clip]
        wave = whole[: RATE * SECONDS]
        name, length = dataset.files[clip], len(whole) / RATE
        part = f"the first {SECONDS} s of {length:.1f} s" if len(whole) > len(wave) else f"{length:.1f} s"
        sound = "data:audio/wav;base64," + base64.b64encode(wav_of(wave)).decode("ascii")
        picture = "data:image/png;base64," + base64.b64encode(png_of(wave)).decode("ascii")
        return (
            Media("audio", sound, f"{name}, {part}"),
            Media("image", picture, f"Spectrogram of {name}: time to the right, 0 to 8 kHz upwards (mel)"),
        )

    cards = []
    for unit in map(int, units):
        clip = int(dataset.clip_of([unit])[0])
        shown = media(clip) if dataset.audio is not None else ()
        cards.append(Card(title=f"{kind} {dataset.ids[unit]}", media=shown))
    return cards


def wav_of(wave: Wave) -> bytes:
    """A WAV file of 16 kHz, mono, 16 bits.

    Examples
    --------
    >>> wav_of(np.zeros(4, np.float32))[:4], len(wav_of(np.zeros(4, np.float32)))
    (b'RIFF', 52)
    """
    import wave as waves

    buffer = io.BytesIO()
    with waves.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(np.clip(wave, -1.0, 1.0) * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def png_of(wave: Wave) -> bytes:
    """The log-mel spectrogram as a PNG of 480 x 160 pixels; silence is dark.

    Examples
    --------
    >>> png_of(np.zeros(16000, np.float32))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    level = np.asarray(log_mel(wave, "16k64"), dtype=np.float64).T[::-1] * (10 / np.log(10))
    share = np.clip((level - level.max()) / _RANGE + 1.0, 0.0, 1.0)
    if np.ptp(level) < 1e-6:
        share[:] = 0.0
    height, width = _SIZE
    rows = np.arange(height) * share.shape[0] // height
    columns = np.arange(width) * share.shape[1] // width
    place = share[np.ix_(rows, columns)] * (len(_COLOURS) - 1)
    pixels = np.stack([np.interp(place, np.arange(len(_COLOURS)), _COLOURS[:, c]) for c in range(3)], axis=2)
    lines = np.concatenate([np.zeros((height, 1)), pixels.reshape(height, -1)], axis=1).astype(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
