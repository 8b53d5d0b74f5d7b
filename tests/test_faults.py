"""Every verb that writes, in all four modalities, on a disk that is full and in folders that refuse.

Each case is run once in health. Then the same command meets a fault at every place where it writes: it says one
sentence, leaves what was there as it was, and run again it writes what it would have written.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from labelnoise.core.cli import build_root, run
from labelnoise.core.domain import get_domain
from labelnoise.core.issues import IssueTable
from tests.faults import failing, largest_file, needs_posix, one_sentence, read_only, snapshot

#: Per modality: the small data set, and the form of data that its verbs write.
FORMS = {
    "graph": ("data.npz", "copy.npz"),
    "graph-pt": ("data.npz", "copy.pt"),
    "graph-tables": ("data.npz", "copy.csv"),
    "text": ("data.conll", "copy.conll"),
    "text-jsonl": ("data.conll", "copy.jsonl"),
    "audio": ("data", "copy"),
    "segmentation": ("data", "copy"),
}
NOISE = {"graph": "symmetric", "text": "missing", "audio": "symmetric", "segmentation": "displacement"}
TRAINER = {"graph": "label-propagation", "text": "plain"}


def small(domain: str):
    """A data set of the modality that takes no time."""
    if domain == "graph":
        from labelnoise.graph.embedded import papers

        return papers(100)
    if domain == "text":
        from labelnoise.text.embedded import news

        return news(n_sentences=40)
    if domain == "audio":
        from labelnoise.audio.embedded import events

        return events(per_class=1)
    from labelnoise.segmentation.embedded import scenes

    return scenes(4, 32)


def verbs(form: str) -> dict[str, list[str]]:
    """The commands that write, by name; all read what lies in the folder and write what is not there yet."""
    domain, (data, copy) = form.split("-")[0], FORMS[form]
    out = Path(copy).suffix
    found = {
        "corrupt": ["corrupt", data, "--kind", NOISE[domain], "--rate", "0.2", "--out", f"noisy{out}"],
        "apply": ["apply", "decisions.json", "--out", f"copy{out}"],
        "undo": ["apply", f"{copy}.provenance.json", "--undo", "--out", f"restored{out}"],
    }
    if form == domain:
        for ending in ("parquet", "csv", "jsonl"):
            found[f"detect-{ending}"] = ["detect", data, "--method", "random", "--out", f"issues.{ending}"]
            if domain in TRAINER:
                train = ["train", data, "--method", TRAINER[domain], "--out", f"predictions.{ending}"]
                found[f"train-{ending}"] = train
        found["review"] = ["review", "table.parquet", "--limit", "1", "--out", "page.html"]
        found["export"] = ["export", "table.parquet", "--to", "label-studio", "--out", "tasks.json"]
    return {name: [domain, *words] for name, words in found.items()}


#: One case for each way of writing; the others run where LABELNOISE_ALL_FAULTS is set, two minutes in all.
USUAL = (
    *(
        ("graph", name)
        for name in ("corrupt", "apply", "undo", "detect-csv", "detect-parquet", "train-jsonl")
    ),
    *(
        ("graph", "review"),
        ("graph", "export"),
        ("graph-tables", "corrupt"),
        ("graph-pt", "corrupt"),
        ("text", "apply"),
    ),
    *(("text-jsonl", "apply"), ("audio", "apply"), ("audio", "export"), ("segmentation", "corrupt")),
)
ALL = [(form, name) for form in FORMS for name in verbs(form)]
CASES = ALL if os.environ.get("LABELNOISE_ALL_FAULTS") else [case for case in ALL if case in USUAL]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Folders in which all commands of a form can run, made when first asked for."""
    made: dict[str, Path] = {}

    def folder(form: str) -> Path:
        if form not in made:
            made[form] = tmp_path_factory.mktemp(form)
            _prepare(form, made[form])
        return made[form]

    return folder


def _prepare(form: str, folder: Path) -> None:
    name, (data, copy) = form.split("-")[0], FORMS[form]
    domain = get_domain(name)
    domain.save(small(name), folder / data)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert go(name, "detect", data, "--method", "random", "--all-units", "--out", "table.parquet") == 0
        table = IssueTable.load("table.parquet")
        head = {
            key: getattr(table.header, key) for key in ("domain", "dataset", "data_hash", "method", "source")
        }
        rows = [row for row in table.rows() if row["suggested"] and row["suggested"] != row["given"]][:2]
        if not rows:
            other = {row["given"] for row in table.rows()}
            rows = [{**row, "suggested": min(other - {row["given"]})} for row in table.rows(2)]
        made = [
            {
                **{"index": row["index"], "unit": str(row["unit"]), "given": row["given"]},
                "verdict": "other",
                "label": row["suggested"],
                "note": "",
            }
            for row in rows
        ]
        value = {"format": "labelnoise-decisions", "version": 1, **head, "decisions": made}
        Path("decisions.json").write_text(json.dumps(value))
        assert go(name, "apply", "decisions.json", "--out", copy) == 0


