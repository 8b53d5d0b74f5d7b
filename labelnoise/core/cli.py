"""The root command, and how every command ends: one sentence for what a user can mend, and an exit code.

0 done, 1 a defect of the program or failed benchmark cells, 2 a mistake in what was asked, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import entry_points
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter, UnknownCommandError, UnusedCliTokensError

import labelnoise
from labelnoise.core.progress import Item, Reporter, show_progress
from labelnoise.interrupts import INTERRUPTED, SENTENCE

__all__ = ["build_root", "main", "run"]

OK, FAILED, MISTAKE = 0, 1, 2
#: What a shell reports for a program that wrote into a closed pipe.
CLOSED_PIPE = 141
#: Set to anything, it lets exceptions through with their traceback.
DEBUG_VARIABLE = "LABELNOISE_DEBUG"

SEE_HELP = "the same command with --help lists what is allowed"
#: How every parameter is shown: no ``--no-x`` beside ``--x``, no default where it says nothing.
PARAMETER = Parameter(
    negative=(), show_default=lambda value: None if value in (False, (), None) else str(value)
)


def build_root() -> App:
    """The ``labelnoise`` command; modalities and commands are named here and imported only when used."""
    app = App(
        name="labelnoise",
        help="Find wrong labels, simulate them, compare the methods that do.",
        version=labelnoise.__version__,
        default_parameter=PARAMETER,
        help_format="plaintext",
        suppress_keyboard_interrupt=False,
        group_commands=Group("Commands", sort_key=2),
    )
    modalities = Group("Modalities", sort_key=1)
    for name in sorted({point.name for point in entry_points(group="labelnoise.domains")}):
        summary = f"Wrong labels in {name} data: detect, review, apply, train, corrupt, evaluate, bench."
        app.command(f"labelnoise.core.verbs:app_{name}", name=name, help=summary, group=modalities)
    for name, summary in (
        ("bench", "Compare methods over data sets, noise and seeds."),
        ("report", "Write a benchmark's results as a page."),
        ("datasets", "List the data sets that can be loaded by name."),
        ("methods", "List detectors, trainers and noise kinds, with their sources."),
    ):
        app.command(f"labelnoise.core.commands:{name}", name=name, help=summary)
    app.command(
        "labelnoise.core._reproduce_command:reproduce_command",
        name="reproduce",
        help="Run a published setting and print our figures beside the paper's.",
    )
    return app


class _Bars:
    """Progress bars on standard error, if that is a terminal; rich is loaded when the first one is due."""

    def __init__(self) -> None:
        self._rich: Any = None

    def track(self, items: Iterable[Item], description: str, total: int | None) -> Iterator[Item]:
        if not sys.stderr.isatty():
            yield from items
            return
        if self._rich is None:
            from labelnoise.core._bars import RichReporter

            self._rich = RichReporter()
        yield from self._rich.track(items, description, total)

    def stop(self) -> None:
        if self._rich is not None:
            self._rich.stop()


def run(make_app: Callable[[], App], arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Parameters
    ----------
    make_app : callable
        Builds the app; what goes wrong in it is reported like any other mistake.
    arguments : sequence of str, optional
        The process's own by default.

    Returns
    -------
    int
        0 done; 1 a defect of the program, or failed benchmark cells; 2 a mistake in what was asked (printed
        as one line on standard error); 130 interrupted; 141 the reader of the output went away.
    """
    _one_thread()
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    bars: Reporter = _Bars()
    for stream in (sys.stdout, sys.stderr):
        # A label's name must not end a run because a terminal cannot show one of its letters.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        with show_progress(bars), _one_line_warnings():
            try:
                result = make_app()(
                    tokens, exit_on_error=False, print_error=False, result_action="return_value"
                )
                sys.stdout.flush()
                return result if isinstance(result, int) else OK
            finally:
                bars.stop()  # type: ignore[attr-defined]
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else OK if stop.code is None else MISTAKE
    except BrokenPipeError:
        # Python would complain once more when it closes standard output.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except KeyboardInterrupt:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        print(SENTENCE, file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        code, sentence = _explain(error)
        from labelnoise.core.terminal import say

        say(f"error: {' '.join(sentence.split())}", file=sys.stderr)
        return code


def _explain(error: Exception) -> tuple[int, str]:
    """Exit code and sentence for an exception."""
    from labelnoise.core.validation import InputError

    if isinstance(error, UnknownCommandError):
        return MISTAKE, _unknown_command(error)
    if isinstance(error, UnusedCliTokensError):
        return MISTAKE, f"Nothing takes the argument {(error.unused_tokens or [''])[0]!r}; {SEE_HELP}."
    if isinstance(error, InputError | CycloptsError):
        return MISTAKE, str(error)
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("labelnoise"):
        extra = _modality_of(error) or "all"
        return (
            MISTAKE,
            f"this needs {error.name!r}, which is not installed. Run: pip install 'labelnoise[{extra}]'",
        )
    if isinstance(error, OSError):
        what = (error.strerror or str(error) or type(error).__name__).lower()
        where = f" {error.filename!r}" if error.filename else ""
        return MISTAKE, f"the system refused to read or write{where}: {what}."
    if isinstance(error, MemoryError) or _torch_ran_out(error):
        return MISTAKE, "there is not enough memory for this; use a smaller data set or a machine with more."
    return FAILED, (
        f"this is a defect of the program, not of your input ({type(error).__name__}: {error}); "
        f"set {DEBUG_VARIABLE}=1 to see where, and please report it."
    )


def _torch_ran_out(error: Exception) -> bool:
    """Torch raises a RuntimeError where memory ends: on the CPU a plain one."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return "OutOfMemoryError" in kinds or (
        isinstance(error, RuntimeError) and "DefaultCPUAllocator: can't allocate memory" in str(error)
    )


def _modality_of(error: Exception) -> str | None:
    """The modality whose code raised an exception, by the innermost module that belongs to one."""
    found, trace = None, error.__traceback__
    while trace is not None:
        parts = str(trace.tb_frame.f_globals.get("__name__", "")).split(".")
        if parts[0] == "labelnoise" and len(parts) > 2 and parts[1] != "core":
            found = parts[1]
        trace = trace.tb_next
    return found


def _unknown_command(error: UnknownCommandError) -> str:
    """Said here because cyclopts would import every modality to say it."""
    from labelnoise.core.validation import InputError, choose

    word = (error.unused_tokens or [""])[0]
    if word.startswith("-"):
        return f"There is no option {word!r} here; {SEE_HELP}."
    known = [name for name in error.app or () if not name.startswith("-")]
    try:
        choose(word, known, "command")
    except InputError as reason:
        return str(reason)
    return f"The command {word!r} cannot stand there."


@contextlib.contextmanager
def _one_line_warnings() -> Iterator[None]:
    """Within the block warnings are one line each, without the source line that raised them."""
    before = warnings.formatwarning
    from labelnoise.core.terminal import printable

    warnings.formatwarning = lambda text, *_, **__: f"warning: {printable(' '.join(str(text).split()))}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def _one_thread() -> None:
    """Let linear algebra use one thread unless the user says otherwise; only before NumPy is loaded.

    The products here are bound by memory: on two cores more threads wait for each other and a detection on Cora
    takes twice as long. ``OMP_NUM_THREADS`` set by the user wins; benchmarks use processes instead.
    """
    if "numpy" not in sys.modules:
        os.environ.setdefault("OMP_NUM_THREADS", "1")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``labelnoise``."""
    return run(build_root, arguments)
