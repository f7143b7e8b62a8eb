"""The solvers that benchmarks/peers.py sets side by side: kanpde, pykan, DeepXDE and jaxKAN, each through its public interface.

A solver is a function ``solve(case, clock, seed)``: it imports its package, sets the problem up, and trains until its schedule ends or
the clock raises ``BudgetSpent``. After ``clock.start()`` all its time counts, but what passes inside ``clock.look`` (measuring the error)
and ``clock.aside`` (compiling, booked apart). ``tutorial`` settings are those of the package's own example for the problem, or of the
nearest one that it ships; ``best`` settings are the best that we found within the budget. Everything is float64.
"""

import importlib.util
import json
import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from peer_cases import CASES, BudgetSpent, Case, Clock

# ---- kanpde ----


def kanpde(case: Case, clock: Clock, seed: int, *, shape: str = "composed") -> None:
    """The shipped problem files, at their defaults: problems/poisson.py, and the composed or separable experiments of helmholtz.py and
    burgers.py; separable Poisson is a SeparableKAN of rank 2, Chebyshev 12 and then 20, by Levenberg-Marquardt without acceleration."""
    import scipy.stats.qmc  # noqa: F401  kanpde imports it when it first samples
    import torch

    import kanpde as kp
    from kanpde.objective import outputs
    from kanpde.training import fit

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    clock.imported()
    path = Path(__file__).parents[1] / "problems" / f"{case.name}.py"
    spec = importlib.util.spec_from_file_location(case.name, path)
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    if case.name != "poisson":
        experiment = module.experiments[shape]
    elif shape == "composed":
        experiment = module.experiment
    else:
        model = kp.SeparableKAN(2, 1, rank=2, basis=kp.Chebyshev(degree=12))
        training = [kp.LevenbergMarquardt(steps=60, acceleration=False, patience=5), kp.Refine(20)]
        experiment = replace(module.experiment, model=model, training=training)
    experiment.checks()
    # without the monitoring of the error in every step, which the peers do not do either
    problem, network = replace(experiment.problem, exact=None, reference=None), experiment.network(seed)

    def predict(points: np.ndarray, network: Any) -> np.ndarray:
        return outputs(problem, network, torch.from_numpy(points))[problem.unknowns[0]][()].numpy()

    def listen(progress: Any) -> None:
        if (case.name, shape) == ("burgers", "separable"):
            return  # solved in slabs of time: there is no whole solution before the end
        clock.look(lambda points: predict(points, progress.network))

    clock.start()
    network = fit(problem, network, experiment.training, sampling=experiment.sampling, seed=seed, listener=listen).network
    clock.look(lambda points: predict(points, network), last=True)


def kanpde_separable(case: Case, clock: Clock, seed: int) -> None:
    """The same, separable."""
    kanpde(case, clock, seed, shape="separable")


# ---- pykan ----


class TorchDerivatives:
    """d("xx") by autograd, each derivative computed once and only if it is asked for."""

    def __init__(self, model: Callable[[Any], Any], points: Any):
        self.points = points.detach().requires_grad_()
        self.known = {"": model(self.points)}

    def __call__(self, name: str) -> Any:
        import torch

        if name not in self.known:
            inner = self(name[:-1])
            (slopes,) = torch.autograd.grad(inner.sum(), self.points, create_graph=True)
            self.known |= {name[:-1] + "x": slopes[:, :1], name[:-1] + "y": slopes[:, 1:]}
        return self.known[name]


def pykan_tutorial(case: Case, clock: Clock, seed: int) -> None:
    """Notebook Example_6_PDE (Example_6_PDE_interpretation in its repository): KAN [2, 2, 1], grid 5, k 3, 441 random points,
    21 a side, loss 0.01 equation + conditions, 20 steps (of 20 iterations) of pykan's LBFGS with history 10 and strong Wolfe, grid update
    every 5 steps. The notebook has only Poisson; the same settings for the others. Derivatives by fewer calls of autograd than there."""
    _pykan(case, clock, seed, width=[2, 2, 1], order=3, grids={5: 20}, interior=None, hard=False, memory=10, fast=False)


