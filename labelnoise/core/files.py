"""Writing files whole or not at all, and refusing bad output paths before long work begins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from uuid import uuid4

from labelnoise.core.validation import InputError

__all__ = [
    "all_or_nothing",
    "check_folder",
    "check_output",
    "flush_to_disk",
    "make_folder",
    "replacing",
    "set_aside",
]

#: What the innermost `all_or_nothing` can take back: a path, and where its former content lies (None: there was none).
_Changes = list[tuple[Path, Path | None]]
_changes: ContextVar[_Changes | None] = ContextVar("labelnoise_changes", default=None)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    The block makes a file of it, or a folder. Readers see the old one or the new one, never a part; after an error
    the old one stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as temporary:
    ...     _ = temporary.write_text("all of it")
    >>> target.read_text(), [item.name for item in target.parent.iterdir()]
    ('all of it', ['a.txt'])
    """
    # Through a symbolic link: the file behind it is replaced, not the link.
    target = Path(os.path.realpath(path))
    temporary = _hidden(target, "tmp")
    try:
        yield temporary
        if not temporary.is_dir():
            flush_to_disk(temporary)
        _put_in_place(temporary, target)
    except BaseException:
        _remove(temporary)
        raise


@contextmanager
def all_or_nothing() -> Iterator[None]:
    """Within the block, files that take their places do so together: after an error all are what they were.

    Covers what `replacing`, `make_folder` and `set_aside` do in the block. A process that is killed in the middle
    takes nothing back; former content then lies beside, under a name that begins with a dot and ends in ``.old``.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> try:
    ...     with all_or_nothing():
    ...         with replacing(folder / "rows.csv") as temporary:
    ...             _ = temporary.write_text("1")
    ...         raise OSError("no space for the other file")
    ... except OSError:
    ...     list(folder.iterdir())
    []
    """
    outer = _changes.get()
    changes: _Changes = []
    token = _changes.set(changes)
    try:
        yield
    except BaseException:
        for path, old in reversed(changes):
            with suppress(OSError):
                _restore(path, old)
        raise
    finally:
        _changes.reset(token)
    if outer is not None:
        outer.extend(changes)
        return
    for _, old in changes:
        if old is not None:
            _remove(old)


def make_folder(path: Path) -> None:
    """Make a folder and those above it; within `all_or_nothing` those that were new go again after an error."""
    changes = _changes.get()
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        if changes is not None:
            changes.append((folder, None))
    path.mkdir(exist_ok=True)  # says what is wrong where a file has that name


def set_aside(path: Path) -> None:
    """Remove a file or folder, if there is one; within `all_or_nothing` it comes back after an error."""
    target = Path(os.path.realpath(path))
    if not target.exists():
        return
    changes = _changes.get()
    if changes is None:
        _remove(target)
        return
    old = _hidden(target, "old")
    os.replace(target, old)
    changes.append((target, old))


def _hidden(target: Path, ending: str) -> Path:
    return target.with_name(f".{target.name[:80]}.{os.getpid()}.{uuid4().hex[:12]}.{ending}")


def _put_in_place(temporary: Path, target: Path) -> None:
    changes = _changes.get()
    old = None
    # A file alone is replaced in one step; a folder cannot be, and what may be taken back must be kept.
    if target.exists() and (changes is not None or temporary.is_dir()):
        old = _hidden(target, "old")
        try:
            os.link(target, old)  # the old file stays visible until the new one is there
        except OSError:  # a folder, or a file system without hard links
            os.replace(target, old)
    try:
        os.replace(temporary, target)
    except BaseException:
        if old is not None:
            _restore(target, old)
        raise
    if changes is not None:
        changes.append((target, old))
    elif old is not None:
        _remove(old)


def _restore(target: Path, old: Path | None) -> None:
    """Put former content back in its place."""
    if old is None or target.is_dir():
        _remove(target)
    if old is not None:
        os.replace(old, target)
        old.unlink(missing_ok=True)  # two links to one file are not moved onto each other


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Return when the disk, not only the system's memory, holds the file."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def check_output(
    path: Path, *, extensions: Sequence[str] = (), inputs: Sequence[Path] = (), what: str = "the output"
) -> Path:
    """Refuse a path that could not be written, before the work whose result it is to hold.

    Parameters
    ----------
    path : Path
        Where a file will be written. Its folder must exist.
    extensions : sequence of str
        Allowed ones, with their dot; any if empty.
    inputs : sequence of Path
        Files and folders that must not be touched, nor anything in those folders.
    what : str
        How the message calls it.

    Raises
    ------
    InputError
        Unknown extension, no such folder, a folder of that name, no permission, or the input itself.

    Examples
    --------
    >>> check_output(Path("a.xls"), extensions=(".csv",))
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: the output 'a.xls' has the extension '.xls'; choose one of: .csv.
    """
    path = Path(path)
    if extensions and path.suffix.lower() not in extensions:
        has = f"has the extension {path.suffix!r}" if path.suffix else "has no extension"
        raise InputError(f"{what} {str(path)!r} {has}; choose one of: {', '.join(extensions)}.")
    if path.is_dir():
        raise InputError(f"{what} {str(path)!r} exists and is a folder; choose another name.")
    folder = path.parent
    if not folder.is_dir():
        raise InputError(
            f"{what} {str(path)!r} lies in a folder that does not exist; make {str(folder)!r} first."
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{what} {str(path)!r} lies in a folder that may not be written to; choose another.")
    resolved = path.resolve()
    for given in inputs:
        original = Path(given).resolve()
        same = resolved == original or (path.exists() and original.exists() and path.samefile(original))
        if same or (original.is_dir() and original in resolved.parents):
            raise InputError(
                f"{what} {str(path)!r} would overwrite the input {str(given)!r}; choose another name."
            )
    return path


def check_folder(folder: Path, *, what: str = "the folder") -> Path:
    """Refuse a folder in which no file could be made, before the work whose results it is to hold.

    Parameters
    ----------
    folder : Path
        Need not exist; what is missing of it will be made by `make_folder`.
    what : str
        How the message calls it.

    Raises
    ------
    InputError
        A file of that name or above it, no permission.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a"
    >>> file.touch()
    >>> check_folder(file / "runs").name
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: the folder '.../a/runs' cannot be made, since '.../a' is a file; choose another.
    """
    folder = Path(folder)
    found = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not found.is_dir():
        if found == folder:
            raise InputError(f"{what} {str(folder)!r} is a file; name a folder.")
        raise InputError(
            f"{what} {str(folder)!r} cannot be made, since {str(found)!r} is a file; choose another."
        )
    if not os.access(found, os.W_OK | os.X_OK):
        raise InputError(f"{what} {str(folder)!r} may not be written to; choose another.")
    return folder
