"""Tags carried to another language: the function, and the verb with its files, scores and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.commands import methods
from labelnoise.core.validation import InputError
from labelnoise.text import transfer as module
from labelnoise.text.cli import main
from labelnoise.text.dataset import TextDataset, from_sentences
from labelnoise.text.embedded import news
from labelnoise.text.evaluation import entity_f1
from labelnoise.text.files import read_text, write_text
from labelnoise.text.transfer import TRANSFERS, retyped, shared_columns, tagged, transfer, truth_of
from labelnoise.text.untagged import load_untagged

SOURCE, TARGET = news("en", 160), news("de", 80)


def files(folder: Path) -> tuple[str, str]:
    """Two texts as files; the target's has a column more and tags that are all wrong."""
    write_text(SOURCE.with_labels(SOURCE.true, true=None), folder / "en.conll")
    lines = ["# German"]
    for index in range(TARGET.n_sentences):
        lines += [f"{word}\tx{index}\tB-WRONG" for word in TARGET.sentence(index)] + [""]
    (folder / "de.iob2").write_text("\n".join(lines) + "\n")
    return str(folder / "en.conll"), str(folder / "de.iob2")


@pytest.mark.parametrize(
    ("method", "encoded"), [*((method, False) for method in TRANSFERS), ("direct", True), ("two-views", True)]
)
def test_every_way_answers_for_every_token_and_looks_at_no_tag(
    method: str, encoded: bool, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = str(tiny_model) if encoded else None
    options = {} if method == "direct" else {"rounds": 2}
    one = transfer(SOURCE, TARGET, method=method, encoder=encoder, **options)
    blank = TARGET.with_labels(np.full(TARGET.n_units, -1), true=None)
    np.testing.assert_array_equal(
        one.probs, transfer(SOURCE, blank, method=method, encoder=encoder, **options).probs
    )
    assert one.probs.shape == (TARGET.n_units, SOURCE.n_classes)
    assert (one.method, one.info["encoder"]) == (method, encoder)
    assert any("No encoder" in line for line in one.warnings) != encoded
    assert capsys.readouterr().err == ""  # no bars and reports of another library
    if not encoded:
        assert entity_f1(TARGET.true, one.predicted, starts=TARGET.starts) > 0.2


def test_a_translation_with_fewer_types_teaches_colada() -> None:
    words = [TARGET.sentence(index) for index in range(40)]
    names = np.array(TARGET.class_names, dtype=object)
    tags = [names[TARGET.true[a:b]] for a, b in zip(TARGET.starts[:40], TARGET.starts[1:41])]
    tags = [[tag if tag.endswith("PER") else "O" for tag in line] for line in tags]
    translated = from_sentences(words, tags, name="translated")
    with_it = transfer(SOURCE, TARGET, translated=translated, method="colada", rounds=1)
    assert with_it.info["translated"]
    assert not any("stood in" in line for line in with_it.warnings)


def test_the_verb_writes_the_target_in_its_own_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = files(tmp_path)
    out = tmp_path / "out.iob2"
    call = ["transfer", source, target, "--method", "direct", "--out", str(out), "--json"]
    assert main(call) == 0
    said = json.loads(capsys.readouterr().out)
    before, after = Path(target).read_text().splitlines(), out.read_text().splitlines()
    assert [line.split("\t")[:2] for line in before] == [line.split("\t")[:2] for line in after]
    written = read_text(out)
    assert set(written.types) <= set(SOURCE.types)
    counts = {name: int((written.spans()["type"] == i).sum()) for i, name in enumerate(written.types)}
    assert {name: count for name, count in said["entities"].items() if count} == counts
    assert said["scored_on"] == "given"
    assert said["scores"]["all"]["all"]["f1"] == 0.0
    assert said["written"] == [str(out)]
    # The same words without tags, or with "_" for each, get the same answer.
    words = [line.split("\t")[0] for line in before]
    (tmp_path / "bare.txt").write_text("\n".join(words) + "\n")
    (tmp_path / "open.txt").write_text("\n".join(f"{w} _" if w and w[0] != "#" else w for w in words) + "\n")
    for name in ("bare", "open"):
        copy = tmp_path / f"{name}-out.txt"
        assert main(["transfer", source, str(tmp_path / f"{name}.txt"), *call[3:5], "--out", str(copy)]) == 0
        again = read_text(copy)
        assert np.array_equal(retyped(again, SOURCE.types).given, retyped(written, SOURCE.types).given)
    assert "precision" not in capsys.readouterr().out


@pytest.mark.parametrize("ending", [".jsonl", ".json"])
def test_other_formats_and_the_score_against_a_truth(
    tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = files(tmp_path)
    right = TARGET.with_labels(TARGET.true, true=None)
    write_text(right, tmp_path / f"right{ending}")
    write_text(right.with_labels(np.zeros_like(right.given)), tmp_path / f"bare{ending}")
    call = ["transfer", source, str(tmp_path / f"bare{ending}"), "--truth", str(tmp_path / f"right{ending}")]
    assert main([*call, "--out", str(tmp_path / f"out{ending}"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    done = read_text(tmp_path / f"out{ending}")
    found = retyped(done, SOURCE.types).given
    assert said["scores"]["all"]["all"]["f1"] == pytest.approx(
        entity_f1(right.given, found, starts=right.starts)
    )
    assert said["scores"]["all"]["all"]["f1"] > 0.2


def test_a_folder_of_splits_becomes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, _ = files(tmp_path)
    folder = tmp_path / "target"
    folder.mkdir()
    half = int(TARGET.starts[40])
    for name, rows in (("train", slice(0, half)), ("test", slice(half, None))):
        inside = TARGET.starts[:41] if name == "train" else TARGET.starts[40:] - half
        part = TextDataset(
            name=name,
            given=TARGET.true[rows],
            class_names=TARGET.class_names,
            tokens=TARGET.tokens[rows],
            starts=inside,
        )
        write_text(part, folder / f"{name}.conll")
    out = tmp_path / "out"
    assert main(["transfer", source, str(folder), "--method", "direct", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["test.conll", "train.conll"]
    said = capsys.readouterr().out
    assert "given ones" in said
    assert "F1 in the split test: 0." in said
    assert main(["transfer", source, str(folder), "--method", "direct", "--out", str(folder)]) == 2


def test_what_does_not_fit_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = files(tmp_path)
    out = tmp_path / "out.conll"
    for more, words in (
        (["--method", "both"], "Choose one of: colada, direct, two-views"),
        (["--translated", source], "takes no translation"),
        (["--encoder", "/nowhere"], "There is no folder '/nowhere'"),
        (["--truth", source], "does not hold the words of"),
        (["--set", "round=2"], "Did you mean 'rounds'"),
        (["--set", "rounds=0"], "rounds is 0"),
        (["--seed", "-1"], "--seed is -1"),
        (["--data-root", "gone"], "is not a folder"),
    ):
        assert main(["transfer", source, target, "--out", str(out), *more]) == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    (tmp_path / "empty.conll").write_text("Ada O\n")
    assert main(["transfer", str(tmp_path / "empty.conll"), target]) == 2
    assert "has no tagged entity" in capsys.readouterr().err
    assert main(["transfer", source, target, "--out", target]) == 2
    assert "would overwrite the input" in capsys.readouterr().err
    assert main(["transfer", source, target, "--out", str(tmp_path / "out.zip")]) == 2
    assert "ends in .zip" in capsys.readouterr().err
    assert not out.exists()


def test_an_interrupt_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = files(tmp_path)
    out = tmp_path / "out.conll"
    out.write_text("before")

    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "transfer_by_two_views", stop)
    assert main(["transfer", source, target, "--out", str(out)]) == 130
    assert out.read_text() == "before"
    assert "interrupted" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["de.iob2", "en.conll", "out.conll"]


def test_types_keep_the_target_s_numbers_and_new_ones_follow() -> None:
    target = from_sentences([["a", "b"]], [["B-X", "B-PER"]], name="t")
    found = tagged(target, np.array([1, 3]), ("LOC", "PER"))
    assert found.types == ("PER", "X", "LOC")
    assert [found.class_names[tag] for tag in found.given] == ["B-LOC", "B-PER"]
    assert truth_of(found.with_labels(np.zeros(2, dtype=np.int64)), None) is None
    with pytest.raises(InputError, match="types PER"):
        transfer(
            from_sentences([["a"]], [["B-X"]], name="s"),
            target,
            translated=from_sentences([["a"]], [["B-PER"]], name="u"),
            method="colada",
        )


def test_what_is_shared_alone_counts() -> None:
    one = from_sentences([["Rom", "ruht"]] * 3, [["B-LOC", "O"]] * 3, name="a")
    two = from_sentences([["1999"]] * 2, [["O"]] * 2, name="b")
    assert shared_columns([one, two]).shape[0] == one.n_units + two.n_units
    lone = load_untagged("news")
    assert lone.n_units == news().n_units


def test_ways_of_transfer_are_listed_with_all_other_methods(capsys: pytest.CaptureFixture[str]) -> None:
    methods("text", as_json=True)
    rows = {(row["what"], row["name"]): row for row in json.loads(capsys.readouterr().out)["methods"]}
    assert {("transfer", "two-views"), ("trainer", "bond"), ("detector", "calibrated")} <= set(rows)
    assert [name for (what, name), row in rows.items() if what == "trainer" and row["default"]] == [
        "self-training"
    ]
