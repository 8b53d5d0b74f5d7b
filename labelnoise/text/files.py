"""The user's own tagged text: one token per line (any ending), or one record per line (.jsonl)."""

from __future__ import annotations

from pathlib import Path

from labelnoise.core.validation import InputError
from labelnoise.text.conll import SPLIT_NAMES, read_conll, write_conll
from labelnoise.text.dataset import TextDataset
from labelnoise.text.jsonl import JsonlLayout, read_jsonl, write_jsonl

__all__ = ["SPLIT_NAMES", "read_text", "write_text"]

#: Formats that hold no lines of tokens; told before a reader stumbles over their content.
_OTHER = (".json", ".parquet", ".spacy", ".pkl", ".npz", ".csv", ".zip", ".gz")


def read_text(path: str | Path) -> TextDataset:
    """Read your own tagged text.

    Parameters
    ----------
    path : path
        A file with one token per line (see `labelnoise.text.conll`), a ``.jsonl`` (see `labelnoise.text.jsonl`),
        or a folder with such files named
        ``train``, ``dev`` (``val``, ``valid``, ``validation``) and ``test``, with any ending.

    Raises
    ------
    InputError
        In one sentence: what is wrong in which line of which file, and how to mend it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "train.txt").write_text("Rome B-LOC\\n")
    >>> _ = (folder / "dev.txt").write_text("Ada B-PER\\n")
    >>> data = read_text(folder)
    >>> data.given, data.masks
    (array([1, 3]), {'train': array([ True, False]), 'val': array([False,  True])})
    """
    path = Path(path)
    if path.is_dir():
        return read_conll(_splits_in(path), name=path.resolve().name)
    _refuse_other(path)
    return read_jsonl(path) if path.suffix.lower() == ".jsonl" else read_conll(path)


def write_text(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write tagged text so that `read_text` reads it back, in the format that it came in.

    The ending ``.jsonl`` chooses entities by character, any other one token per line. What was read in the
    format that it is written in differs in changed tags alone.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.embedded import news
    >>> path = write_text(news(), Path(tempfile.mkdtemp()) / "news.conll")[0]
    >>> bool((read_text(path).given == news().given).all())
    True
    """
    _refuse_other(Path(path))
    from_jsonl = isinstance(dataset.layout, JsonlLayout) and not Path(path).suffix
    if from_jsonl or Path(path).suffix.lower() == ".jsonl":
        return write_jsonl(dataset, path)
    return write_conll(dataset, path)


def _splits_in(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for item in sorted(folder.iterdir()):
        split = SPLIT_NAMES.get(item.name.partition(".")[0].lower())
        if split is None or not item.is_file():
            continue
        if item.suffix.lower() == ".jsonl":
            raise InputError(f"{item} is one of several .jsonl files; name one of them.")
        _refuse_other(item)
        if split in found:
            raise InputError(
                f"{folder} holds {found[split].name} and {item.name} for one split; leave one there."
            )
        found[split] = item
    if not found:
        raise InputError(
            f"The folder {folder} holds no train, dev or test file; name a file, or rename them so."
        )
    return {split: found[split] for split in ("train", "val", "test") if split in found}


def _refuse_other(path: Path) -> None:
    if path.suffix.lower() in _OTHER:
        raise InputError(
            f"{path} ends in {path.suffix}; tagged text is read and written with one token and its tag per line "
            "(.conll, .txt, .iob2 or any other ending), or as .jsonl with spans."
        )
