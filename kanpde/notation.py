"""Names, numbers and formulas as mathtext, and numbers with their uncertainty.

>>> uncertain(0.30018, 0.00042)
'0.3002(4)'
"""

import math
import re
from collections.abc import Iterable

DIGITS = 6  # of a number without a known uncertainty

GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|upsilon|phi|chi|psi|omega"
    "|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega"
)


def symbol(name: str) -> str:
    """Mathtext of a coordinate or unknown: ``x12`` gives $x_{12}$, ``theta`` a Greek letter, ``rate`` upright ones."""
    letters, index = re.findall(r"^(.*?)_?(\d*)$", name)[0]
    if not re.fullmatch(r"\w+", letters):
        return name.replace("$", r"\$")  # a description, not a name
    if len(letters) > 1:
        upright = "\\mathrm{" + letters.replace("_", "\\_") + "}"
        letters = "\\" + letters if GREEK.fullmatch(letters) else upright
    return f"${letters}_{{{index}}}$" if index else f"${letters}$"


def number(value: float) -> str:
    """Three digits and a power of ten."""
    digits, _, power = f"{value:.3g}".partition("e")
    return digits + (rf"\times10^{{{int(power)}}}" if power else "")


def formula(text: str) -> str:
    """Mathtext of a formula such as "1.5 sin(2 x1 + 0.1)" or "x^2", its names as :func:`symbol` has them."""
    plain = text.replace("**", "^").replace("$", r"\$")
    plain = re.sub(r"(?<=\d)e([+-]\d+)", lambda power: rf"\times10^{{{int(power[1])}}}", plain)
    powers = re.sub(r"\^(-?[\w.]+|\([^()]*\))", r"^{\1}", plain)
    names = re.sub(r"(?<![\w.\\])[A-Za-z]\w*", lambda word: symbol(word[0])[1:-1], powers)
    return "$" + re.sub(r" ([+-]) ", r"\1", names).replace("*", r"\,").replace(" ", r"\,") + "$"


def uncertain(value: float, sigma: float, *, power: str = "e{}") -> str:
    """A number with its standard deviation in units of the last digit: one digit of it, two where the first is 1.

    ``sigma`` 0 is a number known exactly, given to fifteen digits; NaN or infinite, one known to six. ``power`` writes the power of ten.
    """
    if not (math.isfinite(value) and math.isfinite(sigma) and sigma > 0):
        digits, _, exponent = f"{value:.{15 if sigma == 0 else DIGITS}g}".partition("e")
        return digits + (power.format(int(exponent)) if exponent else "")
    leading, _, size = f"{sigma:.1e}".partition("e")
    last = int(size) - (leading[0] == "1")  # the place of the last digit shown
    top = max(math.floor(math.log10(abs(value))) if value else last, last)
    if -4 <= top < 6 and last <= 0:
        return f"{value:.{-last}f}({max(round(sigma / 10.0**last), 1)})"
    shown = f"{value / 10.0**top:.{max(top - last, 0)}f}({max(round(sigma / 10.0**last), 1)})"
    return shown + (power.format(top) if top else "")


def typeset(name: str) -> str:
    """LaTeX of a name: ``x12`` is x_{12}, ``u_xx`` a derivative u_{xx}, ``omega_0`` Greek, ``rate`` upright."""
    base, _, index = name.strip("_").partition("_")
    if not name.isidentifier() or not base or not index or base[-1:].isdigit():
        return symbol(name).strip("$") if name.isidentifier() else rf"\mathrm{{{_escaped(name)}}}"
    parts = [symbol(part).strip("$") if len(part) > 1 and set(part) - set("xyzt") else part for part in index.split("_")]
    return f"{symbol(base).strip('$')}_{{{','.join(parts)}}}"


def typeset_all(names: Iterable[str]) -> dict[str, str]:
    r"""LaTeX of names that stand in one formula, by name: as :func:`typeset` has them, but letter by letter where two would look alike.

    >>> typeset_all(["x1", "x_1", "t"])
    {'x1': '\\mathrm{x1}', 'x_1': '\\mathrm{x\\_1}', 't': 't'}
    """
    found = {name: typeset(name) for name in names}
    shown = list(found.values())
    return {name: text if shown.count(text) == 1 else rf"\mathrm{{{_escaped(name)}}}" for name, text in found.items()}


def typeset_unit(unit: str) -> str:
    r"""LaTeX of a unit, behind a number: "kg*m/s^2" is \ \mathrm{kg\,m/s^{2}}; nothing for ""."""
    powers = re.sub(r"\^\(?(\d+(?:/\d+)?)\)?", r"^{\1}", unit).replace("*", r"\,")
    return rf"\ \mathrm{{{powers}}}" if unit else ""


def _escaped(text: str) -> str:
    return "".join(rf"\{letter}" if letter in "_$%#&{}" else r"\ " if letter == " " else letter for letter in text)
