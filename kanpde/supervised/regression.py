"""Fitting numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kanpde.datasets import Dataset, Split
from kanpde.metrics import REGRESSION
from kanpde.metrics import values as metric_values
from kanpde.problem import Unknown
from kanpde.supervised.problem import Supervised, check_rows, latex_name


@dataclass(frozen=True, repr=False)
class Regression(Supervised):
    """Fit the targets c of ``data``: the sum over targets of the mean of ((prediction - c) / s)^2, s the target's standard deviation.

    The network gives the prediction m + s N, with N what its last layer gives and m and s the mean and standard deviation of the target
    over the training rows: targets of any size train alike, and the formula is in their units. A network whose weights are given keeps
    the m and s that it has. Known noise ``sigma`` multiplies the squares by weights
    proportional to 1 / sigma^2 with mean 1. ``metrics`` are names (rmse, mae, max_error, r2, relative_l2), functions of ``prediction`` and
    ``target``, or a dict of them by name; results and history have each as ``train_rmse``, ``validation_rmse``, the results also as
    ``test_rmse``, for several targets as ``test_rmse_c``. The loss on each split is ``validation_loss``, and where sigma is known,
    ``validation_chi2`` is the mean of ((prediction - c) / sigma)^2.

    ``exact``, a function of the inputs, is the truth where it is known: errors against it are measured on a grid too.

    ``parameters``, ``dict(nu=Unknown(1.5))``, are constants of the formulas by which a :class:`~kanpde.similarity.Similarity` sees the
    inputs; results have each with its standard deviation, as ``nu`` and ``nu_sigma``, where sigma is known from it alone, and otherwise
    from the misfit.

    Raises ``ValueError`` for a target that is constant or holds texts, and for parameters that are not ``Unknown``.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    metrics: Any = ("rmse", "r2", "max_error")

    _arguments = REGRESSION
    _options = ("exact", "parameters")

    def __post_init__(self) -> None:
        if isinstance(self.data, Dataset):
            train, factors = self.data["train"], []
            for k, name in enumerate(self.data.target_names):
                factors.append(_location_and_scale(train.targets[:, k], name))
            object.__setattr__(self, "affine", dict(zip(self.data.target_names, factors, strict=True)))
        for name, value in self.parameters.items():
            if not isinstance(value, Unknown):
                raise ValueError(
                    f"the parameter {name}={value!r} of a Regression is not trained: give {name}=Unknown({value!r}), or write the number "
                    "into the formulas of the network"
                )
        super().__post_init__()

    affine: Any = field(init=False, default=None)  # mean and standard deviation of each target, by name

    def _names(self) -> tuple[str, ...]:
        return self.data.target_names

    @property
    def output_affine(self) -> tuple[list[float], list[float]]:
        """Means and standard deviations of the targets, which become the network's own (:meth:`~kanpde.network.Network.on_outputs`)."""
        shifts, scales = zip(*(self.affine[name] for name in self.unknowns), strict=True)
        return list(shifts), list(scales)

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """The targets at the training rows, and the roots of their weights."""
        train = self.data["train"]
        check_rows(self, points)
        found = {f"target {name}": train.targets[:, k].astype(float) for k, name in enumerate(self.unknowns)}
        if train.sigma is not None:
            found |= {f"weight of {name}": self._weights(train)[:, k] ** 0.5 for k, name in enumerate(self.unknowns)}
        return found

    def noise(self, points: np.ndarray) -> np.ndarray | None:
        train = self.data["train"]
        check_rows(self, points)
        if train.sigma is None:
            return None
        scales = np.array([self.affine[name][1] for name in self.unknowns])
        return (self._weights(train) ** 0.5 * train.sigma / scales).T

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        found = []
        for name in self.unknowns:
            misfit = (known[name] - known[f"target {name}"]) / self.affine[name][1]
            found.append(misfit * known[f"weight of {name}"] if f"weight of {name}" in known else misfit)
        return tuple(found)

    def _weights(self, split: Split) -> np.ndarray:
        """(n, m), with mean 1 over the training rows."""
        train = self.data["train"].sigma
        if train is None or split.sigma is None:
            return np.ones(split.targets.shape)
        finest = train.min(0)
        return (finest / split.sigma) ** 2 / np.mean((finest / train) ** 2, 0)

    def _values(self, values: np.ndarray, split: Split, single: bool = False) -> dict[str, float]:
        found, loss = dict[str, float](), 0.0
        weights, many = self._weights(split), len(self.unknowns) > 1
        for k, name in enumerate(self.unknowns):
            prediction, target = values[:, k], split.targets[:, k].astype(float)
            loss += float(np.mean(weights[:, k] * ((prediction - target) / self.affine[name][1]) ** 2))
            available = {"prediction": prediction, "target": target}
            by_name = metric_values(self._chosen, available, single=single)  # type: ignore[attr-defined]
            if split.sigma is not None:
                by_name["chi2"] = float(np.mean(((prediction - target) / split.sigma[:, k]) ** 2))
            found |= {f"{key}_{name}" if many else key: value for key, value in by_name.items()}
        return {"loss": loss, **found}

    def _wanted(self, split: Split) -> np.ndarray:
        return split.targets.astype(float)

    def _kept_names(self) -> tuple[str, ...]:
        found = tuple(f"target_{name}" for name in self.unknowns)
        return found if self.data["train"].sigma is None else (*found, *(f"target_{name}_sigma" for name in self.unknowns))

    def _kept(self, values: np.ndarray, split: Split) -> dict[str, np.ndarray]:
        found = {f"target_{name}": split.targets[:, k].astype(float) for k, name in enumerate(self.unknowns)}
        if split.sigma is not None:
            found |= {f"target_{name}_sigma": split.sigma[:, k] for k, name in enumerate(self.unknowns)}
        return found

    def wording(self) -> dict[str, str]:
        inputs = ", ".join(map(latex_name, self.domain.names))
        latex = [f"{latex_name(name)} \\approx f({inputs})" for name in self.unknowns]
        return self._wording(latex, "mean squared error over variance", targets=self.unknowns, affine=self.affine)


def _location_and_scale(values: np.ndarray, name: str) -> tuple[float, float]:
    """Mean and standard deviation of a target of any size; ``ValueError`` for texts and for a constant."""
    try:
        column = values.astype(float)
    except (TypeError, ValueError):
        raise ValueError(
            f"the target {name!r} holds texts such as {values[0]!r}: use Classification, or put numbers in their place"
        ) from None
    most = float(np.abs(column).max()) or 1.0
    mean = most * float(np.mean(column / most))
    spread = float(np.abs(column - mean).max())
    if np.ptp(column) == 0 or not spread > 0:
        raise ValueError(f"the target {name!r} is {column[0]:g} in all {len(column)} training rows: there is nothing to fit")
    return mean, spread * float(np.sqrt(np.mean(((column - mean) / spread) ** 2)))
