"""Writing files whole or not at all, and refusing bad output paths before long work begins."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from labelnoise.core.validation import InputError

__all__ = ["check_output", "flush_to_disk", "replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    Readers see the old file or the new one, never a part; after an error the old one stays as it was.

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
    temporary = target.with_name(f".{target.name[:80]}.{os.getpid()}.{uuid4().hex[:12]}.tmp")
    try:
        yield temporary
        flush_to_disk(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


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
        raise InputError(f"{what} {str(path)!r} is a folder; name a file in it.")
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
