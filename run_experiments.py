"""Run problem files, redraw figures, compare runs.

    python run_experiments.py problems/poisson.py

Works in a checkout, installed or not; ``--help`` says more.
"""

import os
import signal
import sys


def leave(number: int, frame: object) -> None:
    """Ctrl-C while libraries are loaded, when there is nothing to save: an exception could be lost in their C code."""
    os.write(2, b"interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, leave)
    from kanpde.cli import main

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
