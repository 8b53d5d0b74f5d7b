"""The user's own masks: a folder of images and class maps, read and written.

==================  ==========================================================================================
what                how
==================  ==========================================================================================
``masks/*.png``     one class id per pixel (grey or palette PNG of 8 or 16 bits, or ``.npy``)
``images/*``        the image of the same stem: PNG, JPEG, TIFF, BMP or ``.npy``; the folder may be missing
``true/*``          the true class maps, where they are known (`write_masks` makes them after a corruption)
``masks-NAME/*``    the masks of one of several annotators, each of all images or some. Without ``masks/`` the given
                    labels are what they say together: by STAPLE, or ``"consensus": "majority"`` in ``classes.json``
``classes.json``    ``{"class_names": [...], "ignore": 255}``, and what else `write_masks` keeps; or
``classes.txt``     one class name per line, in the order of their ids
``objects.npz``     the objects of each image, and ``true_objects.npz``
==================  ==========================================================================================
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npz
from labelnoise.core.files import replacing
from labelnoise.core.reading import read_json, read_text
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import LazyImages, read_index_png, write_png
from labelnoise.segmentation.objects import MaskObject

__all__ = ["IGNORE", "IMAGE_ENDINGS", "files_by_stem", "pair_by_stem", "read_masks", "write_masks"]

#: File endings of images.
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".npy")
MASK_ENDINGS = (".png", ".npy", ".tif", ".tiff", ".bmp")
#: The number that stands for "no label" where a folder does not say another.
IGNORE = 255


def read_masks(
    path: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    ignore: int | None = None,
    consensus: str | None = None,
) -> MaskDataset:
    """Read a folder of masks and, where they are there, of images, true masks and objects.

    Parameters
    ----------
    path : str or Path
        The folder that holds ``masks/``, or ``masks-NAME/`` of several annotators.
    class_names : sequence of str, optional
        Instead of ``classes.json`` or ``classes.txt``. Without any of them the ids name the classes.
    ignore : int, optional
        The number that means "no label"; by default what ``classes.json`` says, else 255.
    consensus : {"staple", "majority"}, optional
        How several annotators become one mask where there is no ``masks/``; by default what ``classes.json`` says,
        else "staple".

    Returns
    -------
    MaskDataset
        Images are read when they are asked for.

    Raises
    ------
    InputError
        In one sentence: what is wrong in which file, and how to mend it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "masks").mkdir()
    >>> write_png(np.array([[0, 1, 255]], dtype=np.uint8), folder / "masks" / "a.png")
    >>> _ = (folder / "classes.txt").write_text("road\\ncar\\n")
    >>> data = read_masks(folder)
    >>> data.image_ids, data.class_names, data.given
    (('a',), ('road', 'car'), array([ 0,  1, -1], dtype=int8))
    """
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {str(path)!r}; name the one that holds masks/ and images/.")
    from labelnoise.segmentation.annotators import annotator_files, stack_votes

    masks = files_by_stem(folder / "masks", MASK_ENDINGS)
    drawn = annotator_files(folder)
    together = not masks
    if together:
        masks = {stem: item for files in drawn.values() for stem, item in files.items()}
    if not masks:
        raise InputError(
            f"{folder / 'masks'} holds no mask ({', '.join(MASK_ENDINGS)}); put one per image there, or each "
            "annotator's in a folder masks-NAME."
        )
    notes = _read_notes(folder)
    known = class_names or notes.get("class_names") or _read_names(folder / "classes.txt")
    ignore = int(notes.get("ignore", IGNORE)) if ignore is None else ignore
    order = [stem for stem in notes.get("image_ids", ()) if stem in masks] or sorted(masks)
    order += sorted(masks.keys() - set(order))
    everything = [*masks.values(), *(item for files in drawn.values() for item in files.values())]
    names = tuple(known) if known else _numbered(everything, ignore)
    fields: dict[str, Any] = {"image_ids": tuple(order), "source": str(folder)}
    if (folder / "images").is_dir():
        images = files_by_stem(folder / "images", IMAGE_ENDINGS)
        fields["images"] = LazyImages([paths for _, paths in pair_by_stem(order, images, folder / "images")])
    if (folder / "true").is_dir():
        true = files_by_stem(folder / "true", MASK_ENDINGS)
        paths = [item for _, item in pair_by_stem(order, true, folder / "true")]
        fields["true"] = (_named(item, ignore, len(names)) for item in paths)
    for what in ("objects", "true_objects"):
        if (folder / f"{what}.npz").is_file():
            fields[what] = _read_objects(folder / f"{what}.npz", len(order))
    fields["splits"] = {key: np.isin(order, stems) for key, stems in dict(notes.get("splits", {})).items()}
    fields["meta"] = dict(notes.get("meta", {}))
    given = (_named(masks[stem], ignore, len(names)) for stem in order)
    if drawn:
        from labelnoise.segmentation.consensus import consensus_masks

        _check_drawn(drawn, order, folder)
        fields["votes"], sizes = stack_votes(drawn, order, len(names), ignore=ignore)
        fields["annotators"] = tuple(drawn)
        if together:
            method = str(notes.get("consensus", "staple")) if consensus is None else consensus
            found = consensus_masks(fields["votes"], sizes, len(names), method=method)
            ends = np.cumsum(sizes.prod(axis=1))[:-1]
            given = (part.reshape(size) for part, size in zip(np.split(found.labels, ends), sizes.tolist()))
            fields["meta"] = {**fields["meta"], "consensus": method}
    return MaskDataset.from_masks(
        given,
        names,
        name=str(notes.get("name", folder.name)),
        ignore=ignore,
        **fields,
    )


def write_masks(dataset: MaskDataset, path: str | Path) -> list[Path]:
    """Write a data set as a new folder that `read_masks` reads back as an equal one; all of it, or nothing.

    Image files are copied byte for byte. An existing folder is never written into, so that originals stay.

    Parameters
    ----------
    dataset : MaskDataset
    path : str or Path
        A folder that does not exist yet, or is empty, or was written by this function before and is no
        source of ``dataset``.

    Returns
    -------
    list of Path
        The folder.

    Raises
    ------
    InputError
        The folder holds something else, or an image has a name that no file can have.

    Examples
    --------
    >>> import tempfile
    >>> data = MaskDataset.from_masks([[[0, 1]]], ("a", "b"), name="two")
    >>> target = write_masks(data, Path(tempfile.mkdtemp()) / "copy")[0]
    >>> read_masks(target).content_hash() == data.content_hash()
    True
    """
    folder = Path(os.path.realpath(path))
    _check_target(dataset, folder)
    if not folder.parent.is_dir():
        raise InputError(f"{folder} lies in a folder that does not exist; make {str(folder.parent)!r} first.")
    with replacing(folder) as temporary:
        temporary.mkdir()
        _write_into(dataset, temporary)
    return [folder]


def files_by_stem(folder: Path, endings: Sequence[str]) -> dict[str, Path]:
    """The files of a folder by their name without ending; two of one stem are refused.

    Raises
    ------
    InputError
        Two files differ only in their ending.
    """
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for item in sorted(folder.iterdir()):
        if item.suffix.lower() in endings and not item.name.startswith("."):
            if item.stem in found:
                raise InputError(
                    f"{folder} holds both {found[item.stem].name} and {item.name}; keep one of them."
                )
            found[item.stem] = item
    return found


def pair_by_stem(stems: Sequence[str], files: Mapping[str, Path], folder: Path) -> list[tuple[str, Path]]:
    """Each stem with its file.

    Raises
    ------
    InputError
        Some have none.
    """
    lacking = [stem for stem in stems if stem not in files]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise InputError(
            f"{folder} has no file for {lacking[0]!r}{more}; names must match those of the masks."
        )
    return [(stem, files[stem]) for stem in stems]


def _write_into(dataset: MaskDataset, folder: Path) -> None:
    wide = dataset.n_classes > IGNORE
    dtype, ignore = (np.uint16, 65535) if wide else (np.uint8, IGNORE)
    for sub in ("masks", *(["true"] if dataset.true is not None else [])):
        (folder / sub).mkdir()
    if dataset.images is not None:
        (folder / "images").mkdir()
    for name in dataset.annotators if dataset.votes is not None else ():
        (folder / f"masks-{name}").mkdir()
    for i, stem in enumerate(dataset.image_ids):
        maps = {"masks": dataset.mask(i), "true": dataset.true_mask(i)}
        if dataset.votes is not None:
            for name, column in zip(dataset.annotators, dataset.fold(dataset.votes, i).transpose(2, 0, 1)):
                # Whom an image was not shown has no file for it.
                maps[f"masks-{name}"] = column if (column >= 0).any() else None
        for sub, array in maps.items():
            if array is not None:
                blank = np.where(array < 0, ignore, array.astype(np.int64)).astype(dtype)
                write_png(blank, folder / sub / f"{stem}.png")
        if dataset.images is not None:
            _write_image(dataset.images, i, folder / "images", stem)
    for what, objects in (("objects", dataset.objects), ("true_objects", dataset.true_objects)):
        if objects is not None:
            _write_objects(objects, folder / f"{what}.npz")
    notes = {
        "name": dataset.name,
        "class_names": list(dataset.class_names),
        "ignore": ignore,
        "image_ids": list(dataset.image_ids),
        "splits": {
            key: [dataset.image_ids[i] for i in np.flatnonzero(mask)] for key, mask in dataset.splits.items()
        },
        "meta": dict(dataset.meta),
        "written_by": "labelnoise",
    }
    (folder / "classes.json").write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


def _write_image(images: Sequence[NDArray[Any]], i: int, folder: Path, stem: str) -> None:
    source = images.sources[i] if isinstance(images, LazyImages) else None
    if isinstance(source, Path) and source.suffix.lower() in IMAGE_ENDINGS:
        shutil.copyfile(source, folder / f"{stem}{source.suffix.lower()}")
        return
    image = np.asarray(images[i])
    if image.dtype == np.uint8 and (image.ndim == 2 or image.shape[2] == 3):
        write_png(image, folder / f"{stem}.png")
    else:
        np.save(folder / f"{stem}.npy", image, allow_pickle=False)


def _write_objects(objects: Sequence[Sequence[MaskObject]], path: Path) -> None:
    rows = [(i, item) for i, row in enumerate(objects) for item in row]
    table = [(i, o.object_id, o.label, *o.box, o.crowd, len(o.packed)) for i, o in rows]
    bits = [item.packed for _, item in rows]
    with open(path, "wb") as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            table=np.array(table, dtype=np.int64).reshape(-1, 9),
            bits=np.concatenate(bits) if bits else np.zeros(0, dtype=np.uint8),
        )


def _read_objects(path: Path, m: int) -> list[tuple[MaskObject, ...]]:
    arrays = read_npz(path)
    try:
        table, bits = arrays["table"], arrays["bits"]
        if table.dtype.kind != "i" or bits.dtype != np.uint8 or table.shape[1:] != (9,) or bits.ndim != 1:
            raise ValueError("other arrays")
        if len(table) and (table[:, [0, 3, 4, 5, 6, 8]].min() < 0 or table.max() >= 1 << 40):
            raise ValueError("numbers below 0")
        ends = np.cumsum(table[:, 8])
        found: list[list[MaskObject]] = [[] for _ in range(m)]
        for (image, number, label, top, left, height, width, crowd, count), end in zip(table.tolist(), ends):
            packed = bits[end - count : end]
            if len(packed) != count or count != -(-height * width // 8):
                raise ValueError("masks of another size")
            found[image].append(MaskObject(number, label, top, left, (height, width), packed, bool(crowd)))
    except Exception as error:  # a broken archive can fail in any way
        raise InputError(
            f"{path} is not a whole table of objects ({type(error).__name__}); remove it."
        ) from error
    return [tuple(row) for row in found]


def _check_target(dataset: MaskDataset, folder: Path) -> None:
    for stem in dataset.image_ids:
        if not stem or Path(stem).name != stem or stem.startswith(".") or "\x00" in stem:
            raise InputError(f"The image {stem!r} cannot be a file's name; rename it before writing.")
    for name in dataset.annotators if dataset.votes is not None else ():
        if "/" in name or "\\" in name or "\x00" in name or not name:
            raise InputError(
                f"The annotator {name!r} cannot be part of a folder's name; rename them before writing."
            )
    if folder.is_file():
        raise InputError(f"{folder} is a file; name a folder that does not exist yet.")
    if not folder.exists() or not any(folder.iterdir()):
        return
    source = Path(os.path.realpath(dataset.source)) if dataset.source else None
    if source == folder or _holds_images(dataset, folder):
        raise InputError(f"{folder} holds the originals, which are never overwritten; name another folder.")
    notes = folder / "classes.json"
    if not notes.is_file() or _read_notes(folder).get("written_by") != "labelnoise":
        raise InputError(f"{folder} holds other files; name a folder that does not exist yet.")


def _holds_images(dataset: MaskDataset, folder: Path) -> bool:
    images = dataset.images
    sources = images.sources if isinstance(images, LazyImages) else []
    return any(isinstance(item, Path) and folder in item.resolve().parents for item in sources)


def _read_notes(folder: Path) -> dict[str, Any]:
    path = folder / "classes.json"
    if not path.exists():
        return {}
    content = read_json(path)
    if isinstance(content, list):
        content = {"class_names": content}
    names = content.get("class_names") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(isinstance(item, str) for item in names):
        raise InputError(
            f"{path} has no list of texts 'class_names'; name every class, in the order of the ids."
        )
    ignore, splits = content.get("ignore", IGNORE), content.get("splits", {})
    sound = {
        "ignore": type(ignore) is int and abs(ignore) < 1 << 31,
        "image_ids": _texts(content.get("image_ids", [])),
        "splits": isinstance(splits, dict) and all(map(_texts, splits.values())),
        "meta": isinstance(content.get("meta", {}), dict),
        "consensus": isinstance(content.get("consensus", ""), str),
    }
    wrong = [key for key, fine in sound.items() if not fine]
    if wrong:
        raise InputError(
            f"{path} holds something else under {wrong[0]!r} than write_masks writes; leave it out."
        )
    return dict(content)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _read_names(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _check_drawn(drawn: Mapping[str, Mapping[str, Path]], order: Sequence[str], folder: Path) -> None:
    known = set(order)
    for name, files in drawn.items():
        alien = sorted(files.keys() - known)
        if alien:
            raise InputError(
                f"{folder / f'masks-{name}'} has a mask for {alien[0]!r}, which masks/ has not; remove one, or both."
            )
    lacking = [stem for stem in order if not any(stem in files for files in drawn.values())]
    if lacking:
        raise InputError(
            f"No annotator drew {lacking[0]!r}, which is in {folder / 'masks'}; put at least one mask of it in a "
            "folder masks-NAME."
        )


#: Classes that are named by their numbers; ids of objects, or damage, would make billions.
MOST_NUMBERED = 1 << 16


def _numbered(masks: Sequence[Path], ignore: int) -> tuple[str, ...]:
    highest = 0
    for path in masks:
        values = np.unique(read_index_png(path))
        values = values[values != ignore]
        highest = max(highest, int(values.max(initial=0)))
        if highest >= MOST_NUMBERED:
            raise InputError(
                f"{path} holds the class {highest} and nothing names the classes; list their names in classes.txt, "
                f"or number them below {MOST_NUMBERED:,}."
            )
    return tuple(str(index) for index in range(highest + 1))


def _named(path: Path, ignore: int, k: int) -> NDArray[Any]:
    """A mask whose ids are classes; the message for others names the file."""
    mask = read_index_png(path)
    wrong = np.setdiff1d(np.unique(mask), [-1, ignore])
    wrong = wrong[(wrong < 0) | (wrong >= k)]
    if len(wrong):
        raise InputError(
            f"{path} holds {int(wrong[0])}; class ids are 0 to {k - 1} and {ignore} means 'no label'. Name more "
            "classes in classes.json, or say another 'ignore' there."
        )
    return mask
