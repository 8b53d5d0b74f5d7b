"""Images that are read when they are asked for, with a bounded number of bytes kept; PNG maps in and out."""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npy
from labelnoise.core.files import replacing
from labelnoise.core.validation import InputError

__all__ = ["LazyImages", "image_digest", "image_size", "read_image", "read_index_png", "write_png"]

#: Bytes of images that `LazyImages` keeps by default: 64 MiB.
CACHE_BYTES = 64 << 20
#: A header of a few bytes may claim any size. More pixels than these, and more per byte than any packing reaches (a
#: bilevel PNG of one colour has 8,256), are refused; above 179 million Pillow refuses by itself.
FREE_PIXELS, PIXELS_PER_BYTE = 1 << 24, 10_000
#: Bytes that are asked for without a look at the size of the file.
_PART = 1 << 16


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError(
            "Reading and writing images needs Pillow; run pip install 'labelnoise[segmentation]'."
        ) from error
    return Image


def read_image(path: str | Path) -> NDArray[Any]:
    """An image as it is seen, shape (h, w) for grey and (h, w, 3) for colour; ``.npy`` as it is stored.

    A palette becomes colour and transparency is dropped; 16-bit grey stays 16-bit.

    Raises
    ------
    InputError
        Missing or broken file.
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        return read_npy(path)
    with _opened(path) as image:
        if image.mode in ("L", "I;16", "I;16B", "I", "F"):
            return _pixels(image, path)
        if image.mode in ("1", "LA"):
            return _pixels(image, path, "L")
        return _pixels(image, path, "RGB")


def read_index_png(path: str | Path) -> NDArray[Any]:
    """The numbers in a map of class or object ids: a grey or palette PNG (8 or 16 bits), or an ``.npy``.

    Raises
    ------
    InputError
        Missing or broken file, or colours where numbers are needed.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.png"
    >>> write_png(np.array([[0, 300]], dtype=np.uint16), target)
    >>> read_index_png(target).tolist()
    [[0, 300]]
    """
    path = Path(path)
    if path.suffix.lower() == ".npy":
        found = read_npy(path)
    else:
        with _opened(path) as image:
            if image.mode not in ("L", "P", "1", "I", "I;16", "I;16B"):
                raise InputError(
                    f"{path} is a colour image ({image.mode}); a mask holds one class number per pixel, "
                    "save it as a grey or palette PNG."
                )
            found = _pixels(image, path)
    if found.ndim != 2 or found.dtype.kind not in "iub":
        raise InputError(
            f"{path} has shape {found.shape} and type {found.dtype}; a mask is (height, width) whole numbers."
        )
    return found.astype(np.uint8) if found.dtype == bool else found


def image_size(path: str | Path) -> tuple[int, int]:
    """Height and width of an image file, from its header alone."""
    path = Path(path)
    if path.suffix.lower() == ".npy":
        shape = read_npy(path, mapped=True).shape
        if len(shape) < 2:
            raise InputError(
                f"{path} has shape {shape}; (height, width) or (height, width, channels) is needed."
            )
        return int(shape[0]), int(shape[1])
    with _opened(path) as image:
        width, height = image.size
    return int(height), int(width)


def write_png(array: NDArray[Any], path: str | Path) -> None:
    """Write a grey (8 or 16 bits) or colour image as PNG, whole or not at all.

    Parameters
    ----------
    array : ndarray of uint8 (h, w) or (h, w, 3), or uint16 (h, w)
    path : str or Path
    """
    array = np.asarray(array)
    colour = array.ndim == 3 and array.shape[2] == 3
    if not (array.dtype == np.uint8 and (array.ndim == 2 or colour)) and not (
        array.dtype == np.uint16 and array.ndim == 2
    ):
        raise InputError(
            f"A PNG cannot hold an array of shape {array.shape} and type {array.dtype}; "
            "uint8 (h, w) or (h, w, 3), or uint16 (h, w) is needed."
        )
    image = _pillow().fromarray(np.ascontiguousarray(array))
    with replacing(Path(path)) as temporary:
        image.save(temporary, format="PNG")


def image_digest(array: NDArray[Any]) -> str:
    """A hash of an image's pixels, whichever file or array they come from."""
    digest = hashlib.blake2b(f"{array.shape}:{array.dtype.kind}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class LazyImages(Sequence[NDArray[Any]]):
    """Images read on demand; the last used ones are kept, up to a number of bytes.

    Parameters
    ----------
    sources : sequence
        One path per image, or whatever ``read`` understands.
    read : callable
        ``read(source) -> ndarray``; `read_image` by default.
    cache_bytes : int
        How many bytes of images are kept.

    Examples
    --------
    >>> images = LazyImages([1, 2], read=lambda value: np.full((2, 2), value))
    >>> len(images), images[1].tolist()
    (2, [[2, 2], [2, 2]])
    """

    def __init__(
        self,
        sources: Sequence[Any],
        read: Callable[[Any], NDArray[Any]] = read_image,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.sources = list(sources)
        self._read = read
        self._limit = cache_bytes
        self._kept: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return LazyImages(self.sources[index], self._read, cache_bytes=self._limit)
        place = range(len(self.sources))[index]
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        image = self._read(self.sources[place])
        if image.nbytes <= self._limit:
            self._kept[place] = image
            self._bytes += image.nbytes
            while self._bytes > self._limit:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return image

    def __iter__(self) -> Iterator[NDArray[Any]]:
        return (self[index] for index in range(len(self)))


class _Whole(io.BufferedReader):
    """A file that is never asked for more bytes than it holds.

    A damaged picture announces parts of gigabytes, and Python makes room for what is asked for before it reads.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _PART:
            size = min(size, max(os.fstat(self.fileno()).st_size - self.tell(), 0))
        return super().read(size)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    library = _pillow()
    try:
        file = _Whole(io.FileIO(path))
    except FileNotFoundError as error:
        raise InputError(f"There is no file {str(path)!r}; check the path.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be opened ({_said(error)}); check the path.") from error
    with file:
        try:
            with warnings.catch_warnings():
                # What Pillow warns of, large pictures and odd metadata, is decided here.
                warnings.simplefilter("ignore")
                image = library.open(file)
        except Exception as error:  # decoders of damaged files fail in any way
            raise InputError(
                f"{path} is not an image that can be read ({_said(error)}); copy it again."
            ) from error
        with image:
            pixels, size = image.size[0] * image.size[1], os.fstat(file.fileno()).st_size
            if pixels > FREE_PIXELS and pixels > PIXELS_PER_BYTE * size:
                raise InputError(
                    f"{path} claims {image.size[0]:,} x {image.size[1]:,} pixels in {size:,} bytes; no picture is "
                    "packed so tightly, copy it again."
                )
            yield image


def _pixels(image: Any, path: Path, mode: str | None = None) -> NDArray[Any]:
    try:
        return np.array(image if mode is None else image.convert(mode))
    except Exception as error:  # decoders of damaged files fail in any way
        raise InputError(f"{path} is cut off or damaged ({_said(error)}); copy it again.") from error


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
