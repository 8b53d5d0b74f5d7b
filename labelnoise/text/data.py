"""Tagged text by name: public sets from a local folder, the cache or their source, and the embedded ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from labelnoise.core.domain import DatasetInfo
from labelnoise.core.download import LOCK_NAME, cache_root, fetch
from labelnoise.core.named_sets import check_root, folded, unknown_name
from labelnoise.core.validation import InputError
from labelnoise.text.dataset import TextDataset
from labelnoise.text.embedded import EMBEDDED, NEWS, NEWS_DE, news
from labelnoise.text.files import read_text
from labelnoise.text.public import PUBLIC, PublicText

__all__ = ["DATASETS", "is_here", "load_text"]

#: Sets that `load_text` knows by name.
DATASETS: Mapping[str, DatasetInfo] = {
    NEWS.name: NEWS,
    NEWS_DE.name: NEWS_DE,
    **{name: text.info for name, text in PUBLIC.items()},
}


def load_text(source: str, *, root: Path | None = None) -> TextDataset:
    """Load tagged text by name, or your own from a path.

    Parameters
    ----------
    source : str
        A name from `DATASETS`, in any case; or a path. A file that exists is read even if it is called like a set.
    root : Path, optional
        Folder with public sets (``root/wnut17/wnut17train.conll``). They are looked for there, then in the cache,
        and else downloaded into it where a public source is known; downloads are checked against their SHA-256.

    Raises
    ------
    InputError
        Unknown name, missing or broken file, no connection.

    Examples
    --------
    >>> load_text("news").n_sentences
    1200
    >>> load_text("wnut71")
    Traceback (most recent call last):
        ...
    labelnoise.core.validation.InputError: Unknown text 'wnut71'. Choose one of: ... Did you mean 'wnut17'?
    """
    path = Path(source)
    if path.is_file():
        return read_text(path)
    name = _NAMES.get(folded(source), "")
    if name in EMBEDDED:
        return news(EMBEDDED[name])
    if name not in PUBLIC:
        if path.is_dir() or len(path.parts) > 1 or path.suffix:
            return read_text(path)
        raise unknown_name(source, "text", DATASETS, _NAMES)
    public = PUBLIC[name]
    folder, checksum = _locate(public, root)
    data = public.read(folder)
    return replace(data, meta={**data.meta, "licence": public.info.licence, "checksum": checksum})


def is_here(name: str, root: Path | None = None) -> bool:
    """Whether a set is embedded, or its files with their words lie below ``root`` or in the cache.

    Examples
    --------
    >>> is_here("news"), is_here("no such set")
    (True, False)
    """
    if name in EMBEDDED or name not in PUBLIC:
        return name in EMBEDDED
    public = PUBLIC[name]
    places = [base / public.folder for base in (root, cache_root() / "text") if base is not None]
    return any(public.lies_in(place) and public.read(place).meta.get("words") != "masked" for place in places)


def _locate(public: PublicText, root: Path | None) -> tuple[Path, str]:
    """The folder that holds all files, and what is known of their integrity."""
    if root is not None:
        check_root(root)
        local = Path(root) / public.folder
        if public.lies_in(local):
            return local, "local files, not checked"
    base = cache_root() / "text"
    folder = base / public.folder
    if not public.url:
        if public.lies_in(folder):
            return folder, "local files, not checked"
        raise InputError(
            f"{public.info.name} is not downloaded ({public.info.licence}); put {public.listed()} into "
            f"{public.folder}/ below $LABELNOISE_DATA/text, or into {folder}."
        )
    for file in public.usual:
        fetch(public.url + file, folder / file, sha256=public.sha256[file], lock=base / LOCK_NAME)
    return folder, "SHA-256 as recorded for this package"


_NAMES: Mapping[str, str] = {folded(name): name for name in DATASETS}
