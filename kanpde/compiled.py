"""Functions of a network as programs: traced to plain tensor operations, fused by ``torch.compile``, and kept.

Jets leave a single reverse pass through the user's equation, so that a whole step, the equation and its derivatives included, is one
straight list of tensor operations (``torch.fx``); nested ``autograd.grad`` cannot be compiled at all.
"""

import logging
import os
import shutil
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from kanpde.jets import tracing
from kanpde.network import Network

logger = logging.getLogger("kanpde")

SIZE = 512  # points a call on a CPU: what lies between two operations stays in the cache

Function = Callable[..., tuple[Tensor, ...]]


def check_compiler(asked: str) -> None:
    """Raise ``RuntimeError``, naming what ``asked`` for it, if ``torch.compile`` has no C++ compiler here."""
    known = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "cl"]
    if not any(shutil.which(name) for name in known):
        raise RuntimeError(
            f"{asked} needs a C++ compiler, and there is no {' or '.join(known)} here: install one, name yours in the environment variable "
            "CXX, or leave out compile=True"
        )


class Compiled:
    """``compiled(key, function, network, *tensors)`` is ``function(network, *tensors)``, a tuple of tensors.

    For every key, and all shapes, the function is traced and compiled at the first call, which takes some seconds; what it reads besides
    the network's parameters and the tensors must not change afterwards. A function that cannot be traced, such as one that branches on
    values or computes with NumPy, is called as it is, and a warning says why.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self._backend, self._programs = backend, dict[Hashable, Any]()

    def __call__(self, key: Hashable, function: Function, network: Network, *tensors: Tensor) -> tuple[Tensor, ...]:
        parameters = [parameter.detach() for parameter in network.parameters()]
        where = key, *((tensor.shape, tensor.dtype, tensor.device) for tensor in (*tensors, *parameters))
        if where not in self._programs:
            self._programs[where] = self._made(function, network, tensors, parameters)
        program = self._programs[where]
        return function(network, *tensors) if program is None else program(*tensors, *parameters)

    def _made(self, function: Function, network: Network, tensors: tuple[Tensor, ...], parameters: list[Tensor]) -> Any:
        from torch.fx.experimental.proxy_tensor import make_fx  # slow to load, and rarely needed

        whole, names = _Whole(function, network), [f"network.{name}" for name, _ in network.named_parameters()]

        def plain(*arguments: Tensor) -> tuple[Tensor, ...]:
            swapped = dict(zip(names, arguments[len(tensors) :], strict=True))
            return functional_call(whole, swapped, arguments[: len(tensors)])

        try:
            with tracing(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what torch has deprecated in itself
                graph = make_fx(plain)(*tensors, *parameters)
                program = torch.compile(graph, backend=self._backend, dynamic=False)
                program(*tensors, *parameters)
                other = [tensor.flip(0) for tensor in tensors]  # what was computed outside torch stays as it was at the first points
                pairs = zip(program(*other, *parameters), function(network, *other), strict=True)
                if not all(agree(found, wanted, digits=0.75) for found, wanted in pairs):
                    raise ValueError("it gives other values at other points, as it would if the equation computes with NumPy")
        except Exception as error:  # whatever a user's equation, or a compiler, does that torch does not foresee
            logger.warning("this step is not compiled, but run as it is: %s", str(error).strip().partition("\n")[0])
            return None
        return program


def agree(found: Tensor, wanted: Tensor, *, digits: float = 0.5) -> bool:
    """Whether two tensors agree to a share of the digits of the largest number in them; NaN and infinity agree with themselves."""
    tolerance = 10 * torch.finfo(wanted.dtype).eps ** digits
    size = float(wanted.abs().nan_to_num(0.0, 0.0, 0.0).max())
    return torch.allclose(found, wanted, rtol=tolerance, atol=tolerance * max(size, tolerance), equal_nan=True)


class _Whole(nn.Module):
    """A function of a network as a module, whose parameters torch can swap."""

    def __init__(self, function: Function, network: Network) -> None:
        super().__init__()
        self.function, self.network = function, network

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return self.function(self.network, *tensors)
