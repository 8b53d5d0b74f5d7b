"""Sound files as mono float32, read when they are asked for, at the sample rate that is asked for."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["AUDIO_ENDINGS", "LazyAudio", "check_wave", "read_audio", "resample"]

#: File endings of sound files.
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")
#: Bytes of decoded sound that `LazyAudio` keeps by default: 64 MiB.
CACHE_BYTES = 64 << 20
#: Samples per second of files that can be brought to another rate.
RATES = 1_000, 2_000_000
#: Of the ratio of two sample rates.
_LARGEST_TERM = 2000
#: Samples that are decoded at a time.
_BLOCK = 1 << 20

Wave = NDArray[np.float32]


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError as error:
        raise InputError("Reading sound needs soundfile; run pip install 'labelnoise[audio]'.") from error
    return soundfile


def read_audio(path: str | Path, sample_rate: int | None = None) -> tuple[Wave, int]:
    """Decode a sound file to mono, the mean of its channels.

    Parameters
    ----------
    path : str or Path
        What soundfile reads: WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF.
    sample_rate : int, optional
        Samples per second of the result; by default those of the file.

    Returns
    -------
    wave : ndarray of float32, shape (samples,)
        Full scale is 1.
    sample_rate : int

    Raises
    ------
    InputError
        A missing, broken, cut-off or empty file, or one that holds NaN or infinity.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full((800, 2), [0.25, 0.75]), 8000)
    >>> wave, rate = read_audio(path)
    >>> wave.shape, wave.dtype, rate, round(float(wave[0]), 3)
    ((800,), dtype('float32'), 8000, 0.5)
    >>> read_audio(path, 16000)[0].shape
    (1600,)
    """
    library = _soundfile()
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {str(path)!r}; check the path.")
    try:
        with library.SoundFile(path) as file:
            native, announced = int(file.samplerate), int(file.frames)
            # Channels in one array (samples, channels); a mono file needs no mean.
            # Block by block: a header of a few bytes may announce hours of sound.
            blocks = [file.read(_BLOCK, dtype="float32", always_2d=True)]
            while len(blocks[-1]) == _BLOCK:
                blocks.append(file.read(_BLOCK, dtype="float32", always_2d=True))
            wave = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    except (library.LibsndfileError, RuntimeError, OSError) as error:
        raise InputError(f"{path} is not a sound file that can be read ({error}); copy it again.") from error
    # Headers of MP3 and of streams only estimate their length.
    if path.suffix.lower() in (".wav", ".flac") and 0 < len(wave) < announced < 1 << 40:
        raise InputError(
            f"{path} is cut off: its header says {announced} samples and {len(wave)} are there; copy it again."
        )
    mono = wave[:, 0] if wave.shape[1] == 1 else wave.mean(axis=1)
    check_wave(mono, str(path))
    if sample_rate is None or sample_rate == native:
        return np.ascontiguousarray(mono), native
    if not RATES[0] <= native <= RATES[1]:
        raise InputError(
            f"{path} says that it has {native:,} samples per second; {RATES[0]:,} to {RATES[1]:,} can be brought to "
            f"{sample_rate:,}. Export the clip again."
        )
    return resample(mono, native, sample_rate), sample_rate


def check_wave(wave: NDArray[Any], name: str) -> None:
    """Refuse sound without samples, or with NaN or infinity among them.

    Raises
    ------
    InputError
        It names the clip.
    """
    if wave.ndim != 1 or len(wave) == 0:
        raise InputError(f"{name} holds no sample of sound; leave the clip out, or record it again.")
    # One sum finds NaN and infinity alike, without an array of flags; only then is their place looked up.
    with np.errstate(invalid="ignore", over="ignore"):
        suspicious = not np.isfinite(wave.sum())
    if suspicious and not np.isfinite(wave).all():
        place = int(np.flatnonzero(~np.isfinite(wave))[0])
        raise InputError(
            f"{name} holds {wave[place]} at sample {place}; sound is finite numbers, export the clip again."
        )


def resample(wave: Wave, source_rate: int, target_rate: int) -> Wave:
    """Change the sample rate by windowed sinc interpolation (``torchaudio.functional.resample``).

    Parameters
    ----------
    wave : ndarray of float32, shape (samples,)
    source_rate, target_rate : int
        Samples per second, at least 1.

    Returns
    -------
    ndarray of float32, shape (ceil(samples * target_rate / source_rate),)

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(44100) / 44100).astype(np.float32)
    >>> low = resample(tone, 44100, 16000)
    >>> expected = np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    >>> low.shape, bool(np.abs(low - expected)[100:-100].max() < 0.01)
    ((16000,), True)
    """
    for rate in (source_rate, target_rate):
        if int(rate) != rate or rate < 1:
            raise InputError(f"The sample rate is {rate!r}; give a whole number of samples per second.")
    if source_rate == target_rate:
        return wave
    import torch
    from torchaudio.functional import resample as interpolate

    # The filters take (source * target) numbers in lowest terms, gigabytes for 44,101 to 16,000: the nearest ratio of
    # smaller numbers is off by less than a millionth there, and by .00025 at most (4,001 to 4,000).
    largest = max(1, int(_LARGEST_TERM * min(1.0, source_rate / target_rate)))
    ratio = Fraction(int(target_rate), int(source_rate)).limit_denominator(largest)
    length = -(-len(wave) * int(target_rate) // int(source_rate))
    with torch.inference_mode():
        made: Wave = interpolate(
            torch.from_numpy(np.ascontiguousarray(wave, dtype=np.float32)), ratio.denominator, ratio.numerator
        ).numpy()
    if len(made) != length:
        made = np.pad(made[:length], (0, max(0, length - len(made))))
    return made


class LazyAudio(Sequence[Wave]):
    """Clips decoded on demand; the last used ones are kept, up to a number of bytes.

    Parameters
    ----------
    sources : sequence
        One path per clip, or whatever ``read`` understands.
    sample_rate : int
        Samples per second of what is handed out.
    read : callable
        ``read(source, sample_rate) -> (wave, sample_rate)``; `read_audio` by default. It answers at
        ``sample_rate`` where that is given.
    cache_bytes : int
        How many bytes of decoded sound are kept.

    Examples
    --------
    >>> clips = LazyAudio([0.1, 0.2], 8000, read=lambda level, rate: (np.full(rate, level, np.float32), rate))
    >>> len(clips), clips[1].shape, clips.at(16000)[1].shape
    (2, (8000,), (16000,))
    """

    def __init__(
        self,
        sources: Sequence[Any],
        sample_rate: int = 16000,
        read: Callable[[Any, int], tuple[Wave, int]] = read_audio,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if int(sample_rate) != sample_rate or sample_rate < 1:
            raise InputError(
                f"The sample rate is {sample_rate!r}; give a whole number of samples per second."
            )
        self.sources = list(sources)
        self.sample_rate = int(sample_rate)
        self._read = read
        self._limit = cache_bytes
        self._kept: OrderedDict[int, Wave] = OrderedDict()
        self._bytes = 0
        self._digests: dict[Any, str] = {}

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.take(range(len(self))[index])
        place = range(len(self.sources))[index]
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        wave, _ = self._read(self.sources[place], self.sample_rate)
        if wave.nbytes <= self._limit:
            self._kept[place] = wave
            self._bytes += wave.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return wave

    def __iter__(self) -> Iterator[Wave]:
        return (self[index] for index in range(len(self)))

    def at(self, sample_rate: int) -> LazyAudio:
        """The same clips at another sample rate, decoded anew."""
        if sample_rate == self.sample_rate:
            return self
        return self._like(self.sources, sample_rate)

    def take(self, clips: Sequence[int]) -> LazyAudio:
        """Some of the clips, by number, in that order."""
        return self._like([self.sources[int(i)] for i in clips], self.sample_rate)

    def digest(self, clip: int) -> str:
        """A hash of one clip's content: the bytes of its file, or its samples where there is no file.

        A file is hashed again only if its size or time of change differ.
        """
        source = self.sources[clip]
        if not isinstance(source, str | Path):
            wave = self[clip]
            return hashlib.blake2b(
                f"{self.sample_rate}:".encode() + wave.tobytes(), digest_size=16
            ).hexdigest()
        try:
            state = Path(source).stat()
            key = (str(source), state.st_size, state.st_mtime_ns)
            if key not in self._digests:
                with open(source, "rb") as file:
                    digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
                self._digests[key] = digest.hexdigest()
        except OSError as error:
            raise InputError(f"There is no file {str(source)!r} that can be read; check the path.") from error
        return self._digests[key]

    def _like(self, sources: Sequence[Any], sample_rate: int) -> LazyAudio:
        made = LazyAudio(sources, sample_rate, self._read, cache_bytes=self._limit)
        made._digests = self._digests
        return made
