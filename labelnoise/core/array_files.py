"""NumPy's files, read without trust: no pickle, and nothing is allocated before a header has been checked."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.validation import InputError

__all__ = ["check_archive", "read_npy", "read_npz"]

#: Members of an archive, far more than any of ours has.
MAX_MEMBERS = 10_000
#: An archive that unpacks to more than this ...
LARGE = 1 << 29
#: ... and to more than so many times its size is a bomb; DEFLATE ends at 1,032.
MAX_RATIO = 200
#: Bytes that are read at a time.
_STEP = 1 << 24
#: Kinds of numbers and texts; the others are objects, structures, raw bytes and times.
_KINDS = "biufcUS"
_FIX = "save it again with numpy.save"


class _Damaged(ValueError):
    """Why a file cannot be read, as the inside of a sentence."""


def read_npy(path: str | Path, *, mapped: bool = False, what: str = "The file") -> NDArray[Any]:
    """The array in a .npy file, of numbers or texts.

    Parameters
    ----------
    path : path
    mapped : bool
        Map it into memory, read-only, instead of reading it.
    what : str
        How the message calls it.

    Raises
    ------
    InputError
        A missing, damaged or cut-off file, one that says another size than it has, an array of objects.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npy"
    >>> np.save(path, np.arange(3))
    >>> read_npy(path)
    array([0, 1, 2])
    >>> _ = path.write_bytes(path.read_bytes()[:-1])
    >>> read_npy(path)
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The file '...a.npy' cannot be read (it is cut off or ...
    """
    try:
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                raise _Damaged("it is an archive of arrays, .npz, not one array")
            file.seek(0)
            found = _array(file, os.fstat(file.fileno()).st_size, str(path) if mapped else None)
    except FileNotFoundError as error:
        raise InputError(f"{what} {str(path)!r} cannot be read: there is none; check the path.") from error
    except Exception as error:  # a header is a Python literal, which can be wrong in any way
        raise InputError(f"{what} {str(path)!r} cannot be read ({_said(error)}); {_FIX}.") from error
    return found


def read_npz(path: str | Path, *, what: str = "The file") -> dict[str, NDArray[Any]]:
    """All arrays of numbers or texts in an .npz file; arrays of objects would need pickle and are left out.

    Raises
    ------
    InputError
        A missing, damaged or cut-off file, one that is refused by `check_archive`, one bare array.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.npz"
    >>> np.savez(path, y=np.arange(2), odd=np.array([None]))
    >>> read_npz(path)
    {'y': array([0, 1])}
    """
    fix = "copy it again, or save it again with numpy.savez(path, x=..., y=...)"
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with open(path, "rb") as file:
            if file.read(6) == b"\x93NUMPY":
                raise _Damaged("it holds one bare array without a name")
            file.seek(0)
            if file.read(2) != b"PK":
                raise _Damaged("it is no zip archive")
        check_archive(path)
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    if member.read(6) != b"\x93NUMPY":
                        continue
                with archive.open(info) as member:
                    try:
                        arrays[info.filename.removesuffix(".npy")] = _array(member, info.file_size)
                    except _NoNumbers:
                        continue
                    member.read(1)  # to the end, where the checksum is compared
    except FileNotFoundError as error:
        raise InputError(f"{what} {str(path)!r} is not there; check the path.") from error
    except InputError:
        raise
    except Exception as error:  # zip, zlib, struct and header errors
        raise InputError(f"{what} {str(path)!r} is not a whole .npz file ({_said(error)}); {fix}.") from error
    return arrays


def check_archive(path: str | Path, *, names: Sequence[str] = ()) -> None:
    """Refuse a zip archive that names places outside of itself, holds links, or unpacks to far more than it is.

    Parameters
    ----------
    path : path
    names : sequence of str
        Members that it must have.

    Raises
    ------
    InputError
        No zip archive; an absolute name or one with ``..``; a link or a device; a name that is there twice; members
        that are encrypted; more than 10,000 members; more than 512 MiB unpacked at more than 200 times the size.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("../a.txt", "x")
    >>> check_archive(path)
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: The archive '...a.zip' has the member '../a.txt', which lies outside ...
    """
    where = f"The archive {str(path)!r}"
    fix = "get it again from a source that you trust"
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise InputError(f"{where} is damaged or no zip file ({_said(error)}); copy it again.") from error
    if len(members) > MAX_MEMBERS:
        raise InputError(f"{where} holds {len(members):,} members; at most {MAX_MEMBERS:,} are read, {fix}.")
    seen: set[str] = set()
    for info in members:
        name = info.orig_filename.replace("\\", "/")
        kind = info.external_attr >> 28
        if name.startswith("/") or ".." in name.split("/") or ":" in name.split("/")[0] or "\x00" in name:
            raise InputError(
                f"{where} has the member {info.orig_filename[:100]!r}, which lies outside of it; {fix}."
            )
        if kind not in (0, 4, 8):  # of the system that made it: unknown, folder, file
            raise InputError(f"{where} has the member {name[:100]!r}, which is a link or a device; {fix}.")
        if name in seen:
            raise InputError(f"{where} has two members {name[:100]!r}; {fix}.")
        if info.flag_bits & 1:
            raise InputError(f"{where} has the encrypted member {name[:100]!r}; unpack it by hand.")
        seen.add(name)
    total = sum(info.file_size for info in members)
    if total > LARGE and total > MAX_RATIO * os.path.getsize(path):
        raise InputError(
            f"{where} of {os.path.getsize(path):,} bytes unpacks to {total:,}; that is a bomb, or should be stored "
            "without compression (numpy.savez)."
        )
    lacking = [name for name in names if name not in seen]
    if lacking:
        raise InputError(f"{where} lacks {', '.join(lacking)}; copy it again.")


class _NoNumbers(_Damaged):
    """An array of objects, structures or times."""


def _array(file: IO[bytes], size: int, mapped: str | None = None) -> NDArray[Any]:
    """The array in a stream of ``size`` bytes; its header is compared with that before anything is allocated."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
    else:
        raise _Damaged(f"version {version} of the format is for structures, which are not read")
    if dtype.hasobject or dtype.kind not in _KINDS:
        raise _NoNumbers(f"it holds {str(dtype)[:40]} values; numbers or texts are read")
    if any(type(side) is not int or side < 0 for side in shape):
        raise _Damaged(f"its shape is {str(shape)[:80]}")
    count = math.prod(shape)
    start = file.tell()
    if dtype.itemsize == 0 and count > 1:
        raise _Damaged(f"it claims {count:,} values without a byte")
    if count * dtype.itemsize != size - start:
        raise _Damaged(
            f"it is cut off or damaged: {_sides(shape)} values of {dtype} take {count * dtype.itemsize:,} bytes and "
            f"{size - start:,} are there"
        )
    order: Any = "F" if fortran else "C"
    if mapped is not None and count and dtype.kind != "U":
        return np.memmap(mapped, dtype=dtype, mode="r", offset=start, shape=shape, order=order)
    if isinstance(file, io.BufferedReader) and dtype.itemsize:
        flat = np.fromfile(file, dtype, count)  # not through Python, which is many times slower
        if len(flat) != count:
            raise _Damaged("it is cut off")
    else:
        flat = np.empty(count, dtype=dtype)
        raw = flat.view(np.uint8) if flat.nbytes else np.empty(0, np.uint8)
        at = 0
        while at < len(raw):
            data = file.read(min(_STEP, len(raw) - at))
            if not data:
                raise _Damaged("it is cut off")
            raw[at : at + len(data)] = np.frombuffer(data, np.uint8)
            at += len(data)
    if dtype.kind == "U" and flat.nbytes:
        codes = flat.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise _Damaged("it holds numbers that are no characters where texts should stand")
    found: NDArray[Any] = flat.reshape(shape, order=order)
    return found


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(f"{side:,}" for side in shape[:6]) or "1"


def _said(error: BaseException) -> str:
    """The first line of an error, short; or its kind."""
    if isinstance(error, _Damaged):
        return str(error)
    text = " ".join(str(error).split())
    return (text[:120] + " ..." if len(text) > 120 else text) or type(error).__name__
