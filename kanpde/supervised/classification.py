"""Telling classes apart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from kanpde.datasets import Dataset, Split
from kanpde.metrics import CLASSIFICATION
from kanpde.metrics import values as metric_values
from kanpde.splits import NAMES
from kanpde.supervised.problem import Supervised, check_rows, latex_name


@dataclass(frozen=True, repr=False)
class Classification(Supervised):
    """Tell the classes of one target apart: the mean cross-entropy -log p, p the probability of the row's class.

    Classes are the numbers or texts of the target, in their order. The network has one output z_k a class, p = softmax(z); or, for two
    classes, one output, p = 1 / (1 + exp(-z)) for the second. ``ridge`` adds that times the mean of |z|^2: classes that can be separated
    without error have no finite optimum without, and training ends when there is nothing left to gain.

    Levenberg-Marquardt takes generalised Gauss-Newton steps (Schraudolph, Neural Computation 14, 2002, 1723): with

        H = diag(p) - p p' = B B',   B = diag(p)^1/2 - p (p^1/2)',   q = (p - y) / p^1/2,   B q = p - y,

    the residuals r = q + B' (z - z0) at z = z0 have the gradient of the cross-entropy and its curvature in z. Probabilities under the roots
    are at least eps^2/3, which leaves the gradient exact. The history's ``loss`` is the mean cross-entropy itself (and the ridge).

    ``metrics`` are names (accuracy, cross_entropy, balanced_accuracy, f1, confusion), functions of ``probability``, ``predicted``,
    ``label`` and ``classes`` (:mod:`kanpde.metrics`), or a dict of them by name.

    Raises ``ValueError`` for one class only, and for classes that training does not have.
    """

    exact: Any = field(init=False, default=None)
    metrics: Any = ("accuracy", "cross_entropy")
    ridge: float = field(default=0.0, kw_only=True)
    outputs: int | None = field(default=None, kw_only=True)
    classes: tuple[str, ...] = field(init=False, default=())

    _arguments = CLASSIFICATION
    _options = ("ridge",)
    own_loss = True
    SEPARATED = 1e-9  # a mean cross-entropy below which there is nothing left to gain

    def __post_init__(self) -> None:
        if isinstance(self.data, Dataset):
            object.__setattr__(self, "classes", self._found_classes())
        if isinstance(self.ridge, bool) or not 0 <= self.ridge < float("inf"):
            raise ValueError(f"Classification(ridge=...) must be a number of at least 0, such as 1e-6, got {self.ridge!r}")
        self._check_outputs()
        super().__post_init__()

    def _check_outputs(self) -> None:
        if self.outputs not in (None, 1, len(self.classes)) or (self.outputs == 1 and len(self.classes) > 2):
            raise ValueError(f"{len(self.classes)} classes take as many outputs, or one if they are two, got outputs={self.outputs!r}")

    def _found_classes(self) -> tuple[str, ...]:
        names = self.data.target_names
        if len(names) != 1:
            raise ValueError(f"a Classification has one target, got {', '.join(names)}: name one in targets=")
        if self.data.sigma is not None:
            raise ValueError("a Classification has no use for sigma, which is the noise of numbers: leave it out of the Dataset")
        every = {name: _labels(self.data[name]) for name in NAMES}
        found = _sorted(set(every["train"]))
        if len(found) < 2:
            raise ValueError(
                f"all {len(every['train'])} training rows are of the class {found[0]!r} of {names[0]!r}: there is nothing to tell apart"
            )
        if len(found) > max(20, len(every["train"]) // 2):
            raise ValueError(
                f"{names[0]!r} has {len(found)} classes in {len(every['train'])} rows: is it a number to be fitted by Regression?"
            )
        for name in ("validation", "test"):
            if lost := sorted(set(every[name]) - set(found)):
                raise ValueError(f"the class {lost[0]!r} of {names[0]!r} occurs in {name} but not in training: use stratify=True")
        return tuple(found)

    def _names(self) -> tuple[str, ...]:
        (target,) = self.data.target_names
        if self.outputs == 1:
            return (target,)
        words = ["".join(letter if letter.isalnum() else "_" for letter in each) for each in self.classes]
        apart = words if len(set(words)) == len(words) else [str(k) for k in range(len(words))]
        return tuple(f"{target}_{word}" for word in apart)

    def for_outputs(self, count: int) -> "Classification":
        if count != 1 or len(self.classes) != 2 or self.outputs == 1:
            return self
        return type(self)(self.data, self.metrics, ridge=self.ridge, outputs=1)

    # ---- the loss, and its rows ----

    def columns(self, points: np.ndarray) -> dict[str, np.ndarray]:
        check_rows(self, points)
        return {"class number": self._codes(self.data["train"])}

    def residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        logits, label = self._logits(known)
        here = logits.detach()
        moved, floor = logits - here, torch.finfo(here.dtype).eps ** (2 / 3)
        if self.outputs == 1:
            p, rest = torch.sigmoid(here[0]), torch.sigmoid(-here[0])
            root = (p * rest).clamp_min(floor).sqrt()
            rows = [torch.where(label == 1, -rest, p) / root + root * moved[0]]
        else:
            p, own = torch.softmax(here, 0), torch.nn.functional.one_hot(label, len(here)).T.bool()
            off = torch.where(own, 0.0, p)
            root, slope = p.clamp_min(floor).sqrt(), torch.where(own, -off.sum(0), off)  # p - y, with all digits where p is nearly 1
            rows = list(slope / root + root * (moved - (p * moved).sum(0)))
        return tuple(row * 0.5**0.5 for row in rows) + self._ridge(logits)

    def loss_residuals(self, known: Mapping[str, Any]) -> tuple[Any, ...]:
        logits, label = self._logits(known)
        if self.outputs == 1:
            entropy = torch.nn.functional.softplus(torch.where(label == 1, -logits[0], logits[0]), threshold=700.0)
        else:
            entropy = -torch.log_softmax(logits, 0).gather(0, label[None])[0]
        zeros = [torch.zeros_like(entropy)] * (len(logits) - 1)
        return (entropy.clamp_min(0.0).sqrt(), *zeros, *self._ridge(logits))

    def _logits(self, known: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.stack([known[name].value for name in self.unknowns])
        return logits, known["class number"].long().to(logits.device)

    def _ridge(self, logits: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(self.ridge**0.5 * each for each in logits) if self.ridge else ()

    def stop_reason(self, loss: float) -> str | None:
        if self.ridge or not loss < self.SEPARATED:
            return None
        return f"the classes are separated, with a cross-entropy of {loss:.1g}: more steps, without a ridge, only make the outputs larger"

    # ---- classes and probabilities ----

    def probabilities(self, values: Any) -> dict[str, np.ndarray]:
        """The probability of each class from what :meth:`Experiment.solution` returns: an array, or arrays by unknown."""
        given = values if isinstance(values, Mapping) else {self.unknowns[0]: values}
        found = self._probability(np.stack([np.asarray(given[name], dtype=float) for name in self.unknowns], -1))
        return {name: found[..., k] for k, name in enumerate(self.classes)}

    def classify(self, values: Any) -> np.ndarray:
        """The most probable class, alike."""
        found = self.probabilities(values)
        return np.array(self.classes)[np.argmax(np.stack(list(found.values())), 0)]

    def _probability(self, logits: np.ndarray) -> np.ndarray:
        """(..., C) from outputs (..., m)."""
        if self.outputs == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], -1)
        powers = np.exp(logits - logits.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    def _codes(self, split: Split) -> np.ndarray:
        places = {name: k for k, name in enumerate(self.classes)}
        return np.array([places[label] for label in _labels(split)], dtype=int)

    def _values(self, values: np.ndarray, split: Split, single: bool = False) -> dict[str, float]:
        probability, label = self._probability(values), self._codes(split)
        available = {"probability": probability, "predicted": probability.argmax(1), "label": label, "classes": self.classes}
        loss = float(np.mean(self._entropy(values, label) + self.ridge * np.sum(values**2, 1)))
        return {"loss": loss, **metric_values(self._chosen, available, single=single)}  # type: ignore[attr-defined]

    def _entropy(self, values: np.ndarray, label: np.ndarray) -> np.ndarray:
        """-log of the probability of the row's class, (n,), from outputs (n, m) and numbers of classes (n,)."""
        logits = values if self.outputs != 1 else np.concatenate([np.zeros_like(values), values], 1)
        shifted = logits - logits.max(1, keepdims=True)
        return np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(label)), label]

    def measured(self, network: Any) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, Any]]:
        points, arrays, metrics = super().measured(network)
        return points, arrays, metrics | {"classes": len(self.classes)}

    def _kept_names(self) -> tuple[str, ...]:
        return ("label", "predicted")

    def _kept(self, values: np.ndarray, split: Split) -> dict[str, np.ndarray]:
        return {"label": self._codes(split), "predicted": self._probability(values).argmax(1)}

    def wording(self) -> dict[str, str]:
        (target,), inputs = self.data.target_names, ", ".join(map(latex_name, self.domain.names))
        link = "\\mathrm{sigmoid}" if self.outputs == 1 else "\\mathrm{softmax}"
        loss = "mean cross-entropy" + f" and {self.ridge:g} times the mean square of the outputs" * bool(self.ridge)
        return self._wording([f"p({latex_name(target)}) = {link}(f({inputs}))"], loss, classes=self.classes)


def _labels(split: Split) -> list[str]:
    """Classes as texts; whole numbers without a point."""
    values = split.targets[:, 0]
    if values.dtype.kind != "f":
        return [value if isinstance(value, str) else f"{float(value) + 0.0:.15g}" for value in values]
    numbers, places = np.unique(values + 0.0, return_inverse=True)  # a text for each number is enough; -0 is 0
    return np.array([f"{number:.15g}" for number in numbers], dtype=object)[places].tolist()


def _sorted(labels: set[str]) -> list[str]:
    """Numbers by size, before texts."""

    def order(label: str) -> tuple[bool, float, str]:
        try:
            return False, float(label), label
        except ValueError:
            return True, 0.0, label

    return sorted(labels, key=order)
