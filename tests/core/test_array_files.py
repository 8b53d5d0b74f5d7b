"""NumPy's files read without trust: headers, archives, bombs."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core import array_files
from labelnoise.core.array_files import check_archive, read_npy, read_npz
from labelnoise.core.validation import InputError

ARRAYS = [
    np.arange(12).reshape(3, 4),
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.array("x"),
    np.array(""),
    np.zeros((0, 3)),
    np.array(["a", "é"]),
    np.array(3.5),
    np.array([True, False]),
    np.arange(4, dtype=">i2"),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_as_numpy_reads_it(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", a=array)
    for found in (
        read_npy(tmp_path / "a.npy"),
        read_npy(tmp_path / "a.npy", mapped=True),
        read_npz(tmp_path / "a.npz")["a"],
    ):
        assert found.dtype == array.dtype
        assert np.array_equal(found, np.load(tmp_path / "a.npy"))
    read_npy(tmp_path / "a.npy")[...] = array  # may be written to


def npy(shape: str, dtype: str = "<f8", body: bytes = b"") -> bytes:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


@pytest.mark.parametrize(
    "content",
    [
        npy("(2000000000,)"),  # asks for 15 GiB
        npy("(2000000000,)", body=bytes(80)),
        npy("(-1, -5)", body=bytes(40)),
        npy("(1000000000000,)", "<U0"),
        npy("(4.0,)", body=bytes(32)),
        npy("(True, 4)", body=bytes(32)),
        npy("(4,)", "|O", bytes(32)),
        npy("(2, )", "<U9", b"x"),
        npy("(4,)", "|V8", bytes(32)),
        npy("(4,)", "<M8[s]", bytes(32)),
        npy("(((((", body=bytes(32)),
        npy("(__import__('os').system('touch x'),)"),
        b"\x93NUMPY\x03\x00" + npy("(4,)", body=bytes(32))[8:],
        b"\x93NUMPY",
        b"",
        b"PK\x03\x04",
    ],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_refused_before_anything_is_allocated(
    content: bytes, mapped: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    def allocate(*_: Any, **__: Any) -> None:
        raise AssertionError("allocated")

    for name in ("empty", "fromfile", "memmap"):
        monkeypatch.setattr(array_files.np, name, allocate)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read .*; save it again"):
        read_npy(tmp_path / "a.npy", mapped=mapped)


@pytest.mark.parametrize("code", [0x110000, 0xFFFFFFFF, 0xD800])
def test_texts_are_made_of_characters(code: int, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy("(1,)", "<U1", struct.pack("<I", code)))
    with pytest.raises(InputError, match="no characters"):
        read_npy(tmp_path / "a.npy")


def test_a_member_that_asks_for_more_than_it_has(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", npy("(2000000000,)"))
    with pytest.raises(InputError, match="is not a whole .npz file .*2,000,000,000"):
        read_npz(tmp_path / "a.npz")


def test_a_wrong_checksum_is_seen(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(100))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[400] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="CRC"):
        read_npz(tmp_path / "a.npz")


def archive(
    path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], kind: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", kind) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


def linked(name: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/passwd", "..\\a", "C:/a", "C:\\a", "a/..", ".."])
def test_members_outside_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lies outside of it"):
        check_archive(archive(tmp_path / "a.zip", (name, b"x")))


@pytest.mark.parametrize("mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o666, stat.S_IFBLK, stat.S_IFIFO])
def test_links_and_devices_are_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a link or a device"):
        check_archive(archive(tmp_path / "a.zip", (linked("a", mode), b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two members 'a'"):
        check_archive(archive(tmp_path / "a.zip", ("a", b"x"), ("a", b"y")))


def test_bombs_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    path = archive(tmp_path / "a.npz", ("x.npy", bytes(1 << 20)), kind=zipfile.ZIP_DEFLATED)
    check_archive(path)
    monkeypatch.setattr(array_files, "LARGE", 1 << 19)
    with pytest.raises(InputError, match="unpacks to 1,048,576; that is a bomb"):
        check_archive(path)
    with pytest.raises(InputError, match="bomb"):
        read_npz(path)
    # Stored as it is, the same content is none.
    check_archive(archive(tmp_path / "b.npz", ("x.npy", bytes(1 << 20))))


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    path = archive(tmp_path / "a.zip", *((str(i), b"") for i in range(20)))
    monkeypatch.setattr(array_files, "MAX_MEMBERS", 19)
    with pytest.raises(InputError, match="holds 20 members"):
        check_archive(path)


def test_tensors_in_a_bad_archive_are_not_loaded(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from labelnoise.graph.files import read_graph

    made = io.BytesIO()
    torch.save({"y": torch.zeros(3)}, made)
    with zipfile.ZipFile(made, "a") as more:
        more.writestr("../evil", b"x")
    (tmp_path / "g.pt").write_bytes(made.getvalue())
    with pytest.raises(InputError, match=r"'\.\./evil', which lies outside"):
        read_graph(tmp_path / "g.pt")
    assert not (tmp_path.parent / "evil").exists()
