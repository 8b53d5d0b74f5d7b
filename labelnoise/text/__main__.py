"""``python -m labelnoise.text``, and the entry point of ``labelnoise-text``: the same."""

import sys

from labelnoise.interrupts import start


def main() -> int:
    """Run the command line of the process."""
    return start("labelnoise.text.cli")


if __name__ == "__main__":
    sys.exit(main())
