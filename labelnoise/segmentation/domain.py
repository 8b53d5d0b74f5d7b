"""Segmentation, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from labelnoise.core.corruption import Corruption
from labelnoise.core.dataset import Dataset
from labelnoise.core.domain import DatasetInfo, Domain, data_root
from labelnoise.core.registry import Registry
from labelnoise.core.review.cards import Card
from labelnoise.core.review.samples import Mark, SampleSet, Suggestions
from labelnoise.core.trained import Trained
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.detectors import DETECTORS
from labelnoise.segmentation.noise import NOISES
from labelnoise.segmentation.repaint import share_of_wrong_objects
from labelnoise.segmentation.trainers import TRAINERS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from labelnoise.core.issues import IssueTable
    from labelnoise.core.review.entries import Entries

__all__ = ["SegmentationDomain"]


class SegmentationDomain(Domain):
    """Wrong labels of pixels."""

    name: ClassVar[str] = "segmentation"
    unit: ClassVar[str] = "pixel"
    summary: ClassVar[str] = "Segmentation: wrong labels of pixels and objects in masks."
    default_dataset: ClassVar[str] = "scenes"
    default_detector: ClassVar[str] = "confident-learning"
    noises: ClassVar[Registry] = NOISES
    detectors: ClassVar[Registry] = DETECTORS
    trainers: ClassVar[Registry] = TRAINERS
    default_trainer: ClassVar[str] = "signed-distance"
    not_for_decisions: ClassVar[tuple[str, ...]] = (".json",)  # COCO: objects

    def datasets(self) -> Mapping[str, DatasetInfo]:
        from labelnoise.segmentation.data import DATASETS

        return DATASETS

    def load(self, source: str, *, root: Path | None = None) -> MaskDataset:
        from labelnoise.segmentation.data import load_masks

        return load_masks(source, root=root or data_root("segmentation"))

    def save(self, dataset: Dataset, path: Path) -> list[Path]:
        """Write a folder of masks; a path ending in .json gets the objects alone, as COCO instances."""
        assert isinstance(dataset, MaskDataset)
        if Path(path).suffix.lower() == ".json":
            from labelnoise.segmentation.coco import write_coco

            return [write_coco(dataset, path)]
        from labelnoise.segmentation.files import write_masks

        return write_masks(dataset, path)

    def corrupt(
        self, dataset: Dataset, *, kind: str, rate: float, seed: int, **options: Any
    ) -> tuple[Dataset, Corruption]:
        """Replace some given labels by wrong ones; the old ones, and the old objects, are kept as true.

        Where the true objects are known and the true pixels are not set apart, noise starts from those objects.

        Examples
        --------
        >>> noisy, made = SegmentationDomain().corrupt(
        ...     SegmentationDomain().load("scenes"), kind="displacement", rate=0.05, seed=0)
        >>> abs(made.rate - 0.05) < 0.005, len(noisy.objects), len(noisy.true_objects)
        (True, 40, 40)
        """
        assert isinstance(dataset, MaskDataset)
        if dataset.true is None and dataset.true_objects is not None:
            dataset = replace(dataset, objects=dataset.true_objects)
        noisy, made = super().corrupt(dataset, kind=kind, rate=rate, seed=seed, **options)
        assert isinstance(noisy, MaskDataset)
        # What annotators drew is not what these labels come from any more.
        noisy = replace(noisy, votes=None, annotators=())
        objects = getattr(made, "objects", None)
        if objects is not None:
            noisy = replace(noisy, objects=objects, true_objects=dataset.objects)
        return noisy, made

    def training_scores(self, dataset: Dataset, trained: Trained) -> list[dict[str, Any]]:
        """Accuracy and mean IoU in each split."""
        from labelnoise.segmentation.splits import split_scores

        assert isinstance(dataset, MaskDataset)
        return split_scores(dataset, trained)

    def training_measure(self, dataset: Dataset) -> str:
        """Mean IoU; accuracy of pixels rewards calling everything background."""
        return "mean_iou"

    def corrupt_alike(self, dataset: Dataset, *, seed: int) -> tuple[Dataset, Corruption]:
        """As many wrong pixels on as many objects as the data have, along outlines as simulators of mask noise err.

        Pixels drawn one by one would be no noise that anybody draws or any network minds. Where so few objects cannot
        hold that many wrong pixels, twice as many are hit, and so on.
        """
        assert isinstance(dataset, MaskDataset)
        if dataset.true is None or dataset.is_wrong is None:
            raise InputError(
                f"{dataset.name} has no true labels; noise like its own can be drawn only where they are known."
            )
        known = dataset.labelled & (dataset.true >= 0)
        rate = float(dataset.is_wrong[known].mean())
        clean = replace(
            dataset,
            given=np.where(known, dataset.true, -1).astype(dataset.given.dtype),
            objects=dataset.true_objects,
            true=None,
            true_objects=None,
        )
        share = max(share_of_wrong_objects(dataset), 1e-6)
        while True:
            try:
                return self.corrupt(clean, kind="relative", rate=rate, seed=seed, share=share)
            except InputError:
                if share == 1:
                    raise
                share = min(1.0, 2 * share)

    def describe(self, dataset: Dataset) -> dict[str, Any]:
        """Images, pixels per class and objects; where the truth is known, how good the labels are.

        ``label_mean_iou`` is the mean IoU of given and true labels over the classes that occur.

        Examples
        --------
        >>> facts = SegmentationDomain().describe(SegmentationDomain().load("scenes"))
        >>> facts["images"], facts["pixels"], facts["objects"], facts["label_mean_iou"]
        (40, 163840, 170, 0.8668)
        """
        assert isinstance(dataset, MaskDataset)
        counts = dataset.class_counts()
        low, high = dataset.sizes.min(axis=0).tolist(), dataset.sizes.max(axis=0).tolist()
        facts: dict[str, Any] = {
            "name": dataset.name,
            "source": dataset.source,
            "images": dataset.n_images,
            "size": f"{low[0]} x {low[1]}"
            if low == high
            else f"{low[0]} x {low[1]} to {high[0]} x {high[1]}",
            "pixels": dataset.n_units,
            "labelled": int(counts.sum()),
            "classes": {name: int(count) for name, count in zip(dataset.class_names, counts)},
            "with_pictures": dataset.images is not None,
            "splits": {name: int(np.asarray(mask).sum()) for name, mask in dataset.splits.items()},
        }
        if dataset.votes is not None:
            from labelnoise.segmentation.consensus import disputed

            seen = dataset.votes >= 0
            same = (dataset.votes == dataset.given[:, None]) & seen
            shares = same.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
            facts["annotators"] = {
                name: {"pixels": int(seen[:, a].sum()), "as_given": round(float(shares[a]), 4)}
                for a, name in enumerate(dataset.annotators)
            }
            facts["disputed"] = int(disputed(dataset.votes).sum())
        if dataset.objects is not None:
            facts["objects"] = sum(map(len, dataset.objects))
        if dataset.is_wrong is not None:
            from labelnoise.segmentation.evaluation import label_iou

            quality = label_iou(dataset).mean_iou
            facts["known_wrong_labels"] = int(dataset.is_wrong.sum())
            facts["label_mean_iou"] = None if quality is None else round(quality, 4)
        return facts

    def unit_context(self, dataset: Dataset, units: Sequence[int]) -> dict[str, list[Any]]:
        """For each pixel its image, row and column.

        Examples
        --------
        >>> domain = SegmentationDomain()
        >>> domain.unit_context(domain.load("scenes"), [4096 + 65])
        {'image': ['scene-001'], 'row': [1], 'column': [1]}
        """
        assert isinstance(dataset, MaskDataset)
        rows = np.asarray(units, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= dataset.n_units):
            raise InputError(
                f"units holds {rows.min()} to {rows.max()}; pixels are numbered 0 to {dataset.n_units - 1}."
            )
        image, y, x = dataset.position(rows)
        return {"image": [dataset.image_ids[i] for i in image], "row": y.tolist(), "column": x.tolist()}

    def review_cards(self, dataset: Dataset, units: Sequence[int]) -> list[Card]:
        """The picture around each pixel with the given outlines, and its object or area marked."""
        from labelnoise.segmentation.review import pixel_cards

        assert isinstance(dataset, MaskDataset)
        return pixel_cards(dataset, units)

    def review_groups(self, dataset: Dataset, table: IssueTable) -> NDArray[np.int64]:
        """Flagged pixels that touch and have the same label, suggestion and kind are one region, one decision."""
        from labelnoise.segmentation.regions import issue_regions

        assert isinstance(dataset, MaskDataset)
        return issue_regions(dataset, table)

    def entry_cards(self, dataset: Dataset, table: IssueTable, entries: Entries) -> list[Card]:
        """As `review_cards`, one per region, with the outlines that all suggestions of the table together give."""
        from labelnoise.segmentation.review import region_cards, suggested_maps

        assert isinstance(dataset, MaskDataset)
        units = entries.table.columns["index"].tolist()
        maps = suggested_maps(dataset, table.columns["index"], table.columns["suggested"].tolist(), units)
        return region_cards(dataset, units, entries.members, maps)

    def export_samples(self, dataset: Dataset, found: Suggestions) -> SampleSet:
        """Pictures with the outlines of given and suggested objects."""
        from labelnoise.segmentation.samples import image_samples

        assert isinstance(dataset, MaskDataset)
        return image_samples(dataset, found)

    def read_marks(self, dataset: Dataset, units: Sequence[int], marks: Sequence[Mark]) -> Mapping[int, str]:
        """Outlines that were drawn elsewhere are other objects, not decisions on pixels."""
        raise InputError(
            "outlines are no decisions on pixels; export the project as COCO there and read that file as data"
        )
