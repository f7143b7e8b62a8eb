"""A user's own ``torch.nn.Module`` as the network: derivatives by torch.func where nothing is known of the layers.

With f the module and x a point, the derivative D^alpha f(x), alpha = (i_1, ..., i_m), is m nested derivatives along coordinate directions,

    D^(i_1 ... i_m) f(x) = d/ds_m ... d/ds_1 f(x + s_1 e_{i_1} + ... + s_m e_{i_m}) at s = 0,

each by forward mode (``torch.func.jvp``). One chain of m gives all 2^m derivatives below alpha, so that only the maximal ones of a
demand need a chain. Some operations of torch have no forward mode, or none that can be differentiated again: ``nn.LayerNorm`` in torch 2.13
gives second derivatives that are wrong without a word. So for every demand both modes are compared at two points, and where they differ,
reverse mode (``torch.func.vjp``), nested, is what counts.

A layer whose jets are written out (:mod:`kanpde.kan`) is several times faster; here any smooth module will do.
"""

import hashlib
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jvp, vjp, vmap

from kanpde.arguments import whole_number
from kanpde.compiled import agree
from kanpde.jets import Channels, MultiIndex, order_of, sub_multisets
from kanpde.network import Network

logger = logging.getLogger("kanpde")

Mode = Callable[[Callable[[Tensor], Tensor], Tensor, Channels], Tensor]

MEMORY = 2**22  # numbers in the Jacobian of as many samples as are taken at once
KINKED = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.Threshold, nn.Hardtanh, nn.Hardsigmoid, nn.Hardshrink, nn.Softshrink)
FEWEST = 16  # points at which second derivatives must not all vanish


