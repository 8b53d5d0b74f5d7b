"""Targets: readers of clips and of their tables."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.examples import table
from fuzz.mutate import Files
from fuzz.structured import json_files, table_files
from fuzz.target import Target, use_dataset


@cache
def wav(samples: int = 800) -> bytes:
    with contextlib.suppress(ImportError):
        # Readers import it at the first clip of another sample rate; that is no input's time.
        importlib.import_module("torchaudio.functional")
    wave = (np.sin(np.arange(samples) / 9) * 9000).astype("<i2").tobytes()
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(wave),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        len(wave),
    )
    return head + wave


def _sound(kind: str) -> bytes:
    import soundfile

    made = io.BytesIO()
    soundfile.write(made, np.sin(np.arange(4000) / 9), 8000, format=kind)
    return made.getvalue()


def classes() -> Files:
    rows = (
        "file,label,true,origin,verified,recording,splits",
        "a.wav,dog,dog,web,yes,r1,train",
        "b.wav,rain,dog,web,no,r1,train;x",
    )
    return {
        "clips.csv": table(*rows, "sub/c.wav,,rain,own,1,r2,"),
        "a.wav": wav(),
        "b.wav": wav(),
        "sub/c.wav": wav(),
    }


def tags() -> Files:
    notes = {"name": "n", "tag_names": ["dog", "rain"], "meta": {"a": 1}, "written_by": "labelnoise"}
    notes["sound"] = {"a.wav": "/nowhere/a.wav"}
    rows = ("fname,tags,true", 'a.wav,"dog,rain",dog', "b.wav,?dog,rain", "c.wav,?,")
    return {"clips.csv": table(*rows), "clips.json": json.dumps(notes).encode()}


def esc50() -> Files:
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    rows += [
        f"{1 + i % 2}-{i}-A-{i % 3}.wav,{1 + i % 2},{i % 3},{('dog', 'rain', 'door_wood_knock')[i % 3]},True,{i},A"
        for i in range(6)
    ]
    votes = ["recording,worker_id,prediction"] + [
        f"{1 + i % 2}-{i}-A.ogg,w{j},{('Dog', 'Rain')[j]}" for i in range(6) for j in range(2)
    ]
    return {"meta.csv": table(*rows), "annotations.csv": table(*votes)}


def fsdkaggle() -> Files:
    made = {"vocabulary.csv": table("0,Dog", "1,Rain")}
    made["train_curated_post_competition.csv"] = table(
        "fname,labels,freesound_id,license", "a.wav,Dog,12,CC", 'b.wav,"Dog,Rain",13,CC'
    )
    made["train_noisy_post_competition.csv"] = table(
        "fname,labels,flickr_video_URL", "c.wav,Rain,http://f/videos/9@N0/1"
    )
    made["test_post_competition.csv"] = table(
        "fname,labels,usage,freesound_id", "d.wav,Dog,Public,14", "e.wav,Rain,Private,15"
    )
    return made


def fsdnoisy() -> Files:
    head = "fname,label,manually_verified,noisy_small"
    return {
        "FSDnoisy18k.meta/train.csv": table(head, "1.wav,Dog,1,0", "2.wav,Rain,0,1"),
        "FSDnoisy18k.meta/test.csv": table("fname,label", "3.wav,Dog"),
    }


def fsd50k() -> Files:
    truth = "FSD50K.ground_truth"
    ratings = {"1": {"/m/a": [1.0, 0.5]}, "2": {"/m/b": [-1, 0], "/m/x": []}}
    return {
        f"{truth}/vocabulary.csv": table("0,Dog,/m/a", "1,Rain,/m/b"),
        f"{truth}/dev.csv": table(
            "fname,labels,mids,split", "1,Dog,/m/a,train", '2,"Dog,Rain","/m/a,/m/b",val'
        ),
        f"{truth}/eval.csv": table("fname,labels,mids", "3,Rain,/m/b"),
        "FSD50K.metadata/pp_pnp_ratings_FSD50K.json": json.dumps(ratings).encode(),
    }


def confusions() -> Files:
    return {"c.csv": table("truth,Rain,Dog", "Rain,5,1", "Dog,0,7")}


def embeddings() -> Files:
    made = io.BytesIO()
    np.save(made, np.random.default_rng(0).random((6, 3)))
    return {"e.npy": made.getvalue()}


def cache_index() -> Files:
    rows = ('["ab", 0, 2]', '["cd", 128, 1]')
    return {"1.jsonl": table(*rows), "1.f16": bytes(400)}


def _clips(folder: Path) -> Any:
    from labelnoise.audio.data import load_audio

    data = load_audio(str(folder))
    if data.audio is not None:
        for i in range(min(3, len(data.audio))):
            data.audio[i]
    return data


def _sound_file(name: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.audio.decode import read_audio

        wave, _ = read_audio(folder / name)
        assert np.isfinite(wave).all()
        assert len(wave)
        # At other rates the time for a resampling filter is the library's, not a parser's.
        return wave

    return read


def _function(module: str, name: str, *more: Any) -> Any:
    def read(folder: Path) -> Any:
        import importlib

        return getattr(importlib.import_module(f"labelnoise.audio.{module}"), name)(folder, *more)

    return read


def _heard(folder: Path) -> Any:
    from labelnoise.audio.esc50 import read_esc50_heard

    return read_esc50_heard(folder)


def _fsd50k(folder: Path) -> Any:
    from labelnoise.audio.fsd import read_fsd50k, read_fsd50k_ratings

    data = read_fsd50k(folder)
    read_fsd50k_ratings(folder, data)
    return data


def _confusions(folder: Path) -> Any:
    from labelnoise.audio.noise_clips import read_confusions

    return read_confusions(str(folder / "c.csv"), ("dog", "rain"))


def _embeddings(folder: Path) -> Any:
    from labelnoise.audio.embedding import _read

    return _read(folder / "e.npy", 6)


def _index(folder: Path) -> Any:
    from labelnoise.audio.cache import CachedFeatures, _read_index

    places = list(_read_index(folder, 64).values())
    return [part.shape for part in CachedFeatures(places, 64)]


_CLIPS = (
    "labelnoise.audio.data:load_audio",
    "labelnoise.audio.files:read_clips",
    "labelnoise.audio.tables:read_table",
)
_USE = use_dataset("audio", "")

TARGETS = [
    Target(
        "audio.classes",
        classes,
        _clips,
        (*_CLIPS, "labelnoise.audio.decode:read_audio"),
        use=_USE,
        strategy=lambda: table_files(classes()),
    ),
    Target("audio.tags", tags, _clips, _CLIPS, use=_USE, strategy=lambda: table_files(tags())),
    Target("audio.notes", tags, _clips, _CLIPS, use=_USE, strategy=lambda: json_files(tags(), "clips.json")),
    *(
        Target(
            f"audio.{kind.lower()}",
            lambda kind=kind: {f"a.{kind.lower()}": wav() if kind == "WAV" else _sound(kind)},
            _sound_file(f"a.{kind.lower()}"),
            ("labelnoise.audio.decode:read_audio",),
        )
        for kind in ("WAV", "FLAC", "OGG", "MP3", "AIFF")
    ),
    Target(
        "audio.esc50",
        esc50,
        _function("esc50", "read_esc50"),
        ("labelnoise.audio.esc50:read_esc50",),
        ("audio:ESC-50",),
        use=_USE,
        strategy=lambda: table_files(esc50()),
    ),
    Target(
        "audio.esc50-heard",
        esc50,
        _heard,
        ("labelnoise.audio.esc50:read_esc50_heard", "labelnoise.audio.esc50:read_esc50_votes"),
        ("audio:ESC-50-heard",),
        use=_USE,
        strategy=lambda: table_files(esc50()),
    ),
    Target(
        "audio.fsdkaggle2019",
        fsdkaggle,
        _function("fsd", "read_fsdkaggle2019"),
        ("labelnoise.audio.fsd:read_fsdkaggle2019",),
        ("audio:FSDKaggle2019",),
        use=_USE,
        strategy=lambda: table_files(fsdkaggle()),
    ),
    Target(
        "audio.fsdnoisy18k",
        fsdnoisy,
        _function("fsd", "read_fsdnoisy18k"),
        ("labelnoise.audio.fsd:read_fsdnoisy18k",),
        ("audio:FSDnoisy18k",),
        use=_USE,
        strategy=lambda: table_files(fsdnoisy()),
    ),
    Target(
        "audio.fsd50k",
        fsd50k,
        _fsd50k,
        ("labelnoise.audio.fsd:read_fsd50k", "labelnoise.audio.fsd:read_fsd50k_ratings"),
        ("audio:FSD50K",),
        use=_USE,
        strategy=lambda: table_files(fsd50k()),
    ),
    Target(
        "audio.confusions",
        confusions,
        _confusions,
        ("labelnoise.audio.noise_clips:read_confusions",),
        strategy=lambda: table_files(confusions()),
    ),
    Target("audio.embeddings", embeddings, _embeddings, ("labelnoise.audio.embedding:_read",)),
    Target("audio.cache-index", cache_index, _index, ("labelnoise.audio.cache:_read_index",)),
]
