"""One vector per clip, label-free: statistics of its log-mel spectrogram, a file, or a pretrained network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.audio.cache import cached_log_mel
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.core.array_files import read_npy
from labelnoise.core.from_features import scale_rows
from labelnoise.core.neighbours import as_features
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError, choose

__all__ = [
    "STATISTICS",
    "bundle_embeddings",
    "clip_embeddings",
    "log_mel_statistics",
    "network_embeddings",
    "scale_embeddings",
]

Array = NDArray[np.float64]

#: What `clip_embeddings` uses without a file or a network.
STATISTICS = "log-mel statistics"
#: Samples per second that pretrained networks of sound expect where their folder does not say.
NETWORK_RATE = 16_000
#: Clips whose vectors are scaled at a time.
_ROWS = 2_048
#: How the name of one of torchaudio's bundles begins.
BUNDLE = "torchaudio:"


def clip_embeddings(dataset: AudioDataset, embeddings: str | None = None) -> Array:
    """One vector per clip, for detectors that judge a label by clips that sound alike.

    Parameters
    ----------
    dataset : AudioDataset
    embeddings : str, optional
        A ``.npy`` file of shape (clips, d) in the order of ``dataset.files``, from any model; a folder (or
        name) of a Hugging Face model of sound, which `network_embeddings` runs; or ``torchaudio:NAME``, a bundle of
        ``torchaudio.pipelines`` such as WAV2VEC2_BASE, which `bundle_embeddings` runs. By default statistics of
        the log-mel spectrogram, which need no download.

    Returns
    -------
    ndarray of float64, shape (clips, d)
        Finite. Statistics come with rows of length 1; a file's rows stay as they are.

    Raises
    ------
    InputError
        A data set without sound and no file of vectors; a file that cannot be read, of another length, or with
        NaN; a model that cannot be loaded.

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> clip_embeddings(events(per_class=2)).shape
    (20, 384)
    """
    if embeddings is not None and Path(embeddings).suffix.lower() == ".npy":
        return _read(Path(embeddings), dataset.n_clips)
    if dataset.audio is None:
        raise InputError(
            f"{dataset.name} comes without sound; name a folder with its clips, or a .npy file of one vector per "
            "clip as embeddings."
        )
    if embeddings is None:
        return log_mel_statistics(dataset.audio)
    if embeddings.startswith(BUNDLE):
        return bundle_embeddings(dataset.audio, embeddings.removeprefix(BUNDLE))
    return network_embeddings(dataset.audio, embeddings)


def scale_embeddings(vectors: Array, scaling: str = "auto") -> Array:
    """Rows scaled as `labelnoise.core.from_features.scale_rows` does it, but scaled ones not twice.

    "auto" takes square roots of vectors without negative values; rows that are all of one length already have been
    scaled by somebody, and stay in proportion.

    Examples
    --------
    >>> scale_embeddings(np.array([[9.0, 16.0], [0.0, 4.0]])).round(1).tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    >>> scale_embeddings(np.array([[6.0, 8.0], [0.0, 10.0]])).round(1).tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1)
    if scaling == "auto" and len(vectors) > 1 and np.ptp(lengths) < 1e-3 * float(lengths.mean()):
        scaling = "unit"
    return scale_rows(vectors, scaling)


def log_mel_statistics(audio: LazyAudio) -> Array:
    """Mean, maximum and deviation over time of the log-mel spectrogram and of its slope, rows of length 1.

    Each of the six blocks is centred over the clips and scaled to mean length 1 first, so that none drowns the
    others; overall loudness is taken out of the mean and the maximum.

    Parameters
    ----------
    audio : LazyAudio

    Returns
    -------
    ndarray of float64, shape (clips, 6 x 64)

    Examples
    --------
    >>> from labelnoise.audio.embedded import events
    >>> np.linalg.norm(log_mel_statistics(events(per_class=1).audio), axis=1).round(6).tolist()[:2]
    [1.0, 1.0]
    """
    features = cached_log_mel(audio, "16k64")
    blocks = np.empty((len(features), 6, features.n_mels))
    for i in range(len(features)):
        blocks[i] = _statistics(np.asarray(features[i], dtype=np.float64))
    # In place from here on: a folder of very many clips holds one array of them.
    blocks -= blocks.mean(axis=0)
    lengths = np.empty(blocks.shape[:2])
    for i in range(0, len(blocks), _ROWS):
        lengths[i : i + _ROWS] = np.linalg.norm(blocks[i : i + _ROWS], axis=2)
    blocks /= np.maximum(lengths.mean(axis=0), 1e-9)[:, None]
    flat: Array = blocks.reshape(len(blocks), -1)
    for i in range(0, len(flat), _ROWS):
        flat[i : i + _ROWS] /= np.maximum(np.linalg.norm(flat[i : i + _ROWS], axis=1, keepdims=True), 1e-12)
    return flat


