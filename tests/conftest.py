"""Settings that all tests share: hypothesis is deterministic and writes no files; with ``pytest -n 2`` each process has one core."""

import os

from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, and for the commands that tests start

settings.register_profile("kanpde", derandomize=True, deadline=None, database=None, max_examples=25)
settings.load_profile("kanpde")
