"""Calling what a user wrote: arguments matched by name, and errors that say what is wrong with it."""

import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from kanpde.arguments import nearest
from kanpde.fields import not_compared


@lru_cache(maxsize=256)
def _argument_names(function: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the arguments without a default, and of all; remembered, for an equation is called in every step."""
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function_name(function)} takes {parameter}, but arguments are matched by name: list them one by one")
    return tuple(each.name for each in parameters if each.default is each.empty), tuple(each.name for each in parameters)


def argument_names(function: Callable[..., Any], *, optional: bool = False) -> tuple[str, ...]:
    """The names that a user's function asks for, with ``optional`` those with a default too; ``TypeError`` for *args and **kwargs."""
    try:
        names = _argument_names(function)
    except TypeError:  # what cannot be hashed cannot be remembered
        names = _argument_names.__wrapped__(function)
    return names[optional]


def function_name(function: Callable[..., Any]) -> str:
    """How messages call a user's function."""
    name = getattr(function, "__name__", repr(function))
    return "the function" if name == "<lambda>" else f"{name}()"


def call_by_name(function: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    """Call ``function`` with those of the ``available`` values that it names; ``TypeError`` with a hint for a name that is not there.

    An argument with a default is matched by name too, and keeps its default only where nothing has that name.
    """
    required = argument_names(function)
    for name in required:
        if name not in available:
            raise TypeError(
                f"{function_name(function)} asks for {name!r}, but there is only {', '.join(available)}{nearest(name, list(available))}"
            )
    try:
        return function(**{name: available[name] for name in argument_names(function, optional=True) if name in available})
    except (ValueError, RuntimeError) as error:
        if not re.search(r"truth value of an array|Boolean value of Tensor", str(error)) or error.__traceback__ is None:
            raise
        frames = list(traceback.walk_tb(error.__traceback__))
        raise TypeError(not_compared(f"what {function_name(function)} compares", frames[-1][0], "an array")) from error


def components_of(value: Any, function: Callable[..., Any]) -> tuple[Any, ...]:
    """What an equation returned, as a tuple; an error for nothing, and for what is no number and no field."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not values:
        raise ValueError(f"{function_name(function)} returns no component: return a residual, or a tuple of them")
    for place, each in enumerate(values, 1):
        if each is None or isinstance(each, (str, bool, Mapping)):
            name = function_name(function)
            which = f"component {place} of what {name} returns is" if len(values) > 1 else f"{name} returns"
            why = "is a `return` missing?" if each is None else "return a residual, or a tuple of them"
            raise TypeError(f"{which} {each!r}, which is no residual: {why}")
    return values