def _statistics(spectrogram: Array) -> Array:
    """Six rows of one number per mel band."""
    level = spectrogram.mean()
    slope = np.diff(spectrogram, axis=0) if len(spectrogram) > 1 else np.zeros_like(spectrogram)
    return np.stack(
        [
            spectrogram.mean(axis=0) - level,
            spectrogram.max(axis=0) - level,
            spectrogram.std(axis=0),
            np.abs(slope).mean(axis=0),
            slope.max(axis=0),
            slope.std(axis=0),
        ]
    )


def network_embeddings(audio: LazyAudio, model: str) -> Array:
    """Hidden states of a pretrained network of sound, mean and deviation over time.

    Parameters
    ----------
    audio : LazyAudio
    model : str
        A folder written by ``save_pretrained``, or a name on the Hugging Face hub, of a model whose feature
        extractor takes waves (wav2vec 2.0, HuBERT, WavLM, the Audio Spectrogram Transformer, ...).

    Returns
    -------
    ndarray of float64, shape (clips, 2 x width)

    Raises
    ------
    InputError
        transformers is not installed; no such model, or none of sound.
    """
    try:
        import torch
        from transformers import AutoFeatureExtractor, AutoModel
    except ImportError as error:
        raise InputError(
            f"Embeddings of a network need {error.name!r}; run pip install 'labelnoise[audio]' transformers."
        ) from error
    try:
        prepare: Any = AutoFeatureExtractor.from_pretrained(model)
        network: Any = AutoModel.from_pretrained(model).eval()
    except (OSError, ValueError, KeyError) as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(
            f"The embeddings {model!r} cannot be loaded ({first}); give a .npy file or the folder of a Hugging Face "
            "model of sound."
        ) from error
    rate = int(getattr(prepare, "sampling_rate", NETWORK_RATE))
    clips = audio.at(rate)
    rows = []
    with torch.inference_mode():
        for i in track(range(len(clips)), "embeddings", len(clips)):
            made = network(**prepare(clips[i], sampling_rate=rate, return_tensors="pt"))
            rows.append(_over_time(made.last_hidden_state[0]))
    return as_features(np.stack(rows)).astype(np.float64)


def bundle_embeddings(audio: LazyAudio, name: str) -> Array:
    """Outputs of the last layer of a network that torchaudio offers with weights, mean and deviation over time.

    Parameters
    ----------
    audio : LazyAudio
    name : str
        Of ``torchaudio.pipelines``: wav2vec 2.0, HuBERT and WavLM in several sizes. Weights are downloaded once, to
        torch's own cache.

    Returns
    -------
    ndarray of float64, shape (clips, 2 x width)

    Raises
    ------
    InputError
        torchaudio is not installed; no such bundle; weights that cannot be had.
    """
    try:
        import torch
        from torchaudio import pipelines
    except (ImportError, OSError) as error:
        raise InputError(
            f"Embeddings of torchaudio need it to be installed ({error}); run pip install 'labelnoise[audio]'."
        ) from error
    kind = pipelines.Wav2Vec2Bundle
    known = {key: value for key, value in vars(pipelines).items() if isinstance(value, kind)}
    bundle = known[choose(name, known, "torchaudio bundle")]
    try:
        network: Any = bundle.get_model(dl_kwargs={"weights_only": True})
    except (OSError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise InputError(
            f"The weights of {BUNDLE}{name} cannot be had ({first}); get them where there is a network, or give a "
            ".npy file."
        ) from error
    clips = audio.at(int(bundle.sample_rate))
    rows = []
    with torch.inference_mode():
        for i in track(range(len(clips)), "embeddings", len(clips)):
            layers, _ = network.extract_features(torch.from_numpy(np.array(clips[i], dtype=np.float32))[None])
            rows.append(_over_time(layers[-1][0]))
    return as_features(np.stack(rows)).astype(np.float64)


def _over_time(hidden: Any) -> Array:
    """Mean and deviation of a network's outputs (frames, width)."""
    values: Array = hidden.double().numpy()
    return np.concatenate([values.mean(axis=0), values.std(axis=0)])


def _read(path: Path, n_clips: int) -> Array:
    found = read_npy(path, what="The file of embeddings")
    if found.ndim != 2 or len(found) != n_clips or found.dtype.kind not in "fiu":
        raise InputError(
            f"The embeddings {str(path)!r} have shape {found.shape} and type {found.dtype}; numbers of shape "
            f"({n_clips}, d) are needed, one row per clip in the order of its files."
        )
    return as_features(np.asarray(found, dtype=np.float64)).astype(np.float64, copy=False)
