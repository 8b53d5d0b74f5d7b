"""``python -m labelnoise.graph``, and the entry point of ``labelnoise-graph``: the same."""

import sys

from labelnoise.interrupts import start


def main() -> int:
    """Run the command line of the process."""
    return start("labelnoise.graph.cli")


if __name__ == "__main__":
    sys.exit(main())
