"""Classes that are numbers in an order, told apart by one score."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import torch

from kanpde.arguments import real_number
from kanpde.supervised.classification import Classification
from kanpde.supervised.problem import latex_name


@dataclass(frozen=True, repr=False)
class Ordinal(Classification):
    """Tell classes c_1 < ... < c_C apart that are numbers: one score s for all, and the class is the number nearest to it.

    With thresholds t_k = (c_k + c_{k+1})/2 halfway, t_0 = -inf, t_C = inf, and logistic noise of the scale ``noise`` on the score,

        p(c_k) = sigmoid((t_k - s)/noise) - sigmoid((t_{k-1} - s)/noise),

    and the loss is the mean of -log p. The network has one output, in the units of the target, where a :class:`Classification` has one a
    class; the score begins at the mean and spread of the target. The loss is convex in s, with the slope and the curvature

        (1 - sigmoid(a) - sigmoid(b)) / noise,    (sigmoid'(a) + sigmoid'(b)) / noise^2,    a, b = (t_k - s, t_{k-1} - s) / noise,

    which are those of the residual that Levenberg-Marquardt sees. ``metrics`` and errors are those of a classification; ``ValueError``
    also for classes that are no numbers. Source: proportional odds, McCullagh, J. R. Stat. Soc. B 42 (1980) 109, with thresholds that are
    given, as the score may be any function.
    """

    _: KW_ONLY
    noise: float
    outputs: Any = field(init=False, default=1)
    ridge: float = field(init=False, default=0.0)

    _options = ("noise",)

    def __post_init__(self) -> None:
        real_number(self.noise, "Ordinal(noise=...)", above=0)
        super().__post_init__()

    @property
    def numbers(self) -> np.ndarray:
        """The classes as numbers, (C,)."""
        return np.array([float(each) for each in self.classes])

    @property
    def output_affine(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of the target, in which the network trains."""
        values = self.data["train"].targets[:, 0].astype(float)
        return [float(values.mean())], [float(values.std())]

    def _found_classes(self) -> tuple[str, ...]:
        found = super()._found_classes()
        for each in found:
            try:
                float(each)
            except ValueError:
                raise ValueError(f"the class {each!r} is no number, so that nothing lies between classes: use Classification") from None
        return found

    def _check_outputs(self) -> None:
        """One, for any number of classes."""

    def for_outputs(self, count: int) -> "Ordinal":
        return self

    # ---- the loss, and its rows ----

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        code = super().columns(points)["class number"]
        edges = self._edges
        return {"threshold below": edges[code], "threshold above": edges[code + 1], "width": edges[code + 1] - edges[code]}

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        score = known[self.unknowns[0]].value
        here = score.detach()
        a, b = (torch.sigmoid((known[name] - here) / self.noise) for name in ("threshold above", "threshold below"))
        slope = (1 - a - b) / self.noise
        root = ((a * (1 - a) + b * (1 - b)) / self.noise**2).clamp_min(torch.finfo(here.dtype).eps ** (2 / 3)).sqrt()
        return ((slope / root + root * (score - here)) * 0.5**0.5,)

    def loss_residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        score = known[self.unknowns[0]].value
        a, b = ((known[name] - score) / self.noise for name in ("threshold above", "threshold below"))
        # sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a)), with all digits in the tails
        entropy = torch.nn.functional.softplus(-a) + torch.nn.functional.softplus(b) - torch.log1p(-torch.exp(b - a))
        return (entropy.clamp_min(0.0).sqrt(),)

    @property
    def _edges(self) -> np.ndarray:
        """The thresholds, (C + 1,)."""
        return np.concatenate([[-np.inf], (self.numbers[1:] + self.numbers[:-1]) / 2, [np.inf]])

    def _probability(self, logits: np.ndarray) -> np.ndarray:
        """(..., C) from scores (..., 1)."""
        edges = (self._edges - logits) / self.noise
        with np.errstate(over="ignore"):  # as differences of sigmoids are 0 in the upper tail
            upper, lower = 1 / (1 + np.exp(-edges[..., 1:])), 1 / (1 + np.exp(edges[..., :-1]))
        return upper * lower * -np.expm1(-np.diff(self._edges) / self.noise)

    def _entropy(self, values: np.ndarray, label: np.ndarray) -> np.ndarray:
        a, b = ((self._edges[label + k] - values[:, 0]) / self.noise for k in (1, 0))
        between = np.log1p(-np.exp((self._edges[label] - self._edges[label + 1]) / self.noise))
        return np.logaddexp(0, -a) + np.logaddexp(0, b) - between

    def wording(self) -> dict[str, str]:
        (target,), inputs = self.data.target_names, ", ".join(map(latex_name, self.domain.names))
        latex = f"{latex_name(target)} = \\mathrm{{nearest}}(f({inputs}))"
        return self._wording([latex], "mean cross-entropy", classes=self.classes) | {"kind": "classification"}
