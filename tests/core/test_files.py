import os

import pytest

from labelnoise.core.files import all_or_nothing, check_output, make_folder, replacing, set_aside
from labelnoise.core.validation import InputError


def test_old_content_survives_an_error(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")

    def fail():
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_block_that_writes_nothing_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "a.txt"):
        pass
    assert not os.listdir(tmp_path)


def test_a_link_keeps_pointing_at_the_replaced_file(tmp_path):
    (tmp_path / "real.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to("real.txt")
    with replacing(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert (tmp_path / "real.txt").read_text() == "new"


def test_new_files_have_the_usual_permissions(tmp_path):
    (tmp_path / "plain").write_text("")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_check_output_refuses_the_input_under_any_name(tmp_path):
    source = tmp_path / "data.npz"
    source.write_text("x")
    (tmp_path / "alias.npz").symlink_to("data.npz")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "a.csv").write_text("x")
    for path in (source, tmp_path / "alias.npz", tmp_path / "set" / ".." / "data.npz"):
        with pytest.raises(InputError, match="overwrite the input"):
            check_output(path, inputs=[source])
    with pytest.raises(InputError, match="overwrite the input"):
        check_output(folder / "new.csv", inputs=[folder])
    os.link(source, tmp_path / "hard.npz")
    with pytest.raises(InputError, match="overwrite the input"):
        check_output(tmp_path / "hard.npz", inputs=[source])
    assert check_output(tmp_path / "other.npz", inputs=[source, folder]) == tmp_path / "other.npz"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("a.txt", "has the extension '.txt'"), ("a", "has no extension"), ("no/such/a.csv", "does not exist")],
)
def test_check_output_says_what_is_wrong(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence):
        check_output(tmp_path / name, extensions=(".csv",))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path / "folder.csv", extensions=(".csv",))


def test_an_error_in_an_inner_block_takes_back_its_own_part_only(tmp_path):
    (tmp_path / "old").write_text("old")
    with all_or_nothing():
        with replacing(tmp_path / "outer") as temporary:
            temporary.write_text("1")
        with pytest.raises(KeyError), all_or_nothing():  # noqa: PT012
            make_folder(tmp_path / "a" / "b")
            with replacing(tmp_path / "a" / "b" / "inner") as temporary:
                temporary.write_text("2")
            set_aside(tmp_path / "old")
            with replacing(tmp_path / "outer") as temporary:
                temporary.write_text("3")
            raise KeyError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"outer": "1", "old": "old"}


def test_a_folder_takes_the_place_of_a_folder_and_comes_back_after_an_error(tmp_path):
    target = tmp_path / "data"
    for content in ("first", "second"):
        with replacing(target) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
        assert [path.name for path in tmp_path.rglob("*")] == ["data", content]
    with pytest.raises(OSError, match="late"), all_or_nothing():  # noqa: PT012
        with replacing(target) as temporary:
            temporary.mkdir()
        set_aside(target)
        set_aside(tmp_path / "nothing")
        raise OSError("late")
    assert [path.name for path in tmp_path.rglob("*")] == ["data", "second"]
