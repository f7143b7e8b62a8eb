"""Arguments checked: numbers and choices, with errors that name the argument and its value."""

import difflib
from collections.abc import Iterable, Sequence

import numpy as np


def whole_number(value: object, name: str, *, least: int = 1) -> int:
    """``value`` as an int; an error that names it if it is not a whole number of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def seed_number(value: object, name: str) -> int:
    """``value`` as the seed of a random generator: a whole number from 0 to 2^63 - 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**63:
        raise ValueError(f"{name} must be a whole number from 0 to 2^63 - 1, got {value!r}")
    return int(value)


def real_number(value: object, name: str, *, above: float = -np.inf, least: float = -np.inf) -> float:
    """``value`` as a float; an error that names it if it is not a finite number above ``above`` and of at least ``least``."""
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if good and above < float(value) < np.inf and float(value) >= least:  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    bound = f" above {above:g}" if above > -np.inf else f" of at least {least:g}" if least > -np.inf else ""
    raise ValueError(f"{name} must be a finite number{bound}, got {value!r}")


def one_of(value: object, known: Iterable[str], name: str) -> str:
    """``value``, if it is among the ``known`` words; else an error that lists them."""
    words = list(known)
    if isinstance(value, str) and value in words:
        return value
    hint = nearest(value, words) if isinstance(value, str) else ""
    raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, got {value!r}{hint}")


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint ``; did you mean ...?`` or nothing."""
    close = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
