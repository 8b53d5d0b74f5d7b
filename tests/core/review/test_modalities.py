"""Review in every modality, from the embedded data to the undone copy, in a real browser, with names that attack."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.cli import build_root, run
from labelnoise.core.dataset import Dataset
from labelnoise.core.detection import Detection
from labelnoise.core.domain import get_domain
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.decisions import Decisions
from tests.core.review.browser import Browser, find_chromium

IMG = "<img src=x onerror=window.hacked=1>"
SCRIPT = "</script><script>window.hacked=1</script>"
SVG = '"><svg onload=window.hacked=1>'
ROWS = 8


def attack(name: str) -> str:
    """The same without white space and slashes, for names of files and words."""
    return (
        name.replace("<img src=x ", "<img\x0csrc=x\x0c").replace("<svg ", "<svg\x0c").replace("/", "\u2215")
    )


def text() -> tuple[Dataset, str]:
    from labelnoise.text.embedded import news
    from labelnoise.text.schemes import bio_names

    data = news()
    tokens = data.tokens.copy()
    wrong = np.flatnonzero(data.is_wrong)
    for row, word in zip(wrong[:3], (IMG, SCRIPT, SVG)):
        tokens[row] = word.replace(" ", "/")
    types = (f"LOC{IMG}", f"ORG{SCRIPT}", f"PER{SVG}")
    return replace(data, tokens=tokens, class_names=bio_names(types)), "evil.conll"


def audio() -> tuple[Dataset, str]:
    from labelnoise.audio.embedded import events

    data = events(per_class=4)
    files = tuple(f"{i}{(IMG, attack(SCRIPT), SVG)[i % 3]}.wav" for i in range(data.n_clips))
    names = tuple(f"{name}{(IMG, SCRIPT, SVG)[k % 3]}" for k, name in enumerate(data.class_names))
    given = np.where(np.arange(data.n_units) % 3 == 0, (data.true + 1) % data.n_classes, data.given)
    return replace(data, files=files, class_names=names, given=given), "evil"


def graph() -> tuple[Dataset, str]:
    from labelnoise.graph.data import load_graph

    data = load_graph("papers")
    ids = np.array([f"{i}{(IMG, SCRIPT, SVG)[i % 3]}" for i in range(data.n_units)], dtype=object)
    names = tuple(f"{name}{(IMG, SCRIPT, SVG)[k % 3]}" for k, name in enumerate(data.class_names))
    return replace(data, unit_ids=ids, class_names=names), "evil.npz"


def segmentation() -> tuple[Dataset, str]:
    from labelnoise.segmentation.embedded import scenes

    data = scenes(6)
    names = (
        "background",
        *(f"{name}{(IMG, SCRIPT, SVG)[k % 3]}" for k, name in enumerate(data.class_names[1:])),
    )
    ids = tuple(f"{i}{(IMG, attack(SCRIPT), SVG)[i % 3]}" for i in range(data.n_images))
    return replace(data, class_names=names, image_ids=ids), "evil"


MADE: dict[str, Callable[[], tuple[Dataset, str]]] = {
    "text": text,
    "audio": audio,
    "graph": graph,
    "segmentation": segmentation,
}


def found_in(data: Dataset, true: Any, name: str, out: str) -> IssueTable:
    """A table of the first wrong labels, as sure as their order; every other one of a kind that attacks."""
    wrong = np.flatnonzero(true != data.given)[:ROWS]
    assert len(wrong) == ROWS
    p_wrong = np.full(data.n_units, 0.01)
    p_wrong[wrong] = np.linspace(0.95, 0.6, ROWS)
    kinds = np.full(data.n_units, "wrong-label", dtype=object)
    kinds[wrong[1::2]] = SVG
    found = Detection(
        method=f"oracle {IMG}",
        quality=1 - p_wrong,
        flagged=p_wrong > 0.5,
        suggested=np.where(true >= 0, true, data.given).astype(np.int64),
        confidence=np.full(data.n_units, 0.9),
        p_wrong=p_wrong,
        evidence={"kind": kinds, SCRIPT: np.full(data.n_units, SVG, dtype=object)},
        warnings=(SCRIPT,),
    )
    domain = get_domain(name)
    table = IssueTable.from_detection(
        data, found, found.flagged, decision=f"top {ROWS}", domain=name, unit_name=domain.unit
    )
    table = table.with_columns(domain.unit_context(data, table.columns["index"].tolist()))
    table.save(out)
    return table


@pytest.fixture(params=sorted(MADE))
def reviewed(request, tmp_path, monkeypatch, capsys):
    """A modality's data with hostile names as a file of the user's, its issues, and a way to type commands."""
    monkeypatch.chdir(tmp_path)
    name = request.param
    made, file = MADE[name]()
    domain = get_domain(name)
    domain.save(replace(made, true=None), Path(file))
    data = replace(domain.load(file), source=file)  # as detect notes it
    assert data.class_names == made.class_names
    table = found_in(data, made.true, name, "issues.csv")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run(build_root, [name, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return name, file, data, table, call


def with_value(box: str, value: str) -> str:
    return (
        f"(() => {{ const e = document.getElementById({json.dumps(box)}); e.value = {json.dumps(value)};"
        " e.dispatchEvent(new Event('input')); })()"
    )


LISTED = "document.querySelectorAll('#list li').length"
DONE = "document.getElementById('done').textContent"


async def drive(browser: Browser, page: Path, folder: Path, third: int) -> None:
    await browser.open(page.as_uri())
    assert await browser.evaluate(LISTED) == ROWS
    await browser.evaluate(with_value("kind", SVG))
    assert await browser.evaluate(LISTED) == ROWS // 2
    await browser.evaluate(with_value("kind", ""))
    await browser.evaluate(with_value("least", "0.79"))
    assert await browser.evaluate(LISTED) == 4  # .95, .90, .85, .80
    await browser.evaluate(with_value("least", "0"))
    await browser.press("a")
    await browser.press("r")
    await browser.evaluate(
        f"(() => {{ const s = document.getElementById('other'); s.value = '{third}';"
        " s.dispatchEvent(new Event('change')); })()"
    )
    await browser.press("s")
    assert f"4 of {ROWS} decided" in await browser.evaluate(DONE)
    for _ in range(20):  # what was decided is still there, once the browser has written it down
        await browser.open(page.as_uri())
        if f"4 of {ROWS} decided" in (stored := await browser.evaluate(DONE)):
            break
        await asyncio.sleep(0.1)
    assert f"4 of {ROWS} decided" in stored
    await browser.press("a")
    await browser.evaluate(with_value("status", "all"))
    for _ in range(ROWS):  # every card is drawn once
        await browser.press("j")
    await browser.press("e")
    deadline = time.monotonic() + 5
    while not (folder / "decisions.json").exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert await browser.evaluate("window.hacked === undefined")
    strange = "document.querySelectorAll('body svg:not(.view), body img:not([src^=\"data:\"]), #card script').length"
    assert await browser.evaluate(strange) == 0
    assert browser.complaints == []


def test_a_person_reviews_applies_and_takes_back(reviewed, tmp_path):
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium here")
    name, file, data, table, call = reviewed
    code, out, err = call("review", "issues.csv", "--out", "page.html")
    assert (code, err) == (0, "")
    rows = list(table.rows())
    third = next(
        k for k, each in enumerate(data.class_names) if each not in (rows[2]["given"], rows[2]["suggested"])
    )

    async def browse() -> None:
        async with Browser(chromium, tmp_path) as browser:
            await drive(browser, tmp_path / "page.html", tmp_path, third)

    asyncio.run(browse())
    made = Decisions.load(tmp_path / "decisions.json")
    assert {(d.index, d.verdict): d.label for d in made.decisions} == {
        (rows[0]["index"], "accept"): rows[0]["suggested"],
        (rows[1]["index"], "reject"): rows[1]["given"],
        (rows[2]["index"], "other"): data.class_names[third],
        (rows[3]["index"], "skip"): rows[3]["given"],
        (rows[4]["index"], "accept"): rows[4]["suggested"],
    }
    fixed = f"fixed{Path(file).suffix}"
    code, _, err = call("apply", "decision.json", "--out", fixed)  # a slip of the finger
    assert (code, "There is no file 'decision.json'" in err) == (2, True)
    code, out, err = call("apply", "decisions.json", "--out", fixed)
    assert (code, err) == (0, "")
    assert "3 labels changed, 2 decisions kept theirs" in out
    domain = get_domain(name)
    corrected = domain.load(fixed)
    wanted = data.given.copy()
    for row, label in ((0, rows[0]["suggested"]), (2, data.class_names[third]), (4, rows[4]["suggested"])):
        wanted[rows[row]["index"]] = data.class_names.index(label)
    np.testing.assert_array_equal(corrected.given, wanted)
    assert domain.load(file).content_hash() == data.content_hash()
    record = json.loads(Path(f"{fixed}.provenance.json").read_text())
    assert {c["index"]: c["verdict"] for c in record["changes"]} == {
        rows[0]["index"]: "accept",
        rows[2]["index"]: "other",
        rows[4]["index"]: "accept",
    }
    assert record["before"] == data.content_hash()
    code, out, err = call("apply", f"{fixed}.provenance.json", "--undo", "--out", f"back{Path(file).suffix}")
    assert (code, err) == (0, "")
    assert domain.load(f"back{Path(file).suffix}").content_hash() == data.content_hash()


def test_decisions_about_other_data_are_refused(reviewed):
    name, file, data, table, call = reviewed
    row = next(table.rows())
    made = {
        "format": "labelnoise-decisions",
        "version": 1,
        **{key: getattr(table.header, key) for key in ("domain", "dataset", "data_hash", "method", "source")},
        "decisions": [
            {"index": row["index"], "unit": str(row["unit"]), "given": row["given"], "verdict": "accept",
             "label": row["suggested"], "note": ""}
        ],
    }  # fmt: skip
    Path("decisions.json").write_text(json.dumps(made))
    domain = get_domain(name)
    given = data.given.copy()
    given[-1] = (given[-1] + 1) % data.n_classes
    other = f"other{Path(file).suffix}"
    domain.save(data.with_labels(given), Path(other))
    suffix = Path(file).suffix
    for arguments in (
        ("apply", "decisions.json", "--data", other, "--out", f"x{suffix}"),
        ("apply", "decisions.json", "--data", domain.default_dataset, "--out", f"x{suffix}"),
        ("review", "issues.csv", "--data", other, "--out", "x.html"),
        ("export", "issues.csv", "--data", other, "--to", "label-studio", "--out", "x.json"),
    ):
        code, out, err = call(*arguments)
        assert (code, out) == (2, "")
        assert "other data" in err
        assert err.count("\n") == 1
        assert not list(Path().glob("x*"))
    made["decisions"][0]["given"] = row["suggested"]
    Path("decisions.json").write_text(json.dumps(made))
    code, out, err = call("apply", "decisions.json", "--data", file, "--out", f"x{suffix}")
    assert code == 2
    assert "were edited" in err
    assert not list(Path().glob("x*"))
