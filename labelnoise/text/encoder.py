"""Frozen features of tokens from any Hugging Face encoder, computed once and kept on disk."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npy
from labelnoise.core.dataset import hash_arrays
from labelnoise.core.download import cache_root
from labelnoise.core.files import replacing
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset

__all__ = ["encode_tokens", "quiet", "reduce_columns"]

#: Pieces per sentence that an encoder sees at most, fewer where it has fewer positions; longer sentences are cut, and
#: tokens behind the cut get zeros.
LONGEST = 256
#: Sentences per batch.
BATCH = 32


def encode_tokens(
    dataset: TextDataset,
    encoder: str | Path,
    *,
    layers: Sequence[int] | None = None,
    columns: int = 384,
    cache: Path | None = None,
) -> NDArray[np.float32]:
    """Contextual features of every token: hidden states of its first piece, reduced by principal components.

    Parameters
    ----------
    dataset : TextDataset
    encoder : str or Path
        A folder with a Hugging Face model and its fast tokenizer, or a hub's name for one.
    layers : sequence of int, optional
        Hidden states that are joined; by default a third, two thirds and all of the way up.
    columns : int
        Largest number of columns kept.
    cache : Path, optional
        Folder of finished features; by default below `labelnoise.core.download.cache_root`.

    Returns
    -------
    ndarray of float32, shape (n, at most columns)
        Centred; the mean square of a column is 1.

    Raises
    ------
    InputError
        The encoder cannot be loaded, or its tokenizer cannot map pieces to words.
    """
    source = str(encoder)
    key = hash_arrays(
        tokens=dataset.tokens,
        starts=dataset.starts,
        settings=np.array([_name_of(source), str(layers), str(columns), str(LONGEST)], dtype=object),
    )
    kept = (cache_root() / "text" / "encoded" if cache is None else Path(cache)) / f"{key}.npy"
    if kept.is_file():
        try:
            found = read_npy(kept)
            if found.ndim == 2 and len(found) == dataset.n_units:
                return np.asarray(found, dtype=np.float32)
        except InputError:
            pass  # a damaged file is made anew
    features = reduce_columns(_hidden_states(dataset, source, layers), columns)
    kept.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    with replacing(kept) as partial:
        Path(partial).write_bytes(buffer.getvalue())
    return features


def reduce_columns(states: NDArray[Any], columns: int) -> NDArray[np.float32]:
    """Standardise columns and keep the leading principal components, scaled to a mean square of 1.

    Examples
    --------
    >>> reduced = reduce_columns(np.arange(12.0).reshape(4, 3) % 5, 2)
    >>> reduced.shape, round(float((reduced**2).mean()), 3)
    ((4, 2), 1.0)
    """
    X = np.asarray(states, dtype=np.float32)
    X = X - X.mean(axis=0)
    X /= X.std(axis=0) + 1e-6
    _, vectors = np.linalg.eigh((X.T @ X).astype(np.float64) / max(len(X), 1))
    leading = vectors[:, ::-1][:, :columns].astype(np.float32)
    reduced = X @ leading
    reduced /= np.sqrt(max(float((reduced.astype(np.float64) ** 2).mean()), 1e-12))
    return np.asarray(reduced, dtype=np.float32)


def _name_of(source: str) -> str:
    """What tells two encoders apart: the name, or for a folder what its weights' files look like."""
    folder = Path(source)
    if not folder.is_dir():
        return source
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.iterdir()):
        if file.suffix in (".json", ".safetensors", ".txt", ".bin"):
            digest.update(f"{file.name}:{file.stat().st_size}:".encode())
            if file.stat().st_size < 1 << 20:
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _hidden_states(dataset: TextDataset, source: str, layers: Sequence[int] | None) -> NDArray[np.float16]:
    import torch
    from transformers import AutoModel, AutoTokenizer

    if source.startswith(("/", ".", "~")) and not Path(source).expanduser().is_dir():
        raise InputError(
            f"There is no folder {source!r}; give one with a Hugging Face model and its tokenizer."
        )
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
            model = AutoModel.from_pretrained(source, use_safetensors=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"The encoder {source!r} cannot be loaded ({str(error).splitlines()[0][:120]}); give a folder with a "
            "Hugging Face model as safetensors and its tokenizer."
        ) from None
    if not tokenizer.is_fast:
        raise InputError(
            f"The tokenizer of {source!r} cannot map pieces to words; a fast tokenizer is needed."
        )
    depth = int(model.config.num_hidden_layers)
    taken = (
        [max(1, round(depth / 3)), max(1, round(2 * depth / 3)), depth] if layers is None else list(layers)
    )
    if any(not 0 <= layer <= depth for layer in taken):
        raise InputError(f"layers is {taken}; the encoder has hidden states 0 to {depth}.")
    # Some models keep the first positions for padding.
    positions = int(getattr(model.config, "max_position_embeddings", 0) or 0)
    spare = int(getattr(model.config, "pad_token_id", None) or 0) + 1
    longest = min(LONGEST, positions - spare) if positions > spare else LONGEST
    sizes = np.diff(dataset.starts)
    order = np.argsort(sizes, kind="stable")
    states = np.zeros((dataset.n_units, len(taken) * int(model.config.hidden_size)), dtype=np.float16)
    with torch.inference_mode():
        for first in track(range(0, len(order), BATCH), "encoding sentences"):
            batch = order[first : first + BATCH]
            words = [[str(word) or "_" for word in dataset.sentence(int(index))] for index in batch]
            pieces = tokenizer(
                words,
                is_split_into_words=True,
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=longest,
            )
            out = model(
                input_ids=pieces["input_ids"],
                attention_mask=pieces["attention_mask"],
                output_hidden_states=True,
            ).hidden_states
            joined = torch.cat([out[layer] for layer in taken], dim=-1).float().numpy()
            for row, index in enumerate(batch):
                before = None
                for place, word in enumerate(pieces.word_ids(row)):
                    if word is not None and word != before:
                        states[dataset.starts[index] + word] = joined[row, place]
                    before = word
    return states


@contextmanager
def quiet() -> Iterator[None]:
    """Without the library's bars and reports on stderr, such as that a head is new, which it has to be."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
