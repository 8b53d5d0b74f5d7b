"""Finished cells on disk: one JSON file each, named by what determines it, written whole or not at all."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from labelnoise.core.bench.grid import canonical_json, digest
from labelnoise.core.validation import InputError

__all__ = ["SCHEMA_VERSION", "DamagedCell", "Store"]

#: Version of a cell's file; part of its key, so that results of another layout are never mistaken for these.
SCHEMA_VERSION = 2

#: Temporary files older than this were left by a killed run.
STALE_SECONDS = 3600.0


class DamagedCell(ValueError):
    """A file of the store that is truncated, altered or misnamed."""


class Store:
    """A folder of finished cells.

    ``folder/cells/KEY.json`` holds one record each, where KEY is the hash of the record's ``determined_by``
    (schema version, cell, data hash, method and code version). Copying the files of one store into another
    merges them.

    Parameters
    ----------
    folder : Path
        Made when the first record is written.

    Examples
    --------
    >>> import tempfile
    >>> store = Store(Path(tempfile.mkdtemp()))
    >>> key = store.put({"determined_by": {"schema": 2, "cell": "a"}, "status": "ok"})
    >>> store.get(key)["status"], len(store), store.verify()
    ('ok', 1, [])
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.cells = self.folder / "cells"

    def __len__(self) -> int:
        return sum(1 for _ in self.names())

    def names(self) -> Iterator[str]:
        """Keys of all files, sorted, damaged or not."""
        if self.cells.is_dir():
            yield from sorted(path.stem for path in self.cells.glob("*.json"))

    def path(self, key: str) -> Path:
        """Where a key's record lies."""
        return self.cells / f"{key}.json"

    def put(self, record: Mapping[str, Any]) -> str:
        """Write one record atomically and return its key; a crash leaves the old file or the new one."""
        key = digest(record["determined_by"])
        body = {name: value for name, value in record.items() if name != "checksum"}
        text = canonical_json({**body, "checksum": digest(body)})
        self.cells.mkdir(parents=True, exist_ok=True)
        try:
            self._write(key, text)
        except FileNotFoundError:
            # Another run whose clock is ahead took the temporary file for one that was left behind.
            self._write(key, text)
        return key

    def _write(self, key: str, text: str) -> None:
        temporary = self.cells / f".{key}.{os.getpid()}.{uuid4().hex}.tmp"
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path(key))
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def read(self, key: str) -> dict[str, Any]:
        """The record of a key.

        Raises
        ------
        KeyError
            There is none.
        DamagedCell
            The file is truncated, altered, or not what its name says.
        """
        try:
            text = self.path(key).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise KeyError(key) from None
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedCell(f"{key}.json cannot be read: {error}") from error
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise DamagedCell(f"{key}.json is truncated or not JSON (line {error.lineno})") from error
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of thousands of digits, thousands of brackets
            raise DamagedCell(f"{key}.json is no JSON that can be read ({type(error).__name__})") from error
        if not isinstance(record, dict) or "checksum" not in record or "determined_by" not in record:
            raise DamagedCell(f"{key}.json is not the record of a cell")
        body = {name: value for name, value in record.items() if name != "checksum"}
        try:
            same = digest(body) == record["checksum"]
        except (ValueError, RecursionError):  # NaN, half a character: nothing that was hashed once
            same = False
        if not same:
            raise DamagedCell(f"{key}.json was altered: its checksum does not match")
        if digest(record["determined_by"]) != key:
            raise DamagedCell(f"{key}.json holds another cell than its name says")
        return record

    def get(self, key: str) -> dict[str, Any] | None:
        """The record of a key; None where there is none or, with a warning, where it is damaged."""
        try:
            return self.read(key)
        except KeyError:
            return None
        except DamagedCell as damage:
            warnings.warn(f"{damage}; the cell counts as not run.", RuntimeWarning, stacklevel=2)
            return None

    def records(self) -> Iterator[dict[str, Any]]:
        """All sound records in the order of their keys; damaged ones are left out with a warning."""
        for key in self.names():
            record = self.get(key)
            if record is not None:
                yield record

    def verify(self) -> list[str]:
        """One sentence per damaged file; empty if the store is sound."""
        problems = []
        for key in self.names():
            try:
                self.read(key)
            except DamagedCell as damage:
                problems.append(str(damage))
        return problems

    def counts(self) -> dict[str, int]:
        """Number of sound records by status."""
        return dict(sorted(Counter(record["status"] for record in self.records()).items()))

    def merge(self, other: Store) -> int:
        """Copy the sound records that this store lacks (or holds damaged); returns how many came over."""
        added = 0
        for record in other.records():
            key = digest(record["determined_by"])
            try:
                self.read(key)
            except (KeyError, DamagedCell):
                self.put(record)
                added += 1
        return added

    def clean(self) -> int:
        """Remove temporary files that a killed run left an hour ago or longer; returns how many."""
        removed = 0
        if self.cells.is_dir():
            for path in self.cells.glob(".*.tmp"):
                try:
                    if time.time() - path.stat().st_mtime > STALE_SECONDS:
                        path.unlink()
                        removed += 1
                except FileNotFoundError:
                    continue  # another run has just finished with it
        return removed

    def must_exist(self) -> Store:
        """This store, or an error that says where none was found."""
        if not self.cells.is_dir():
            raise InputError(
                f"{self.folder} holds no benchmark results; run 'labelnoise bench --out {self.folder}' first."
            )
        return self
