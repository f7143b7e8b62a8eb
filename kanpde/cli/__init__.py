"""The command line: :func:`main` runs problem files, redraws figures, compares runs."""

from kanpde.cli.commands import main

__all__ = ["main"]
