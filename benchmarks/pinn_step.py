"""What one step of a physics-informed network costs: the residual of Poisson's equation, its mean square, and the gradient of that.

    python benchmarks/pinn_step.py [--threads 1] [--points 10000] [--repeats 10] [--dtype float64]

KANs [2, 16, 16, 1] and MLPs on the same points, in this one process: every row is the smallest of several interleaved timings. kanpde
propagates jets, in which a Laplacian is one row ("apart": its terms one by one), as it is and compiled; the others differentiate twice
by autograd, jaxKAN in one jitted program. Beside pykan and jaxKAN, where they are installed (the extra "peers"), stand layers as other
packages write them (kan_layers.py). All have 8 to 10 weights an edge.
"""

import argparse
import importlib.util
import math
import platform
import time
from collections.abc import Callable

import torch
from engine import timed
from kan_layers import KINDS, chain, has_pykan, plain_mlp, pykan
from torch import Tensor, nn

from kanpde import KAN, MLP, Box, Chebyshev, Problem, laplacian
from kanpde.compiled import Compiled
from kanpde.objective import Objective

WIDTHS = (2, 16, 16, 1)
SQUARE = Box(x=(-1, 1), y=(-1, 1))
COLLAPSED = Problem(SQUARE, lambda u: laplacian(u) - 1)
APART = Problem(SQUARE, lambda u: u.xx - (1 - u.yy))


def autograd_step(model: nn.Module, points: Tensor) -> Callable[[], object]:
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step() -> list[Tensor | None]:
        x = points.clone().requires_grad_()
        (slopes,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        seconds = [torch.autograd.grad(slopes[:, axis].sum(), x, create_graph=True)[0][:, axis] for axis in range(2)]
        return list(torch.autograd.grad((seconds[0] + seconds[1] - 1).square().mean(), parameters, allow_unused=True))

    return step


def jaxkan_step(points: Tensor) -> Callable[[], object]:
    import jax
    import jax.numpy as jnp
    from flax import nnx
    from jaxkan.models.KAN import KAN as JaxKAN

    jax.config.update("jax_enable_x64", points.dtype == torch.float64)
    scheme = {"D": 8, "flavor": "exact", "residual": None, "external_weights": False, "init_scheme": {"type": "glorot_fine"}}
    model, where = JaxKAN(list(WIDTHS), "chebyshev", scheme | {"add_bias": True}, seed=0), jnp.asarray(points.numpy())

    def loss(model):
        def u(x, y):
            return model(jnp.stack([x, y])[None])[0, 0]

        def residual(x, y):
            return sum(jax.grad(jax.grad(u, axis), axis)(x, y) for axis in (0, 1)) - 1

        return jnp.mean(jax.vmap(residual)(where[:, 0], where[:, 1]) ** 2)

    step = nnx.jit(nnx.value_and_grad(loss))
    return lambda: jax.block_until_ready(step(model))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    options = parser.parse_args()
    dtype = getattr(torch, options.dtype)
    torch.set_num_threads(options.threads)
    torch.set_default_dtype(dtype)
    print(f"torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), {options.dtype}, {time.strftime('%Y-%m-%d')}")
    points = torch.from_numpy(SQUARE.sample(options.points, Chebyshev(8).quantile, 0)).to(dtype)
    kan = KAN(*WIDTHS, basis=Chebyshev(8), dtype=dtype).on_box(SQUARE.lower, SQUARE.upper)
    width = round(math.sqrt(kan.parameter_count + 21 / 4) - 5 / 2)  # w^2 + 5 w + 1 parameters
    mlps = {f"MLP [2, {w}, {w}, 1], {note}": plain_mlp((2, w, w, 1)) for w, note in ((width, "as many parameters"), (16, "the same shape"))}
    whole, apart, program = Objective(COLLAPSED, {"equation": points}), Objective(APART, {"equation": points}), Compiled()
    twin = MLP(2, width, width, 1, dtype=dtype).on_box(SQUARE.lower, SQUARE.upper)
    twin_objective = Objective(COLLAPSED, {"equation": points})
    cases: dict[str, Callable[[], object]] = {
        "kanpde KAN, compiled": lambda: whole.gradient(kan, program),
        "kanpde KAN": lambda: whole.gradient(kan),
        "kanpde KAN, terms apart": lambda: apart.gradient(kan),
        "kanpde MLP, as many parameters": lambda: twin_objective.gradient(twin),
        **{name: autograd_step(model, points) for name, model in mlps.items()},
        **{kind: autograd_step(chain(WIDTHS, kind), points) for kind in KINDS},
    }
    if importlib.util.find_spec("jaxkan"):
        cases["jaxKAN, jitted"] = jaxkan_step(points)
    if has_pykan():
        cases["pykan, speed()"] = autograd_step(pykan(WIDTHS, speed=True), points)
    one, other = whole.gradient(kan)[1], apart.gradient(kan)[1]
    start = time.perf_counter()
    both = whole.gradient(kan, program)[1]
    print(f"compiling took {time.perf_counter() - start:.0f} s")
    print(
        f"the gradient apart and compiled differ by {max(float((each - one).norm() / one.norm()) for each in (other, both)):.0e} relative"
    )
    best = timed(cases, options.repeats)
    reference = best[next(iter(mlps))]
    print(f"KANs {list(WIDTHS)}, kanpde's of Chebyshev degree 8 with P = {kan.parameter_count}; batch {options.points}; "
          "ms, and times the MLP with as many parameters")  # fmt: skip
    for name, value in best.items():
        print(f"  {name:44s} {value:9.1f} {value / reference:8.2f} x")


if __name__ == "__main__":
    main()