class Wrapped(Network):
    """A module that maps points (N, inputs) to (N, outputs), each point by itself: ``Wrapped(nn.Sequential(...), inputs=2, outputs=1)``.

    The module is copied, and gets the coordinates as they are; with ``normalise=True``, mapped from the domain to [-1, 1]^inputs, as KAN
    and MLP do. Parameters with ``requires_grad=False`` are not trained.

    A run starts from weights that its seed draws: every submodule's ``reset_parameters()`` is called, children first, with a random state
    of its own. Parameters that are frozen, or that no ``reset_parameters()`` draws, keep the values that the given module has.

    Raises ``TypeError`` or ``ValueError`` for a module whose output for a point depends on other points (BatchNorm) or on chance (Dropout),
    that has not these inputs and outputs, or nothing to train; and, when second derivatives are asked for, for a module with
    ReLUs or the like that has none.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        inputs: int,
        outputs: int,
        normalise: bool = False,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if not isinstance(module, nn.Module) or isinstance(module, Network):
            raise TypeError(f"Wrapped takes a torch.nn.Module that is not one of kanpde's networks, got {module!r}")
        whole_number(inputs, "the number of inputs of Wrapped")
        whole_number(outputs, "the number of outputs of Wrapped")
        _check_tree(module)
        super().__init__([_copied(module).to(dtype).eval()], inputs, dtype, seed)
        self.normalise, self._outputs = normalise, outputs
        self._modes: dict[Channels, Mode] = {}
        self._batched: dict[Channels, bool] = {}  # whether all samples can be differentiated at once
        self._smooth = not any(isinstance(each, KINKED) for each in module.modules())  # as far as is known
        _check_map(self)

    def settings(self) -> dict[str, Any]:
        return {"inputs": self.inputs, "outputs": self.outputs, "normalise": self.normalise}

    def __repr__(self) -> str:
        normalise = ", normalise=True" if self.normalise else ""
        return f"Wrapped({_one_line(self.module)}, inputs={self.inputs}, outputs={self.outputs}{normalise})"

    @property
    def module(self) -> nn.Module:
        """The module itself, a copy of the one that was given."""
        return self.layers[0]

    @property
    def outputs(self) -> int:
        return self._outputs

    @property
    def fixed(self) -> str:
        return _digest(self.module)

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Those that are trained, coefficients last."""
        return (parameter for parameter in super().parameters(recurse) if parameter.requires_grad)

    def remade(self, *, seed: int | None = None, dtype: torch.dtype | None = None, **settings: Any) -> Self:
        """A copy for the same box, with weights drawn anew as far as the module's parts have ``reset_parameters()``, or those given."""
        if self.given and not settings:
            return self.copy().to(dtype or self.lower.dtype)
        merged = {**self.settings(), **settings}
        seed, dtype = self.seed if seed is None else seed, dtype or self.lower.dtype
        module = _initialised(_copied(self.module).to(dtype), seed)
        other = type(self)(module, seed=seed, dtype=dtype, **merged)
        return self._placed(other)

    # ---- values ----

    def forward(self, points: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        flat = self._entered(points.reshape(-1, points.shape[-1]))
        return self._scaled_outputs(self.module(flat)).reshape(*points.shape[:-1], self.outputs)

    def _entered(self, points: Tensor) -> Tensor:
        return self.normalised(points).T if self.normalise else points

    def _trained(self) -> dict[str, Tensor]:
        """The module's parameters that are trained, by name, in the order of ``parameters()``."""
        return {name: parameter.detach() for name, parameter in self.module.named_parameters() if parameter.requires_grad}

    # ---- jets ----

    @torch.enable_grad()  # without it torch takes derivatives of some activations that have no derivatives themselves
    def jets(self, points: Tensor, chosen: Channels, records: list[Any] | None = None) -> tuple[Tensor, list[Any]]:
        """Values and derivatives at ``points`` (N, inputs): (C, outputs, N), with what the reverse needs."""
        points = points.detach()
        if chosen not in self._modes and len(points):
            self._choose_mode(points[:2], chosen)
        jet = self._jets(self._trained(), points, chosen)
        if not self._smooth and chosen.order > 1 and len(points) >= FEWEST:
            self._check_curved(jet, chosen)
        return jet, [(points, chosen)]

    def _jets(self, parameters: Mapping[str, Tensor], points: Tensor, chosen: Channels) -> Tensor:
        def value(x: Tensor) -> Tensor:
            return self._scaled_outputs(functional_call(self.module, dict(parameters), (self._entered(x),)))

        return chosen.collected(self._modes.get(chosen, _forward)(value, points, chosen.plain))

    def rows(self, records: list[Any], adjoint: Tensor, out: Tensor) -> Tensor:
        """Per-sample derivatives of <adjoint, jets> by every parameter that is trained, into ``out`` (P, N), some samples at a time."""
        (points, chosen), parameters = records[0], self._trained()
        if not self._batched.get(chosen, True):
            for n in range(len(points)):
                out[:, n] = self.gradient([(points[n : n + 1], chosen)], adjoint[..., n : n + 1])
            return out

        def sample(parameters: dict[str, Tensor], point: Tensor, adjoint: Tensor) -> Tensor:
            return (self._jets(parameters, point[None], chosen)[..., 0] * adjoint).sum()

        slopes, size = vmap(grad(sample), in_dims=(None, 0, 2)), max(1, MEMORY // max(1, len(out)))
        for start in range(0, len(points), size):
            part = slice(start, start + size)
            found, end = slopes(parameters, points[part], adjoint[..., part]), 0
            for name, parameter in parameters.items():
                begin, end = end, end + parameter.numel()
                out[begin:end, part] = found[name].flatten(1).T
        return out

    def gradient(self, records: list[Any], adjoint: Tensor) -> Tensor:
        """The sum of :meth:`rows` over the samples, by one reverse pass: (P,)."""
        points, chosen = records[0]

        def total(parameters: dict[str, Tensor]) -> Tensor:
            return (self._jets(parameters, points, chosen) * adjoint).sum()

        return torch.cat([slope.flatten() for slope in grad(total)(self._trained()).values()])

    # ---- which of torch's ways is right ----

    def _choose_mode(self, points: Tensor, chosen: Channels) -> None:
        """Forward mode, if jets and gradient are those of reverse mode; all samples at once, if the gradient is their sum."""
        record, adjoint, found, errors = [(points, chosen)], torch.ones(len(chosen), self.outputs, len(points)).to(points), {}, []
        for mode in (_backward, _forward):
            self._modes[chosen] = mode
            try:
                with warnings.catch_warnings():  # torch calls a part of itself that it has deprecated, when jvp is used first
                    warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
                    found[mode] = [*self._jets(self._trained(), points, chosen), self.gradient(record, adjoint)]
            except RuntimeError as error:
                errors.append(error)
        if not found:
            del self._modes[chosen]
            raise TypeError(f"torch cannot take the derivatives of {_one_line(self.module)} that are asked for: {errors[0]}") from errors[0]
        alike = len(found) == 2 and all(map(agree, found[_forward], found[_backward]))
        self._modes[chosen] = mode = _forward if alike or _backward not in found else _backward
        self._batched[chosen] = True
        try:
            rows = self.rows(record, adjoint, points.new_empty(len(found[mode][-1]), len(points)))
            self._batched[chosen] = agree(rows.sum(1), found[mode][-1])
        except RuntimeError as error:
            self._batched[chosen] = False
            errors.append(error)
        if not (alike and self._batched[chosen]):
            words = "; ".join(map(str, errors)) or "forward mode gives other numbers than reverse mode"
            how = "by reverse mode" if self._batched[chosen] else "one sample after another, which is slow"
            level = logging.INFO if self._batched[chosen] else logging.WARNING
            logger.log(level, "derivatives of %s are taken %s (%s)", _one_line(self.module), how, words)

    def _check_curved(self, jet: Tensor, chosen: Channels) -> None:
        """Raise ``ValueError`` if the module has kinks, and no curvature anywhere; asked once."""
        bent = any(bool(jet[row].any()) for row, alpha in enumerate(chosen.indices) if order_of(alpha) > 1)
        sloping = any(bool(jet[row].any()) for row, alpha in enumerate(chosen.indices) if order_of(alpha) == 1)
        if sloping and not bent:
            name, kinked = next((name, each) for name, each in self.module.named_modules() if isinstance(each, KINKED))
            raise ValueError(
                f"the equation asks for second derivatives, which {_named(name, kinked)} makes zero at all {jet.shape[2]} points: "
                "use a smooth activation such as nn.Tanh() or nn.SiLU()"
            )
        self._smooth = bent


# ---- two modes of differentiation: the function, points (N, inputs), derivatives -> (C, outputs, N) ----


def _forward(value: Callable[[Tensor], Tensor], points: Tensor, chosen: Channels) -> Tensor:
    found: dict[MultiIndex, Tensor] = {}
    for alpha in _maximal(chosen):
        chain: Callable[[Tensor], dict[MultiIndex, Tensor]] = lambda x: {(): value(x)}  # noqa: E731
        for axis in alpha:
            chain = _with_slopes(chain, axis)
        found |= chain(points)
    return torch.stack([found[alpha].T for alpha in chosen.indices])


def _with_slopes(f: Callable[[Tensor], dict[MultiIndex, Tensor]], axis: int) -> Callable[[Tensor], dict[MultiIndex, Tensor]]:
    """The derivatives that f gives, and those by one coordinate more."""

    def both(x: Tensor) -> dict[MultiIndex, Tensor]:
        unit = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)[axis]
        values, slopes = jvp(f, (x,), (unit.expand_as(x),))  # type: ignore[misc]
        return {**{tuple(sorted((*alpha, axis))): slope for alpha, slope in slopes.items()}, **values}

    return both


def _backward(value: Callable[[Tensor], Tensor], points: Tensor, chosen: Channels) -> Tensor:
    found = {}
    for alpha in chosen.indices:
        derivative = value
        for axis in alpha:
            derivative = _slope(derivative, axis)
        found[alpha] = derivative(points).T
    return torch.stack(list(found.values()))


def _slope(f: Callable[[Tensor], Tensor], axis: int) -> Callable[[Tensor], Tensor]:
    def slope(x: Tensor) -> Tensor:
        values, pull = vjp(f, x)  # type: ignore[misc]
        units = torch.eye(values.shape[1], dtype=x.dtype, device=x.device)
        return torch.stack([pull(unit.expand_as(values))[0][:, axis] for unit in units], 1)

    return slope


def _maximal(chosen: Channels) -> list[MultiIndex]:
    """The derivatives that are not below another one of the set."""
    below = {beta for alpha in chosen.indices for beta in sub_multisets(alpha) if beta != alpha}
    return [alpha for alpha in chosen.indices if alpha not in below]


# ---- copies and weights ----


def _copied(module: nn.Module) -> nn.Module:
    """A copy on the CPU, where networks begin."""
    try:
        copy = deepcopy(module)
    except RuntimeError as error:
        raise TypeError(f"{_one_line(module)} cannot be copied, which every seed of an experiment needs: {error}") from error
    copy.zero_grad(set_to_none=True)
    return copy.cpu()


@torch.no_grad()
def _initialised(module: nn.Module, seed: int) -> nn.Module:
    """``module`` on the CPU, its weights drawn anew except frozen ones; the global random state stays as it is."""
    frozen = [(parameter, parameter.clone()) for parameter in module.parameters() if not parameter.requires_grad]
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the devices too
        for part in reversed(list(module.modules())):  # children first: their parents may know better
            reset = getattr(part, "reset_parameters", None)
            if callable(reset):
                reset()
    for parameter, value in frozen:
        parameter.copy_(value)
    return module


def _digest(module: nn.Module) -> str:
    """Of frozen parameters and buffers, to the digits of float32; "" if there are none."""
    frozen = [(name, parameter) for name, parameter in module.named_parameters() if not parameter.requires_grad]
    kept = [*frozen, *module.named_buffers()]
    words = hashlib.sha256()
    for name, tensor in kept:
        words.update(name.encode() + tensor.detach().cpu().float().numpy().tobytes())
    return words.hexdigest() if kept else ""


# ---- checks ----


def _check_tree(module: nn.Module) -> None:
    """Raise for parts that cannot be right."""
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"{_named(name, part)} makes the output at a point depend on the other points, so that derivatives by the coordinates mean "
                "nothing: leave it out, or use nn.RMSNorm"
            )
        if (isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0) or isinstance(part, nn.RReLU):
            raise ValueError(f"{_named(name, part)} makes the output a matter of chance, of which residuals cannot be: leave it out")
    parameters = list(module.named_parameters())
    for name, parameter in parameters:
        if isinstance(parameter, nn.parameter.UninitializedParameter):
            raise ValueError(f"the parameter {name!r} of the module has no shape yet: call the module once on a batch of points")
        if not parameter.is_floating_point():
            raise TypeError(f"the parameter {name!r} of the module is {parameter.dtype}: use real numbers, such as torch.view_as_real's")
    if not any(parameter.requires_grad for _, parameter in parameters):
        raise ValueError(f"{_one_line(module)} has nothing to train: no parameter with requires_grad=True")