def pykan_best(case: Case, clock: Clock, seed: int) -> None:
    """As notebook Example_7_PDE_accuracy (speed(), a ladder of grids), but wider, of order 5 and with built-in conditions: KAN [2, 5, 1],
    grids 5, 10, 20 (burgers and helmholtz 10, 20), a mesh of 21 x 21 points (the others 25 x 25, 41 x 41), no grid update, LBFGS with
    history 50 for 10, 20 and then as many steps as fit. Found by trial: [2, 4, 1] of order 3 was less accurate on poisson."""
    grids = {5: 10, 10: 20, 20: 100_000} if case.name == "poisson" else {10: 20, 20: 100_000}
    interior = {"poisson": 21, "helmholtz": 25, "burgers": 41}[case.name]
    _pykan(case, clock, seed, width=[2, 5, 1], order=5, grids=grids, interior=interior, hard=True, memory=50, fast=True)


def _pykan(case: Case, clock: Clock, seed: int, *, width, order, grids, interior, hard, memory, fast) -> None:
    import torch
    from kan import KAN, LBFGS

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    clock.imported()
    torch.set_default_dtype(torch.float64)
    random = np.random.default_rng(seed)
    inside = case.mesh(interior, interior) if interior else random.uniform([-1, case.low], 1, (441, 2))
    sides = case.side_points(21)
    inside, sides, wanted = (torch.as_tensor(part) for part in (inside, sides, case.boundary(*sides.T)[:, None]))
    model = None
    for number, (grid, steps) in enumerate(grids.items()):
        if model is None:
            model = KAN(width=list(width), grid=grid, k=order, seed=seed + 1, auto_save=False)
        else:
            model.save_act = True
            model.get_act(inside)
            model = model.refine(grid)
            model.auto_save = False
        model = model.speed() if fast else model

        def solution(points, model=model):
            found = model(points)
            return case.hard(points[:, :1], points[:, 1:], found, torch.sin) if hard else found

        def predict(points: np.ndarray, solution=solution) -> np.ndarray:
            with torch.no_grad():
                return solution(torch.from_numpy(points))[:, 0].numpy()

        optimizer = LBFGS(
            model.parameters(),
            lr=1,
            history_size=memory,
            line_search_fn="strong_wolfe",
            tolerance_grad=1e-32,
            tolerance_change=1e-32,
            tolerance_ys=1e-32,
        )

        def closure(solution=solution, optimizer=optimizer, predict=predict):
            optimizer.zero_grad()
            d = TorchDerivatives(solution, inside)
            loss = 0.01 * case.residual(d, d.points[:, :1], d.points[:, 1:], torch.sin).square().mean()
            if not hard:
                loss = loss + (solution(sides) - wanted).square().mean()
            loss.backward()
            clock.look(predict)
            return loss

        if number == 0:
            clock.start()
        for step in range(steps):
            if not fast and step % 5 == 0:
                model.update_grid_from_samples(inside)
            optimizer.step(closure)
        clock.look(predict, last=True)


# ---- DeepXDE ----


def deepxde_tutorial(case: Case, clock: Clock, seed: int) -> None:
    """examples/pinn_forward: Poisson_Lshape.py (the nearest there is; [50]*4 tanh, 1200 + 120 points, Adam 50,000, L-BFGS),
    Burgers.py ([20]*3 tanh, 2540 + 80 + 160, Adam 15,000, L-BFGS), Helmholtz_Dirichlet_2d.py ([150]*3 sin, built-in conditions, 10 points a
    wavelength of the shortest wave, so 40 x 40, Adam 5,000). Learning rate 1e-3."""
    chosen = {
        "poisson": dict(hidden=[50] * 4, activation="tanh", start="Glorot uniform", points=(1200, 120, 0), adam=50_000),
        "burgers": dict(hidden=[20] * 3, activation="tanh", start="Glorot normal", points=(2540, 80, 160), adam=15_000),
        "helmholtz": dict(hidden=[150] * 3, activation="sin", start="Glorot uniform", points=(1600, 0, 0), adam=5_000),
    }[case.name]
    helmholtz = case.name == "helmholtz"
    _deepxde(case, clock, seed, **chosen, hard=helmholtz, finish=None if helmholtz else {})


