"""The public benchmark of laws: seventeen formulas from 2,000 samples, at noise 0, 0.01 and 0.1 of their rms.

    python run_experiments.py problems/laws.py --seeds 5                        # all, and how many were found
    python run_experiments.py problems/laws.py --quick --only '*-noise0.01'     # a few seconds a law

Beside them controls, in which nothing is to be found that is not there: ``scrambled-...``, the same laws with constants that are not nice,
where a snapped number counts against; ``none-...``, sums of many bumps and pure noise, where any law that is claimed does. What counts as
found is said in :mod:`kanpde.symbolic.judging`.
"""

from kanpde import LawSearch
from kanpde.science.laws import bumps, law, laws, pure_noise, scrambled

NOISES = (0.0, 0.01, 0.1)


def key(name, noise):
    return f"{name}-noise{noise:g}" if noise else name


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
equations = {}  # heat, burgers and kdv: {key(each.name, noise): EquationSearch(each, samples=..., noise=noise) for each in equations()}

experiments = formulas | controls | equations
