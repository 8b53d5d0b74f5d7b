import csv
import dataclasses
import json
import os
import random
import re
import string
import subprocess
import sys

import numpy as np
import pytest

from labelnoise.core import issues
from labelnoise.core._issues_files import guard, is_table, sidecar, unguard
from labelnoise.core._issues_view import html_table
from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import CountEstimate, Detection
from labelnoise.core.issues import IssueTable
from labelnoise.core.validation import InputError
from tests.faults import failing

NASTY = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-2",
    "@SUM(A1)",
    "'",
    "'=1",
    "''",
    " =1",
    "\t=1",
    "＝1",
    "a,b",
    'say "hi"',
    "two\nlines",
    "carriage\rreturn",
    "both\r\nof them",
    "",
    " ",
    "\ufeffmark",
    "nul\0",
    "<script>alert(1)</script>",
    "&amp;",
    "[red]x[/red]",
    "\x1b[31mred",
    "语言😀",
    "true",
    "nan",
    "12",
    "rtl\u202e",
    "#comment",
]


def make(
    n=40, *, calibrated=True, ids=None, seed=0, names=("cat", "dog", "=emu"), all_units=False, context=None
):
    rng = np.random.default_rng(seed)
    k = len(names)
    given = rng.integers(0, k, n)
    given[3] = -1
    quality = rng.random(n).round(2)  # with ties
    quality[3] = 1.0
    p_wrong = np.clip(1 - quality + rng.normal(0, 0.1, n), 0, 1)
    p_wrong[3] = 0
    votes = rng.random(n)
    votes[::5] = np.nan
    data = Dataset(name="pets", given=given, class_names=tuple(names), unit_ids=ids, source="drawn")
    found = Detection(
        method="example",
        quality=quality,
        flagged=quality < 0.3,
        suggested=rng.integers(-1, k, n),
        confidence=rng.random(n),
        p_wrong=p_wrong if calibrated else None,
        count=CountEstimate(12.4, 9.6, 15.2, 0.95, "bootstrap") if calibrated else None,
        evidence={
            "votes": votes,
            "quality": rng.random(n).astype(np.float32),
            "degree": np.arange(n, dtype=np.int32),
        },
        warnings=("mind the gap",),
    )
    table = IssueTable.from_detection(
        data,
        found,
        found.flagged,
        decision="its own rule",
        all_units=all_units,
        context=context,
        domain="pets",
        unit_name="animal",
        settings={"seed": 0, "option": (1, 2)},
    )
    return data, found, table


def test_rows_are_the_flagged_units_by_probability_then_quality_then_order():
    data, found, table = make()
    index = table.columns["index"]
    assert set(index) == set(np.flatnonzero(found.flagged))
    keys = [(-found.p_wrong[i], found.quality[i], i) for i in index]
    assert keys == sorted(keys)
    assert table.columns["rank"].tolist() == list(range(1, len(index) + 1))
    assert [data.class_names[data.given[i]] for i in index] == table.columns["given"].tolist()
    other = np.where(found.suggested == data.given, -1, found.suggested)[index]
    suggested = ["" if k < 0 else data.class_names[k] for k in other]
    assert suggested == table.columns["suggested"].tolist()
    assert (found.suggested == data.given)[index].any()
    assert (found.suggested < 0)[index].any()
    assert table.columns["flagged"].all()
    assert set(table.columns["kind"]) == {"wrong-label"}


def test_without_calibration_there_is_no_probability_and_quality_ranks():
    _, found, table = make(calibrated=False)
    assert "p_wrong" not in table.columns
    assert (np.diff(found.quality[table.columns["index"]]) >= 0).all()
    assert table.summary == f"{found.flagged.sum()} of 39 labels flagged"


def test_header_counts_the_whole_data_set():
    data, found, table = make()
    header = table.header
    assert (header.n_units, header.n_labelled, header.n_flagged) == (40, 39, found.flagged.sum())
    assert header.data_hash == data.content_hash()
    assert header.expected == found.count
    assert table.summary == f"{found.flagged.sum()} of 39 labels flagged; 12 [10, 15] expected to be wrong"
    assert header.settings == {"seed": 0, "option": [1, 2]}


def test_all_units_lists_each_labelled_unit_once():
    data, found, table = make(all_units=True)
    assert sorted(table.columns["index"]) == np.flatnonzero(data.labelled).tolist()
    assert table.columns["flagged"].sum() == table.header.n_flagged == found.flagged.sum()


