"""Mask data sets by name: public ones from a local folder, the embedded one; and the user's own from a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.download import cache_root
from labelnoise.core.named_sets import check_root, folded, unknown_name
from labelnoise.core.validation import InputError
from labelnoise.segmentation.dataset import MaskDataset
from labelnoise.segmentation.embedded import SCENES, scenes
from labelnoise.segmentation.public import PUBLIC

__all__ = ["DATASETS", "load_masks"]

#: Data sets that `load_masks` knows by name.
DATASETS: Mapping[str, DatasetInfo] = {
    SCENES.name: SCENES,
    **{name: item.info for name, item in PUBLIC.items()},
}


def load_masks(source: str, *, root: Path | None = None) -> MaskDataset:
    """Load masks by name, or your own from a path.

    Parameters
    ----------
    source : str
        A name from `DATASETS`, in any case; a folder with ``masks/`` (or ``masks-NAME/`` of
        several annotators); or a COCO instances ``.json``. What exists
        as such a path is read as your own even if it is called like a data set.
    root : Path, optional
        Folder of the public data sets (``root/jsrt`` ...); they are looked for there, then in the cache
        (``$LABELNOISE_CACHE``, or the platform's). They are large, and most ask for consent to a licence, so none
        is downloaded: the message for a missing one says where to get it and where to put it.

    Raises
    ------
    InputError
        Unknown name, missing or broken file.

    Examples
    --------
    >>> load_masks("scenes").class_names
    ('background', 'disc', 'square', 'triangle', 'cross')
    >>> load_masks("scene")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown masks 'scene'. Choose one of: ... Did you mean 'scenes'?
    """
    path = Path(source)
    if path.suffix.lower() == ".json":
        from labelnoise.segmentation.coco import read_coco

        return read_coco(path)
    if (path / "masks").is_dir() or any(item.is_dir() for item in path.glob("masks-?*")):
        from labelnoise.segmentation.files import read_masks

        return read_masks(path)
    name = _NAMES.get(folded(source))
    if name is None:
        if path.is_dir() or len(path.parts) > 1:
            from labelnoise.segmentation.files import read_masks

            return read_masks(path)
        raise unknown_name(source, "masks", DATASETS, _NAMES)
    if name == SCENES.name:
        return scenes()
    item = PUBLIC[name]
    check_root(root)
    bases = [*([Path(root)] if root is not None else []), cache_root() / "segmentation"]
    for base in bases:
        if (base / item.marker).exists():
            data = item.read(base)
            return replace(data, name=name, meta={**data.meta, "licence": item.info.licence})
    raise InputError(
        f"{name} is not on this machine: get it from {item.info.source}, put it so that "
        f"{bases[0] / item.marker} exists, or name another folder with --data-root."
    )


_NAMES: Mapping[str, str] = {folded(name): name for name in DATASETS}
