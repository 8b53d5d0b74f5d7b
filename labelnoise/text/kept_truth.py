"""True tags beside text that was corrupted: no format of tagged text has room for both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from labelnoise.core.files import all_or_nothing
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset, retyped
from labelnoise.text.files import read_text, write_text

__all__ = ["truth_path", "with_kept_truth", "write_with_truth"]


def truth_path(path: Path) -> Path:
    """Where the true tags of a file or folder lie.

    Examples
    --------
    >>> truth_path(Path("a/noisy.conll")).as_posix(), truth_path(Path("a/noisy")).as_posix()
    ('a/noisy.true.conll', 'a/noisy.true')
    """
    return path.with_name(f"{path.stem}.true{path.suffix}")


def write_with_truth(dataset: TextDataset, path: str | Path) -> list[Path]:
    """Write corrupted text, and its true tags beside it in the same format; text that was not corrupted as it is.

    Raises
    ------
    InputError
        The true tags would take the place of the file that was read.

    Examples
    --------
    >>> import tempfile
    >>> from labelnoise.text.domain import TextDomain
    >>> domain = TextDomain()
    >>> noisy, _ = domain.corrupt(domain.load("news"), kind="missing", rate=0.1, seed=0)
    >>> written = write_with_truth(noisy, Path(tempfile.mkdtemp()) / "noisy.conll")
    >>> [file.name for file in written]
    ['noisy.conll', 'noisy.true.conll']
    >>> bool((domain.load(str(written[0])).is_wrong == noisy.is_wrong).all())
    True
    """
    path = Path(path)
    if dataset.true is None or "corruption" not in dataset.meta:
        return write_text(dataset, path)
    beside = truth_path(path)
    if dataset.source and Path(dataset.source).resolve() == beside.resolve():
        raise InputError(
            f"The true tags of {str(path)!r} would be written over the input {str(beside)!r}; choose another --out."
        )
    clean = replace(dataset, given=np.asarray(dataset.true, dtype=dataset.given.dtype), true=None)
    with all_or_nothing():
        return [*write_text(dataset, path), *write_text(clean, beside)]


def with_kept_truth(dataset: TextDataset, path: Path) -> TextDataset:
    """The same text with the true tags that lie beside it, if any do.

    Raises
    ------
    InputError
        They belong to other words.
    """
    beside = truth_path(path)
    if dataset.true is not None or not beside.exists():
        return dataset
    truth = read_text(beside)
    if not np.array_equal(truth.tokens, dataset.tokens) or not np.array_equal(truth.starts, dataset.starts):
        raise InputError(
            f"{beside} holds true tags of other words than {path}; move it away, or corrupt the text again."
        )
    types = (*dataset.types, *(kind for kind in truth.types if kind not in dataset.types))
    # Its own types keep their numbers, as the layout of its file refers to them.
    return replace(retyped(dataset, types), true=retyped(truth, types).given)