def test_columns_never_overwrite_each_other():
    _, found, table = make(context={"degree": [str(i) for i in range(40)], "near": [[1, 2]] * 40})
    index = table.columns["index"]
    assert table.extra == ["votes", "evidence_quality", "degree", "context_degree", "near"]
    assert (table.columns["quality"] == found.quality[index]).all()
    assert table.columns["context_degree"].tolist() == [str(i) for i in index]
    assert table.columns["near"].tolist() == ["1, 2"] * len(index)
    more = table.with_columns({"p_wrong": np.zeros(len(table)), "kind": ["x"] * len(table)})
    assert more.extra[-2:] == ["context_p_wrong", "context_kind"]
    assert (more.columns["p_wrong"] == table.columns["p_wrong"]).all()


@pytest.mark.parametrize("extension", issues.EXTENSIONS)
@pytest.mark.parametrize("calibrated", [True, False])
def test_save_and_load_give_the_same_table(tmp_path, extension, calibrated):
    ids = np.array(
        [NASTY[i % len(NASTY)] + (str(i) if i >= len(NASTY) else "") for i in range(80)], dtype=object
    )
    context = {text or "empty": [NASTY[(i * 7) % len(NASTY)] for i in range(80)] for text in NASTY[:3]}
    context["known"] = [i % 2 == 0 for i in range(80)]
    context["share"] = [None if i % 3 == 0 else i / 7 for i in range(80)]
    names = ("cat", "=emu", "-1", 'o"wl', "", "語")
    _, _, table = make(80, calibrated=calibrated, ids=ids, names=names, all_units=True, context=context)
    path = tmp_path / f"issues{extension}"
    written = table.save(path)
    assert sorted(tmp_path.iterdir()) == sorted(written)
    again = IssueTable.load(path)
    assert again == table
    assert again.header == table.header
    first = [item.read_bytes() for item in written]
    again.save(path)
    assert [item.read_bytes() for item in written] == first  # same table, same bytes


@pytest.mark.parametrize("extension", issues.EXTENSIONS)
@pytest.mark.parametrize("ids", [None, np.array([f"a{i}" for i in range(40)])])
def test_a_table_without_rows_comes_back_equal(tmp_path, extension, ids):
    data, found, _ = make(ids=ids, context=None)
    table = IssueTable.from_detection(
        data, found, np.zeros(40, bool), decision="none", context={"near": ["x"] * 40}
    )
    table.save(tmp_path / f"none{extension}")
    again = IssueTable.load(tmp_path / f"none{extension}")
    assert len(again) == 0
    assert again == table


def test_equality_sees_any_difference():
    _, _, table = make()
    assert table == make()[2]
    for name, column in table.columns.items():
        if column.dtype == object:
            other = column.copy()
            other[1] += "x"
        else:
            other = column.copy()
            other[1] = not other[1] if column.dtype == bool else np.nan_to_num(other[1]) + 1
        assert IssueTable(table.header, {**table.columns, name: other}) != table
    assert IssueTable(dataclasses.replace(table.header, method="y"), table.columns) != table
    assert table != "something else"


def test_guard_is_undone_exactly():
    rng = random.Random(0)
    alphabet = "=+-@'\t\r\n ＝a1" + string.punctuation
    for _ in range(3000):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 4)))
        assert unguard(guard(text)) == text


