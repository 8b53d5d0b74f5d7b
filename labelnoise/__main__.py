"""``python -m labelnoise``, and the entry point of the command: the same."""

import sys

from labelnoise.interrupts import start


def main() -> int:
    """Run the command line of the process."""
    return start("labelnoise.core.cli")


if __name__ == "__main__":
    sys.exit(main())
