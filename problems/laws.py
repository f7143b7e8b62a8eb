"""The public benchmark of laws: seventeen formulas from 2,000 samples, and u_t = ... of three fields; noise 0, 0.01 and 0.1.

    python run_experiments.py problems/laws.py --seeds 5                        # all, and how many were found
    python run_experiments.py problems/laws.py --quick --only '*-noise0.01'     # a few seconds a law

Beside them controls, in which nothing is to be found that is not there: ``scrambled-...``, the same laws with constants that are not nice,
where a snapped number counts against; ``none-...``, sums of many bumps and pure noise, where any law that is claimed does. What counts as
found is said in :mod:`kanpde.symbolic.judging`.
"""

from kanpde import EquationSearch, LawSearch
from kanpde.science import evolution
from kanpde.science.laws import bumps, equations, first_laws, law, laws, pure_noise, scrambled

NOISES = (0.0, 0.01, 0.1)


def key(name, noise):
    return f"{name}-noise{noise:g}" if noise else name


first = {f"first-{each.name}": LawSearch(each) for each in first_laws()}
formulas = {key(each.name, noise): LawSearch(each, noise=noise) for noise in NOISES for each in laws()}
controls = {
    key(f"scrambled-{each.name}", noise): LawSearch(scrambled(each.name), noise=noise, scrambled=True)
    for noise in NOISES
    for each in laws()
}
controls |= {
    key(f"none-{values.__name__}-{domain}", noise): LawSearch(law(domain), noise=noise, values=values)
    for noise in (0.0, 0.01)
    for domain in ("gaussian", "kepler_period", "thick_lens")
    for values in (bumps, pure_noise)
}


def scattered(name):
    """Samples of the solution of that name, drawn when they are asked for."""

    def samples(rows, *, noise, seed):
        return evolution.samples(getattr(evolution, name)(), rows, noise=noise, seed=seed)

    return samples


differential = {
    key(each.name, noise): EquationSearch(each, samples=scattered(each.name), noise=noise) for noise in NOISES for each in equations()
}

experiments = first | formulas | differential | controls
