"""How a command begins, so that Ctrl-C ends it at any moment by one sentence and the exit code 130.

Nothing else is imported here: most of a command's first second goes into imports, and Ctrl-C may come then.
"""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # the typing module takes longer to load than this one
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

__all__ = ["INTERRUPTED", "SENTENCE", "Interrupted", "start"]

#: The exit code, which is also what a shell reports for a program that died of Ctrl-C.
INTERRUPTED = 130

SENTENCE = "interrupted; no file was left half-written, and a benchmark goes on where it stopped"

#: Seconds after which an interrupt that got lost is sent again.
_AGAIN = 0.05


class Interrupted(KeyboardInterrupt):
    """Ctrl-C.

    A class of its own since Python remembers a plain KeyboardInterrupt that passed through evaluated code (as in
    imports of named tuples) and ends by the signal instead of the exit code, however it was handled.
    """


def start(program: str) -> int:
    """Import a program, run its ``main`` and return the exit code.

    Parameters
    ----------
    program : str
        Name of a module, such as ``"labelnoise.core.cli"``.

    Examples
    --------
    >>> import contextlib, io
    >>> from unittest.mock import patch
    >>> with patch("sys.argv", ["labelnoise", "--version"]), contextlib.redirect_stdout(io.StringIO()) as out:
    ...     code = start("labelnoise.core.cli")
    >>> code, out.getvalue().strip()
    (0, '0.1.0')
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return _main_of(program)  # whoever set another handler decides
    ordinary = sys.unraisablehook
    sys.unraisablehook = _told_again(ordinary)
    signal.signal(signal.SIGINT, _raise)
    try:
        code = _main_of(program)
    except KeyboardInterrupt:
        if os.environ.get("LABELNOISE_DEBUG"):
            raise
        print(SENTENCE, file=sys.stderr)
        code = INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = ordinary
    if code == INTERRUPTED:
        # Nothing is left to be told; another Ctrl-C while Python tidies up ends it without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


def _main_of(program: str) -> int:
    from importlib import import_module

    code: int = import_module(program).main()
    return code


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def _told_again(ordinary: Any) -> Any:
    """A hook for exceptions that Python can only print; an interrupt among them would be lost, so it is sent again."""

    def tell(unraisable: Any) -> None:
        if not isinstance(unraisable.exc_value, Interrupted):
            ordinary(unraisable)
            return
        from threading import Timer

        again = Timer(_AGAIN, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    return tell
