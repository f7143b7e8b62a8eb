"""Tables about laws: one line a run, and how many were found, by number of variables and noise, beside what others reach.

A result of :class:`kanpde.discovery.runs.LawSearch` has the judge's numbers among its metrics.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from kanpde.results import Result

FORMULA = 64  # letters of a formula in the table
CONTROLS = ("", "scrambled", "no law")  # by metrics["control"]
ANCHORS = """
exact recovery on the Feynman set, %       noise 0   0.001    0.01     0.1   (SRBench, up to 8 hours a law)
uDSR                                            69      37      28      11
PhySO (given units)                           58.5    58.5    57.9    53.4
AI Feynman 2                                  55.8      33      13     0.7
AFP_FE                                          27      22      21    13.5
Operon                                        16.6      13       2     0.1
""".strip()


def is_judged(result: Result) -> bool:
    """Whether a result is of a search for a law whose truth is known."""
    return "found" in result.metrics


def law_table(results: Iterable[Result]) -> str:
    """The runs, one line each, with the verdict, what the judge says, and the formula."""
    rows = [("problem", "experiment", "seed", "verdict", "judged", "deviation", "nodes", "sigma < 2", "seconds", "law")]
    for result in results:
        known, law = result.metrics, result.law or {"verdict": result.status, "formula": ""}
        deviation, nodes = known.get("deviation", math.nan), f"{known.get('nodes', 0)}/{known.get('truth_nodes', 0)}"
        formula = " ".join(str(law["formula"]).split("\n"))
        rows.append((
            result.problem, result.experiment, str(result.provenance.get("seed")), str(law["verdict"]), outcome(result),
            f"{deviation:.0e}" if math.isfinite(deviation) else "-", nodes, f"{known.get('covered', 0)}/{known.get('constants', 0)}",
            f"{known.get('seconds', math.nan):.1f}", formula if len(formula) <= FORMULA else formula[: FORMULA - 3] + "...",
        ))  # fmt: skip
    return _aligned(rows, left=(0, 1, 3, 4, 9))


def outcome(result: Result) -> str:
    """The judge's word on a run: found, wrong (a law that it claimed), structure (found but for its constants), or missed."""
    known = result.metrics
    if known.get("control") == 2:
        return "wrong" if known["wrong"] else "rightly none"
    if known["found"]:
        return "found"
    if known["wrong"]:
        return "wrong"
    if known["snapped_wrongly"]:
        return "wrong numbers"
    return "structure" if known["structure"] else "equal" if known["symbolic"] else "missed"


def law_summary(results: Iterable[Result], *, anchors: bool = True) -> str:
    """Shares found, by number of variables and noise; what counts against; how often sigma holds; and the anchors of the literature."""
    results = [each for each in results if is_judged(each)]
    noises = sorted({float(each.metrics["noise"]) for each in results})
    rows = [["found, %", *(f"noise {noise:g}" for noise in noises)]]
    ours = [each for each in results if each.metrics.get("control", 0) == 0]
    for variables in sorted({int(each.metrics["variables"]) for each in ours}):
        some = [each for each in ours if each.metrics["variables"] == variables]
        rows.append([f"{variables} variable{'s' * (variables > 1)}", *(_share(some, noise, "found") for noise in noises)])
    if ours:
        rows.append(["all", *(_share(ours, noise, "found") for noise in noises)])
        for label, key in (("(1) within 1e-6", "numeric"), ("(2) difference zero", "symbolic"), ("(3) compact", "compact"),
                           ("structure", "structure"), ("SRBench's rule", "srbench")):  # fmt: skip
            rows.append([label, *(_share(ours, noise, key) for noise in noises)])
    for number, label in enumerate(CONTROLS):
        some = [each for each in results if each.metrics.get("control", 0) == number]
        if some and number == 1:
            rows.append([f"{label}: found", *(_share(some, noise, "found") for noise in noises)])
        if some:
            prefix = f"{label}: " if label else ""
            rows.append([f"{prefix}wrong laws claimed", *(_count(some, noise, "wrong") for noise in noises)])
            if number < 2:
                rows.append([f"{prefix}wrongly snapped", *(_count(some, noise, "snapped_wrongly") for noise in noises)])
    rows.append(["truth within 2 sigma", *(_coverage(results, noise) for noise in noises)])
    rows.append(["median seconds", *(_median([each for each in results if each.metrics["noise"] == noise]) for noise in noises)])
    return _aligned(rows, left=(0,)) + (f"\n\n{ANCHORS}" if anchors else "")


def _share(results: Sequence[Result], noise: float, key: str) -> str:
    some = [bool(each.metrics[key]) for each in results if each.metrics["noise"] == noise]
    return f"{100 * sum(some) / len(some):.0f} ({sum(some)}/{len(some)})" if some else "-"


def _count(results: Sequence[Result], noise: float, key: str) -> str:
    some = [bool(each.metrics[key]) for each in results if each.metrics["noise"] == noise]
    return f"{sum(some)}/{len(some)}" if some else "-"


def _coverage(results: Sequence[Result], noise: float) -> str:
    some = [each.metrics for each in results if each.metrics["noise"] == noise]
    covered, constants = sum(each["covered"] for each in some), sum(each["constants"] for each in some)
    return f"{covered}/{constants}" if constants else "-"


def _median(results: Sequence[Result]) -> str:
    times = sorted(float(each.metrics["seconds"]) for each in results)
    return f"{times[len(times) // 2]:.1f}" if times else "-"


def _aligned(rows: Sequence[Sequence[Any]], left: Sequence[int]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [[cell.ljust(width) if k in left else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True))]
             for row in rows]  # fmt: skip
    return "\n".join("  ".join(line).rstrip() for line in lines)
