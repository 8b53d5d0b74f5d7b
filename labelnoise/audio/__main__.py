"""``python -m labelnoise.audio``, and the entry point of ``labelnoise-audio``: the same."""

import sys

from labelnoise.interrupts import start


def main() -> int:
    """Run the command line of the process."""
    return start("labelnoise.audio.cli")


if __name__ == "__main__":
    sys.exit(main())