def go(*arguments: str) -> int:
    return run(build_root, list(arguments))


@pytest.fixture
def case(request, base, tmp_path, monkeypatch, capsys):
    """``case()`` runs the command in its folder and returns exit code and standard error."""
    form, name = request.param
    arguments = verbs(form)[name]
    folder = tmp_path / "here"
    shutil.copytree(base(form), folder)
    if name == "apply":  # what it writes must not be there yet
        for path in folder.glob("copy*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LABELNOISE_CACHE", str(tmp_path / "cache"))

    def call(*more: str, out: str | None = None) -> tuple[int, str]:
        capsys.readouterr()
        words = arguments if out is None else [*arguments[:-1], out]
        code = go(*words, *more)
        return code, capsys.readouterr().err

    call.verb = arguments[1]
    call.ending = Path(arguments[-1]).suffix
    return call


each_case = pytest.mark.parametrize("case", CASES, indirect=True, ids=lambda pair: " ".join(pair))


def healthy(call) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, int]]:
    """Files before and after a run without faults, which is then forgotten; and how often it asked the system."""
    before = snapshot(Path())
    with failing("fsync", None) as sync, failing("replace", None) as moved, failing("mkdir", None) as made:
        code, err = call()
    assert code == 0, err
    after = snapshot(Path())
    forget(before)
    return before, after, {"fsync": sync.calls, "replace": moved.calls, "mkdir": made.calls}


def forget(before: dict[str, bytes]) -> None:
    """Remove all files and folders that were not there before."""
    keep = {Path(name) for name in before} | {parent for name in before for parent in Path(name).parents}
    for path in sorted(Path().rglob("*"), reverse=True):
        if path not in keep:
            path.rmdir() if path.is_dir() else path.unlink()


def folders() -> set[Path]:
    return {path for path in Path().rglob("*") if path.is_dir()}


@each_case
@needs_posix
def test_a_disk_that_fills_up_at_any_place_is_a_sentence_and_leaves_what_was_there(case):
    before, after, calls = healthy(case)
    assert calls["replace"] > 0, "it wrote something"
    empty = folders()
    for function, number in calls.items():
        for at in range(1, number + 1):
            with failing(function, at):
                code, err = case()
            if code == 0 and function == "mkdir":  # the folder was there already
                assert snapshot(Path()) == after
                forget(before)
                continue
            assert code == 2, (function, at)
            assert "no space left on device" in one_sentence(err)
            assert snapshot(Path()) == before, (function, at)
            assert folders() == empty, (function, at)
    sizes = sorted({len(content) for name, content in after.items() if before.get(name) != content})
    for size in sorted({0, sizes[0] - 1, sizes[len(sizes) // 2] - 1, sizes[-1] - 1}):
        with largest_file(size):
            code, err = case()
        assert code == 2, size
        assert "file too large" in one_sentence(err)
        assert snapshot(Path()) == before, size
        assert folders() == empty, size
    code, err = case()
    assert code == 0, err
    assert snapshot(Path()) == after, "run again it writes what it would have written"


@each_case
@needs_posix
def test_an_older_output_stays_when_the_disk_is_full(case):
    assert case()[0] == 0
    changed = ["--seed", "1"] if case.verb in ("corrupt", "detect", "train") else []
    if case.verb == "apply" and Path("decisions.json").exists():
        value = json.loads(Path("decisions.json").read_text())
        Path("decisions.json").write_text(json.dumps({**value, "decisions": value["decisions"][:1]}))
    before = snapshot(Path())
    with failing("replace", None) as moved:
        code, err = case(*changed)
    if code != 0:  # what is refused cannot be lost
        assert "exists" in one_sentence(err)
        assert snapshot(Path()) == before
        return
    after = snapshot(Path())
    for name in after.keys() - before.keys():
        Path(name).unlink()
    for name, content in before.items():
        Path(name).write_bytes(content)
    for at in range(1, moved.calls + 1):
        with failing("replace", at):
            code, err = case(*changed)
        assert code == 2
        one_sentence(err)
        assert snapshot(Path()) == before, at
    code, err = case(*changed)
    assert code == 0, err
    assert snapshot(Path()) == after


@each_case
@needs_posix
def test_folders_that_refuse_are_one_sentence(case):
    before = snapshot(Path())
    with read_only(Path.cwd()):
        code, err = case()
    assert code == 2
    assert "may not be written to" in one_sentence(err) or "permission denied" in err
    for out, reason in (
        (f"decisions.json/out{case.ending}", "folder that does not exist"),
        (f"nowhere/out{case.ending}", "folder that does not exist"),
    ):
        code, err = case(out=out)
        assert code == 2, out
        assert reason in one_sentence(err), out
    if case.ending:
        Path(f"taken{case.ending}").mkdir()
        code, err = case(out=f"taken{case.ending}")
        assert code == 2
        assert "exists and is a folder" in one_sentence(err)
    else:
        Path("plain").touch()
        before["plain"] = b""
        code, err = case(out="plain")
        assert code == 2
        one_sentence(err)
    assert snapshot(Path()) == before
