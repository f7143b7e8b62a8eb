"""Three-term recurrences: evaluation, and derivatives as matrices."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Step = tuple[float, float, float]  # a, b, c of P_{k+1} = (a x + b) P_k - c P_{k-1}


def recur(first: Tensor, x: Tensor, steps: Sequence[Step]) -> Tensor:
    """P_0 = ``first``, then one function a step, in operations that autograd differentiates: (1 + len(steps), *x.shape)."""
    rows, factor, line = [first], x, (1.0, 0.0)
    for a, b, c in steps:
        if (a, b) != line:
            factor, line = a * x + b if b else a * x, (a, b)
        if c == 0 or len(rows) == 1:
            rows.append(factor * rows[-1])
        else:
            rows.append(torch.sub(factor * rows[-1], rows[-2], alpha=c))
    return torch.stack(rows)


def fill(rows: Tensor, x: Tensor, steps: Sequence[Step], first: Tensor | None = None) -> None:
    """The same written over ``rows`` (1 + len(steps), *x.shape); without ``first``, P_0 = 1."""
    each, factor, scratch, line = rows.unbind(0), x, None, (1.0, 0.0)
    rows[0] = 1.0 if first is None else first
    for k, (a, b, c) in enumerate(steps):
        if (a, b) != line:
            factor = scratch = torch.mul(x, a, out=scratch)
            line = a, b
            if b:
                factor.add_(b)
        if k == 0 and first is None:
            each[1].copy_(factor)
        elif k == 0 or c == 0:
            torch.mul(factor, each[k], out=each[k + 1])
        elif c == 1:  # without a factor to pass on: the common case is the fastest
            torch.mul(factor, each[k], out=each[k + 1]).sub_(each[k - 1])
        else:
            torch.mul(factor, each[k], out=each[k + 1]).sub_(each[k - 1], alpha=c)


def derivative(steps: Sequence[Step], *, squashed: bool = False) -> np.ndarray:
    """The matrix D with P' = D P for P_0 = 1, P_1, ...; ``squashed``: with (1 - x^2) P' = D P, which reaches one function further.

    Differentiate the recurrence, P_{k+1}' = a P_k + (a x + b) P_k' - c P_{k-1}', with x P_j = (P_{j+1} - b P_j + c P_{j-1}) / a.
    The shape is (n, n) for n = len(steps) + 1, or (n - 1, n) if ``squashed``.
    """
    n = len(steps) + 1
    a, b, c = np.array([*steps, (1.0, 0.0, 0.0)]).T  # the last row of x is cut off below
    x = np.diag(1 / a[:-1], 1) - np.diag(b / a) + np.diag(c[1:] / a[1:], -1)
    weight = np.eye(n) - x @ x if squashed else np.eye(n)
    found = np.zeros((n, n))
    for k in range(n - 1 - squashed):
        # row k + 1 reaches to column k + 2 at most, where the cut of x is not felt
        found[k + 1] = a[k] * weight[k] + a[k] * (found[k] @ x) + b[k] * found[k] - (c[k] * found[k - 1] if k else 0)
    return found[: n - squashed]
