"""What derivatives cost: jets, the per-sample Jacobian and a Levenberg-Marquardt step, as ratios measured side by side.

    python benchmarks/engine.py [--threads 1] [--points 4096] [--repeats 15]

The equation is Burgers' (u_t + u u_x - 0.01/pi u_xx) on a Chebyshev KAN [2, w, w, 1] of degree 8 in float64. Every row is the
smallest of several interleaved timings in this one process; "x" is the ratio to a plain forward pass of the same network on
the same points. A reference beside every figure checks that both compute the same numbers.
"""

import argparse
import platform
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import functional_call, jacrev, jvp, vmap

from kanpde import KAN, MLP, Box, Chebyshev, LevenbergMarquardt, Problem
from kanpde.functions import pi
from kanpde.jets import channels
from kanpde.network import Network
from kanpde.objective import Objective
from kanpde.optimizers.linear_model import LinearModel

STRIP = Box(x=(-1, 1), t=(0, 1))
NU = float(0.01 / pi)
ORDERS = [(0,), (1,), (0, 0)]  # u_x, u_t, u_xx


def burgers(u, nu):
    return u.t + u * u.x - nu * u.xx


PROBLEM = Problem(STRIP, burgers, parameters=dict(nu=NU))


def timed(cases: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The smallest time of each case in milliseconds, the cases taking turns."""
    best = dict.fromkeys(cases, float("inf"))
    for turn in range(repeats + 1):
        for name, case in cases.items():
            if best[name] > 300 and turn > 3:  # slow ones need no more than three timings
                continue
            start = time.perf_counter()
            case()
            if turn:  # the first is a warm-up
                best[name] = min(best[name], 1e3 * (time.perf_counter() - start))
    return best


def nested_autograd(network: Network, points: Tensor) -> list[Tensor]:
    """u, u_x, u_t, u_xx by autograd.grad of autograd.grad."""
    x = points.clone().requires_grad_()
    u = network(x)[:, 0]
    (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)
    return [u, first[:, 0], first[:, 1], second[:, 0]]


def nested_jvp(network: Network, points: Tensor) -> list[Tensor]:
    """The same by torch.func.jvp of jvp."""
    along = [torch.zeros_like(points) for _ in range(2)]
    for axis in range(2):
        along[axis][:, axis] = 1.0

    def slope(x: Tensor) -> Tensor:
        return jvp(network, (x,), (along[0],))[1]

    u, u_t = jvp(network, (points,), (along[1],))
    u_x, u_xx = jvp(slope, (points,), (along[0],))
    return [u[:, 0], u_x[:, 0], u_t[:, 0], u_xx[:, 0]]


def residual_of(u: Tensor, u_x: Tensor, u_t: Tensor, u_xx: Tensor) -> Tensor:
    return u_t + u * u_x - NU * u_xx


def vmap_jacrev(network: Network, points: Tensor) -> Tensor:
    """The per-sample Jacobian (N, P) of the Burgers residual by vmap(jacrev)."""
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}

    def one(weights: dict[str, Tensor], point: Tensor) -> Tensor:
        def u(x: Tensor) -> Tensor:
            return functional_call(network, weights, (x,))[0]

        along = torch.eye(2, dtype=point.dtype, device=point.device)
        value, u_t = jvp(u, (point,), (along[1],))
        u_x, u_xx = jvp(lambda x: jvp(u, (x,), (along[0],))[1], (point,), (along[0],))
        return residual_of(value, u_x, u_t, u_xx)

    found = vmap(jacrev(one), in_dims=(None, 0), chunk_size=512)(parameters, points)
    return torch.cat([part.flatten(1) for part in found.values()], 1)


def loss_gradient(network: Network, points: Tensor) -> list[Tensor]:
    """What a first-order PINN step costs with nested autograd: the gradient of the mean square residual."""
    loss = residual_of(*nested_autograd(network, points)).square().mean()
    return list(torch.autograd.grad(loss, list(network.parameters())))


def relative(left: Tensor, right: Tensor) -> float:
    return float((left - right).abs().max() / right.abs().max())


def derivatives(width: int, points: Tensor, repeats: int) -> None:
    network = KAN(2, width, width, 1, basis=Chebyshev(degree=8)).on_box(STRIP.lower, STRIP.upper)
    chosen = channels(ORDERS)
    objective = Objective(PROBLEM, {"equation": points})

    def plain() -> Tensor:
        with torch.no_grad():
            return network(points)

    reference = nested_autograd(network, points)
    jets = torch.stack([network.jets(points, chosen)[0][chosen.position[alpha], 0] for alpha in [(), *ORDERS]])
    jacobian = objective.jacobian(network)[1] * len(points) ** 0.5
    print(f"\nKAN [2, {width}, {width}, 1], P = {network.parameter_count}, N = {len(points)}")
    print(f"  jets equal nested autograd to {relative(jets, torch.stack([*reference]).detach()):.1e} relative")
    print(f"  the Jacobian equals vmap(jacrev) to {relative(jacobian, vmap_jacrev(network, points)):.1e} relative")
    cases: dict[str, Callable[[], object]] = {
        "plain forward": plain,
        "u, u_x, u_t, u_xx: nested autograd": lambda: nested_autograd(network, points),
        "u, u_x, u_t, u_xx: torch.func jvp": lambda: nested_jvp(network, points),
        "residual by jets": lambda: objective.residual(network),
        "gradient of the loss: nested autograd": lambda: loss_gradient(network, points),
        "gradient of the loss: jets": lambda: objective.gradient(network),
        "residual + Jacobian: vmap(jacrev)": lambda: vmap_jacrev(network, points),
        "residual + Jacobian: jets, chunk by chunk": lambda: [None for _ in objective.linearised(network, keep=False)],
        "residual + Jacobian: jets, all kept": lambda: [None for _ in objective.linearised(network)],
    }
    best = timed(cases, repeats)
    for name, value in best.items():
        print(f"  {name:44s} {value:9.2f} ms {value / best['plain forward']:8.1f} x")


def forward(points: Tensor, repeats: int) -> None:
    """A KAN beside the MLP of the same shape and the MLP of as many parameters."""
    networks = {
        "KAN [2, 8, 8, 1], degree 8": KAN(2, 8, 8, 1, basis=Chebyshev(degree=8)),
        "MLP [2, 8, 8, 1]": MLP(2, 8, 8, 1),
        "MLP [2, 27, 27, 1]": MLP(2, 27, 27, 1),
    }
    with torch.no_grad():
        best = timed({name: (lambda network=network: network(points)) for name, network in networks.items()}, repeats)
    print("\nplain forward passes, no autograd")
    for name, value in best.items():
        print(f"  {name:32s} P = {networks[name].parameter_count:4d} {value:9.2f} ms")


def step_share(repeats: int) -> None:
    """How much of a Levenberg-Marquardt step is linear algebra."""
    network = KAN(2, 8, 1, basis=Chebyshev(degree=20)).on_box(STRIP.lower, STRIP.upper)
    points = torch.from_numpy(STRIP.sample(2 * network.parameter_count, network.quantiles, 0))
    objective = Objective(PROBLEM, {"equation": points})

    def linear_algebra() -> None:
        model = LinearModel(list(objective.linearised(network)), objective.size)
        model.factorise()
        _ = model.singular

    descent = LevenbergMarquardt().start(network)
    start = network.vector()

    def step() -> None:
        network.assign(start)
        descent.restore({"damping": 1e-6, "target": 0.1, "fast": False})
        descent.advance(objective, network)

    cases: dict[str, Callable[[], object]] = {
        "whole step": step,
        "linearise + factorise": linear_algebra,
        "linearise": lambda: [None for _ in objective.linearised(network)],
        "one trial's residual": lambda: objective.residual(network),
    }
    best = timed(cases, repeats)
    factorise = best["linearise + factorise"] - best["linearise"]
    print(f"\na Levenberg-Marquardt step, KAN [2, 8, 1] of degree 20, P = {network.parameter_count}, N = {len(points)}")
    for name, value in best.items():
        print(f"  {name:32s} {value:9.2f} ms")
    print(f"  share of the step that is not QR and SVD: {1 - factorise / best['whole step']:.0%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--points", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), float64, {time.strftime('%Y-%m-%d')}")
    points = torch.from_numpy(STRIP.sample(options.points, Chebyshev(degree=8).quantile, 0))
    for width in (8, 16):
        derivatives(width, points, options.repeats)
    forward(points, options.repeats)
    step_share(options.repeats)


if __name__ == "__main__":
    main()
