"""Tables of issues on disk: Parquet, CSV with its header beside it, JSON lines; whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labelnoise.core.files import all_or_nothing, check_output, flush_to_disk, replacing, set_aside
from labelnoise.core.issues import EXTENSIONS, IssueHeader, IssueTable, kind_of
from labelnoise.core.reading import parse_json
from labelnoise.core.validation import InputError

FORMAT = "labelnoise issues"
#: Key of the header in a Parquet file's metadata.
METADATA_KEY = b"labelnoise"

#: A spreadsheet takes text that begins like this for a formula (the full-width signs too, in some locales).
_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_GUARD = "'"


def guard(text: str) -> str:
    """Lead text that a spreadsheet could run with an apostrophe; `unguard` is the exact inverse.

    Examples
    --------
    >>> guard("=1+1"), guard("cat"), guard("'quoted")
    ("'=1+1", 'cat', "''quoted")
    """
    if text.startswith(_GUARD) or text.lstrip(" \xa0").startswith(_FORMULA_STARTS):
        return _GUARD + text
    return text


def unguard(text: str) -> str:
    """Remove the apostrophe that `guard` added.

    Examples
    --------
    >>> unguard("'=1+1"), unguard("cat"), unguard("''quoted")
    ('=1+1', 'cat', "'quoted")
    """
    return text.removeprefix(_GUARD)


def sidecar(path: Path) -> Path:
    """Where the header of a CSV lies."""
    return path.with_name(path.name + ".meta.json")


def _envelope(table: IssueTable) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "n_rows": len(table),
        "columns": {name: kind_of(column) for name, column in table.columns.items()},
        "header": table.header.to_json(),
    }


def _json(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, **options)


# ---------------------------------------------------------------------------------------------- writing


def write_table(table: IssueTable, path: Path) -> list[Path]:
    """Write by extension; see `IssueTable.save`."""
    check_output(path, extensions=EXTENSIONS, what="the table of issues")
    writer = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_jsonl}[path.suffix.lower()]
    return writer(table, path)


def _write_parquet(table: IssueTable, path: Path) -> list[Path]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "str": pa.string()}
    schema = pa.schema(
        [(name, types[kind_of(column)]) for name, column in table.columns.items()],
        metadata={METADATA_KEY: _json(_envelope(table)).encode()},
    )
    # from_pandas only means that NaN, our "not known", becomes null.
    arrays = [
        pa.array(column, type=schema.field(name).type, from_pandas=True)
        for name, column in table.columns.items()
    ]
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), temporary, compression="zstd")
    return [path]


def _write_csv(table: IssueTable, path: Path) -> list[Path]:
    kinds = [kind_of(column) for column in table.columns.values()]
    header_path = sidecar(path)
    # The inner file is put in place first: rows, then header.
    with all_or_nothing(), replacing(header_path) as temporary_header, replacing(path) as temporary:
        # The byte order mark makes spreadsheets read UTF-8.
        with open(temporary, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([guard(name) for name in table.columns])
            columns = [_csv_cells(column, kind) for column, kind in zip(table.columns.values(), kinds)]
            writer.writerows(zip(*columns))
        temporary_header.write_text(_json(_envelope(table), indent=1), encoding="utf-8")
        flush_to_disk(temporary)
        flush_to_disk(temporary_header)
        # A crash between the two replacements must never leave one run's rows under another's header.
        set_aside(header_path)
    return [path, header_path]


def _csv_cells(column: NDArray[Any], kind: str) -> list[str]:
    if kind == "str":
        texts = column.tolist()
        # Classes, kinds and images repeat on every row.
        guarded = {text: guard(text) for text in set(texts)}
        return [guarded[text] for text in texts]
    if kind == "bool":
        return ["true" if value else "false" for value in column.tolist()]
    return ["" if value != value else repr(value) for value in column.tolist()]


def _write_jsonl(table: IssueTable, path: Path) -> list[Path]:
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write(_json(_envelope(table)) + "\n")
        for row in table.rows():
            file.write(_json(row) + "\n")
    return [path]


# ---------------------------------------------------------------------------------------------- reading


class _Broken(ValueError):
    """Why a file cannot be read, as the end of a sentence."""


def read_table(path: Path) -> IssueTable:
    """Read by extension; see `IssueTable.load`."""
    if path.suffix.lower() not in EXTENSIONS:
        has = f"has the extension {path.suffix!r}" if path.suffix else "has no extension"
        raise InputError(f"The table of issues {str(path)!r} {has}; choose one of: {', '.join(EXTENSIONS)}.")
    if path.is_dir():
        raise InputError(f"The table of issues {str(path)!r} is a folder; name the file in it.")
    if not path.exists():
        raise InputError(
            f"There is no table of issues {str(path)!r}; 'detect' with '--out {path.name}' writes one."
        )
    reader = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}[path.suffix.lower()]
    try:
        return reader(path)
    except _Broken as reason:
        raise InputError(f"{str(path)!r} is not a sound table of issues: {reason}.") from reason
    except InputError as reason:
        raise InputError(f"{str(path)!r} is not a sound table of issues: {reason}") from reason
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not a sound table of issues: it is not UTF-8 text.") from error


def _open_envelope(text: str | bytes) -> tuple[IssueHeader, dict[str, str], int]:
    """Header, kinds of the columns and number of rows."""
    try:
        value = parse_json(text if isinstance(text, str) else text.decode("utf-8-sig"), "It")
    except (InputError, UnicodeDecodeError):
        raise _Broken("its header is not JSON") from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise _Broken("its header is not that of a table of issues")
    try:
        kinds = {str(name): str(kind) for name, kind in value["columns"].items()}
        if not set(kinds.values()) <= {"int", "float", "bool", "str"}:
            raise _Broken("its header names unknown types of columns")
        return IssueHeader.from_json(value["header"]), kinds, int(value["n_rows"])
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, InputError | _Broken):
            raise
        raise _Broken(f"its header is damaged ({type(error).__name__}: {error})") from None


def is_table(path: Path) -> bool:
    """Whether a file, sound or not, is a table of issues; only its header is read."""
    try:
        if path.suffix.lower() == ".csv":
            _open_envelope(sidecar(path).read_bytes())
        elif path.suffix.lower() == ".jsonl":
            with open(path, "rb") as file:
                _open_envelope(file.readline())
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            try:
                with open(path, "rb") as file:
                    return METADATA_KEY in (pq.read_schema(file).metadata or {})
            except pa.ArrowException:
                return False
    except (ValueError, OSError):
        return False
    return True


def _assemble(
    header: IssueHeader, kinds: Mapping[str, str], n_rows: int, columns: Mapping[str, NDArray[Any]]
) -> IssueTable:
    found = len(next(iter(columns.values()))) if columns else 0
    if found != n_rows:
        raise _Broken(
            f"it holds {found} of the {n_rows} rows that its header announces; it was cut, or rows removed"
        )
    missing = [name for name in kinds if name not in columns]
    if missing:
        raise _Broken(f"the column {missing[0]!r} is missing")
    table = IssueTable(header, columns)
    ranks = table.columns["rank"]
    order = np.argsort(ranks, kind="stable")  # it may have been sorted by hand
    if (ranks[order] != np.arange(1, len(ranks) + 1)).any():
        raise _Broken(f"its ranks are not 1 to {len(ranks)}, each once")
    return IssueTable(header, {name: column[order] for name, column in table.columns.items()})


def _read_parquet(path: Path) -> IssueTable:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Opened by us, so that a path is never taken for a data set of many files or a remote address.
        with open(path, "rb") as file:
            data = pq.read_table(file)
            _ = data.column_names  # which may be no text
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _Broken(
            f"it is damaged or no Parquet file ({str(error).splitlines()[0].rstrip('.')})"
        ) from None
    text = (data.schema.metadata or {}).get(METADATA_KEY)
    if text is None:
        raise _Broken("the Parquet file was written by something else")
    header, kinds, n_rows = _open_envelope(text)
    columns: dict[str, NDArray[Any]] = {}
    for name in data.column_names:
        array = data.column(name)
        kind = kinds.get(name)
        if array.null_count and kind != "float":
            raise _Broken(f"the column {name!r} has empty cells")
        if kind == "str":
            texts = np.empty(len(array), dtype=object)
            texts[:] = array.to_pylist()
            columns[name] = texts
        else:
            columns[name] = array.to_numpy()
    return _assemble(header, kinds, n_rows, columns)


def _read_csv(path: Path) -> IssueTable:
    header_path = sidecar(path)
    try:
        header, kinds, n_rows = _open_envelope(header_path.read_bytes())
    except FileNotFoundError:
        raise _Broken(
            f"its header {header_path.name!r} is not beside it; keep the two files together"
        ) from None
    except _Broken as reason:
        raise _Broken(f"{reason} ({header_path.name})") from None
    with open(path, encoding="utf-8-sig", newline="") as file, _long_cells(path):
        _check_last_line(path)
        reader = csv.reader(file, strict=True)
        try:
            names = [unguard(name) for name in next(reader, [])]
            rows = []
            for row in reader:
                if len(row) != len(names):
                    raise _Broken(f"line {reader.line_num} has {len(row)} cells for {len(names)} columns")
                rows.append(row)
        except csv.Error as error:
            raise _Broken(f"line {reader.line_num} is not CSV ({error})") from None
    if len(set(names)) != len(names):
        raise _Broken("two of its columns have one name")
    # Columns that a person added (remarks, say) are kept, as text.
    cells = zip(*rows) if rows else [()] * len(names)
    columns = {name: _parse_cells(values, kinds.get(name, "str"), name) for name, values in zip(names, cells)}
    return _assemble(header, kinds, n_rows, columns)


@contextmanager
def _long_cells(path: Path) -> Iterator[None]:
    """Let a cell be as long as its file: Python's limit is 128 kB, and a unit's text may be longer."""
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, path.stat().st_size))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _check_last_line(path: Path) -> None:
    """A cut through the last number would leave another number; only the missing line break tells."""
    with open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 1))
        if file.read(1) not in (b"\r", b"\n"):
            raise _Broken("its last line has no end; it was cut")


def _parse_cells(cells: Sequence[str], kind: str, name: str) -> NDArray[Any]:
    if kind == "str":
        texts = np.empty(len(cells), dtype=object)
        texts[:] = [unguard(cell) for cell in cells]
        return texts
    parsers: dict[str, Callable[[str], Any]] = {"int": int, "float": _as_float, "bool": _as_bool}
    parse = parsers[kind]
    dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_}[kind]
    values = []
    for number, cell in enumerate(cells, start=1):
        try:
            values.append(parse(cell))
        except ValueError:
            raise _Broken(
                f"row {number} has {cell[:40]!r} in the column {name!r}, where {kind} values stand"
            ) from None
    try:
        return np.array(values, dtype=dtype)
    except OverflowError:
        raise _Broken(f"the column {name!r} holds a number that is too large") from None


def _as_float(cell: str) -> float:
    return float(cell) if cell else float("nan")


def _as_bool(cell: str) -> bool:
    # Spreadsheets write TRUE and FALSE.
    lowered = cell.strip().lower()
    if lowered not in ("true", "false"):
        raise ValueError(cell)
    return lowered == "true"


def _read_jsonl(path: Path) -> IssueTable:
    with open(path, encoding="utf-8") as file:
        header, kinds, n_rows = _open_envelope(file.readline())
        lists: dict[str, list[Any]] = {name: [] for name in kinds}
        for number, line in enumerate(file, start=2):
            try:
                row = parse_json(line, "It")
            except InputError:
                raise _Broken(f"line {number} is not JSON; the file was cut or altered") from None
            if not isinstance(row, dict) or list(row) != list(kinds):
                raise _Broken(f"line {number} has other columns than the header announces")
            for name, value in row.items():
                lists[name].append(_checked(value, kinds[name], name, number))
    columns = {name: _typed(values, kinds[name]) for name, values in lists.items()}
    return _assemble(header, kinds, n_rows, columns)


def _checked(value: Any, kind: str, name: str, line: int) -> Any:
    allowed: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (float, int),
        "bool": (bool,),
        "str": (str,),
    }
    if kind == "float" and value is None:
        return float("nan")
    if type(value) not in allowed[kind]:
        raise _Broken(f"line {line} has {value!r} in the column {name!r}, where {kind} values stand")
    return value


def _typed(values: list[Any], kind: str) -> NDArray[Any]:
    dtype = {"int": np.int64, "float": np.float64, "bool": np.bool_, "str": object}[kind]
    column: NDArray[Any] = np.empty(len(values), dtype=dtype)
    try:
        column[:] = values
    except OverflowError:
        raise _Broken("it holds a number that is too large") from None
    return column
