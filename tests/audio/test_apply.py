"""Corrected clips and the way back, where the copy is a table and the sound was never in a file."""

from pathlib import Path

import pytest

from labelnoise.core.cli import main
from labelnoise.core.issues import IssueTable
from labelnoise.core.review.decisions import Decision, Decisions


def test_changes_of_rendered_clips_are_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from labelnoise.audio.data import load_audio

    monkeypatch.chdir(tmp_path)
    assert (
        main(["audio", "detect", "--method", "confident-learning", "--out", "issues.csv", "--show", "0"]) == 0
    )
    table = IssueTable.load(Path("issues.csv"))
    row, about = next(table.rows(1)), table.header
    accepted = Decision(row["index"], str(row["unit"]), row["given"], "accept", row["suggested"])
    Decisions(
        domain=about.domain,
        dataset=about.dataset,
        data_hash=about.data_hash,
        source=about.source,
        decisions=(accepted,),
    ).save(Path("decisions.json"))
    assert main(["audio", "apply", "decisions.json", "--out", "fixed"]) == 0
    assert main(["audio", "apply", "fixed.provenance.json", "--undo", "--out", "back"]) == 0
    fixed, back, before = load_audio("fixed"), load_audio("back"), load_audio("events")
    assert (fixed.given != back.given).sum() == 1
    names = [[data.class_names[label] for label in data.given] for data in (back, before)]
    assert names[0] == names[1]


def test_an_edited_record_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test_changes_of_rendered_clips_are_taken_back(tmp_path, monkeypatch)
    record = Path("fixed.provenance.json")
    text = record.read_text()
    assert '"old": "' in text
    old = text.split('"old": "')[1].split('"')[0]
    new = text.split('"new": "')[1].split('"')[0]
    record.write_text(text.replace(f'"old": "{old}"', f'"old": "{new}"'))
    assert main(["audio", "apply", "fixed.provenance.json", "--undo", "--out", "again"]) == 2
    assert not Path("again").exists()
