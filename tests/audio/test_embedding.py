"""Vectors of clips: statistics, files, and networks, here tiny ones with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labelnoise.audio.cli import main
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.embedded import events
from labelnoise.audio.embedding import clip_embeddings
from labelnoise.audio.train_methods import train_audio
from labelnoise.audio.trainers import TRAINERS
from labelnoise.core.validation import InputError


@pytest.fixture(autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": (8, 8),
    "conv_kernel": (10, 8),
    "conv_stride": (20, 16),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}


def hugging_face(folder: Path) -> str:
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config(**SIZES)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(sampling_rate=16_000).save_pretrained(folder)
    return str(folder)


def tiny_bundle(**_: Any) -> Any:
    from torchaudio.models import wav2vec2_model

    torch.manual_seed(0)
    return wav2vec2_model(
        "group_norm",
        [(8, 10, 20), (8, 8, 16)],
        False,
        16,
        0.0,
        8,
        2,
        1,
        2,
        0.0,
        16,
        0.0,
        0.0,
        False,
        0.0,
        None,
    ).eval()


def vectors(data: AudioDataset, path: Path) -> str:
    rng = np.random.default_rng(0)
    np.save(path, np.eye(10)[data.true] + 0.05 * rng.normal(size=(data.n_clips, 10)))
    return str(path)


def test_a_folder_of_a_network_gives_vectors_for_finding_and_training(tmp_path: Path) -> None:
    folder, data = hugging_face(tmp_path), events(6)
    found = clip_embeddings(data, folder)
    assert found.shape == (60, 32)
    # Sound decides, not its place: the same clips in another order give the same rows.
    order = np.arange(60)[::-1]
    np.testing.assert_allclose(clip_embeddings(data.take(order), folder), found[order], atol=1e-9)
    judged = AudioDomain().detect(data, embeddings=folder)
    assert judged.info["embeddings"] == folder
    by_folder = train_audio(data, "plain", network="linear", embeddings=folder, epochs=3)
    by_array = train_audio(data, "plain", network="linear", embeddings=found, epochs=3)
    assert (by_folder.probs == by_array.probs).all()


def test_a_bundle_of_torchaudio_gives_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchaudio import pipelines

    asked: dict[str, Any] = {}

    def get_model(self: Any, *, dl_kwargs: Any = None) -> Any:
        asked.update(dl_kwargs)
        return tiny_bundle()

    monkeypatch.setattr(pipelines.Wav2Vec2Bundle, "get_model", get_model)
    data = events(2)
    found = clip_embeddings(data, "torchaudio:WAV2VEC2_BASE")
    assert asked == {"weights_only": True}
    assert found.shape == (20, 32)
    with torch.inference_mode():
        wave = torch.from_numpy(np.array(data.audio[3]))[None]
        last = tiny_bundle().extract_features(wave)[0][-1][0].double()
    np.testing.assert_allclose(found[3, :16], last.mean(dim=0).numpy(), atol=1e-5)
    with pytest.raises(InputError, match="Did you mean 'WAV2VEC2_BASE'"):
        clip_embeddings(data, "torchaudio:WAV2VEC_BASE")


def test_weights_that_cannot_be_had_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchaudio import pipelines

    def get_model(self: Any, *, dl_kwargs: Any = None) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(pipelines.Wav2Vec2Bundle, "get_model", get_model)
    with pytest.raises(InputError, match=r"cannot be had \(no network\).*\.npy"):
        clip_embeddings(events(1), "torchaudio:HUBERT_BASE")


@pytest.mark.parametrize("method", [name for name in TRAINERS if not name.startswith("cnn+")])
def test_every_trainer_takes_a_file_of_vectors(method: str, tmp_path: Path) -> None:
    data = events(8, wrong=0)
    origin = np.where(np.arange(80) % 20 < 10, "curated", "noisy")
    data = AudioDataset.single(data.given, data.class_names, files=data.files, true=data.true, origin=origin)
    options: dict[str, Any] = {"folds": 2} if method in ("self-refining", "chosen") else {}
    path = vectors(data, tmp_path / "vectors.npy")
    if TRAINERS[method].options.get("strategy") == "unequal-tags" or method == "loss-masking":
        with pytest.raises(InputError, match="one class"):
            train_audio(data, method, network="linear", embeddings=path)
        return
    made = train_audio(data, method, network="linear", embeddings=path, epochs=10, lr=0.05, **options)
    assert made.accuracy(data.true) > 0.7


def test_the_command_takes_a_file_of_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = vectors(events(), tmp_path / "vectors.npy")
    for method in ("plain", "self-refining"):
        given = ["network=linear", f"embeddings={path}", "epochs=4", "lr=0.05"]
        flags = [part for pair in given for part in ("--set", pair)]
        assert main(["train", "events", "--method", method, *flags, "--json"]) == 0
        assert '"test"' in capsys.readouterr().out
    assert main(["train", "events", "--method", "plain", "--set", f"embeddings={path}"]) == 2
    assert "linear" in capsys.readouterr().err


def test_mobilenet_trains_by_name() -> None:
    data = events(2)
    made = train_audio(
        data, "plain", network="mobilenet", network_options={"width": 0.05}, epochs=1, frames=32, batch_size=8
    )
    assert made.info["network"] == "mobilenet"
    assert np.isfinite(made.probs).all()