def test_no_csv_cell_can_be_run_by_a_spreadsheet(tmp_path):
    ids = np.array((NASTY * 2)[:40], dtype=object)
    _, _, table = make(40, ids=ids, all_units=True, context={"=HYPERLINK(1)": NASTY[:10] * 4})
    table.save(tmp_path / "a.csv")
    raw = (tmp_path / "a.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    with open(tmp_path / "a.csv", encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    dangerous = [cell for cell in cells if cell.lstrip(" ")[:1] in set("=+@\t\r\n＝＋－＠-") and cell.strip()]
    numbers = [cell for cell in dangerous if re.fullmatch(r"-?[\d.e-]+", cell)]
    assert dangerous == numbers


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_text_may_be_longer_than_a_csv_cell_of_python(tmp_path, ending):
    _, _, table = make(40, all_units=True, context={"text": ["x" * 200_000] * 40})
    table.save(tmp_path / f"a{ending}")
    assert IssueTable.load(tmp_path / f"a{ending}") == table
    assert csv.field_size_limit() == 131_072


def test_a_parquet_file_of_unknown_numbers_is_no_table_of_issues(tmp_path, monkeypatch):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def refuse(*given):
        raise pa.lib.ArrowNotImplementedError("Integers with more than 64 bits not implemented")

    _, _, table = make()
    table.save(tmp_path / "a.parquet")
    assert is_table(tmp_path / "a.parquet")
    monkeypatch.setattr(pq, "read_schema", refuse)
    assert not is_table(tmp_path / "a.parquet")


def test_csv_opens_in_pandas_and_survives_a_person_who_sorts_and_remarks(tmp_path):
    import pandas as pd

    _, _, table = make(all_units=True)
    path = tmp_path / "a.csv"
    table.save(path)
    frame = pd.read_csv(path, float_precision="round_trip")
    assert list(frame.columns) == list(table.columns)
    assert frame["rank"].tolist() == table.columns["rank"].tolist()
    frame = frame.sort_values("given")
    frame["remark"] = "looked at"
    frame["flagged"] = frame["flagged"].map({True: "TRUE", False: "FALSE"})
    frame.to_csv(path, index=False)
    again = IssueTable.load(path)
    assert set(again.columns.pop("remark")) == {"looked at"}
    assert again == table


def test_an_error_between_the_two_files_of_a_csv_leaves_the_old_table(tmp_path):
    _, _, old = make(seed=0)
    _, _, new = make(seed=1)
    path = tmp_path / "a.csv"
    old.save(path)
    with failing("replace", None) as count:
        old.save(path)
    assert count.calls >= 2
    for at in range(1, count.calls + 1):
        with failing("replace", at), pytest.raises(OSError, match="No space left"):
            new.save(path)
        assert sorted(item.name for item in tmp_path.iterdir()) == ["a.csv", "a.csv.meta.json"]
        assert IssueTable.load(path) == old


def dying(replace, survive):
    """os.replace that ends the process instead of replacing, after so many times."""
    left = [survive]

    def replace_some(source, target):
        if left[0] == 0:
            os._exit(9)
        left[0] -= 1
        replace(source, target)

    return replace_some


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_kill_between_the_two_files_of_a_csv_never_mixes_two_runs(tmp_path):
    _, _, old = make(seed=0)
    _, _, new = make(seed=1)
    path = tmp_path / "a.csv"
    read = set()
    for survive in range(5):
        old.save(path)
        if (child := os.fork()) == 0:
            os.replace = dying(os.replace, survive)
            new.save(path)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not sidecar(path).exists():
            with pytest.raises(InputError, match="not beside it"):
                IssueTable.load(path)
            read.add("none")
            continue
        found = IssueTable.load(path)
        assert found in (old, new)
        read.add("old" if found == old else "new")
        assert status == 0 or found == old
    assert read >= {"none", "new"}


@pytest.mark.parametrize("extension", issues.EXTENSIONS)
def test_an_error_while_writing_keeps_the_old_file(tmp_path, extension, monkeypatch):
    _, _, old = make(seed=0)
    path = tmp_path / f"a{extension}"
    old.save(path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError):
        make(seed=1)[2].save(path)
    monkeypatch.undo()
    assert IssueTable.load(path) == old
    assert not list(tmp_path.glob(".*tmp"))


@pytest.mark.parametrize("extension", issues.EXTENSIONS)
def test_a_truncated_file_is_refused_wherever_it_was_cut(tmp_path, extension):
    _, _, table = make(all_units=True)
    path = tmp_path / f"a{extension}"
    table.save(path)
    whole = path.read_bytes()
    end = len(whole) - (1 if extension != ".parquet" else 0)  # half a line break or none is no loss
    for cut in sorted({0, 1, 5, *random.Random(0).sample(range(end), 60), end - 1}):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match="not a sound table of issues"):
            IssueTable.load(path)


@pytest.mark.parametrize("extension", issues.EXTENSIONS)
def test_foreign_files_are_refused_by_a_sentence(tmp_path, extension):
    import pandas as pd

    path = tmp_path / f"a{extension}"
    with pytest.raises(InputError, match="no table of issues"):
        IssueTable.load(path)
    frame = pd.DataFrame({"rank": [1], "b": ["x"]})
    writers = {
        ".csv": frame.to_csv,
        ".parquet": frame.to_parquet,
        ".jsonl": lambda p: frame.to_json(p, lines=True, orient="records"),
    }
    writers[extension](path)
    with pytest.raises(InputError, match="not a sound table"):
        IssueTable.load(path)
    for junk in (
        b"",
        b"\xff\xfe\x00junk",
        b"[]\n",
        b"null\n",
        b'{"format": "labelnoise issues"}\n',
        b"{" * 5000,
    ):
        path.write_bytes(junk)
        with pytest.raises(InputError, match="not a sound table"):
            IssueTable.load(path)
        if extension == ".csv":
            make()[2].save(path)
            sidecar(path).write_bytes(junk)
            with pytest.raises(InputError, match="not a sound table"):
                IssueTable.load(path)


