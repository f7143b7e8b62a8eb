"""Settings that all tests share: hypothesis is deterministic and writes no files."""

from hypothesis import settings

settings.register_profile("kanpde", derandomize=True, deadline=None, database=None, max_examples=25)
settings.load_profile("kanpde")
