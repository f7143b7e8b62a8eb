"""Which of six columns depend on which, when nobody says what is to be explained?

    x3 = exp(sin(pi x1) + x2^2),   x5 = x4^3,   x6 by itself;   x1, x2, x4, x6 uniform in (-1, 1), 1,000 rows

Liu et al., KAN, arXiv 2404.19756, section 4.2 (figure 4.2), tell rows from permuted ones: each seed shows one of the groups.
"""

import numpy as np

from kanpde.relations import RelationSearch, found_in, groups

x1, x2, x4, x6 = np.random.default_rng(0).uniform(-1, 1, (4, 1000))
columns = dict(x1=x1, x2=x2, x3=np.exp(np.sin(np.pi * x1) + x2**2), x4=x4, x5=x4**3, x6=x6)

experiment = RelationSearch(columns, networks=2, seconds=20)


def tables(results):
    """The groups that every seed finds."""
    lines = ["| seed | groups | identities |", "| --- | --- | --- |"]
    for result in results["experiment"]:
        exact = [each for each in found_in(result) if each.kind == "identity"]
        tied = groups(result.coordinates, [(each.target, *each.inputs) for each in exact])
        words = "; ".join(", ".join(each) for each in tied)
        lines.append(f"| {result.provenance['seed']} | {words} | {'; '.join(f'{each.target} = {each.formula}' for each in exact)} |")
    return "\n".join(lines)
