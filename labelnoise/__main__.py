"""``python -m labelnoise``: the same as the command."""

import sys

from labelnoise.core.cli import main

if __name__ == "__main__":
    sys.exit(main())