@torch.no_grad()
def _check_map(network: Wrapped) -> None:
    """Raise unless points (N, inputs) go to (N, outputs), the same twice and one by one."""
    like, what = network.lower, _one_line(network.module)
    points = 2 * torch.rand(5, network.inputs, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(like) - 1
    with torch.random.fork_rng(devices=[]):
        try:
            values, again = network.module(points), network.module(points)
        except Exception as error:  # whatever a user's module does with points that it was not made for
            raise ValueError(
                f"{what} cannot take points of shape (N, {network.inputs}), which are called as module(points): {error}"
            ) from error
    wanted = (len(points), network.outputs)
    if not isinstance(values, Tensor) or values.shape != wanted:
        shape = f"{tuple(values.shape)}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
        raise ValueError(
            f"{what} makes {shape} of {tuple(points.shape)}: it must map points (N, {network.inputs}) to outputs (N, {network.outputs}), "
            "one for each unknown"
        )
    with torch.random.fork_rng(devices=[]):
        single = torch.cat([network.module(point) for point in points.split(1)])
    if not torch.equal(values.nan_to_num(), again.nan_to_num()):
        raise ValueError(f"{what} gives other values when it is called again on the same points: leave out what depends on chance")
    if not agree(single, values):
        raise ValueError(f"{what} gives other values to a point beside other points than alone: leave out what normalises over the batch")


def _named(name: str, part: nn.Module) -> str:
    return f"the submodule {name!r}, {_one_line(part)}," if name else _one_line(part)


def _one_line(module: nn.Module) -> str:
    return " ".join(repr(module).split()).replace("( ", "(").replace(" )", ")")
