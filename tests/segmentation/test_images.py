"""Reading on demand, and PNG maps."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelnoise.core.validation import InputError
from labelnoise.segmentation.images import LazyImages, image_size, read_image, read_index_png, write_png


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_keeps_numbers(tmp_path: Path, dtype: type) -> None:
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (7, 5)).astype(dtype)
    write_png(array, tmp_path / "a.png")
    assert (read_index_png(tmp_path / "a.png") == array).all()
    assert image_size(tmp_path / "a.png") == (7, 5)


def test_a_palette_is_numbers_as_a_mask_and_colours_as_an_image(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 255]], dtype=np.uint8), mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0] + [9, 9, 9] * 254)
    image.save(tmp_path / "a.png")
    assert read_index_png(tmp_path / "a.png").tolist() == [[0, 1, 255]]
    assert read_image(tmp_path / "a.png")[0, 1].tolist() == [128, 0, 0]


def test_colour_is_no_mask(tmp_path: Path) -> None:
    write_png(np.zeros((2, 2, 3), np.uint8), tmp_path / "a.png")
    with pytest.raises(InputError, match="colour image"):
        read_index_png(tmp_path / "a.png")


def test_broken_and_missing_files(tmp_path: Path) -> None:
    write_png(np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8), tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:1000])
    (tmp_path / "text.png").write_text("no")
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    for name, said in {
        "cut.png": "cut off",
        "text.png": "not an image",
        "o.npy": "numbers",
        "x.png": "no file",
    }.items():
        with pytest.raises(InputError, match=said):
            read_image(tmp_path / name)


def test_the_cache_is_bounded_and_used() -> None:
    read: list[int] = []

    def one(i: int) -> np.ndarray:
        read.append(i)
        return np.zeros(10, np.uint8)

    images = LazyImages(range(5), one, cache_bytes=25)
    for i in (0, 1, 0, 1, 2, 1, 0):
        images[i]
    assert read == [0, 1, 2, 0]  # 2 drove out 0, the longest unused
    assert images._bytes <= 25
    assert len(images[1:3]) == 2
    with pytest.raises(IndexError):
        images[5]


def test_a_header_that_claims_more_than_any_packing_holds(tmp_path: Path) -> None:
    import struct
    import zlib

    write_png(np.zeros((3, 4), np.uint8), tmp_path / "a.png")
    content = bytearray((tmp_path / "a.png").read_bytes())
    content[16:24] = struct.pack(">II", 12_000, 12_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (tmp_path / "a.png").write_bytes(content)
    for read in (read_image, read_index_png, image_size):
        with pytest.raises(InputError, match="12,000 x 12,000 pixels"):
            read(tmp_path / "a.png")


def test_no_room_is_made_for_what_a_damaged_picture_announces(tmp_path: Path) -> None:
    write_png(np.zeros((2, 2), np.uint8), tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    part = content.index(b"IDAT") - 4
    announced = (0x7000_0000).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content[:part] + announced + content[part + 4 :])
    tracemalloc.start()
    try:
        read_image(tmp_path / "a.png")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()
