"""A folder of clips and its table, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labelnoise.audio.dataset import AudioDataset
from labelnoise.audio.decode import LazyAudio
from labelnoise.audio.embedded import events
from labelnoise.audio.files import read_clips, write_clips
from labelnoise.core.validation import InputError

soundfile = pytest.importorskip("soundfile")


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text)
    return folder


def test_one_class_per_clip(tmp_path: Path) -> None:
    data = read_clips(table(tmp_path, "filename,label,annotator\na.wav,dog,ann\nb.wav,,bob\nc.wav,cat,ann\n"))
    assert not data.multilabel
    assert data.class_names == ("cat", "dog")
    assert data.given.tolist() == [1, -1, 0]
    assert data.annotator is not None
    assert data.annotator.tolist() == ["ann", "bob", "ann"]


@pytest.mark.parametrize("cell", ['"dog,rain"', "dog;rain", '"dog ; rain"'])
def test_several_tags_in_a_cell(tmp_path: Path, cell: str) -> None:
    data = read_clips(table(tmp_path, f"fname,label\na.wav,{cell}\nb.wav,rain\n"))
    assert data.tag_names == ("dog", "rain")
    assert data.tags.tolist() == [[1, 1], [0, 1]]


def test_the_column_or_the_caller_says_whether_there_are_tags(tmp_path: Path) -> None:
    folder = table(tmp_path, "file,tags\na.wav,dog\n")
    assert read_clips(folder).multilabel
    assert not read_clips(folder / "labels.csv", multilabel=False).multilabel


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,label\na.wav,dog\n", "no column for the clip"),
        ("file,kind\na.wav,dog\n", "no column for the label"),
        ("file,label\na.wav,dog,rain\n", "in quotes"),
        ("file,label\n", "no row"),
        ("file,label\na.wav,\n", "names no class"),
        ("file,tags\na.wav,\n", "names no tag"),
        ("file,label\na.wav,dog\na.wav,cat\n", "listed twice"),
        ("file,label,verified\na.wav,dog,perhaps\n", "yes or no"),
    ],
)
def test_bad_tables_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_clips(table(tmp_path, text))


def test_sound_for_some_clips_only_is_refused(tmp_path: Path) -> None:
    folder = table(tmp_path, "file,label\na.wav,dog\nb.wav,cat\n")
    assert read_clips(folder).audio is None
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16000)
    with pytest.raises(InputError, match="no sound for 'b.wav'"):
        read_clips(folder)


def test_the_folder_has_to_be_clear(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file or folder"):
        read_clips(tmp_path / "none")
    table(tmp_path, "file,label\na.wav,dog\n", "one.csv")
    table(tmp_path, "file,label\na.wav,dog\n", "two.csv")
    with pytest.raises(InputError, match="2 CSV files"):
        read_clips(tmp_path)


def everything(folder: Path) -> AudioDataset:
    (folder / "x").mkdir(parents=True)
    for name in ("x/a.wav", "b.wav"):
        soundfile.write(folder / name, np.random.default_rng(0).normal(0, 0.1, 800), 16000)
    (folder / "labels.csv").write_text("file,tags\nx/a.wav,dog;?rain\nb.wav,?\n")
    read = read_clips(folder)
    return AudioDataset.from_tags(
        [[1, -1, 0], [-1, -1, -1]],
        ("dog", "rain", "never"),
        files=read.files,
        true=[[1, 1, 0], [0, 0, -1]],
        audio=read.audio,
        origin=np.array(["web", "lab"], dtype=object),
        annotator=np.array(["ann", "bob"], dtype=object),
        verified=np.array([True, False]),
        recordings=np.array(["r1", "r2"], dtype=object),
        splits={"test": np.array([True, False]), "train": np.array([False, True])},
        meta={"licence": "mine"},
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    data = everything(tmp_path / "own")
    [target] = write_clips(data, tmp_path / "copy")
    back = read_clips(target)
    assert back.content_hash() == data.content_hash()
    assert back.true is not None
    assert back.true.tolist() == [1, 1, 0, 0, 0, -1]
    assert {name: mask.tolist() for name, mask in back.splits.items()} == {
        "test": [True, False],
        "train": [False, True],
    }
    assert back.meta == data.meta
    assert (target / "audio" / "x" / "a.wav").read_bytes() == (tmp_path / "own" / "x" / "a.wav").read_bytes()
    write_clips(data, target)  # its own work may be replaced
    with pytest.raises(InputError, match="originals"):
        write_clips(back, target)


def test_rendered_clips_become_files_of_the_same_samples(tmp_path: Path) -> None:
    data = events(per_class=1)
    back = read_clips(write_clips(data, tmp_path / "copy")[0])
    assert data.audio is not None
    assert back.audio is not None
    assert (back.given == data.given).all()
    assert all((a == b).all() for a, b in zip(back.audio, data.audio))


def test_nothing_is_written_where_it_must_not_be(tmp_path: Path) -> None:
    data = everything(tmp_path / "own")
    with pytest.raises(InputError, match="holds the originals"):
        write_clips(data, tmp_path / "own")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        write_clips(data, tmp_path / "full")
    for name in ("../a.wav", "/a.wav"):
        made = LazyAudio([1], read=lambda level, rate: (np.full(rate, level, np.float32), rate))
        with pytest.raises(InputError, match="relative path"):
            write_clips(AudioDataset.single([0], "a", files=(name,), audio=made), tmp_path / "new")
    with pytest.raises(InputError, match="cell of tags"):
        write_clips(AudioDataset.from_tags([[1]], ("a,b",), files=("a.wav",)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    data = everything(tmp_path / "own")
    (tmp_path / "own" / "b.wav").unlink()
    with pytest.raises(OSError, match="b.wav"):
        write_clips(data, tmp_path / "copy")
    assert [item.name for item in tmp_path.iterdir()] == ["own"]
