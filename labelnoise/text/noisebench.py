"""NoiseBench: one part of CoNLL-03 with clean labels and six sets of real wrong ones; published without the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labelnoise.core.reading import is_index
from labelnoise.core.validation import InputError, choose
from labelnoise.text.conll import DOCSTART, read_text_file
from labelnoise.text.dataset import TextDataset
from labelnoise.text.schemes import bio_names, decode

__all__ = ["NOISE_SETS", "read_noisebench"]

#: Noise set to the share of wrong entities (1 - F1) in train and dev together.
NOISE_SETS = {
    "clean": 0.0,
    "expert": 0.055,
    "crowdbest": 0.153,
    "crowd": 0.366,
    "distant": 0.313,
    "weak": 0.404,
    "llm": 0.456,
}
TYPES = ("LOC", "MISC", "ORG", "PER")
MASK = "[TOK]"
_DEV_DATE = "1996-08-24"


def read_noisebench(
    folder: str | Path, noise: str = "crowd", *, text: str | Path | None = None
) -> TextDataset:
    """Read one noise set, with the clean labels as ``true``, and join it to your copy of the words.

    Parameters
    ----------
    folder : path
        The published label files and ``index.txt``.
    noise : str
        One of `NOISE_SETS`.
    text : path, optional
        ``cleanconll.train`` (CoNLL-03 train, words in the first column). Without it every word is "[TOK]":
        enough for the noise itself, not for a detector that reads words. With it ``masks`` hold "train" and
        "val": articles of one day, told by their date line, are the latter.

    Returns
    -------
    TextDataset

    Raises
    ------
    InputError
        Unknown set, missing file, or words that do not fit the labels, with the line.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP.

    Examples
    --------
    >>> read_noisebench("nowhere", "crowds")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown noise set 'crowds'. Choose one of: ... Did you mean 'crowd'?
    """
    choose(noise, NOISE_SETS, "noise set")
    folder = Path(folder)
    file = "clean.traindev" if noise == "clean" else f"noise_{noise}.traindev"
    given, true = _columns(folder / file, -1), _columns(folder / "clean.traindev", -1)
    if [len(one) for one in given] != [len(one) for one in true]:
        raise InputError(f"{folder / file} and clean.traindev have other sentence lengths; copy both again.")
    index = read_text_file(folder / "index.txt").split()
    if len(index) != len(given):
        raise InputError(
            f"index.txt has {len(index)} lines for {len(given)} sentences of {file}; copy both again."
        )
    words = _words(index, given, Path(text)) if text is not None else [[MASK] * len(one) for one in given]
    opens = np.array([entry == "docstart" for entry in index])
    documents = np.cumsum(opens)[~opens] - 1
    keep = np.flatnonzero(~opens)
    lengths = np.array([len(given[row]) for row in keep])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    tags = {
        key: decode([tag for row in keep for tag in lists[row]], starts=starts, types=TYPES)[0]
        for key, lists in (("given", given), ("true", true))
    }
    masks = {}
    if text is not None:
        val = np.repeat(np.isin(documents, _dated(words, opens)), lengths)
        masks = {"train": ~val, "val": val}
    return TextDataset(
        name=f"noisebench-{noise}",
        given=tags["given"],
        true=tags["true"],
        class_names=bio_names(TYPES),
        tokens=np.array([word for row in keep for word in words[row]], dtype=object),
        starts=starts,
        documents=documents,
        masks=masks,
        source=str(folder / file),
        meta={"noise": noise, "words": "masked" if text is None else str(text), "scheme": "BIO"},
    )


def _columns(path: Path, column: int) -> list[list[str]]:
    """One column of each sentence, document starts included."""
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(read_text_file(path).split("\n"), 1):
        fields = line.split()
        if fields:
            if column < 0 and len(fields) < 2:
                raise InputError(f"Line {number} of {path} has no label; copy the file again.")
            sentences[-1].append(fields[column])
        elif sentences[-1]:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _words(index: list[str], given: list[list[str]], path: Path) -> list[list[str]]:
    source = _columns(path, 0)
    words = []
    for line, (entry, labels) in enumerate(zip(index, given), 1):
        if entry == "docstart":
            words.append([DOCSTART])
            continue
        if not is_index(entry, len(source)):
            raise InputError(
                f"Line {line} of index.txt names sentence {entry[:40]}; {path} has {len(source)}, document starts counted."
            )
        found = source[int(entry)]
        if len(found) != len(labels):
            raise InputError(
                f"Line {line} of index.txt: sentence {entry} of {path} has {len(found)} words for {len(labels)} "
                "labels; give the training part of CleanCoNLL with its -DOCSTART- lines."
            )
        words.append(found)
    return words


def _dated(words: list[list[str]], opens: np.ndarray) -> np.ndarray:
    """Documents whose third or fourth sentence, the start counted, ends in the date of the development part."""
    first = np.flatnonzero(opens)
    last = np.append(first[1:], len(words))
    found = [
        any(_DEV_DATE in sentence[-1] for sentence in words[start + 2 : min(start + 4, end)])
        for start, end in zip(first, last)
    ]
    return np.flatnonzero(found)
