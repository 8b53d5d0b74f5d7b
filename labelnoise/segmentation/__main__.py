"""``python -m labelnoise.segmentation``, and the entry point of ``labelnoise-segmentation``: the same."""

import sys

from labelnoise.interrupts import start


def main() -> int:
    """Run the command line of the process."""
    return start("labelnoise.segmentation.cli")


if __name__ == "__main__":
    sys.exit(main())
