"""Problems of data: a network that fits samples of functions, or tells classes apart.

Both are a :class:`~kanpde.problem.Problem` whose equation holds at the training rows alone, so that training, results, callbacks and
resumption are those of every problem.
"""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch

from kanpde.calls import function_name
from kanpde.conditions import Condition
from kanpde.datasets import Dataset, Split
from kanpde.domains import Box
from kanpde.metrics import chosen as chosen_metrics
from kanpde.network import Network
from kanpde.objective import outputs
from kanpde.problem import Problem
from kanpde.splits import NAMES
from kanpde.synthetic import Synthetic

KEPT = ("split", "row", "label", "predicted")  # what results call something else


@dataclass(frozen=True, repr=False)
class Supervised(Problem):
    """What a regression and a classification share: inputs are the coordinates, the training rows are the points."""

    domain: Box = field(init=False)
    equation: Any = field(init=False)
    conditions: tuple[Condition, ...] = field(init=False, default=())
    parameters: Mapping[str, Any] = field(init=False, default_factory=dict)
    unknowns: tuple[str, ...] = field(init=False, default=())
    exact: Any = field(default=None, kw_only=True)
    reference: Any = field(init=False, default=None)
    check: bool = field(init=False, default=False)
    data: Dataset
    metrics: Any = ()

    _arguments: ClassVar[tuple[str, ...]] = ()  # of metrics
    _options: ClassVar[tuple[str, ...]] = ("exact",)  # further arguments, for the repr

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.data, Dataset):
            raise TypeError(f'{kind} takes a Dataset, such as Dataset("file.csv", targets=["c"]), got {self.data!r:.60}')
        names = self._names()
        for name in names:
            if name in KEPT or name.startswith("target_"):
                raise ValueError(f"a target cannot be called {name!r}, as results call something else so: targets=dict(another={name!r})")
        for name, value in {"domain": self.data.domain, "unknowns": names, "equation": _outputs_by_name(names)}.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_chosen", chosen_metrics(self.metrics, self._arguments))
        super().__post_init__()
        with np.errstate(all="ignore"):
            self._values(np.zeros((len(self.data["train"]), len(self.unknowns))), self.data["train"])  # what metrics return is looked at

    def _names(self) -> tuple[str, ...]:
        """The network's outputs."""
        raise NotImplementedError

    def __repr__(self) -> str:
        given = ("data", self.data), ("metrics", self.metrics), *((name, getattr(self, name)) for name in self._options)
        words = [repr(self.data)] + [f"{name}={_shown(value)}" for name, value in given[1:] if value is not None and value != {}]
        return f"{type(self).__name__}({', '.join(words)})"

    @property
    def fills_domain(self) -> bool:
        return isinstance(self.data.source, Synthetic)

    def judged_by(self, *, everything: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        """The validation rows, or without them the training rows; with ``everything`` both."""
        names = [name for name in ("train", "validation") if len(self.data[name])]
        parts = [self.data[name] for name in (names if everything else names[-1:])]
        wanted = [values for part in parts if (values := self._wanted(part)) is not None]
        return np.concatenate([part.inputs for part in parts]), np.concatenate(wanted) if wanted else None

    def _wanted(self, split: Split) -> np.ndarray | None:
        """The network's outputs as they should be, (n, outputs), if that is known."""
        return None

    @property
    def data_points(self) -> np.ndarray:
        """The inputs of the training rows."""
        return self.data["train"].inputs

    @property
    def digest(self) -> str:
        return self.data.digest

    def warnings(self, periodic: Any = ()) -> list[str]:
        return self.data.warnings()

    def check_monitor(self, column: str) -> None:
        """Raise ``ValueError`` for a column that the history cannot have."""
        if column.startswith("validation_") and not len(self.data["validation"]):
            raise ValueError(f"there is no {column}, for no row is for validation: Dataset(..., validation=0.1)")
        if column.startswith("test_"):
            raise ValueError(
                f"there is no {column} while it trains, for the test would then be none: watch {column.replace('test_', 'validation_')}"
            )

    # ---- what is measured ----

    def monitored(self, network: Any) -> dict[str, float]:
        """Metrics of training and validation, and the loss of validation."""
        found = self._measured(network, ("train", "validation"), single=True)[0]
        return {name: value for name, value in found.items() if name != "train_loss"}

    def measured(self, network: Any) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
        """Inputs, targets and predictions of all rows, with their split (0 train, 1 validation, 2 test), and all metrics."""
        metrics, values = self._measured(network, NAMES)
        parts = [self.data[name] for name in NAMES]
        arrays = {name: np.concatenate([each[:, k] for each in values]) for k, name in enumerate(self.unknowns)}
        arrays |= {
            key: np.concatenate([self._kept(v, part)[key] for v, part in zip(values, parts, strict=True)]) for key in self._kept_names()
        }
        arrays["split"] = np.repeat(np.arange(3), [len(part) for part in parts])
        arrays["row"] = np.concatenate([part.rows for part in parts])
        return np.concatenate([part.inputs for part in parts]), arrays, metrics | {f"{name}_rows": len(self.data[name]) for name in NAMES}

    def _measured(self, network: Network, names: tuple[str, ...], *, single: bool = False) -> tuple[dict[str, float], list[np.ndarray]]:
        """Metrics, with ``single`` those that are one number, and the outputs (n, m) on each split."""
        found, values = dict[str, float](), []
        for name in names:
            split, like = self.data[name], network.lower
            points = torch.as_tensor(split.inputs, dtype=like.dtype, device=like.device)
            by_name = outputs(self, network, points)
            values.append(np.stack([by_name[each][()].cpu().double().numpy() for each in self.unknowns], 1))
            if len(split):
                with np.errstate(all="ignore"):  # of a network that diverged
                    found |= {f"{name}_{key}": value for key, value in self._values(values[-1], split, single).items()}
        return found, values

    def _values(self, values: np.ndarray, split: Split, single: bool = False) -> dict[str, float]:
        """The loss and the metrics of outputs (n, m)."""
        raise NotImplementedError

    def _kept_names(self) -> tuple[str, ...]:
        raise NotImplementedError

    def _kept(self, values: np.ndarray, split: Split) -> dict[str, np.ndarray]:
        raise NotImplementedError

    def _wording(self, latex: list[str], loss: str, **more: Any) -> dict[str, str]:
        words = {"latex": "\n".join(latex), "text": repr(self), "kind": type(self).__name__.lower(), "loss": loss}
        return words | {"splits": json.dumps(NAMES), **{name: json.dumps(value) for name, value in more.items()}}


def _outputs_by_name(names: tuple[str, ...]) -> Any:
    """The equation's left-hand side: the network's outputs, matched by name as a user's function is."""

    def prediction(**available: Any) -> tuple[Any, ...]:
        return tuple(available[name] for name in names)

    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    prediction.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return prediction


def check_rows(problem: Supervised, points: np.ndarray) -> None:
    if len(points) != len(problem.data["train"]):
        raise ValueError(f"{problem!r} has {len(problem.data['train'])} training rows, got {len(points)} points")


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"dict({', '.join(f'{name}={_shown(each)}' for name, each in value.items())})"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(map(_shown, value))}{',' * (len(value) == 1)})"
    return function_name(value).removesuffix("()") if callable(value) else repr(value)


def latex_name(name: str) -> str:
    return name if len(name) == 1 else "\\mathrm{" + name.replace("_", "\\_") + "}"
