"""Log-mel spectrograms of clips, in the configurations that published systems use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.decode import check_wave
from labelnoise.core.validation import InputError, choose

__all__ = ["PRESETS", "LogMelConfig", "as_config", "log_mel"]

#: Frames transformed at a time: their spectra stay in the processor's cache, and memory does not grow with a clip.
_BLOCK_FRAMES = 512
#: Neighbouring mel bands computed by one product: few enough that it skips most bins, which are 0 for them.
_BAND_GROUP = 16


@dataclass(frozen=True)
class LogMelConfig:
    """How sound becomes a log-mel spectrogram.

    Attributes
    ----------
    sample_rate : int
        Samples per second.
    window, hop, n_fft : int
        Samples of a frame, from one frame to the next, and of the Fourier transform (at least ``window``).
    window_kind : {"hann", "hamming"}
        Periodic.
    power : int
        1 for magnitudes, 2 for power.
    n_mels : int
    low, high : float
        The band, in hertz.
    mel_scale : {"htk", "slaney"}
        Triangles have a peak of 1.
    log_offset : float
        Added before the logarithm.
    log_base : {"e", "10"}
    centred : bool
        Frames are centred on multiples of ``hop``, the clip mirrored at its ends; else only whole frames count.
    peak : float
        Above 0: the mean is taken out and the highest sample scaled to this; silence stays silence.

    Examples
    --------
    >>> PRESETS["16k64"].n_frames(16000), PRESETS["dcase"].n_frames(44100)
    (101, 98)
    """

    sample_rate: int
    window: int
    hop: int
    n_fft: int
    window_kind: str = "hann"
    power: int = 2
    n_mels: int = 64
    low: float = 0.0
    high: float = 8000.0
    mel_scale: str = "htk"
    log_offset: float = 1e-6
    log_base: str = "e"
    centred: bool = True
    peak: float = 0.0

    def __post_init__(self) -> None:
        choose(self.window_kind, ("hann", "hamming"), "window")
        choose(self.mel_scale, ("htk", "slaney"), "mel scale")
        choose(self.log_base, ("e", "10"), "base of the logarithm")
        if not self.hop > 0 or not 1 < self.window <= self.n_fft or self.power not in (1, 2):
            raise InputError(
                f"hop {self.hop}, window {self.window}, n_fft {self.n_fft}, power {self.power} do not fit together; "
                "hop is 1 or more, window 2 or more and at most n_fft, power 1 or 2."
            )
        if not 0 <= self.low < self.high <= self.sample_rate / 2 or self.n_mels < 1 or self.log_offset <= 0:
            raise InputError(
                f"{self.n_mels} mel bands from {self.low} to {self.high} Hz at {self.sample_rate} samples per second "
                f"with offset {self.log_offset} are not possible; the band ends by half the sample rate, offset > 0."
            )

    def n_frames(self, samples: int) -> int:
        """Number of frames of a clip of so many samples, at least 1."""
        if self.centred:
            return 1 + max(samples, self.n_fft // 2 + 1) // self.hop
        return 1 + max(samples - self.window, 0) // self.hop


#: Configurations by name.
PRESETS: Mapping[str, LogMelConfig] = {
    # The baseline of DCASE 2019 task 2 (MobileNet v1): magnitudes, whole frames only.
    "dcase": LogMelConfig(
        44100, 1102, 441, 2048, power=1, n_mels=96, low=20, high=20000, log_offset=1e-3, centred=False
    ),
    # Fonseca et al., ICASSP 2019 (FSDnoisy18k).
    "icassp19": LogMelConfig(
        44100,
        1764,
        882,
        2048,
        window_kind="hamming",
        n_mels=96,
        high=22050,
        mel_scale="slaney",
        log_offset=2.2e-16,
        log_base="10",
        peak=0.995,
    ),
    # Small and quick: 25 ms every 10 ms.
    "16k64": LogMelConfig(16000, 400, 160, 512),
}


def as_config(config: str | LogMelConfig) -> LogMelConfig:
    """A configuration from the name of a preset, or as it is.

    Raises
    ------
    InputError
        Unknown name.
    """
    if isinstance(config, LogMelConfig):
        return config
    choose(config, PRESETS, "log-mel preset")
    return PRESETS[config]


def log_mel(wave: NDArray[np.float32], config: str | LogMelConfig = "16k64") -> NDArray[np.float32]:
    """The log-mel spectrogram of one clip.

    Frames are transformed in blocks by torch, mel bands are those of torchaudio; the result equals
    ``torchaudio.transforms.MelSpectrogram`` (where frames are centred) in single precision.

    Parameters
    ----------
    wave : ndarray of float32, shape (samples,)
        At the sample rate of the configuration. Clips shorter than a frame are padded with silence.
    config : str or LogMelConfig
        A name from `PRESETS`: "dcase", "icassp19", "16k64"; or your own.

    Returns
    -------
    ndarray of float32, shape (frames, n_mels)

    Raises
    ------
    InputError
        Unknown preset; no sample, NaN or infinity.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000).astype(np.float32)
    >>> mel = log_mel(tone)
    >>> mel.shape, int(mel.mean(axis=0).argmax())
    ((101, 64), 22)
    """
    import torch

    settings = as_config(config)
    wave = np.asarray(wave, dtype=np.float32)
    check_wave(wave, "The clip")
    window, groups = _tables(settings)
    with torch.inference_mode():
        frames = _frames(torch.from_numpy(np.ascontiguousarray(_scaled(wave, settings))), settings)
        made = torch.empty((len(frames), settings.n_mels))
        shape = (min(len(frames), _BLOCK_FRAMES), settings.n_fft // 2 + 1)
        scratch = np.empty(shape, np.float32), np.empty(shape, np.float32)
        for start in range(0, len(frames), _BLOCK_FRAMES):
            spectrum = torch.fft.rfft(frames[start : start + _BLOCK_FRAMES] * window, n=settings.n_fft)
            # NumPy squares every other number three times as quickly as torch, and abs() is slower still.
            parts = spectrum.numpy()
            power, other = (space[: len(parts)] for space in scratch)
            np.square(parts.real, out=power)
            np.square(parts.imag, out=other)
            np.add(power, other, out=power)
            if settings.power == 1:
                np.sqrt(power, out=power)
            bins_of = torch.from_numpy(power)
            block = made[start : start + _BLOCK_FRAMES]
            for columns, bins, bands in groups:
                torch.mm(bins_of[:, bins], bands, out=block[:, columns])
        made.add_(settings.log_offset)
        result: NDArray[np.float32] = (made.log_() if settings.log_base == "e" else made.log10_()).numpy()
    return result


@lru_cache(maxsize=8)
def _tables(config: LogMelConfig) -> tuple[Any, list[tuple[slice, slice, Any]]]:
    """The window, and groups of mel bands, each with its columns, the bins that reach it, and their weights."""
    import torch
    from torchaudio.functional import melscale_fbanks

    make = torch.hann_window if config.window_kind == "hann" else torch.hamming_window
    bands = melscale_fbanks(
        config.n_fft // 2 + 1,
        float(config.low),
        float(config.high),
        config.n_mels,
        config.sample_rate,
        norm=None,
        mel_scale=config.mel_scale,
    )
    groups = []
    for column in range(0, config.n_mels, _BAND_GROUP):
        part = bands[:, column : column + _BAND_GROUP]
        used = torch.nonzero(part.sum(dim=1)).flatten()
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        groups.append((slice(column, column + part.shape[1]), bins, part[bins].contiguous()))
    return make(config.window, periodic=True), groups


def _scaled(wave: NDArray[np.float32], config: LogMelConfig) -> NDArray[np.float32]:
    if config.peak <= 0:
        return wave
    level = wave - wave.mean()
    highest = float(np.abs(level).max())
    return level * np.float32(config.peak / highest) if highest > 0 else level


def _frames(wave: Any, config: LogMelConfig) -> Any:
    """All frames as a view, shape (frames, window)."""
    import torch

    if config.centred:
        half = config.n_fft // 2
        # A clip is mirrored at its ends, which needs more samples than are mirrored.
        if len(wave) <= half:
            wave = torch.nn.functional.pad(wave, (0, half + 1 - len(wave)))
        padded = torch.empty(len(wave) + 2 * half)
        padded[half:-half] = wave
        padded[:half] = wave[1 : half + 1].flip(0)
        padded[-half:] = wave[-half - 1 : -1].flip(0)
        # The window lies in the middle of the transform's samples.
        padded = padded[(config.n_fft - config.window) // 2 :]
        return padded.unfold(0, config.window, config.hop)[: 1 + len(wave) // config.hop]
    if len(wave) < config.window:
        wave = torch.nn.functional.pad(wave, (0, config.window - len(wave)))
    return wave.unfold(0, config.window, config.hop)
