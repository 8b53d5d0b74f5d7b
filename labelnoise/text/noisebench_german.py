"""NoiseBench in German: the training part of CoNLL-03 with clean labels and two sets of real wrong ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.reading import is_index, read_bytes
from labelnoise.core.validation import InputError, choose
from labelnoise.text.conll import DOCSTART
from labelnoise.text.dataset import TextDataset
from labelnoise.text.noisebench import MASK, TYPES
from labelnoise.text.schemes import bio_names, decode

__all__ = ["GERMAN_SETS", "german_text", "label_files", "read_german_noisebench"]

#: Noise set to the share of wrong entities (1 - F1) in the training part.
GERMAN_SETS = {"clean": 0.0, "expert": 0.164, "llm": 0.547}
#: Share of the documents, the last ones, that is the development part.
DEV_SHARE = 0.17
#: What a map from the labels' sentences to the text's may be called; without one they are in the same order.
_INDEXES = ("index.deu", "index_german.txt", "index_deu.txt", "index.txt")
_TEXT = "deu.train"
_TEST = "deu.testb"
#: The column of the tags in the shared task's German files: word, lemma, part of speech, chunk, tag.
_TAG_COLUMN = 4


def read_german_noisebench(
    folder: str | Path, noise: str = "llm", *, text: str | Path | None = None, test: str | Path | None = None
) -> TextDataset:
    """Read one German noise set, with the clean labels as ``true``, and join it to your copy of the words.

    Parameters
    ----------
    folder : path
        The published label files (``annotations_german``): see `label_files` for their names.
    noise : str
        One of `GERMAN_SETS`.
    text : path, optional
        ``deu.train`` of CoNLL-03 (UTF-8 or Latin-1, words in the first column, its -DOCSTART- lines included).
        Without it every word is "[TOK]", and as only the words tell where documents start, those lines count as
        sentences of one "O". With it ``masks`` hold "train" and "val", the last 17% of the documents.
    test : path, optional
        ``deu.testb``, whose fifth column is right: the split "test", with true tags and no given ones.

    Returns
    -------
    TextDataset

    Raises
    ------
    InputError
        Unknown set, missing file (the sentence names what was looked for), words that do not fit the labels.

    Notes
    -----
    The k-th sentence of the labels belongs to the k-th of the text, unless a file of indices lies beside them, which is
    read as the English one: a line is "docstart" or the number of a sentence of the text, document starts counted.

    References
    ----------
    Merdjanovska, Aynetdinov, Akbik 2024, NoiseBench, EMNLP.

    Examples
    --------
    >>> read_german_noisebench("nowhere", "crowd")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown German noise set 'crowd'. Choose one of: clean, expert, llm.
    """
    choose(noise, GERMAN_SETS, "German noise set")
    folder = Path(folder)
    file, clean = (_found(folder, label_files(one)) for one in (noise, "clean"))
    given, true = _columns(file, -1), _columns(clean, -1)
    if [len(one) for one in given] != [len(one) for one in true]:
        raise InputError(f"{file} and {clean.name} have other sentence lengths; copy both again.")
    if text is None:
        words = [[MASK] * len(one) for one in given]
    else:
        words = _joined(given, _columns(Path(text), 0), Path(text), folder)
    opens = np.array([one[0].startswith(DOCSTART) for one in words])
    keep = np.flatnonzero(~opens)
    columns = {
        "given": [given[row] for row in keep],
        "true": [true[row] for row in keep],
        "tokens": [words[row] for row in keep],
    }
    documents = np.maximum(np.cumsum(opens)[keep] - 1, 0)
    part = np.where(_development(opens)[keep], "val", "train").astype(object)
    if test is not None:
        more, tags, of = _test_part(Path(test))
        columns["tokens"] += more
        columns["true"] += tags
        columns["given"] += [["_"] * len(one) for one in more]
        documents = np.concatenate([documents, of + documents.max(initial=-1) + 1])
        part = np.concatenate([part, np.full(len(more), "test", dtype=object)])
    lengths = np.array([len(one) for one in columns["tokens"]])
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ids = {key: _decoded(columns[key], starts, first=len(keep)) for key in ("given", "true")}
    tokens = np.array([word for one in columns["tokens"] for word in one], dtype=object)
    known = text is not None
    return TextDataset(
        name=f"noisebench-de-{noise}",
        given=ids["given"],
        true=ids["true"],
        class_names=bio_names(TYPES),
        tokens=tokens,
        starts=starts,
        documents=documents if known else None,
        masks={name: np.repeat(part == name, lengths) for name in dict.fromkeys(part)} if known else {},
        source=str(file),
        meta={"noise": noise, "words": str(text) if known else "masked", "scheme": "BIO"},
    )


def label_files(noise: str) -> tuple[str, ...]:
    """The names under which a set's labels are looked for, the published one first.

    Examples
    --------
    >>> label_files("llm")
    ('noise_llm.deu', 'noise_llm.traindev', 'noise_llm_german.traindev', 'llm.deu')
    """
    stem = noise if noise == "clean" else f"noise_{noise}"
    names = (f"{stem}.deu", f"{stem}.traindev", f"{stem}_german.traindev", f"{noise}.deu")
    return tuple(dict.fromkeys(names))


def german_text(folder: Path) -> tuple[Path | None, Path | None]:
    """``deu.train`` and ``deu.testb`` in or near the folder of the labels, or None.

    Looked for in the folder, in those above it, and there in ``conll_german`` and ``conll03-de``.
    """
    bases = [folder, folder.parent, folder.parent.parent]
    places = [base / name for base in bases for name in ("", "conll_german", "conll03-de")]
    text = next((place / _TEXT for place in places if (place / _TEXT).is_file()), None)
    test = text.with_name(_TEST) if text is not None else None
    return text, test if test is not None and test.is_file() else None


def _found(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"{folder} holds none of {', '.join(names)}; copy data/annotations_german of github.com/elenamer/NoiseBench."
    )


def _rows(path: Path) -> list[list[list[str]]]:
    """Sentences of lines of fields; UTF-8, or else Latin-1, in which every byte is a character."""
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    sentences: list[list[list[str]]] = [[]]
    for line in text.split("\n"):
        # Not any white space: in Latin-1 a no-break space may stand in a word.
        fields = re.split(r"[ \t]+", line.strip(" \t\r"))
        if fields != [""]:
            sentences[-1].append(fields)
        elif sentences[-1]:
            sentences.append([])
    found = [sentence for sentence in sentences if sentence]
    if not found:
        raise InputError(f"{path} is empty; copy it again.")
    return found


def _columns(path: Path, column: int) -> list[list[str]]:
    """One column of each sentence, document starts included."""
    sentences = _rows(path)
    if column < 0:
        for number, sentence in enumerate(sentences, 1):
            if any(len(fields) < 2 for fields in sentence):
                raise InputError(
                    f"Sentence {number} of {path} has a line without a label; copy the file again."
                )
    return [[fields[column] for fields in sentence] for sentence in sentences]


def _joined(given: list[list[str]], source: list[list[str]], path: Path, folder: Path) -> list[list[str]]:
    """The words of each sentence of labels."""
    index = next((folder / name for name in _INDEXES if (folder / name).is_file()), None)
    fix = f"give the whole {_TEXT} of CoNLL-03 with its -DOCSTART- lines"
    if index is None:
        if len(source) != len(given):
            raise InputError(f"{path} has {len(source)} sentences and the labels {len(given)}; {fix}.")
        words = source
    else:
        entries = read_bytes(index).decode("latin-1").split()
        if len(entries) != len(given):
            raise InputError(
                f"{index} has {len(entries)} lines for {len(given)} sentences of labels; copy both again."
            )
        words = []
        for line, entry in enumerate(entries, 1):
            if entry != "docstart" and not is_index(entry, len(source)):
                raise InputError(
                    f"Line {line} of {index} names sentence {entry[:40]}; {path} has {len(source)}, document starts counted."
                )
            words.append([DOCSTART] if entry == "docstart" else source[int(entry)])
    for number, (found, labels) in enumerate(zip(words, given), 1):
        if len(found) != len(labels):
            raise InputError(
                f"Sentence {number} of the labels has {len(labels)} and that of {path} {len(found)} words; {fix}."
            )
    return words


def _development(opens: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Sentences of the development part: of n documents, counted from 1, those from floor(.83 n) on."""
    n = int(opens.sum())
    return np.asarray((np.cumsum(opens) >= int((1 - DEV_SHARE) * n)) & (n > 1))


