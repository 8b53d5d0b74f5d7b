import json
from pathlib import Path

import numpy as np
import pytest

from labelnoise.core.cli import build_root, run
from labelnoise.core.domain import get_domain
from labelnoise.core.issues import EXTENSIONS, IssueTable


@pytest.fixture
def call(pets, tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder: ``call("pets", "detect")`` -> (exit code, output, error)."""
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments):
        code = run(build_root, [str(item) for item in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_it


def refused(call, *arguments):
    """The sentence of a refused command; it is one line, nothing was printed, no file appeared."""
    before = sorted(Path().rglob("*"))
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert sorted(Path().rglob("*")) == before
    return err


def noisy(call, **changes):
    options = {"--kind": "symmetric", "--rate": "0.1", "--out": "noisy.json", **changes}
    code, _, err = call("pets", "corrupt", *(part for pair in options.items() for part in pair))
    assert (code, err) == (0, "")
    return options["--out"]


# ---------------------------------------------------------------------------------------------- detect


def test_detect_without_arguments_judges_the_default_data_set(call):
    code, out, err = call("pets", "detect")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "32 of 300 labels flagged; 32 [24, 40] expected to be wrong"
    assert "method nearest, rule expected-f1" in out
    assert "warning: some pets look alike" in out
    assert "20 of 32 rows shown" in out
    assert "true labels" not in out
    assert not list(Path().iterdir())


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_detect_writes_what_it_shows(call, extension):
    code, out, _ = call(
        "pets", "detect", "--out", f"a{extension}", "--top", 7, "--seed", 5, "--set", "folds=3"
    )
    assert code == 0
    assert f"written: a{extension}" in out
    table = IssueTable.load(f"a{extension}")
    assert len(table) == table.header.n_flagged == 7
    assert table.header.decision == "top 7"
    assert table.header.settings == {"seed": 5, "options": {"folds": 3}}
    assert table.header.data_hash == get_domain("pets").load("zoo").content_hash()
    assert table.extra == ["distance", "where"]
    assert table.columns["unit"][0] == f"pet {table.columns['index'][0]}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "expected-f1"),
        (("--expected-f1",), "expected-f1"),
        (("--expected-count",), "expected-count"),
        (("--fdr", "0.1"), "fdr 0.1"),
        (("--top", "0"), "top 0"),
        (("--rule", "own"), "nearest's own"),
        (("--rule", "nearest"), "nearest's own"),
        (("--rule", "expected-count"), "expected-count"),
    ],
)
def test_each_rule_flags_what_its_function_says(call, flags, words):
    from labelnoise.core.decision import decide

    _, out, _ = call("pets", "detect", "--all-units", "--json", *flags)
    answer = json.loads(out)
    assert answer["header"]["decision"] == words
    p_wrong = np.array([row["p_wrong"] for row in answer["issues"]])
    flagged = np.array([row["flagged"] for row in answer["issues"]])
    if "own" in words:
        expected = np.array([row["quality"] < 0.1 for row in answer["issues"]])
    else:
        numbers = {"fdr": 0.1} if "fdr" in words else {"top": 0} if "top" in words else {}
        expected = decide(p_wrong, rule=words.split()[0], **numbers)
    assert (flagged == expected).all()
    assert answer["header"]["n_flagged"] == expected.sum()
    assert (flagged.sum() > 0) == (words != "top 0")


def test_a_method_that_only_ranks_decides_by_its_own_rule(call):
    code, out, _ = call("pets", "detect", "--method", "ranker")
    assert code == 0
    assert "rule ranker's own" in out
    assert "p_wrong" not in out
    assert "expected to be wrong" not in out


@pytest.mark.parametrize("method", ["ranker", "unsaid"])
@pytest.mark.parametrize("flag", ["--expected-f1", "--expected-count", "--fdr=0.1", "--top=3"])
def test_rules_that_need_probabilities_name_the_methods_that_have_them(call, method, flag):
    sentence = refused(call, "pets", "detect", "--method", method, flag)
    assert f"{flag.split('=')[0]} needs the probability" in sentence
    assert "choose a calibrated method (nearest)" in sentence


def test_detect_says_how_right_it_was_where_the_truth_is_known(call):
    noisy(call)
    code, out, _ = call("pets", "detect", "noisy.json")
    assert code == 0
    assert "Against the known true labels" in out
    _, out, _ = call("pets", "detect", "noisy.json", "--json")
    answer = json.loads(out)
    data = get_domain("pets").load("noisy.json")
    flagged = np.zeros(300, bool)
    flagged[[row["index"] for row in answer["issues"]]] = True
    wrong = data.given != data.true
    found = answer["evaluation"]
    assert found["precision"] == pytest.approx((wrong & flagged).sum() / flagged.sum())
    assert found["recall"] == pytest.approx((wrong & flagged).sum() / wrong.sum())
    assert found["precision_low"] < found["precision"] < found["precision_high"]
    right = [
        data.class_names[data.true[row["index"]]] == row["suggested"]
        for row in answer["issues"]
        if wrong[row["index"]]
    ]
    assert found["suggestion_accuracy"] == pytest.approx(np.mean(right))
    assert 0.9 < found["auroc"] <= 1


def test_the_detector_sees_no_truth(call):
    """The pets detectors assert it; data with known truth must pass."""
    assert call("pets", "detect", "farm")[0] == 0
    noisy(call)
    assert call("pets", "detect", "noisy.json")[0] == 0


def test_units_without_a_label_stay_out(call):
    _, out, _ = call("pets", "detect", "farm", "--all-units", "--json")
    answer = json.loads(out)
    assert answer["header"]["n_labelled"] == len(answer["issues"]) == 195
    assert min(row["index"] for row in answer["issues"]) >= 5
    assert answer["evaluation"]["n"] == 195


def test_show_limits_what_is_printed_not_what_is_written(call):
    _, out, _ = call("pets", "detect", "--show", "0", "--out", "a.csv")
    assert "rank" not in out
    assert len(IssueTable.load("a.csv")) == 32


def test_same_seed_same_bytes(call):
    call("pets", "detect", "--out", "a.parquet")
    call("pets", "detect", "--out", "b.parquet")
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--methd", "x"], "--methd"),
        (["--method", "neerest"], "Did you mean 'nearest'?"),
        (["--fdr", "0.1", "--top", "3"], "--fdr and --top were given together"),
        (["--expected-f1", "--rule", "own"], "--expected-f1 and --rule were given together"),
        (["--fdr", "10"], "--fdr is 10.0; it must lie from 0 to 1"),
        (["--fdr", "nan"], "--fdr is nan"),
        (["--top", "-3"], "--top is -3"),
        (["--top", "many"], "--top"),
        (["--rule", "ranker"], "Unknown rule 'ranker'"),
        (["--out", "a.xlsx"], "choose one of: .csv, .jsonl, .parquet"),
        (["--out", "a"], "has no extension"),
        (["--out", "no/a.csv"], "folder that does not exist"),
        (["--out", "."], "has no extension"),
        (["missing.json"], "There is no pets data set"),
        (["a", "b"], "Nothing takes the argument 'b'"),
        (["empty"], "no labelled animal"),
        (["--seed", "-1"], "--seed is -1"),
        (["--show", "-1"], "--show is -1"),
        (["--data-root", "nowhere"], "--data-root 'nowhere' is not a folder"),
        (["--set", "folds"], "not of the form key=value"),
        (["--set", "fold=1"], "It takes: width (default 0.5), folds (default 5)"),
        (["--set", "folds=x"], "a whole number is needed"),
        (["--method", "needy"], "needs 'no_such_module_here', which is not installed"),
        (["--method", "full_disk"], "'/somewhere/cache.bin': no space left on device"),
    ],
)
def test_detect_refuses_by_one_sentence(call, arguments, words):
    assert words in refused(call, "pets", "detect", *arguments)


def test_output_never_replaces_the_input(call):
    noisy(call)
    before = Path("noisy.json").read_bytes()
    Path("alias.csv").symlink_to("noisy.json")
    assert "overwrite the input" in refused(call, "pets", "detect", "noisy.json", "--out", "alias.csv")
    again = ["--kind", "symmetric", "--rate", "0.1", "--out", "./noisy.json"]
    assert "overwrite the input" in refused(call, "pets", "corrupt", "noisy.json", *again)
    assert Path("noisy.json").read_bytes() == before


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_only_tables_of_issues_are_overwritten(call, extension):
    path = Path(f"a{extension}")
    assert call("pets", "detect", "--out", path)[0] == 0
    assert call("pets", "detect", "--out", path, "--top", "3")[0] == 0
    assert len(IssueTable.load(path)) == 3
    other = Path(f"precious{extension}")
    for content in (b"", b"id,label\n1,cat\n", b'{"id": 1}\n', b"PAR1 and more PAR1"):
        other.write_bytes(content)
        assert "exists and is no table of issues" in refused(call, "pets", "detect", "--out", other)
        assert other.read_bytes() == content


def test_only_corrupted_data_sets_are_overwritten(call):
    noisy(call)
    noisy(call, **{"--seed": "1"})
    raw = json.loads(Path("noisy.json").read_text())
    arguments = ["--kind", "next", "--rate", "0.1", "--out", "mine.json"]
    for content in (json.dumps({**raw, "meta": {}}), "a letter to a friend"):
        Path("mine.json").write_text(content)
        assert "exists and is no data set made by corrupt" in refused(call, "pets", "corrupt", *arguments)
        assert Path("mine.json").read_text() == content


def test_a_full_disk_is_a_sentence_and_keeps_the_old_table(call, monkeypatch):
    call("pets", "detect", "--out", "a.parquet")
    before = Path("a.parquet").read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "no space left on device" in refused(call, "pets", "detect", "--out", "a.parquet", "--top", "3")
    assert Path("a.parquet").read_bytes() == before


# --------------------------------------------------------------------------------------------- corrupt


def test_corrupt_keeps_the_truth_and_reports_rate_and_t(call):
    code, out, err = call(
        "pets", "corrupt", "zoo", "--kind", "symmetric", "--rate", "0.3", "--seed", 1, "--out", "a.json"
    )
    assert (code, err) == (0, "")
    clean, made = get_domain("pets").load("zoo"), get_domain("pets").load("a.json")
    assert (made.true == clean.given).all()
    wrong = int((made.given != made.true).sum())
    assert out.startswith(
        f"{wrong} of 300 labels of zoo are wrong now: rate {wrong / 300:.4f}, asked for 0.3"
    )
    assert "T[true, given] that the labels were drawn from" in out
    assert "0.700" in out
    assert out.rstrip().endswith("written: a.json")


def test_corrupt_as_json_has_both_transitions(call):
    _, out, _ = call(
        "pets", "corrupt", "--kind", "next", "--rate", "0.2", "--out", "a.json", "--json", "--set", "scale=2"
    )
    answer = json.loads(out)
    made = get_domain("pets").load("a.json")
    assert answer["transition_drawn"] is None
    realised = np.array([[np.mean(made.given[made.true == i] == j) for j in range(3)] for i in range(3)])
    np.testing.assert_allclose(answer["transition_realised"], realised)
    assert answer["realised_rate"] == pytest.approx((made.given != made.true).mean())
    assert answer["options"] == {"scale": 2.0}
    assert answer["data_hash"] == made.content_hash()


def test_corrupt_starts_from_the_truth_and_leaves_unlabelled_units_alone(call):
    farm = get_domain("pets").load("farm")
    _, out, _ = call("pets", "corrupt", "farm", "--kind", "next", "--rate", "0.2", "--out", "a.json")
    made = get_domain("pets").load("a.json")
    assert f"starts from the known true labels ({int(farm.is_wrong.sum())} differed" in out
    assert (made.given[:5] == -1).all()
    assert (made.true[5:] == farm.true[5:]).all()
    assert f"{int((made.given != made.true)[5:].sum())} of 195 labels" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--kind is missing; choose one of: next, symmetric"),
        (["--kind", "symetric"], "Did you mean 'symmetric'?"),
        (["--kind", "next"], "--rate is missing"),
        (["--kind", "next", "--rate", "10", "--out", "a.json"], "0.1 means ten per cent"),
        (["--kind", "next", "--rate", "0.1"], "--out is missing"),
        (["--kind", "next", "--rate", "0.1", "--out", "a.npz"], "choose one of: .json"),
        (["--kind", "next", "--rate", "0.1", "--out", "no/a.json"], "does not exist"),
        (["--kind", "next", "--rate", "0.1", "--out", "a.json", "--set", "step=2"], "has no option 'step'"),
        (["--kind", "symmetric", "--rate", "0.1", "--out", "a.json", "--set", "x=2"], "it takes none"),
    ],
)
def test_corrupt_refuses_by_one_sentence(call, arguments, words):
    assert words in refused(call, "pets", "corrupt", *arguments)


# -------------------------------------------------------------------------------------------- evaluate


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_evaluate_agrees_with_detect(call, extension):
    noisy(call)
    _, out, _ = call("pets", "detect", "noisy.json", "--out", f"a{extension}", "--all-units", "--json")
    told = json.loads(out)["evaluation"]
    code, out, _ = call("pets", "evaluate", f"a{extension}", "--data", "noisy.json", "--json")
    assert code == 0
    assert json.loads(out)["evaluation"] == pytest.approx(told)
    call("pets", "detect", "noisy.json", "--out", f"b{extension}")
    _, out, _ = call("pets", "evaluate", f"b{extension}", "--data", "noisy.json", "--json")
    answer = json.loads(out)
    assert "auroc" not in answer["evaluation"]
    assert answer["evaluation"]["count_covered"] == told["count_covered"]
    for name in ("precision", "recall", "f1", "mcc", "n_flagged", "suggestion_accuracy", "expected"):
        assert answer["evaluation"][name] == pytest.approx(told[name])
    assert "--all-units" in answer["note"]


def test_evaluate_prints_the_measures(call):
    noisy(call)
    call("pets", "detect", "noisy.json", "--out", "a.csv")
    code, out, err = call("pets", "evaluate", "a.csv", "--data", "noisy.json")
    assert (code, err) == (0, "")
    assert "Precision" in out
    assert "AUROC" not in out
    assert "detect --all-units" in out


def test_evaluate_refuses_what_it_cannot_compare(call):
    assert "There is no table of issues" in refused(call, "pets", "evaluate", "a.csv", "--data", "zoo")
    assert "ISSUES requires" in refused(call, "pets", "evaluate")
    noisy(call)
    noisy(call, **{"--out": "other.json", "--kind": "next"})
    call("pets", "detect", "noisy.json", "--out", "a.csv")
    sentence = refused(call, "pets", "evaluate", "a.csv", "--data", "other.json")
    assert "judges 'noisy'" in sentence
    assert "'other.json' is other data" in sentence
    code, _, _ = call("pets", "evaluate", "a.csv")  # without --data: the file that was judged
    assert code == 0
    Path("other.json").replace("noisy.json")
    assert "'noisy' is other data" in refused(call, "pets", "evaluate", "a.csv")
    Path("noisy.json").unlink()
    assert "name it with --data" in refused(call, "pets", "evaluate", "a.csv")
    call("pets", "detect", "--out", "b.csv")
    assert "no known true labels" in refused(call, "pets", "evaluate", "b.csv")


def test_evaluate_sends_a_table_to_its_modality(call):
    call("pets", "detect", "--out", "a.jsonl")
    text = Path("a.jsonl").read_text().replace('"domain": "pets"', '"domain": "birds"')
    Path("a.jsonl").write_text(text)
    assert "labelnoise birds evaluate" in refused(call, "pets", "evaluate", "a.jsonl")


def test_rows_that_do_not_fit_the_data_are_refused(call):
    noisy(call)
    call("pets", "detect", "noisy.json", "--out", "a.csv", "--top", "3")
    lines = Path("a.csv").read_text("utf-8-sig").splitlines()
    cells = lines[1].split(",")
    cells[2] = "300"
    Path("a.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n")
    assert "do not fit" in refused(call, "pets", "evaluate", "a.csv", "--data", "noisy.json")
