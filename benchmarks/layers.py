"""What one KAN layer and small KANs cost beside pykan's, layers as other packages write them, and MLPs of the same widths.

    python benchmarks/layers.py [--quick] [--threads 1] [--points 10000] [--repeats 9] [--dtypes float64 float32]

Three tasks: values; values with the gradient of their sum by all weights and inputs; the Laplacian of the summed outputs, which kanpde
propagates as a jet and the others differentiate twice, coordinate by coordinate (at points / inputs points where there are 64 inputs).
The layer is tanh, then basis, in kanpde and for polynomials; "KAN [64, 64]" in the Laplacian has no tanh in front. All KANs have 9
weights an edge (pykan: 9 and two more). pykan takes part where it is installed (the extra "peers").

Times are of one process, the models taking turns: with one thread CPU time, which other programs on the machine disturb less; "x" is
the median over the turns of a time divided by the MLP's in the same turn. MB is the peak resident set while a case runs once, less what
there was before: each case in a process of its own, forked from one that has loaded everything.
"""

import argparse
import multiprocessing
import platform
import resource
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from kan_layers import KINDS, chain, has_pykan, plain_mlp, pykan
from torch import Tensor, nn

from kanpde import KAN, BSpline, Chebyshev, Gaussian, KANLayer, SiLU
from kanpde.jets import channels, laplacian_over

BASES = {
    "kanpde, Chebyshev": Chebyshev(8),
    "kanpde, Gaussians + SiLU": Gaussian(8) + SiLU(),
    "kanpde, B-splines + SiLU": BSpline(3, 5) + SiLU(),
}
MLP = "MLP, tanh"
SHAPES = ((64, 64), (2, 5, 1), (4, 16, 16, 1), (64, 64, 64))
TASKS = ("values", "and gradient", "Laplacian")
SLOW = 1.0  # seconds beyond which a case is timed once, in the turn that warms the others up


def names() -> list[str]:
    return [*BASES, *KINDS, *(["pykan, speed()", "pykan"] if has_pykan() else []), MLP]


def model_of(name: str, widths: Sequence[int], task: str) -> nn.Module:
    """The model in torch's default dtype."""
    if name in BASES:
        layer = len(widths) == 2 and task != "Laplacian"
        make = KANLayer if layer else KAN
        return make(*widths, basis=BASES[name], dtype=torch.get_default_dtype())
    if name == MLP:
        return plain_mlp(widths)
    return chain(widths, name) if name in KINDS else pykan(widths, speed=name != "pykan")


def case_of(name: str, widths: Sequence[int], task: str, points: int) -> Callable[[], object] | None:
    """What is timed; None where it would take minutes."""
    if task == "Laplacian" and widths[0] > 8:
        if name == "pykan":
            return None
        points = -(-points // widths[0])
    model = model_of(name, widths, task)
    x = 2 * torch.rand(points, widths[0], generator=torch.Generator().manual_seed(0)) - 1
    if task == "Laplacian":
        return _jets(model, x) if isinstance(model, KAN) else lambda: _nested(model, x)

    def values() -> Tensor:
        with torch.no_grad():
            return model(x)

    def gradient() -> object:
        y = x.clone().requires_grad_()
        return torch.autograd.grad(model(y).sum(), [y, *(p for p in model.parameters() if p.requires_grad)], allow_unused=True)

    return values if task == "values" else gradient


def _jets(model: KAN, x: Tensor) -> Callable[[], object]:
    chosen = channels([laplacian_over(range(x.shape[1]))])
    return lambda: model.jets(x, chosen)[0][-1].sum(0)


def _nested(model: nn.Module, x: Tensor) -> Tensor:
    y = x.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model(y).sum(), y, create_graph=True)
    axes = range(y.shape[1])
    return sum(torch.autograd.grad(slopes[:, axis].sum(), y, retain_graph=True)[0][:, axis] for axis in axes)  # type: ignore[return-value]


def _peak(pipe, threads: int, dtype: str, *case) -> None:
    """By how many MB running a case once raises the peak of this process."""
    torch.set_num_threads(threads)
    torch.set_default_dtype(getattr(torch, dtype))
    run, small = case_of(*case), case_of(*case[:-1], 16)
    assert run is not None and small is not None
    small()  # libraries make their buffers at the first call
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    pipe.send((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def peak(threads: int, dtype: str, *case) -> float:
    context = multiprocessing.get_context("forkserver")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_peak, args=(there, threads, dtype, *case))
    process.start()
    there.close()
    found = here.recv()
    process.join()
    return found


def turns(cases: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """The milliseconds of every case in every turn, the first one kept only of slow cases, which have no other."""
    found: dict[str, list[float]] = {name: [] for name in cases}
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    for turn in range(-1, repeats):
        for name, case in cases.items():
            if turn >= 0 and found[name] and found[name][0] > 1e3 * SLOW:
                continue
            start = clock()
            case()
            passed = clock() - start
            if turn >= 0 or passed > SLOW:
                found[name].append(1e3 * passed)
    return found


def ratio(times: dict[str, list[float]], name: str, other: str) -> float:
    """The median over the turns of one case's time divided by another's."""
    return statistics.median(a / b for a, b in zip(times[name], times[other], strict=False))


def compare(widths: Sequence[int], dtype: str, options: argparse.Namespace) -> None:
    torch.set_default_dtype(getattr(torch, dtype))
    title = f"one layer {widths[0]} -> {widths[1]}" if len(widths) == 2 else f"network {list(widths)}"
    print(f"\n{title}, {dtype}" + "".join(f"{task + ': ms':>20s}{'x':>8s}{'MB':>7s}" for task in TASKS))
    rows: dict[str, str] = {name: f"  {name:31s}" for name in names()}
    ahead = []
    for task in TASKS:
        made = {name: case_of(name, widths, task, options.points) for name in rows}
        times = turns({name: case for name, case in made.items() if case is not None}, options.repeats)
        for name in rows:
            if name not in times:
                rows[name] += f"{'-':>20s}{'':15s}"
                continue
            used = peak(options.threads, dtype, name, widths, task, options.points)
            rows[name] += f"{statistics.median(times[name]):20.2f}{ratio(times, name, MLP):8.1f}{used:7.0f}"
        others = [name for name in times if name not in BASES and name != MLP]
        ahead.append({name: min(ratio(times, other, name) for other in others) for name in BASES})
    print("\n".join(rows.values()))
    for name in BASES:
        print(f"  the fastest other KAN takes {' / '.join(f'{each[name]:.2f}' for each in ahead)} times what {name} takes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,000 points, three turns, one layer and one network")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--dtypes", nargs="+", choices=("float64", "float32"), default=["float64", "float32"])
    options = parser.parse_args()
    shapes = SHAPES
    if options.quick:
        options.points, options.repeats, shapes = 1000, 3, SHAPES[:2]
    torch.set_num_threads(options.threads)
    multiprocessing.set_forkserver_preload(["torch", "kanpde", *(["kan"] if has_pykan() else [])])
    print(f"torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), {time.strftime('%Y-%m-%d')}; "
          f"batch {options.points}, median of {options.repeats} turns")  # fmt: skip
    if not has_pykan():
        print('pykan is not installed, so it is left out: pip install "kanpde[peers]"')
    for dtype in options.dtypes:
        for widths in shapes:
            compare(widths, dtype, options)


if __name__ == "__main__":
    main()
