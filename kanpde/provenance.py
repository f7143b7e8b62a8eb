"""Where a result came from: command, versions, machine, commit, settings."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch


def provenance(experiment: Any, seed: int, device: str, dtype: torch.dtype, source: str) -> dict[str, Any]:
    """What a result keeps of its origin; ``source`` is the problem file's text."""
    return {
        **origin(),
        "device": device,
        "dtype": str(dtype).removeprefix("torch."),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "problem_source": source,
        "experiment_repr": repr(experiment),
    }


def origin() -> dict[str, Any]:
    """Command, time, versions, machine and commit."""
    from kanpde import __version__

    commit, dirty = _git()
    return {
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "kanpde": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "git_commit": commit,
        "git_dirty": dirty,
    }


def _git() -> tuple[str, bool]:
    """Commit and whether there are changes, of the checkout that kanpde runs from; empty outside one."""

    def ask(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()

    try:
        return ask("rev-parse", "HEAD"), bool(ask("status", "--porcelain"))
    except (OSError, subprocess.SubprocessError):
        return "", False
