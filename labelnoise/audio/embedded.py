"""Clips without a download: synthesised sounds of confusable classes, some of which carry another's label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio, resample
from labelnoise.core.domain import DatasetInfo
from labelnoise.core.random import generator
from labelnoise.core.validation import InputError, as_rate

__all__ = ["CLASSES", "EVENTS", "events", "render_event"]

EVENTS = DatasetInfo(
    "events",
    "300 synthesised clips of 1 s, 10 confusable classes of sound, 10 % of them with a wrong label",
    "Apache-2.0",
    "generated (labelnoise.audio.embedded.events)",
    embedded=True,
)

#: Samples per second at which clips are rendered.
RATE = 16000
#: Level of the background below the event, in decibels, drawn per clip from this range.
_SIGNAL_TO_NOISE = (0.0, 15.0)

Wave = NDArray[np.floating[Any]]
Synth = Callable[[np.random.Generator, Wave], Wave]


def _tone(rng: np.random.Generator, t: Wave) -> Wave:
    """Steady, with a few harmonics."""
    pitch = rng.uniform(300, 900)
    weights = rng.uniform(0.3, 0.8) ** np.arange(5)
    return _harmonics(2 * np.pi * pitch * t, weights)


def _siren(rng: np.random.Generator, t: Wave) -> Wave:
    """A tone whose pitch goes up and down."""
    pitch, depth, speed = rng.uniform(400, 900), rng.uniform(0.12, 0.4), rng.uniform(1.5, 4)
    phase = rng.uniform(0, 2 * np.pi)
    sweep = pitch * (1 + depth * np.sin(2 * np.pi * speed * t + phase))
    return _harmonics(2 * np.pi * np.cumsum(sweep) / RATE, rng.uniform(0.3, 0.8) ** np.arange(5))


def _bell(rng: np.random.Generator, t: Wave) -> Wave:
    """Struck: inharmonic partials that die away."""
    partials = rng.uniform(350, 900) * np.array([1.0, 2.0, 2.4, 3.0, 4.5]) * rng.normal(1, 0.01, 5)
    decay = rng.uniform(2, 6) * np.linspace(1, 2.5, 5)
    return np.asarray((np.sin(2 * np.pi * partials[:, None] * t) * np.exp(-decay[:, None] * t)).sum(axis=0))


def _pluck(rng: np.random.Generator, t: Wave) -> Wave:
    """Struck: harmonic partials that die away, the high ones sooner."""
    order = np.arange(1, 7)[:, None]
    decay = rng.uniform(2, 6) * order**0.6
    pitch = rng.uniform(200, 700)
    return np.asarray((np.sin(2 * np.pi * pitch * order * t) / order * np.exp(-decay * t)).sum(axis=0))


def _chirps(rng: np.random.Generator, t: Wave) -> Wave:
    """Short upward sweeps, as of a bird."""
    return _repeated(rng, t, rng.uniform(4, 9), lambda u: np.sin(2 * np.pi * (1800 * u + 12000 * u**2)), 0.06)


def _beeps(rng: np.random.Generator, t: Wave) -> Wave:
    """Short steady tones, as of an alarm."""
    pitch = rng.uniform(1800, 3000)
    return _repeated(rng, t, rng.uniform(4, 9), lambda u: np.sin(2 * np.pi * pitch * u), 0.06)


def _knocks(rng: np.random.Generator, t: Wave) -> Wave:
    """Dull strokes a few times a second."""
    pitch = rng.uniform(120, 260)
    return _repeated(
        rng, t, rng.uniform(2.5, 5), lambda u: np.sin(2 * np.pi * pitch * u) * np.exp(-40 * u), 0.15
    )


def _clicks(rng: np.random.Generator, t: Wave) -> Wave:
    """Sharp strokes a few times a second, as of a clock."""
    pitch = rng.uniform(1500, 3500)
    return _repeated(
        rng, t, rng.uniform(2.5, 5), lambda u: np.sin(2 * np.pi * pitch * u) * np.exp(-250 * u), 0.05
    )


def _rain(rng: np.random.Generator, t: Wave) -> Wave:
    """Steady broad noise with drops."""
    drops = rng.normal(0, 1, len(t)) * (rng.random(len(t)) < rng.uniform(0.003, 0.02)) * 6
    return _coloured(rng, len(t), rng.uniform(0.0, 0.5)) + drops


def _wind(rng: np.random.Generator, t: Wave) -> Wave:
    """Low noise that swells."""
    swell = 1 + rng.uniform(0.3, 0.8) * np.sin(2 * np.pi * rng.uniform(0.5, 2) * t + rng.uniform(0, 6.28))
    return _coloured(rng, len(t), rng.uniform(0.4, 1.2)) * swell


_SYNTHS: dict[str, Synth] = {
    "tone": _tone,
    "siren": _siren,
    "bell": _bell,
    "pluck": _pluck,
    "chirps": _chirps,
    "beeps": _beeps,
    "knocks": _knocks,
    "clicks": _clicks,
    "rain": _rain,
    "wind": _wind,
}

#: Class names of `events`; each even one and the next are alike, and are confused by the wrong labels.
CLASSES = tuple(_SYNTHS)


def events(per_class: int = 30, *, wrong: float = 0.1, alike: float = 0.5, seed: int = 0) -> AudioDataset:
    """Synthesise clips of ten classes of sound, with the truth at hand.

    Pitch, speed, decay and level differ from clip to clip, over background noise of 0 to 15 dB below the event.
    Classes come in pairs that sound alike: tone and siren, bell and pluck, chirps and beeps, knocks and clicks,
    rain and wind. Clips are rendered when they are read.

    Parameters
    ----------
    per_class : int
        Clips of each true class, at least 1. The first ones do not depend on how many follow.
    wrong : float
        Share of clips with a wrong label, from 0 to 0.5; the count is exact to within rounding.
    alike : float
        Probability that a wrong label is the class that sounds alike, else any other; 0 to 1.
    seed : int

    Returns
    -------
    AudioDataset
        ``10 * per_class`` clips of 1 s at 16 kHz, one class each, with ``true``.

    Raises
    ------
    InputError
        No clip, or a rate out of range.

    Examples
    --------
    >>> data = events()
    >>> data.n_clips, data.n_classes, int(data.is_wrong.sum()), data.audio[0].shape
    (300, 10, 30, (16000,))
    >>> data.class_names[data.true[0]], data.ids[0]
    ('tone', 'event-0000.wav')
    """
    if int(per_class) != per_class or per_class < 1:
        raise InputError(f"{per_class} clips per class were asked for; give a whole number from 1.")
    rate, twin = as_rate(wrong, name="wrong", upper=0.5), as_rate(alike, name="alike")
    k = len(CLASSES)
    n = k * int(per_class)
    true = np.arange(n) % k
    rng = generator(seed, "events", "labels")
    chosen = rng.choice(n, round(rate * n), replace=False)
    other = (true[chosen] + rng.integers(1, k, len(chosen))) % k
    given = true.copy()
    given[chosen] = np.where(rng.random(len(chosen)) < twin, true[chosen] ^ 1, other)
    return AudioDataset.single(
        given,
        CLASSES,
        files=[f"event-{i:04d}.wav" for i in range(n)],
        name=EVENTS.name,
        true=true,
        audio=LazyAudio([(int(label), i, seed) for i, label in enumerate(true)], RATE, _render),
        source=EVENTS.source,
        meta={"licence": EVENTS.licence, "wrong": rate, "seed": seed},
    )


def render_event(label: int, clip: int, seed: int = 0) -> NDArray[np.float32]:
    """One clip of a class of `events`, 1 s at 16 kHz, with a peak of 0.5.

    Examples
    --------
    >>> wave = render_event(CLASSES.index("bell"), 3)
    >>> wave.shape, wave.dtype, round(float(abs(wave).max()), 3)
    ((16000,), dtype('float32'), 0.5)
    """
    rng = generator(seed, "events", "clip", int(clip))
    t = np.arange(RATE) / RATE
    event = _SYNTHS[CLASSES[label]](rng, t)
    late = int(rng.uniform(0, 0.25) * RATE)
    event = np.concatenate([np.zeros(late), event[: RATE - late]])
    background = _coloured(rng, RATE, rng.uniform(0, 1))
    gap = 10 ** (-rng.uniform(*_SIGNAL_TO_NOISE) / 20)
    wave = event / _level(event) + gap * background / _level(background)
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def _render(source: Any, sample_rate: int) -> tuple[NDArray[np.float32], int]:
    return resample(render_event(*source), RATE, sample_rate), sample_rate


def _level(wave: Wave) -> float:
    return float(np.sqrt(np.mean(wave**2)))


def _harmonics(phase: Wave, weights: Wave) -> Wave:
    return np.asarray(sum(w * np.sin((i + 1) * phase) for i, w in enumerate(weights)))


def _repeated(
    rng: np.random.Generator, t: Wave, speed: float, shape: Callable[[Wave], Wave], length: float
) -> Wave:
    """The same short sound over and over, a little out of time and of level."""
    sound = (
        shape(t[: int(length * RATE)] * rng.uniform(0.85, 1.15))
        * np.hanning(2 * int(length * RATE))[-int(length * RATE) :]
    )
    wave = np.zeros(len(t))
    for start in np.arange(0, 1, 1 / speed):
        at = min(max(0, int((start + rng.normal(0, 0.01)) * RATE)), len(t) - 1)
        part = sound[: len(t) - at]
        wave[at : at + len(part)] += part * rng.uniform(0.6, 1)
    return wave


def _coloured(rng: np.random.Generator, n: int, slope: float) -> Wave:
    """Noise whose amplitude falls as frequency to the power of ``slope``, of level 1."""
    spectrum = np.fft.rfft(rng.normal(0, 1, n))
    spectrum /= np.maximum(np.arange(len(spectrum)), 20) ** slope
    wave = np.fft.irfft(spectrum, n)
    return np.asarray(wave / _level(wave))
