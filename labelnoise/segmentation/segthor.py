"""Organs at risk in CT scans of the chest (SegTHOR): volumes become slices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.array_files import read_npy, read_npz
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.images import LazyImages

__all__ = ["CLASSES", "read_segthor"]

CLASSES = ("background", "esophagus", "heart", "trachea", "aorta")
_ENDINGS = (".npy", ".npz", ".nii.gz", ".nii")
_FREE_VALUES, _VALUES_PER_BYTE = 1 << 24, 1100


def read_segthor(folder: str | Path, *, only_labelled: bool = True) -> MaskDataset:
    """Read the axial slices of all patients.

    Parameters
    ----------
    folder : str or Path
        One folder per patient, each with the volume (named like the folder, or ``image``) and its labels
        (``GT``). Endings: .npy or .npz (one array, axes slice, row, column), or .nii and .nii.gz, for which
        nibabel is needed.
    only_labelled : bool
        Keep the slices that show an organ; else all.

    Returns
    -------
    MaskDataset
        Images "Patient_01_087", in the units of the volume; slices of .npy volumes are read from disk one by one,
        while other volumes are decompressed whole and the last used one is kept.

    Raises
    ------
    InputError
        No patient, a volume without labels, or volumes of different shapes.

    References
    ----------
    Lambert et al. 2020, SegTHOR: Segmentation of Thoracic Organs at Risk in CT images, IPTA.
    """
    base = Path(folder)
    patients = [item for item in sorted(base.iterdir()) if item.is_dir()] if base.is_dir() else []
    places: list[tuple[Path, int]] = []
    names: list[str] = []
    masks: list[NDArray[np.uint8]] = []
    for patient in patients:
        labels, scan = _find(patient, "GT"), _find(patient, patient.name) or _find(patient, "image")
        if labels is None:
            continue
        volume = np.asarray(_volume(labels))
        if (
            volume.ndim != 3
            or volume.dtype.kind not in "iufb"
            or not np.isin(np.unique(volume), range(len(CLASSES))).all()
        ):
            raise InputError(
                f"{labels} is no volume of labels 0 to {len(CLASSES) - 1} (shape {volume.shape})."
            )
        if scan is None:
            raise InputError(f"{patient} holds labels but no scan; put {patient.name}.npy or .nii.gz there.")
        for index in range(len(volume)):
            if not only_labelled or volume[index].any():
                places.append((scan, index))
                names.append(f"{patient.name}_{index:03d}")
                masks.append(volume[index].astype(np.uint8))
    if not masks:
        raise InputError(
            f"{base} holds no patient with labels (Patient_01/GT.nii.gz or GT.npy); check the path."
        )
    return MaskDataset.from_masks(
        masks,
        CLASSES,
        name="SegTHOR",
        image_ids=tuple(names),
        images=LazyImages(places, _Slices()),
        source=str(base),
    )


class _Slices:
    """Reads slices, keeping the volume that was used last."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._volume: Any = None

    def __call__(self, place: tuple[Path, int]) -> NDArray[Any]:
        path, index = place
        if path != self._path:
            self._path, self._volume = path, _volume(path)
        if index >= len(self._volume):
            raise InputError(
                f"{path} has {len(self._volume)} slices and its labels more; they do not belong together."
            )
        return np.array(self._volume[index])


def _find(folder: Path, stem: str) -> Path | None:
    return next((folder / f"{stem}{e}" for e in _ENDINGS if (folder / f"{stem}{e}").is_file()), None)


def _volume(path: Path) -> Any:
    """A volume with axes slice, row, column."""
    if path.suffix == ".npy":
        return read_npy(path, mapped=True)
    if path.suffix == ".npz":
        arrays = list(read_npz(path).values())
        if len(arrays) != 1:
            raise InputError(f"{path} holds {len(arrays)} arrays of numbers; a volume is one.")
        return arrays[0]
    try:
        import nibabel
    except ImportError as error:
        raise InputError(f"Reading {path} needs nibabel; pip install nibabel, or save it as .npy.") from error
    try:
        image = nibabel.load(path)
        values = math.prod(image.shape)
        # A header of 348 bytes may claim any size, and gzip packs a thousand to one at best.
        if values > _FREE_VALUES + _VALUES_PER_BYTE * path.stat().st_size:
            raise ValueError(f"it claims {values:,} values in {path.stat().st_size:,} bytes")
        # NIfTI's axes are column, row, slice.
        return np.asarray(image.dataobj).T
    except Exception as error:  # headers and streams can be damaged in any way
        raise InputError(f"{path} is not a whole volume ({str(error)[:120]}); copy it again.") from error
