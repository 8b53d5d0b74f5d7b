"""Clips by name: public data sets from a local folder, the embedded one; and the user's own from a path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.embedded import EVENTS, events
from labelnoise.audio.public import PUBLIC
from labelnoise.core.domain import DatasetInfo
from labelnoise.core.download import cache_root
from labelnoise.core.named_sets import check_root, folded, unknown_name
from labelnoise.core.validation import InputError

__all__ = ["DATASETS", "load_audio"]

#: Data sets that `load_audio` knows by name.
DATASETS: Mapping[str, DatasetInfo] = {
    EVENTS.name: EVENTS,
    **{name: item.info for name, item in PUBLIC.items()},
}


def load_audio(source: str, *, root: Path | None = None) -> AudioDataset:
    """Load clips by name, or your own from a path.

    Parameters
    ----------
    source : str
        A name from `DATASETS`, in any case; or a CSV file of labels, or the folder that holds it. What exists as
        such a path is read as your own even if it is called like a data set.
    root : Path, optional
        Folder of the public data sets; they are looked for there, then in the cache (``$LABELNOISE_CACHE``, or the
        platform's). They are large, so none is downloaded: the message for a missing one says where to get it and
        where to put it.

    Raises
    ------
    InputError
        Unknown name, missing or broken file.

    Examples
    --------
    >>> load_audio("events").class_names[:3]
    ('tone', 'siren', 'bell')
    >>> load_audio("event")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown clips 'event'. Choose one of: ... Did you mean 'events'?
    """
    path = Path(source)
    name = _NAMES.get(folded(source))
    own = path.suffix.lower() == ".csv" or len(path.parts) > 1 or any(path.glob("*.csv"))
    if own or (name is None and path.is_dir()):
        from labelnoise.audio.files import read_clips

        return read_clips(path)
    if name is None:
        raise unknown_name(source, "clips", DATASETS, _NAMES)
    if name == EVENTS.name:
        return events()
    item = PUBLIC[name]
    check_root(root)
    bases = [*([Path(root)] if root is not None else []), cache_root() / "audio"]
    for base in bases:
        for folder, marker in item.places:
            if (base / folder / marker).exists():
                data = item.read(base / folder)
                return replace(data, name=name, meta={**data.meta, "licence": item.info.licence})
    raise InputError(
        f"{name} is not on this machine: get it from {item.info.source}, put it so that "
        f"{bases[0].joinpath(*item.places[0])} exists, or name another folder with --data-root."
    )


_NAMES: Mapping[str, str] = {folded(name): name for name in DATASETS}