def _test_part(path: Path) -> tuple[list[list[str]], list[list[str]], NDArray[np.int64]]:
    """Words, tags and the document of each sentence of the test file."""
    words: list[list[str]] = []
    tags: list[list[str]] = []
    documents: list[int] = []
    document = 0
    for number, sentence in enumerate(_rows(path), 1):
        if sentence[0][0].startswith(DOCSTART):
            document += 1
            continue
        if any(len(fields) <= _TAG_COLUMN for fields in sentence):
            raise InputError(
                f"Sentence {number} of {path} has a line with fewer than {_TAG_COLUMN + 1} columns; give {_TEST} of "
                "CoNLL-03 (word, lemma, part of speech, chunk, tag)."
            )
        words.append([fields[0] for fields in sentence])
        tags.append([fields[_TAG_COLUMN] for fields in sentence])
        documents.append(document)
    if not words:
        raise InputError(f"{path} holds no sentence; give {_TEST} of CoNLL-03.")
    return words, tags, np.unique(np.array(documents), return_inverse=True)[1].astype(np.int64)


def _decoded(tags: list[list[str]], starts: NDArray[np.int64], *, first: int) -> NDArray[np.int64]:
    """Ids; the first sentences and the others may be tagged in two schemes."""
    edge = int(starts[first])
    flat = [tag for one in tags for tag in one]
    parts = [(flat[:edge], starts[: first + 1]), (flat[edge:], starts[first:] - edge)]
    return np.concatenate([decode(part, starts=inside, types=TYPES)[0] for part, inside in parts if part])
