"""Targets: readers of masks."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.examples import written
from fuzz.mutate import Files
from fuzz.structured import json_files
from fuzz.target import Target, use_dataset


@cache
def png(values: tuple[tuple[int, ...], ...] | None = None, colour: bool = False) -> bytes:
    """A map of a few ids, or a small picture."""
    from PIL import Image

    array = np.array(values if values is not None else [[0, 0, 1, 1, 2]] * 4, dtype=np.uint8)
    if colour:
        array = np.repeat(array[:, :, None] * 40, 3, axis=2)
    made = io.BytesIO()
    Image.fromarray(array).save(made, format="PNG")
    return made.getvalue()


def npy(array: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, array)
    return made.getvalue()


BITS = ((0, 1, 2, 4, 7), (0, 0, 0, 1, 1))


@cache
def _small() -> Any:
    from labelnoise.segmentation.dataset import MaskDataset
    from labelnoise.segmentation.objects import objects_from_ids

    ids = np.array([[0, 1, 1, 0], [2, 2, 0, 0], [0, 0, 3, 3]])
    objects = [objects_from_ids(ids, 1), objects_from_ids(ids, 2)]
    images = [np.full((3, 4, 3), 90, np.uint8), np.full((3, 4), 0.5, np.float32)]
    masks = [np.sign(ids), 2 * np.sign(ids)]
    return MaskDataset.from_masks(
        masks,
        ("sky", "tree", "é"),
        true=masks,
        objects=objects,
        images=images,
        splits={"train": np.array([True, False])},
    )


def folder() -> Files:
    return {
        name.removeprefix("m/"): content for name, content in written("segmentation", _small(), "m").items()
    }


def maps() -> Files:
    masks = {
        "masks/a.npy": npy(np.array([[0, 1, 255]])),
        "masks/b.png": png(),
        "classes.txt": b"road\ncar\nsky\n",
    }
    return {**masks, "images/a.npy": npy(np.zeros((1, 3, 3), np.float32)), "images/b.png": png(colour=True)}


def annotators() -> Files:
    made = {f"masks-{who}/{stem}.png": png() for who in ("ann", "bob", "cy") for stem in "xy"}
    del made["masks-cy/y.png"]
    return {
        **made,
        "classes.json": json.dumps({"class_names": ["a", "b", "c"], "consensus": "majority"}).encode(),
    }


def coco() -> Files:
    segmentations = [
        [[1, 1, 6, 1, 6, 5, 1, 5]],
        {"size": [8, 9], "counts": [10, 5, 57]},
        {"size": [8, 9], "counts": "R25c1"},
    ]
    from labelnoise.segmentation.coco import encode_mask

    segmentations[2] = encode_mask(np.eye(8, 9, dtype=bool))
    content = {
        "images": [
            {"id": 4, "file_name": "a.png", "height": 8, "width": 9},
            {"id": 5, "file_name": "b.png", "height": 8, "width": 9},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {
                "id": i + 1,
                "image_id": 4 + i % 2,
                "category_id": (1, 18)[i % 2],
                "segmentation": one,
                "iscrowd": int(i == 1),
                "bbox": [0, 0, 1, 1],
            }
            for i, one in enumerate(segmentations)
        ],
    }
    return {"instances.json": json.dumps(content).encode()}


def voc() -> Files:
    made: Files = {"ImageSets/Segmentation/train.txt": b"a\nb\n"}
    for stem in "ab":
        made |= {
            f"JPEGImages/{stem}.png": png(colour=True),
            f"SegmentationClass/{stem}.png": png(),
            f"SegmentationObject/{stem}.png": png(),
        }
    return made


def dsb() -> Files:
    return {
        f"{part}/{stem}.png": png(colour=part == "images")
        for part in ("images", "orig", "fixed")
        for stem in "ab"
    } | {"index.json": b"{}"}


def cityscapes() -> Files:
    made: Files = {}
    for stem in ("x_000", "x_001"):
        made[f"leftImg8bit/train/x/{stem}_leftImg8bit.png"] = png(colour=True)
        made[f"gtFine/train/x/{stem}_gtFine_labelIds.png"] = png(((7, 8, 26, 33, 0),) * 4)
        made[f"gtFine/train/x/{stem}_gtFine_instanceIds.png"] = png(((7, 8, 26, 33, 24),) * 4)
    return made


def segthor() -> Files:
    volume, labels = np.zeros((3, 4, 5), np.int16), np.zeros((3, 4, 5), np.uint8)
    labels[1, 1:3, 2] = 4
    packed = io.BytesIO()
    np.savez_compressed(packed, labels)
    return {
        "Patient_01/Patient_01.npy": npy(volume),
        "Patient_01/GT.npy": npy(labels),
        "Patient_02/image.npy": npy(volume),
        "Patient_02/GT.npz": packed.getvalue(),
    }


def nifti() -> Files:
    import gzip
    import struct

    labels = np.zeros((5, 4, 3), np.uint8)
    labels[1:3, 2, 1] = 2
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, 5, 4, 3, 1, 1, 1, 1)
    struct.pack_into("<hh", head, 70, 2, 8)
    struct.pack_into("<8f", head, 76, 1, 1, 1, 1, 0, 0, 0, 0)
    struct.pack_into("<f", head, 108, 352)
    struct.pack_into("<f", head, 112, 1)
    head[344:348] = b"n+1\0"
    content = bytes(head) + labels.tobytes(order="F")
    return {"Patient_01/GT.nii.gz": gzip.compress(content), "Patient_01/Patient_01.nii": content}


def jsrt() -> Files:
    made: Files = {}
    for split in ("train", "val", "test"):
        made |= {f"{split}/images/{split}.png": png(colour=True), f"{split}/labels/{split}.png": png(BITS)}
    return {**made, "train/noisy_j1/train.png": png(BITS)}


def foreground() -> Files:
    return {"p.npy": npy(np.full((24, 3), 1 / 3, dtype=np.float32))}


def _all_images(data: Any) -> Any:
    for i in range(min(3, data.n_images)):
        if data.images is not None:
            data.images[i]
    return data


def _masks(name: str = "") -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.segmentation.data import load_masks

        return _all_images(load_masks(str(folder / name)))

    return read


def _function(module: str, name: str, *more: Any) -> Any:
    def read(folder: Path) -> Any:
        import importlib

        return _all_images(
            getattr(importlib.import_module(f"labelnoise.segmentation.{module}"), name)(folder, *more)
        )

    return read


def _annotators(folder: Path) -> Any:
    from labelnoise.segmentation.annotators import read_annotators

    return read_annotators(folder, ("a", "b", "c")).disputed


def _image(name: str) -> Any:
    def read(folder: Path) -> Any:
        from labelnoise.segmentation.images import image_size, read_image

        image_size(folder / name)
        return read_image(folder / name)

    return read


def _picture(kind: str, name: str) -> Any:
    def made() -> Files:
        from PIL import Image

        content = io.BytesIO()
        Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3)).save(content, format=kind)
        return {name: content.getvalue()}

    return made


def _probs(folder: Path) -> Any:
    from labelnoise.segmentation.object_probs import probabilities_of

    data = _small()
    of_image = probabilities_of(data, folder / "p.npy")
    return [of_image(i) for i in range(data.n_images)]


_MASKS = (
    "labelnoise.segmentation.data:load_masks",
    "labelnoise.segmentation.files:read_masks",
    "labelnoise.segmentation.images:read_index_png",
)
_COCO = ("labelnoise.segmentation.coco:read_coco",)
_USE = use_dataset("segmentation", "")
_SEG = "labelnoise.segmentation"

TARGETS = [
    Target("segmentation.folder", folder, _masks(), _MASKS, use=_USE),
    Target(
        "segmentation.notes",
        folder,
        _masks(),
        _MASKS,
        use=_USE,
        strategy=lambda: json_files(folder(), "classes.json"),
    ),
    Target("segmentation.maps", maps, _masks(), (*_MASKS, f"{_SEG}.images:read_image"), use=_USE),
    Target(
        "segmentation.annotators",
        annotators,
        _masks(),
        _MASKS,
        use=_USE,
        strategy=lambda: json_files(annotators(), "classes.json"),
    ),
    Target(
        "segmentation.votes",
        lambda: {name.removeprefix("masks-"): content for name, content in annotators().items()},
        _annotators,
        (f"{_SEG}.annotators:read_annotators",),
    ),
    Target(
        "segmentation.coco",
        coco,
        _masks("instances.json"),
        _COCO,
        ("segmentation:COCO", "segmentation:COCO-mini", "segmentation:nuts"),
        use=_USE,
        strategy=lambda: json_files(coco(), "instances.json"),
        single="instances.json",
    ),
    Target(
        "segmentation.voc",
        voc,
        _function("voc", "read_voc"),
        (f"{_SEG}.voc:read_voc",),
        ("segmentation:VOC2012",),
        use=_USE,
    ),
    Target(
        "segmentation.dsb2018",
        dsb,
        _function("dsb2018", "read_dsb2018"),
        (f"{_SEG}.dsb2018:read_dsb2018",),
        ("segmentation:DSB2018", "segmentation:DSB2018-half"),
        use=_USE,
    ),
    Target(
        "segmentation.cityscapes",
        cityscapes,
        _function("cityscapes", "read_cityscapes"),
        (f"{_SEG}.cityscapes:read_cityscapes",),
        ("segmentation:Cityscapes",),
        use=_USE,
    ),
    Target(
        "segmentation.segthor",
        segthor,
        _function("segthor", "read_segthor"),
        (f"{_SEG}.segthor:read_segthor",),
        ("segmentation:SegTHOR",),
        use=_USE,
    ),
    Target(
        "segmentation.nifti",
        nifti,
        _function("segthor", "read_segthor"),
        (f"{_SEG}.segthor:read_segthor",),
        use=_USE,
        needs="nibabel",
    ),
    Target(
        "segmentation.jsrt",
        jsrt,
        _function("jsrt", "read_jsrt"),
        (f"{_SEG}.jsrt:read_jsrt",),
        ("segmentation:JSRT",),
        use=_USE,
    ),
    *(
        Target(
            f"segmentation.{name.partition('.')[2]}",
            _picture(kind, name),
            _image(name),
            (f"{_SEG}.images:read_image",),
        )
        for kind, name in (("PNG", "a.png"), ("JPEG", "a.jpg"), ("TIFF", "a.tif"), ("BMP", "a.bmp"))
    ),
    Target("segmentation.probs", foreground, _probs, (f"{_SEG}.object_probs:probabilities_of",)),
]