def test_damaged_values_are_named(tmp_path):
    _, _, table = make()
    path = tmp_path / "a.csv"
    table.save(path)
    lines = path.read_text("utf-8-sig").splitlines()
    head, row = lines[0].split(","), lines[3].split(",")
    row[head.index("quality")] = "0,5".replace(",", ";")
    path.write_text("\n".join([*lines[:3], ",".join(row), *lines[4:]]) + "\n")
    with pytest.raises(
        InputError, match=r"row 3 has '0;5' in the column 'quality', where float values stand"
    ):
        IssueTable.load(path)
    path = tmp_path / "a.jsonl"
    table.save(path)
    lines = path.read_text().splitlines()
    for change in ({"index": "7"}, {"index": True}, {"given": None}, {"flagged": 1}, {"quality": None}):
        bad = json.dumps({**json.loads(lines[2]), **change})
        path.write_text("\n".join([*lines[:2], bad, *lines[3:]]) + "\n")
        with pytest.raises(InputError, match="not a sound table"):
            IssueTable.load(path)


def test_a_newer_schema_is_refused_with_the_fix(tmp_path):
    _, _, table = make()
    path = tmp_path / "a.jsonl"
    table.save(path)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(InputError, match=r"schema version 2.*install the version of labelnoise"):
        IssueTable.load(path)


def test_unknown_extensions_and_folders_are_refused(tmp_path):
    _, _, table = make()
    for call in (table.save, IssueTable.load):
        with pytest.raises(InputError, match=r"choose one of: \.csv, \.jsonl, \.parquet"):
            call(tmp_path / "a.xlsx")
        (tmp_path / "folder.csv").mkdir(exist_ok=True)
        with pytest.raises(InputError, match="is a folder"):
            call(tmp_path / "folder.csv")


@pytest.mark.parametrize(
    ("flagged", "sentence"),
    [
        (np.zeros(39, bool), "mask of 40 booleans"),
        (np.zeros(40), "mask of 40 booleans"),
        (np.ones(40, bool), "carry no label"),
    ],
)
def test_bad_decisions_are_refused(flagged, sentence):
    data, found, _ = make()
    with pytest.raises(InputError, match=sentence):
        IssueTable.from_detection(data, found, flagged, decision="x")


def test_infinite_evidence_and_counts_are_refused():
    data, found, _ = make()
    bad = dataclasses.replace(found, evidence={"votes": np.full(40, np.inf)})
    with pytest.raises(InputError, match="'votes' holds infinity"):
        IssueTable.from_detection(data, bad, found.flagged, decision="x")
    bad = dataclasses.replace(found, count=CountEstimate(float("nan"), 0, 1))
    with pytest.raises(InputError, match="NaN"):
        IssueTable.from_detection(data, bad, found.flagged, decision="x")


def test_lone_surrogates_of_odd_file_names_can_be_saved(tmp_path):
    ids = np.array([f"file\udc80{i}" for i in range(40)], dtype=object)
    _, _, table = make(ids=ids)
    for extension in issues.EXTENSIONS:
        table.save(tmp_path / f"a{extension}")
        assert IssueTable.load(tmp_path / f"a{extension}") == table


@pytest.mark.parametrize(
    ("values", "kind", "result"),
    [
        ([True, False], "bool", [True, False]),
        ([np.int8(1), 2], "int", [1, 2]),
        ([1, True], "str", ["1", "True"]),
        ([1.5, None, 2], "float", [1.5, None, 2.0]),
        ([None, None], "str", ["", ""]),
        (["a", None, float("nan"), 3], "str", ["a", "", "", "3"]),
        ([(1, 2), ["x"]], "str", ["1, 2", "x"]),
        (np.array([2**63, 1], dtype=np.uint64), "str", ["9223372036854775808", "1"]),
        ([2**70, 1], "str", [str(2**70), "1"]),
        (np.array(["a", "b"]), "str", ["a", "b"]),
        (np.array([1, "a"], dtype=object), "str", ["1", "a"]),
        (np.array([1, 2], dtype=object), "int", [1, 2]),
        (np.float32([0.5]), "float", [0.5]),
    ],
)
def test_columns_take_one_of_four_types(values, kind, result):
    column = issues.as_column(values, "x")
    assert issues.kind_of(column) == kind
    assert [None if value != value else value for value in column.tolist()] == result


