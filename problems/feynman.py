"""The 120 formulas of the Feynman set from 2,000 samples each, at noise 0, 0.001, 0.01 and 0.1 of their rms.

    python run_experiments.py problems/feynman.py --resume --no-figures         # hours; goes on where it was stopped
    python run_experiments.py problems/feynman.py --quick --no-figures          # a second a law
    python run_experiments.py problems/feynman.py --only 'I.12.11*'             # one law at every noise

No units are given. It ends on the share found, by number of variables and noise, beside what others reach in hours.
"""

from kanpde import LawSearch
from kanpde.science.feynman import formulas

NOISES = (0.0, 0.001, 0.01, 0.1)

experiments = {
    each.name.replace(" ", "_") + (f"-noise{noise:g}" if noise else ""): LawSearch(each, noise=noise, quick=1.0)
    for noise in NOISES
    for each in formulas()
}
