"""The user's own tagged text, by the ending of its file: columns, JSONL, Label Studio, spaCy, Hugging Face."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from labelnoise.core.files import all_or_nothing
from labelnoise.core.validation import InputError
from labelnoise.text.arrow import ArrowLayout, is_arrow_folder, read_arrow, write_arrow
from labelnoise.text.conll import SPLIT_NAMES, read_conll, write_conll
from labelnoise.text.dataset import TextDataset
from labelnoise.text.joined import JoinedLayout, join_files, write_joined
from labelnoise.text.jsonl import JsonlLayout, read_jsonl, write_jsonl
from labelnoise.text.label_studio import LabelStudioLayout, read_label_studio, write_label_studio
from labelnoise.text.spacy_bin import SpacyLayout, read_spacy, write_spacy

__all__ = ["SPLIT_NAMES", "has_own_reader", "read_text", "write_text"]

#: Formats that hold no lines of tokens; told before a reader stumbles over their content.
_OTHER = (".pkl", ".npz", ".npy", ".csv", ".zip", ".gz", ".xlsx")


_READERS: Mapping[str, Callable[[Path], TextDataset]] = {
    ".jsonl": read_jsonl,
    ".json": read_label_studio,
    ".spacy": read_spacy,
    ".parquet": read_arrow,
    ".arrow": read_arrow,
}
_WRITERS: Mapping[str, Callable[[TextDataset, str | Path], list[Path]]] = {
    ".jsonl": write_jsonl,
    ".json": write_label_studio,
    ".spacy": write_spacy,
    ".parquet": write_arrow,
    ".arrow": write_arrow,
}
#: What the file of a layout ends in.
_LAYOUTS: Mapping[str, type] = {
    ".jsonl": JsonlLayout,
    ".json": LabelStudioLayout,
    ".spacy": SpacyLayout,
    ".parquet": ArrowLayout,
}


def read_text(path: str | Path) -> TextDataset:
    """Read your own tagged text.

    Parameters
    ----------
    path : path
        A ``.jsonl`` with entities by character (`labelnoise.text.jsonl`), a ``.json`` of Label Studio
        (`labelnoise.text.label_studio`), a ``.spacy`` (`labelnoise.text.spacy_bin`), a ``.parquet`` or ``.arrow``
        (`labelnoise.text.arrow`), or, with any other ending, one token per line (`labelnoise.text.conll`). Or a
        folder: one of ``save_to_disk``, or one with files of one format named ``train``, ``dev`` (``val``,
        ``valid``, ``validation``) and ``test``.

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
        if is_arrow_folder(path):
            return read_arrow(path)
        found = _splits_in(path)
        endings = sorted({item.suffix.lower() for item in found.values()} & set(_READERS))
        if not endings:
            return read_conll(found, name=path.resolve().name)
        if any(item.suffix.lower() != endings[0] for item in found.values()):
            listed = ", ".join(item.name for item in found.values())
            raise InputError(f"{path} holds splits in different formats ({listed}); leave one format there.")
        return join_files(found, _READERS[endings[0]], name=path.resolve().name, source=str(path))
    _refuse_other(path)
    return _READERS.get(path.suffix.lower(), read_conll)(path)


def write_text(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write tagged text so that `read_text` reads it back, in the format that it came in.

    The ending chooses the format as in `read_text`. What was read in the format that it is written in differs in
    changed tags alone.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.embedded import news
    >>> path = write_text(news(), Path(tempfile.mkdtemp()) / "news.conll")[0]
    >>> bool((read_text(path).given == news().given).all())
    True
    """
    _refuse_other(Path(path))
    with all_or_nothing():  # a data set may be several files
        return _write(dataset, path)


def _write(dataset: TextDataset, path: str | Path) -> list[Path]:
    layout, ending = dataset.layout, Path(path).suffix.lower()
    if isinstance(layout, JoinedLayout) and not ending:
        return write_joined(dataset, path, _WRITERS[Path(layout.names[0]).suffix.lower()])
    if isinstance(layout, ArrowLayout) and layout.folder and not ending:
        return write_arrow(dataset, path)
    if not ending:
        usual = next((name for name, kind in _LAYOUTS.items() if isinstance(layout, kind)), "")
        if usual:
            raise InputError(f"{path} has no ending, which says the format; call it {path}{usual}.")
    return _WRITERS.get(ending, write_conll)(dataset, path)


def has_own_reader(path: Path) -> bool:
    """Whether the ending of a file says that it is no text of one token per line."""
    return path.suffix.lower() in _READERS or path.suffix.lower() in _OTHER


def _splits_in(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for item in sorted(folder.iterdir()):
        split = SPLIT_NAMES.get(item.name.partition(".")[0].lower())
        # True tags that were kept beside corrupted ones are no split of their own.
        if split is None or not item.is_file() or item.stem.endswith(".true"):
            continue
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
            "(.conll, .txt, .iob2 or any other ending), or as .jsonl, .json (Label Studio), .spacy, .parquet or .arrow."
        )
