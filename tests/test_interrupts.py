"""Ctrl-C at any moment: one sentence, exit code 130, nothing half-written, and the same command works afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labelnoise import interrupts
from tests.faults import needs_posix, one_sentence, start

#: Says when Ctrl-C is listened to: nothing can be promised while Python itself starts.
PROGRAM = (
    "import sys; from labelnoise.interrupts import start; print('ready', flush=True); "
    "sys.exit(start('labelnoise.core.cli'))"
)
DETECT = ("graph", "detect", "--out", "issues.parquet")
TRAIN = ("graph", "train", "--method", "plain-gcn", "--out", "predictions.csv")
BENCH = ("graph", "bench", "--quick", "--out", "store")

MOMENTS = [
    *((DETECT, seconds) for seconds in (0.05, 0.4)),
    (TRAIN, 1.5),
    ((*BENCH, "--workers", "2"), 2.0),
]
if os.environ.get("LABELNOISE_ALL_FAULTS"):
    commands = (DETECT, TRAIN, BENCH, (*BENCH, "--workers", "2"))
    MOMENTS = [(command, 0.05 + 0.3 * step) for command in commands for step in range(12)]

pytestmark = needs_posix


@pytest.mark.parametrize(("command", "seconds"), MOMENTS, ids=lambda value: str(value))
def test_ctrl_c_is_one_sentence_and_130_at_any_moment(command, seconds, tmp_path):
    if command == TRAIN:
        pytest.importorskip("torch")
    process = start([sys.executable, "-c", PROGRAM, *command], tmp_path)
    assert process.stdout.readline() == "ready\n"
    time.sleep(seconds)
    done = process.poll() is not None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    _, err = process.communicate(timeout=60)
    if done or process.returncode == 0:
        return
    assert process.returncode == 130, err
    assert "interrupted; " in one_sentence(err.removeprefix(_counted(err)))
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in left if path.suffix != ".json"] == []
    assert {path.parent.name for path in left} <= {"cells"}


def _counted(err: str) -> str:
    """The line in which bench says how much was there already."""
    first = err.split("\n", 1)[0] + "\n"
    return first if "are in the store already" in first else ""


def test_an_impatient_user_sees_no_traceback_either(tmp_path):
    process = start([sys.executable, "-c", PROGRAM, *BENCH, "--workers", "2"], tmp_path)
    assert process.stdout.readline() == "ready\n"
    time.sleep(1.5)
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.05)
    _, err = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in err
    assert "Exception ignored" not in err


LOST = """
import sys, time, types, weakref
from labelnoise.interrupts import start

class Thing:
    def __del__(self):
        print("deaf", flush=True)
        time.sleep(10)

def main():
    thing = Thing()
    del thing
    print("listening", flush=True)
    time.sleep(30)
    return 0

program = types.ModuleType("program")
program.main = main
sys.modules["program"] = program
sys.exit(start("program"))
"""


def test_an_interrupt_that_python_swallows_is_sent_again(tmp_path):
    process = start([sys.executable, "-c", LOST], tmp_path)
    assert process.stdout.readline() == "deaf\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    one_sentence(err)


def test_evaluated_code_does_not_change_the_exit_code(tmp_path):
    script = LOST.replace("thing = Thing()", "print('deaf', flush=True); exec('time.sleep(10)')")
    process = start([sys.executable, "-c", script], tmp_path)
    assert process.stdout.readline() == "deaf\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, "Python would end by the signal"
    one_sentence(err)


def test_another_handler_stays_in_charge():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        sys.modules["a_program"] = type(sys)("a_program")
        sys.modules["a_program"].main = lambda: signal.raise_signal(signal.SIGINT) or 7
        assert interrupts.start("a_program") == 7
    finally:
        signal.signal(signal.SIGINT, before)
        del sys.modules["a_program"]
    assert seen == [1]


@pytest.mark.parametrize("room", ["", ".graph", ".text", ".audio", ".segmentation"])
def test_every_command_can_be_run_as_a_module(room):
    done = subprocess.run(
        [sys.executable, "-m", f"labelnoise{room}", "--version"],
        capture_output=True,
        text=True,
        cwd=Path.cwd(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
