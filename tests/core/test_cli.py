import os
import re
import signal
import subprocess
import sys
import time

import pytest

from labelnoise.core import cli
from labelnoise.core.cli import build_root, main, run
from labelnoise.core.progress import track
from labelnoise.core.validation import InputError

LABELNOISE = [sys.executable, "-c", "import sys; from labelnoise.core.cli import main; sys.exit(main())"]
#: Modules that help must not load, and any modality.
HEAVY = (
    "torch",
    "pandas",
    "sklearn",
    "scipy",
    "numpy",
    "pyarrow",
    "matplotlib",
    "labelnoise.graph",
    "labelnoise_pets",
)


def test_help_is_quick_and_loads_no_modality(pets):
    code = (
        "import sys\nfrom labelnoise.core.cli import main\ncode = main(['--help'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)\nsys.exit(code)"
    )
    seconds = []
    for _ in range(3):
        # CPU, not wall: on an idle machine they are the same, on a busy one the wall measures the neighbours.
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        after = os.times()
        seconds.append(sum(after[2:4]) - sum(before[2:4]))
        assert done.returncode == 0
        assert done.stderr.strip() == "[]"
        for name in ("pets", "bench", "report", "datasets", "methods"):
            assert name in done.stdout
    assert 0 < min(seconds) < 0.3


def test_root_names_every_installed_modality_even_a_broken_one(pets, capsys):
    assert run(build_root, ["--help"]) == 0
    out = capsys.readouterr().out
    assert "bare" in out
    assert "pets" in out


def test_version(capsys):
    import labelnoise

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == labelnoise.__version__


def test_no_arguments_print_the_help(pets, capsys):
    assert main([]) == 0
    assert "Usage: labelnoise" in capsys.readouterr().out
    assert main(["pets"]) == 0
    assert "detect" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["detect", "corrupt", "evaluate", "bench"])
def test_every_verb_has_help_with_every_option_explained(pets, capsys, verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["pets", verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: labelnoise pets {verb}" in out
    options = re.findall(
        r"│ (?:\* +)?(--[a-z0-9-]+|[A-Z]+)\b *(?:PATH|STR\.\.\.|STR|INT|FLOAT)? *(.*?) *│", out
    )
    assert len(options) >= 4
    for name, explanation in options:
        assert len(explanation) > 10, name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["petz"], "Unknown command 'petz'. Choose one of: "),
        (["pets", "detekt"], "Did you mean 'detect'?"),
        (["--bogus"], "There is no option '--bogus' here"),
        (["pets", "--bogus"], "There is no option '--bogus' here"),
        (["pets", "detect", "--bogus"], "--bogus"),
        (["bench", "--workers"], "--workers requires an argument"),
        (["bare", "detect"], "pip install 'labelnoise[bare]'"),
        (["bare"], "pip install 'labelnoise[bare]'"),
    ],
)
def test_mistyped_commands_are_one_sentence(pets, capsys, arguments, words):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert words in captured.err


def test_a_mistyped_command_loads_no_modality(pets, capsys):
    sys.modules.pop("labelnoise_pets", None)
    main(["petz"])
    assert "labelnoise_pets" not in sys.modules


def _raising(error):
    from cyclopts import App

    def make():
        app = App(suppress_keyboard_interrupt=False)

        @app.default
        def act():
            raise error

        return app

    return make


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("Two\nlines."), 2, "error: Two lines."),
        (PermissionError(13, "Permission denied", "a.csv"), 2, "'a.csv': permission denied"),
        (OSError(30, "Read-only file system", "a.csv"), 2, "'a.csv': read-only file system"),
        (OSError("odd"), 2, "refused to read or write: odd"),
        (MemoryError(), 2, "not enough memory"),
        (RuntimeError("[...] DefaultCPUAllocator: can't allocate memory: you tried"), 2, "not enough memory"),
        (ModuleNotFoundError("No module named 'torch'", name="torch"), 2, "pip install 'labelnoise[all]'"),
        (ModuleNotFoundError("x", name="labelnoise.nope"), 1, "defect of the program"),
        (ValueError("whatever"), 1, "ValueError: whatever"),
        (KeyboardInterrupt(), 130, "interrupted; "),  # as an app that lets it through
    ],
)
def test_exceptions_become_codes_and_sentences(capsys, monkeypatch, error, code, words):
    monkeypatch.delenv(cli.DEBUG_VARIABLE, raising=False)
    assert run(_raising(error), []) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err


def test_debug_lets_the_traceback_through(monkeypatch):
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        run(_raising(ZeroDivisionError()), [])


def test_an_integer_result_is_the_exit_code():
    from cyclopts import App

    app = App()
    app.default(lambda: 1)
    assert run(lambda: app, []) == 1


@pytest.mark.parametrize(("stop", "code"), [(SystemExit(3), 3), (SystemExit(), 0), (SystemExit("no"), 2)])
def test_a_command_that_exits_by_itself_keeps_its_code(stop, code):
    assert run(_raising(stop), []) == code


def test_warnings_are_one_line(capsys):
    import warnings

    from cyclopts import App

    before = warnings.formatwarning
    app = App()

    @app.default
    def act():
        # pytest collects warnings, so the line is asked for as the warnings module would
        sys.stderr.write(warnings.formatwarning(UserWarning("mind\nthe gap"), UserWarning, "a.py", 1))

    assert run(lambda: app, []) == 0
    assert capsys.readouterr().err == "warning: mind the gap\n"
    assert warnings.formatwarning is before


def test_bars_are_drawn_on_a_terminal_only(monkeypatch, capsys):
    from cyclopts import App

    from labelnoise.core import _bars

    monkeypatch.setattr(_bars, "PATIENCE_SECONDS", -1)
    app = App()
    app.default(lambda: None if list(track(range(3), "counting")) == [0, 1, 2] else 1)
    assert run(lambda: app, []) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run(lambda: app, []) == 0
    assert "counting" in capsys.readouterr().err


def test_a_closed_pipe_ends_quietly(pets, tmp_path):
    command = [*LABELNOISE, "pets", "detect", "--json", "--all-units"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == cli.CLOSED_PIPE


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_ctrl_c_ends_with_130_and_leaves_no_file(pets, tmp_path):
    command = [*LABELNOISE, "pets", "detect", "--method", "slow", "--out", "a.csv"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        text=True,
        # A test run in a shell's background inherits that the signal is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        while not (tmp_path / "slow-started").exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        err = process.stderr.read()
        assert process.wait() == 130
    assert err.startswith("interrupted; ")
    assert not list(tmp_path.glob("*.csv*"))


def test_a_terminal_without_unicode_still_gets_the_table(pets, tmp_path):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*LABELNOISE, "pets", "detect"], capture_output=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0
    assert b"32 of 300 labels flagged" in done.stdout
