"""CPU seconds and resident memory from clips to features on disk to a trained epoch.

    python benchmarks/audio_features.py speed                 # log-mel, audio-seconds per CPU-second, beside torchaudio
    python benchmarks/audio_features.py pipeline [--clips N]  # features, cache, one epoch of training; 10,000 clips

Run it where the package can be imported (installed, or PYTHONPATH set to the repository). One thread; Linux, whose
/proc tells how much memory is in use. Clips are generated when they are read, so no sound is on disk or in memory
before its turn. "speed" is the best of many rounds, the rivals in turn, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from labelnoise.audio.cache import cached_log_mel
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.features import PRESETS, log_mel

RATE, SECONDS, CLASSES = 16_000, 5, 10


def speed(rounds: int) -> dict:
    """Both on the same clips of 5 s, a clip at a time."""
    from torchaudio.transforms import MelSpectrogram

    settings = PRESETS["16k64"]
    transform = MelSpectrogram(
        RATE,
        settings.n_fft,
        settings.window,
        settings.hop,
        settings.low,
        settings.high,
        n_mels=settings.n_mels,
    )
    rng = np.random.default_rng(0)
    waves = [0.1 * rng.standard_normal(RATE * SECONDS, dtype=np.float32) for _ in range(20)]

    def theirs(wave: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return transform(torch.from_numpy(wave)).add_(settings.log_offset).log_().numpy().T

    rivals = {"labelnoise": log_mel, "torchaudio": theirs}
    best = dict.fromkeys(rivals, np.inf)
    for _ in range(rounds):
        for name, compute in rivals.items():
            started = time.process_time()
            for wave in waves:
                compute(wave)
            best[name] = min(best[name], time.process_time() - started)
    off = max(float(np.abs(log_mel(wave) - theirs(wave)).max()) for wave in waves)
    return {
        "audio_seconds_per_cpu_second": {name: round(len(waves) * SECONDS / s) for name, s in best.items()},
        "largest_difference": round(off, 6),
    }


def sound(source: float, rate: int) -> tuple[np.ndarray, int]:
    """A clip by its number: a tone of its class in noise."""
    number = int(source)
    rng = np.random.default_rng(number)
    wave = 0.1 * rng.standard_normal(rate * SECONDS, dtype=np.float32)
    pitch = 2 * np.pi * 200 * 1.4 ** (number % CLASSES) / rate
    return wave + 0.1 * np.sin(pitch * np.arange(len(wave), dtype=np.float32)), rate


def resident() -> int:
    """MiB of this process in memory that belong to no file."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) // 1024


class Watched(LazyAudio):
    """Clips that note the memory in use whenever one of a thousand is read."""

    def __init__(self, clips: int) -> None:
        super().__init__([float(i) for i in range(clips)], RATE, sound)
        self.memory: list[int] = []

    def __getitem__(self, index: int) -> np.ndarray:
        if index % max(len(self) // 5, 1) == 0:
            self.memory.append(resident())
        return super().__getitem__(index)


def pipeline(clips: int) -> dict:
    """Seconds of generating, of hashing with features and cache, and of an epoch; memory on the way."""
    from labelnoise.audio.train_methods import train_audio

    started = time.process_time()
    for i in range(200):
        sound(i, RATE)
    generating = (time.process_time() - started) / 200 * clips
    audio = Watched(clips)
    rng = np.random.default_rng(0)
    true = np.arange(clips) % CLASSES
    given = np.where(rng.random(clips) < 0.2, rng.integers(0, CLASSES, clips), true)
    data = AudioDataset.single(
        given,
        [f"tone {c}" for c in range(CLASSES)],
        files=[f"{i}.wav" for i in range(clips)],
        true=true,
        audio=audio,
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABELNOISE_CACHE"] = folder
        log_mel(audio[0])
        audio.memory.clear()
        started = time.process_time()
        cached_log_mel(audio)
        features = time.process_time() - started
        mid = resident()
        started = time.process_time()
        trained = train_audio(data, "lq", epochs=1)
        training = time.process_time() - started
    return {
        "clips": clips,
        "cpu_seconds": {
            "generating the sound (in features, twice)": round(generating, 1),
            "features and cache": round(features, 1),
            "one epoch, and predictions of all clips": round(training, 1),
            "together": round(features + training, 1),
        },
        "mib_while_featurising": audio.memory,
        "mib_after_features_and_training": [mid, resident()],
        "accuracy": round(float((trained.predicted == true).mean()), 3),
    }


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("speed", "pipeline"))
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clips", type=int, default=10_000)
    arguments = parser.parse_args()
    found = speed(arguments.rounds) if arguments.what == "speed" else pipeline(arguments.clips)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
