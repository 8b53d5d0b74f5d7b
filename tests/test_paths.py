"""Names that no one would choose: detect, review and apply of every modality, with such paths, classes and ids."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelnoise.core.cli import main
from labelnoise.core.domain import domain_names, get_domain
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.decisions import Decision, Decisions

#: Folders and files.
NAMES = ["new\nline ü🙂 e\u0301", "[red]x[ \x1b[31m\x9b2J", "-x--out'\"`$(x);&|,*? a"]
#: Classes and ids.
LABELS = (
    *("cat", "new\nline", 'com,ma;"quote"', "<script>alert(1)</script>", "\x1b[31mred\x07"),
    *("[red]", "[/]", "=1+1", "é\u202eabc", "{{x}}"),
)


def graph(folder: Path) -> Path:
    from labelnoise.graph.arrays import from_arrays

    n, k = 60, len(LABELS)
    edges = np.random.default_rng(0).integers(0, n, (2, 150))
    arrays = {"y": np.arange(n) % k, "edge_index": edges, "x": np.eye(n, 5), "class_names": list(LABELS)}
    ids = [f"{LABELS[i % k]} {i}" for i in range(n)]
    get_domain("graph").save(from_arrays({**arrays, "node_ids": ids}, name="\x1b[31m[/]"), folder / "g.npz")
    return folder / "g.npz"


def text(folder: Path) -> Path:
    rows = [{"text": f"Ada left {label} {i}", "label": [[0, 3, label]]} for i, label in enumerate(LABELS * 3)]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder / "t.jsonl"


def audio(folder: Path) -> Path:
    import csv

    home = folder / "clips"
    home.mkdir()
    names = [label.strip() for label in LABELS]
    with open(home / "clips.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label"])
        for i, label in enumerate(names * 2):
            clip = f"{i} \U0001f642 [red]'.wav"
            wave = (np.sin(np.arange(400) / (3 + i)) * 9000).astype("<i2").tobytes()
            form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
            chunks = b"".join(
                name + struct.pack("<I", len(data)) + data
                for name, data in ((b"fmt ", form), (b"data", wave))
            )
            (home / clip).write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
            writer.writerow([clip, label])
    (home / "clips.json").write_text(json.dumps({"class_names": names}), encoding="utf-8")
    return home


def segmentation(folder: Path) -> Path:
    from labelnoise.segmentation.images import write_png

    home = folder / "seg"
    for part in ("masks", "images"):
        (home / part).mkdir(parents=True)
    for i, stem in enumerate(("a b", "new\nline", "[red]", "\x1b[31m")):
        mask = (np.add.outer(np.arange(8), np.arange(9)) + i) % len(LABELS)
        write_png(mask.astype(np.uint8), home / "masks" / f"{stem}.png")
        write_png(np.full((8, 9, 3), 80, np.uint8), home / "images" / f"{stem}.png")
    (home / "classes.json").write_text(json.dumps({"class_names": list(LABELS)}), encoding="utf-8")
    return home


MAKERS: dict[str, Callable[[Path], Path]] = {
    "graph": graph,
    "text": text,
    "audio": audio,
    "segmentation": segmentation,
}


def test_no_modality_is_left_out() -> None:
    assert sorted(MAKERS) == domain_names()


def harmless(shown: str) -> bool:
    """Whether nothing but text and line breaks was printed."""
    return all(char.isprintable() or char == "\n" for char in shown)


@pytest.mark.parametrize("domain", MAKERS)
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_detect_review_apply(domain: str, name: str, tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / name
    folder.mkdir()
    source = MAKERS[domain](folder)
    issues, page, decided = (folder / f"{name}{ending}" for ending in (".csv", ".html", ".json"))
    copy, back = (folder / f"{kind} {name}{source.suffix}" for kind in ("copy", "back"))

    def call(*arguments: Any) -> str:
        code = main([domain, *map(str, arguments)])
        out, err = capsys.readouterr()
        assert code == 0, err
        assert harmless(out + err)
        return out

    shown = call("detect", source, "--method", "random", "--out", issues, "--show", 30)
    if domain != "text":  # whose table shows tags, "B-" before each name
        assert "[red]" in shown or "[/]" in shown  # as they are, not as markup
    json.loads(call("detect", source, "--method", "random", "--json"))
    call("review", issues, "--out", page)
    html = page.read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert html.count("<script") == 2
    table = IssueTable.load(issues)
    about, row = table.header, next(table.rows(1))
    new = next(label for label in about.class_names if label not in (row["given"], "O"))
    verdict = Decision(row["index"], str(row["unit"]), row["given"], "other", new, "\x1b[31m<b>")
    header = {key: getattr(about, key) for key in ("domain", "dataset", "data_hash", "method", "source")}
    Decisions(decisions=(verdict,), **header).save(decided)
    call("apply", decided, "--out", copy)
    loaded = get_domain(domain).load(str(copy))
    assert loaded.class_names[loaded.given[row["index"]]] == new
    call("apply", copy.with_name(copy.name + ".provenance.json"), "--undo", "--out", back)
    before, after = (get_domain(domain).load(str(path)) for path in (source, back))
    labels = [np.array([*data.class_names, ""], dtype=object)[data.given] for data in (before, after)]
    assert (labels[0] == labels[1]).all()
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


@pytest.mark.parametrize("domain", MAKERS)
@pytest.mark.parametrize("name", ["\x1b[31m[/]", "a\nb\x9b2J", "a\x00b", "x" * 300])
def test_what_is_not_there_is_said_in_one_harmless_line(
    domain: str, name: str, tmp_path: Path, capsys: Any
) -> None:
    for source in (name, f"{tmp_path}/{name}.csv"):
        assert main([domain, "detect", source, "--out", str(tmp_path / "i.csv")]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert harmless(err)
        assert re.fullmatch(r"error: .+\n", err)
    assert list(tmp_path.iterdir()) == []
