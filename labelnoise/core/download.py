"""Fetching public files once, over https, into the cache, and checking them against a checksum every time."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from labelnoise.core.files import replacing
from labelnoise.core.reading import read_json
from labelnoise.core.validation import InputError

__all__ = ["cache_root", "fetch", "sha256_of"]

LOCK_NAME = "checksums.json"
#: Set to anything, files without a published checksum may be downloaded once and are checked from then on.
TRUST = "LABELNOISE_TRUST_FIRST_DOWNLOAD"


def cache_root() -> Path:
    """Folder for downloads: ``$LABELNOISE_CACHE``, or else this platform's usual place for caches."""
    override = os.environ.get("LABELNOISE_CACHE")
    if override:
        return Path(override)
    import pooch

    return Path(pooch.os_cache("labelnoise"))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = target.write_bytes(b"abc")
    >>> sha256_of(target)[:8]
    'ba7816bf'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(url: str, target: Path, *, sha256: str | None, lock: Path) -> bool:
    """Make sure that ``target`` holds the file at ``url``, byte for byte; download it if it does not.

    Without a checksum nothing is downloaded. Where none is published (``sha256=None``) a file that the user put
    there by hand, or allowed to be downloaded by setting ``LABELNOISE_TRUST_FIRST_DOWNLOAD``, is trusted once: its
    checksum is written to ``lock``, the user is told so, and every later use is checked against it.

    Parameters
    ----------
    url : str
        An https address.
    target : Path
        Where the file lives; its folder is made.
    sha256 : str, optional
        The published checksum, 64 hexadecimal digits.
    lock : Path
        JSON file with the checksums recorded on first use, by address.

    Returns
    -------
    bool
        Whether the content was checked against a published checksum (True), or one recorded here (False).

    Raises
    ------
    InputError
        Not an https address, or one that leads to another; no checksum is known; no connection; or bytes that
        differ from the checksum: such a file never replaces the one that is there.
    """
    known = sha256 or _read_lock(lock).get(url)
    if known is not None and target.is_file() and sha256_of(target) == known:
        return sha256 is not None
    # A file without any known checksum was put there by hand: taken as it is.
    if known is not None or not target.is_file():
        if known is None and not os.environ.get(TRUST):
            raise InputError(
                f"No checksum of {url} is published, so that nobody can tell whether a download is the right file; get it "
                f"yourself and put it at {target}, or set {TRUST}=1 to trust its first download."
            )
        _download(url, target, known)
    if known is None:
        found = sha256_of(target)
        _write_lock(lock, {**_read_lock(lock), url: found})
        warnings.warn(
            f"No checksum is published for {url}; the SHA-256 of {target}, {found}, was recorded in {lock} "
            "and will be checked from now on.",
            stacklevel=2,
        )
    return sha256 is not None


def _download(url: str, target: Path, known: str | None) -> None:
    """Download to a temporary file, check it, and only then let it take its place."""
    if urlsplit(url).scheme != "https":
        raise InputError(f"{url!r} is not an https address; downloads go over https only.")
    import pooch

    by_hand = f"download it yourself to {target}, or name a folder that holds it"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            url,
            known_hash=f"sha256:{known}" if known else None,
            fname=target.name,
            path=target.parent,
            downloader=pooch.HTTPDownloader(timeout=60, hooks={"response": _stay_on_https}),
        )
    except OSError as error:  # all errors of requests are OSErrors
        raise InputError(
            f"Could not download {url} ({type(error).__name__}); check the connection, or {by_hand}."
        ) from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"The file at {url} does not have the expected SHA-256 {known}, so it was not kept; the "
            f"source changed, or the connection was tampered with: get the right file and {by_hand}."
        ) from error


def _stay_on_https(response: Any, *_: Any, **__: Any) -> None:
    """Called for every answer, before a redirection is followed."""
    onward = urljoin(response.url, response.headers.get("location", ""))
    if urlsplit(onward).scheme != "https":
        raise InputError(
            f"{response.url} leads to {onward}, which is not an https address; nothing was downloaded."
        )


def _read_lock(lock: Path) -> dict[str, str]:
    if not lock.exists():
        return {}
    try:
        content = read_json(lock)
    except InputError as error:
        raise InputError(
            f"The checksum record {lock} cannot be read ({error}); remove it to trust new downloads again."
        ) from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InputError(f"The checksum record {lock} is not a map from address to checksum; remove it.")
    return content


def _write_lock(lock: Path, content: dict[str, str]) -> None:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with replacing(lock) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
