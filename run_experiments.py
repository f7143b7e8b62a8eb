"""Run problem files, redraw figures, compare runs.

    python run_experiments.py problems/poisson.py

Works in a checkout, installed or not; ``--help`` says more.
"""

import sys

from kanpde.cli import main

if __name__ == "__main__":
    sys.exit(main())