def deepxde_best(case: Case, clock: Clock, seed: int) -> None:
    """FNN [20]*3 tanh ([20]*4 for burgers), Glorot normal, built-in conditions, 500 points (helmholtz 1,000, burgers 1,500), Adam 1e-3 for
    100 iterations (burgers 300), then L-BFGS (100 pairs) until the budget ends: gtol 0, ftol 0, no limit of iterations. Found by trial:
    700 or 1,000 points, [40]*2 and [32]*3, 300 or 1,000 iterations of Adam, and the activation sin took longer to 1e-3 on poisson."""
    burgers = case.name == "burgers"
    points = {"poisson": 500, "helmholtz": 1000, "burgers": 1500}[case.name]
    chosen = dict(hidden=[20] * (4 if burgers else 3), points=(points, 0, 0), adam=300 if burgers else 100)
    finish = dict(ftol=0, gtol=0, maxiter=10_000_000)
    _deepxde(case, clock, seed, **chosen, activation="tanh", start="Glorot normal", hard=True, finish=finish)


def _deepxde(case: Case, clock: Clock, seed: int, *, hidden, activation, start, points, adam, hard, finish) -> None:
    import deepxde as dde
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    clock.imported()
    dde.config.set_default_float("float64")
    dde.config.set_random_seed(seed)
    interior, boundary, initial = points

    def equation(x, u):
        def d(name: str):
            axes = ["xy".index(letter) for letter in name]
            if not axes:
                return u
            return dde.grad.jacobian(u, x, i=0, j=axes[0]) if len(axes) == 1 else dde.grad.hessian(u, x, i=axes[0], j=axes[1])

        return case.residual(d, x[:, :1], x[:, 1:], torch.sin)

    def values(x: np.ndarray) -> np.ndarray:
        return case.boundary(x[:, 0], x[:, 1])[:, None]

    if case.name == "burgers":
        domain = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
        sides = dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
        begin = dde.icbc.IC(domain, values, lambda _, on_initial: on_initial)
        soft = [] if hard else [sides, begin]
        data = dde.data.TimePDE(domain, equation, soft, num_domain=interior, num_boundary=boundary, num_initial=initial)
    else:
        domain = dde.geometry.Rectangle([-1, -1], [1, 1])
        soft = [] if hard else [dde.icbc.DirichletBC(domain, values, lambda _, on_boundary: on_boundary)]
        data = dde.data.PDE(domain, equation, soft, num_domain=interior, num_boundary=boundary)
    net = dde.nn.FNN([2, *hidden, 1], activation, start)
    if hard:
        net.apply_output_transform(lambda x, u: case.hard(x[:, :1], x[:, 1:], u, torch.sin))
    model = dde.Model(data, net)
    looking = False

    def predict(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.from_numpy(points))[:, 0].numpy()

    def look(module, inputs) -> None:
        """Before every forward pass: callbacks come too rarely, every 1,000 iterations of L-BFGS."""
        nonlocal looking
        if not looking:
            looking = True
            clock.look(predict)
            looking = False

    model.compile("adam", lr=1e-3)
    clock.start()
    net.register_forward_pre_hook(look)
    model.train(iterations=adam, display_every=10**9, verbose=0)
    if finish is not None:
        dde.optimizers.set_LBFGS_options(**finish)
        model.compile("L-BFGS", verbose=0)
        model.train(display_every=10**9, verbose=0)
    looking = True
    clock.look(predict, last=True)


# ---- jaxKAN ----


def jaxkan_tutorial(case: Case, clock: Clock, seed: int) -> None:
    """docs/tutorials/Tutorial 6 - PIKANs (Burgers; the same for the others): KAN [2, 6, 6, 1],
    Chebyshev of degree 5, "exact" flavour, glorot_fine, 2^12 Sobol points and 2^6 a side, unweighted losses, Adam 1e-3, 5,000 epochs."""
    _jaxkan(case, clock, seed, width=6, degree=5, interior=2**12, hard=False, adam=5000, decay=False, memory=0)


def jaxkan_best(case: Case, clock: Clock, seed: int) -> None:
    """KAN [2, 8, 8, 1], Chebyshev of degree 5, built-in conditions as in its Tutorial 8, 512 Sobol points (helmholtz 1,024, burgers 2,048),
    Adam 1e-2 decaying by 0.9 every 100 epochs for 200, then L-BFGS (Tutorial 11) with memory 50 until the budget ends. Found by trial:
    twice the points, [2, 6, 6, 1] of degree 7 and 500 epochs of Adam were slower on poisson."""
    interior = {"poisson": 512, "helmholtz": 1024, "burgers": 2048}[case.name]
    _jaxkan(case, clock, seed, width=8, degree=5, interior=interior, hard=True, adam=200, decay=True, memory=50)


