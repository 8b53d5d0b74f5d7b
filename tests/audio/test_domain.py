"""What the audio modality tells the core, and its verbs from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labelnoise.audio import cli
from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.domain import AudioDomain
from labelnoise.audio.files import read_clips
from labelnoise.core.domain import get_domain
from labelnoise.core.validation import InputError


@pytest.fixture
def tagged() -> AudioDataset:
    return AudioDataset.from_tags(
        [[1, 0], [1, 1], [-1, 0]],
        ("dog", "rain"),
        files=("x/a.wav", "b.wav", "c.wav"),
        true=[[1, 1], [1, 1], [0, 0]],
        origin=np.array(["web", "lab", "web"], dtype=object),
        verified=np.array([False, True, False]),
    )


def test_describe_counts_everything(tagged: AudioDataset) -> None:
    facts = AudioDomain().describe(tagged)
    assert json.loads(json.dumps(facts)) == facts
    assert facts["unit"] == "tag"
    assert facts["tags"] == {"dog": 2, "rain": 1}
    assert facts["labelled"] == 5
    assert facts["tags_per_clip"] == 1.0
    assert facts["origins"] == {"lab": 1, "web": 2}
    assert facts["verified"] == 1
    assert facts["known_wrong_labels"] == 1


def test_context_of_tags(tagged: AudioDataset) -> None:
    found = AudioDomain().unit_context(tagged, [3, 4])
    assert found["file"] == ["b.wav", "c.wav"]
    assert found["tag"] == ["rain", "dog"]
    assert found["other_tags"] == ["dog", ""]
    assert found["verified"] == [True, False]
    assert json.dumps(found)
    with pytest.raises(InputError, match="numbered 0 to 5"):
        AudioDomain().unit_context(tagged, [6])
    assert AudioDomain().review_cards(tagged, [3])[0].title == "tag b.wav#rain"


def test_verbs_run_through(
    tagged: AudioDataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    AudioDomain().save(tagged, tmp_path / "small")
    assert cli.main(["detect", "small", "--method", "random", "--out", "issues.csv"]) == 0
    assert cli.main(["evaluate", "issues.csv", "--data", "small"]) == 0
    assert "#" in (tmp_path / "issues.csv").read_text()
    assert read_clips("small").content_hash() == tagged.content_hash()
    assert cli.main(["detect", "events", "--method", "flag-nothing", "--out", "none.csv"]) == 0
    assert "event" in capsys.readouterr().out


def test_no_column_of_a_table_says_what_another_says(tagged: AudioDataset, tmp_path: Path) -> None:
    import csv

    AudioDomain().save(tagged, tmp_path / "small")
    for source in ("events", str(tmp_path / "small")):
        out = tmp_path / "issues.csv"
        assert cli.main(["detect", source, "--method", "random", "--out", str(out), "--all-units"]) == 0
        with open(out, encoding="utf-8-sig", newline="") as file:
            names, *rows = csv.reader(file)
        shown = ["clip" if name == "unit" else name for name in names]
        assert len(set(shown)) == len(shown)
        assert not any(name.startswith(("context_", "evidence_")) for name in names)
        unit = [row[names.index("unit")] for row in rows]
        assert [name for i, name in enumerate(names) if [row[i] for row in rows] == unit] == ["unit"]
        out.unlink()


def test_the_script_has_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    out = capsys.readouterr().out
    assert "Usage: labelnoise-audio COMMAND" in out
    assert AudioDomain.summary in out
    assert cli.main(["detekt"]) == 2


def test_names_are_found_in_any_case_and_others_refused(tmp_path: Path) -> None:
    assert AudioDomain().load("Events").n_clips == 300
    with pytest.raises(InputError, match="zenodo.org/records/4060432"):
        AudioDomain().load("fsd50k", root=tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        AudioDomain().load("ESC-50", root=tmp_path / "none")


def test_labels_load_without_torch_and_soundfile() -> None:
    code = (
        "import sys; from labelnoise.audio.domain import AudioDomain; AudioDomain().load('events'); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchaudio', 'soundfile', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_it_is_found_by_name_where_the_package_is_installed() -> None:
    try:
        found = get_domain("audio")
    except InputError:
        pytest.skip("the installed metadata predate this modality; install the package again")
    assert isinstance(found, AudioDomain)
