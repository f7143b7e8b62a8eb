"""``python -m kanpde.cli``, the same as run_experiments.py."""

import sys

from kanpde.cli import main

if __name__ == "__main__":
    sys.exit(main())