def _jaxkan(case: Case, clock: Clock, seed: int, *, width, degree, interior, hard, adam, decay, memory) -> None:
    import jax
    import jax.numpy as jnp
    from flax import nnx
    from jaxkan.models.KAN import KAN
    from jaxkan.models.utils import get_adam, get_lbfgs
    from jaxkan.pikan.sampling import get_collocs_sobol

    clock.imported()
    jax.config.update("jax_enable_x64", True)
    scheme = {"D": degree, "flavor": "exact", "residual": None, "external_weights": False, "init_scheme": {"type": "glorot_fine"}}
    model = KAN([2, width, width, 1], "chebyshev", scheme | {"add_bias": True}, seed=seed)
    inside = jnp.asarray(get_collocs_sobol(ranges=[(-1, 1), (case.low, 1)], total_points=interior, seed=seed), dtype=jnp.float64)
    spots = {"left": [(-1, -1), (case.low, 1)], "right": [(1, 1), (case.low, 1)], "bottom": [(-1, 1), (case.low, case.low)]}
    spots["top"] = [(-1, 1), (1, 1)]
    sides = np.concatenate([np.asarray(get_collocs_sobol(ranges=spots[side], total_points=2**6, seed=seed)) for side in case.sides])
    sides, wanted = jnp.asarray(sides, dtype=jnp.float64), jnp.asarray(case.boundary(*sides.astype(float).T)[:, None])

    def solution(model, points):
        found = model(points)
        return case.hard(points[:, :1], points[:, 1:], found, jnp.sin) if hard else found

    def loss_of(model):
        def u(x, y):
            return solution(model, jnp.stack([x, y])[None])[0, 0]

        def at(x, y):
            def d(name: str):
                slope = u
                for letter in name:
                    slope = jax.grad(slope, argnums="xy".index(letter))
                return slope(x, y)

            return case.residual(d, x, y, jnp.sin)

        loss = jnp.mean(jax.vmap(at)(inside[:, 0], inside[:, 1]) ** 2)
        return loss if hard else loss + jnp.mean((model(sides) - wanted) ** 2)

    @nnx.jit
    def adam_step(model, optimizer):
        loss, slopes = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, slopes)
        return loss

    @nnx.jit
    def lbfgs_step(model, optimizer):
        loss, slopes = nnx.value_and_grad(loss_of)(model)
        optimizer.update(model, slopes, value=loss, value_fn=loss_of)
        return loss

    evaluate = nnx.jit(solution)

    def predict(points: np.ndarray) -> np.ndarray:
        return np.asarray(evaluate(model, jnp.asarray(points)))[:, 0]

    def train(step, transformation, count: int) -> None:
        optimizer = nnx.Optimizer(model, transformation, wrt=nnx.Param)
        with clock.aside("compile"):
            jax.block_until_ready(step(model, optimizer))
        for _ in range(count - 1):
            jax.block_until_ready(step(model, optimizer))
            clock.look(predict)

    schedule = dict(learning_rate=1e-2, schedule_type="exponential", decay_steps=100, decay_rate=0.9) if decay else dict(learning_rate=1e-3)
    clock.start()
    train(adam_step, get_adam(**schedule), adam)
    if memory:
        train(lbfgs_step, get_lbfgs(memory_size=memory), 10_000_000)
    clock.look(predict, last=True)


SOLVERS: dict[str, Callable[[Case, Clock, int], None]] = {
    "kanpde": kanpde,
    "kanpde separable": kanpde_separable,
    "pykan tutorial": pykan_tutorial,
    "pykan best": pykan_best,
    "deepxde tutorial": deepxde_tutorial,
    "deepxde best": deepxde_best,
    "jaxkan tutorial": jaxkan_tutorial,
    "jaxkan best": jaxkan_best,
}


def main() -> None:
    """One solver, for the parent process: JSON lines on what was the standard output; the packages' own words go to the standard error."""
    order = json.loads(sys.argv[1])
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def write(entry: Mapping[str, Any]) -> None:
        lines.write(json.dumps(entry) + "\n")

    case = CASES[order["problem"]]
    clock = Clock(case.grid(), np.load(order["truth"]), order["budget"], order["spawned"], write)
    ended = "schedule"
    try:
        SOLVERS[order["solver"]](case, clock, order["seed"])
    except BudgetSpent:
        ended = "budget"
    booked = {f"{name}_{kind}": value for name, spent in clock.booked.items() for kind, value in zip(("wall", "cpu"), spent, strict=True)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    write({"ended": ended, "peak_mib": peak, **booked})


if __name__ == "__main__":
    main()
