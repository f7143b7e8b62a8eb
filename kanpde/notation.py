"""Names, numbers and formulas as mathtext."""

import re

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