def test_matrices_are_no_columns():
    with pytest.raises(InputError, match="one value per row"):
        issues.as_column(np.zeros((2, 2)), "x")


def test_to_pandas_has_types_and_header():
    _, _, table = make()
    frame = table.to_pandas()
    assert frame.shape == (len(table), len(table.columns))
    assert frame["index"].dtype == np.int64
    assert frame["flagged"].dtype == bool
    assert frame.attrs["labelnoise"]["method"] == "example"


def test_terminal_table_has_the_sentence_and_never_runs_what_it_shows(capsys):
    ids = np.array((NASTY * 2)[:40], dtype=object)
    _, _, table = make(40, ids=ids, all_units=True, names=("cat", "x" * 200, "[b]dog[/b]"))
    table.print(5, width=120)
    out = capsys.readouterr().out
    assert "labels flagged; 12 [10, 15] expected to be wrong" in out.splitlines()[0]
    assert "warning: mind the gap" in out
    assert "5 of 39 rows shown" in out
    table.print(39, width=120)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[b]dog[/b]" in out
    assert "x" * 200 not in out
    assert "…" in out
    assert "\\u202e" in out


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_terminal_table_fits_its_width(capsys, width):
    _, _, table = make()
    table.print(5, width=width)
    out = capsys.readouterr().out
    _, grid = out.split("\n\n")
    assert max(map(len, [line for line in grid.splitlines() if not line.startswith("(")])) <= width
    assert ("p_wrong" in grid.splitlines()[0]) == (width > 20)


def test_terminal_table_without_rows(capsys):
    data, found, table = make()
    none = IssueTable.from_detection(data, found, np.zeros(40, bool), decision="none")
    none.print()
    assert capsys.readouterr().out.startswith("0 of 39 labels flagged")
    table.print(0)
    assert "rank" not in capsys.readouterr().out


def test_notebook_picture_escapes_everything_and_loads_nothing():
    ids = np.array(["<script>alert(1)</script>", '"><img src=x onerror=y>', "a&b"] * 14, dtype=object)[:40]
    _, _, table = make(40, ids=ids, names=("<b>cat", "dog", "a'b"), all_units=True)
    header = dataclasses.replace(table.header, method="<i>m", dataset="</style><script>", warnings=("<u>",))
    page = html_table(IssueTable(header, table.columns).with_columns({"<th>": ["<td>"] * len(table)}))
    body = page.split("</style>", 1)[1]
    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", body))
    assert tags <= {"div", "table", "thead", "tbody", "tr", "th", "td", "svg", "rect"}
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "prefers-color-scheme: dark" in page
    assert "&lt;script&gt;alert(1)" in body
    assert page.count("<svg") == len(table)
    assert page.index("labels flagged") < page.index("<table>")


def test_notebook_picture_is_cut_and_says_so():
    _, _, table = make(300, all_units=True)
    page = table._repr_html_()
    assert page.count("<tr>") == 51
    assert "50 of 299 rows" in page
    assert table._repr_html_() != page  # an id of its own each time
    # bars fall with the probability
    widths = [
        float(width)
        for width in re.findall(r'<rect width="([\d.]+)" height="10" rx="2" style="fill:var\(--bar', page)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > widths[-1]


def test_importing_the_module_loads_nothing_heavy():
    heavy = ("pandas", "pyarrow", "rich", "torch", "scipy")
    code = f"import sys, labelnoise.core.issues; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_ranks_that_are_none_are_refused(ending, tmp_path):
    data = Dataset(name="pets", given=np.array([0, 1, 1]), class_names=("cat", "dog"))
    found = Detection(
        method="example",
        quality=np.array([0.9, 0.2, 0.8]),
        flagged=np.array([True, True, False]),
        suggested=np.array([1, 0, 1]),
        confidence=np.array([0.9, 0.8, 0.8]),
    )
    path = tmp_path / f"i{ending}"
    IssueTable.from_detection(data, found, found.flagged, decision="own").save(path)
    text = path.read_text(encoding="utf-8")
    old, new = ('"rank": 2', '"rank": -7') if ending == ".jsonl" else ("\n2,", "\n-7,")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match="ranks are not 1 to 2"):
        IssueTable.load(path)
