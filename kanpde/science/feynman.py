"""The 120 formulas of the Feynman set: a hundred of the Lectures on Physics and twenty of graduate textbooks, with the ranges to sample.

>>> formula("I.12.11")
Formula('I.12.11', 'F = q*(Ef + B*v*sin(theta))')
>>> formula("I.12.11").ranges["theta"]
(1.0, 5.0)

Formulas are text with the names of sympy; :func:`kanpde.symbolic.compiler.compile_expression` takes one as it is, and
:func:`kanpde.symbolic.reading.read` turns the text into a sympy expression. Published ranges throughout. The public data base drops
the last 0 of some numbers ("I.6.2" for I.6.20) and counts the bonus formulas (test_1 ... test_20); :func:`formula` knows these names too.

Source: Udrescu and Tegmark, AI Feynman, Sci. Adv. 6 (2020) eaay2631, and its data base, space.mit.edu/home/tegmark/aifeynman.html.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True, repr=False)
class Formula:
    """A formula of the set: ``output = text``, a function of the names in ``ranges``, each with the interval it is sampled in."""

    name: str
    output: str
    text: str
    ranges: Mapping[str, tuple[float, float]] = field(hash=False)
    title: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that the formula depends on, in the published order."""
        return tuple(self.ranges)

    def points(self, count: int, seed: int = 0) -> np.ndarray:
        """Uniform random points of the ranges: (count, variables)."""
        low, high = np.array(list(self.ranges.values())).T
        return np.random.default_rng(seed).uniform(low, high, (count, len(low)))

    def __repr__(self) -> str:
        return f"Formula({self.name!r}, '{self.output} = {self.text}')"


@cache
def formulas() -> tuple[Formula, ...]:
    """All 120, in the published order."""
    return (*parsed(LECTURES), *parsed(BONUS))


def parsed(text: str) -> tuple[Formula, ...]:
    """Formulas, one a line: ``name: title | output = formula | names low high; names low high``."""
    found = []
    for line in text.strip().splitlines():
        name, equation, ranges = (part.strip() for part in line.split("|"))
        name, _, title = name.partition(": ")
        output, _, text = equation.partition(" = ")
        found.append(Formula(name, output, text, MappingProxyType(_ranges(ranges)), title))
    return tuple(found)


def _ranges(text: str) -> dict[str, tuple[float, float]]:
    """``"a b 1 5; c 0 1"``: names, then the interval they share."""
    found = {}
    for group in text.split(";"):
        *names, low, high = group.split()
        found.update({name: (float(low), float(high)) for name in names})
    return found


@cache
def _names() -> dict[str, Formula]:
    every = formulas()
    also = {"I.6.2a": "I.6.20a", "I.6.2": "I.6.20", "I.6.2b": "I.6.20b", "I.15.1": "I.15.10", "I.34.1": "I.34.10", "I.39.1": "I.39.10",
            "I.48.2": "I.48.20"}  # fmt: skip
    known = {each.name: each for each in every}
    bonus = {f"test_{number}": each for number, each in enumerate(every[100:], 1)}
    return known | bonus | {short: known[name] for short, name in also.items()}


def formula(name: str) -> Formula:
    """The formula of a name such as "I.6.20", "II.6.15a" or "Goldstein 3.16"; ``ValueError`` with the nearest names for another."""
    known = _names()
    if name not in known:
        close = ", ".join(difflib.get_close_matches(str(name), known, 3))
        raise ValueError(f"there is no formula {name!r} in the Feynman set; the nearest names are {close or ', '.join(list(known)[:3])}")
    return known[name]


LECTURES = """
I.6.20a | f = exp(-theta**2/2)/sqrt(2*pi) | theta 1 3
I.6.20 | f = exp(-(theta/sigma)**2/2)/(sqrt(2*pi)*sigma) | sigma theta 1 3
I.6.20b | f = exp(-((theta - theta1)/sigma)**2/2)/(sqrt(2*pi)*sigma) | sigma theta theta1 1 3
I.8.14 | d = sqrt((x2 - x1)**2 + (y2 - y1)**2) | x1 x2 y1 y2 1 5
I.9.18 | F = G*m1*m2/((x2 - x1)**2 + (y2 - y1)**2 + (z2 - z1)**2) | m1 m2 G 1 2; x1 3 4; x2 1 2; y1 3 4; y2 1 2; z1 3 4; z2 1 2
I.10.7 | m = m_0/sqrt(1 - v**2/c**2) | m_0 1 5; v 1 2; c 3 10
I.11.19 | A = x1*y1 + x2*y2 + x3*y3 | x1 x2 x3 y1 y2 y3 1 5
I.12.1 | F = mu*Nn | mu Nn 1 5
I.12.2 | F = q1*q2/(4*pi*epsilon*r**2) | q1 q2 epsilon r 1 5
I.12.4 | Ef = q1/(4*pi*epsilon*r**2) | q1 epsilon r 1 5
I.12.5 | F = q2*Ef | q2 Ef 1 5
I.12.11 | F = q*(Ef + B*v*sin(theta)) | q Ef B v theta 1 5
I.13.4 | K = m*(v**2 + u**2 + w**2)/2 | m v u w 1 5
I.13.12 | U = G*m1*m2*(1/r2 - 1/r1) | m1 m2 r1 r2 G 1 5
I.14.3 | U = m*g*z | m g z 1 5
I.14.4 | U = k_spring*x**2/2 | k_spring x 1 5
I.15.3x | x1 = (x - u*t)/sqrt(1 - u**2/c**2) | x 5 10; u 1 2; c 3 20; t 1 2
I.15.3t | t1 = (t - u*x/c**2)/sqrt(1 - u**2/c**2) | x 1 5; c 3 10; u 1 2; t 1 5
I.15.10 | p = m_0*v/sqrt(1 - v**2/c**2) | m_0 1 5; v 1 2; c 3 10
I.16.6 | v1 = (u + v)/(1 + u*v/c**2) | c v u 1 5
I.18.4 | r = (m1*r1 + m2*r2)/(m1 + m2) | m1 m2 r1 r2 1 5
I.18.12 | tau = r*F*sin(theta) | r F 1 5; theta 0 5
I.18.14 | L = m*r*v*sin(theta) | m r v theta 1 5
I.24.6 | E_n = m*(omega**2 + omega_0**2)*x**2/4 | m omega omega_0 x 1 3
I.25.13 | Volt = q/C | q C 1 5
I.26.2 | theta1 = asin(n*sin(theta2)) | n 0 1; theta2 1 5
I.27.6 | foc = 1/(1/d1 + n/d2) | d1 d2 n 1 5
I.29.4 | k = omega/c | omega c 1 10
I.29.16 | x = sqrt(x1**2 + x2**2 - 2*x1*x2*cos(theta1 - theta2)) | x1 x2 theta1 theta2 1 5
I.30.3 | Int = Int_0*sin(n*theta/2)**2/sin(theta/2)**2 | Int_0 theta n 1 5
I.30.5 | theta = asin(lambd/(n*d)) | lambd 1 2; d 2 5; n 1 5
I.32.5 | Pwr = q**2*a**2/(6*pi*epsilon*c**3) | q a epsilon c 1 5
I.32.17 | Pwr = (epsilon*c*Ef**2/2)*(8*pi*r**2/3)*(omega**4/(omega**2 - omega_0**2)**2) | epsilon c Ef r omega 1 2; omega_0 3 5
I.34.8 | omega = q*v*B/p | q v B p 1 5
I.34.10 | omega = omega_0/(1 - v/c) | c 3 10; v 1 2; omega_0 1 5
I.34.14 | omega = omega_0*(1 + v/c)/sqrt(1 - v**2/c**2) | c 3 10; v 1 2; omega_0 1 5
I.34.27 | E_n = h*omega/(2*pi) | omega h 1 5
I.37.4 | Int = I1 + I2 + 2*sqrt(I1*I2)*cos(delta) | I1 I2 delta 1 5
I.38.12 | r = 4*pi*epsilon*(h/(2*pi))**2/(m*q**2) | m q h epsilon 1 5
I.39.10 | E_n = 3*pr*V/2 | pr V 1 5
I.39.11 | E_n = pr*V/(gamma - 1) | gamma 2 5; pr V 1 5
I.39.22 | pr = n*kb*T/V | n T V kb 1 5
I.40.1 | n = n_0*exp(-m*g*x/(kb*T)) | n_0 m x T g kb 1 5
I.41.16 | L_rad = h*omega**3/(2*pi**3*c**2*(exp(h*omega/(2*pi*kb*T)) - 1)) | omega T h kb c 1 5
I.43.16 | v = mu_drift*q*Volt/d | mu_drift q Volt d 1 5
I.43.31 | D = mob*kb*T | mob T kb 1 5
I.43.43 | kappa = kb*v/((gamma - 1)*A) | gamma 2 5; kb A v 1 5
I.44.4 | E_n = n*kb*T*log(V2/V1) | n kb T V1 V2 1 5
I.47.23 | c = sqrt(gamma*pr/rho) | gamma pr rho 1 5
I.48.20 | E_n = m*c**2/sqrt(1 - v**2/c**2) | m 1 5; v 1 2; c 3 10
I.50.26 | x = x1*(cos(omega*t) + alpha*cos(omega*t)**2) | x1 omega t alpha 1 3
II.2.42 | Pwr = kappa*(T2 - T1)*A/d | kappa T1 T2 A d 1 5
II.3.24 | flux = Pwr/(4*pi*r**2) | Pwr r 1 5
II.4.23 | Volt = q/(4*pi*epsilon*r) | q epsilon r 1 5
II.6.11 | Volt = p_d*cos(theta)/(4*pi*epsilon*r**2) | epsilon p_d theta r 1 3
II.6.15a | Ef = 3*p_d*z*sqrt(x**2 + y**2)/(4*pi*epsilon*r**5) | epsilon p_d r x y z 1 3
II.6.15b | Ef = 3*p_d*cos(theta)*sin(theta)/(4*pi*epsilon*r**3) | epsilon p_d theta r 1 3
II.8.7 | E_n = 3*q**2/(20*pi*epsilon*d) | q epsilon d 1 5
II.8.31 | E_den = epsilon*Ef**2/2 | epsilon Ef 1 5
II.10.9 | Ef = sigma_den/(epsilon*(1 + chi)) | sigma_den epsilon chi 1 5
II.11.3 | x = q*Ef/(m*(omega_0**2 - omega**2)) | q Ef m 1 3; omega_0 3 5; omega 1 2
II.11.17 | n = n_0*(1 + p_d*Ef*cos(theta)/(kb*T)) | n_0 kb T theta p_d Ef 1 3
II.11.20 | Pol = n_rho*p_d**2*Ef/(3*kb*T) | n_rho p_d Ef kb T 1 5
II.11.27 | Pol = n*alpha*epsilon*Ef/(1 - n*alpha/3) | n alpha 0 1; epsilon Ef 1 2
II.11.28 | theta = 1 + n*alpha/(1 - n*alpha/3) | n alpha 0 1
II.13.17 | B = I/(2*pi*epsilon*c**2*r) | epsilon c I r 1 5
II.13.23 | rho_c = rho_c_0/sqrt(1 - v**2/c**2) | rho_c_0 1 5; v 1 2; c 3 10
II.13.34 | j = rho_c_0*v/sqrt(1 - v**2/c**2) | rho_c_0 1 5; v 1 2; c 3 10
II.15.4 | E_n = -mom*B*cos(theta) | mom B theta 1 5
II.15.5 | E_n = -p_d*Ef*cos(theta) | p_d Ef theta 1 5
II.21.32 | Volt = q/(4*pi*epsilon*r*(1 - v/c)) | q epsilon r 1 5; v 1 2; c 3 10
II.24.17 | k = sqrt(omega**2/c**2 - pi**2/d**2) | omega 4 6; c 1 2; d 2 4
II.27.16 | flux = epsilon*c*Ef**2 | epsilon c Ef 1 5
II.27.18 | E_den = epsilon*Ef**2 | epsilon Ef 1 5
II.34.2a | I = q*v/(2*pi*r) | q v r 1 5
II.34.2 | mom = q*v*r/2 | q v r 1 5
II.34.11 | omega = g_*q*B/(2*m) | g_ q B m 1 5
II.34.29a | mom = q*h/(4*pi*m) | q h m 1 5
II.34.29b | E_n = 2*pi*g_*mom*B*Jz/h | g_ h Jz mom B 1 5
II.35.18 | n = n_0/(exp(mom*B/(kb*T)) + exp(-mom*B/(kb*T))) | n_0 kb T mom B 1 3
II.35.21 | M = n_rho*mom*tanh(mom*B/(kb*T)) | n_rho mom B kb T 1 5
II.36.38 | f = mom*H/(kb*T) + mom*alpha*M/(epsilon*c**2*kb*T) | mom H kb T alpha epsilon c M 1 3
II.37.1 | E_n = mom*(1 + chi)*B | mom B chi 1 5
II.38.3 | F = Y*A*x/d | Y A d x 1 5
II.38.14 | mu_S = Y/(2*(1 + sigma)) | Y sigma 1 5
III.4.32 | n = 1/(exp(h*omega/(2*pi*kb*T)) - 1) | h omega kb T 1 5
III.4.33 | E_n = h*omega/(2*pi*(exp(h*omega/(2*pi*kb*T)) - 1)) | h omega kb T 1 5
III.7.38 | omega = 4*pi*mom*B/h | mom B h 1 5
III.8.54 | prob = sin(2*pi*E_n*t/h)**2 | E_n t 1 2; h 1 4
III.9.52 | prob = (2*pi*p_d*Ef*t/h)*sin((omega - omega_0)*t/2)**2/((omega - omega_0)*t/2)**2 | p_d Ef t h 1 3; omega omega_0 1 5
III.10.19 | E_n = mom*sqrt(Bx**2 + By**2 + Bz**2) | mom Bx By Bz 1 5
III.12.43 | L = n*h/(2*pi) | n h 1 5
III.13.18 | v = 4*pi*E_n*d**2*k/h | E_n d k h 1 5
III.14.14 | I = I_0*(exp(q*Volt/(kb*T)) - 1) | I_0 1 5; q Volt kb T 1 2
III.15.12 | E_n = 2*U*(1 - cos(k*d)) | U k d 1 5
III.15.14 | m = (h/(2*pi))**2/(2*E_n*d**2) | h E_n d 1 5
III.15.27 | k = 2*pi*alpha/(n*d) | alpha n d 1 5
III.17.37 | f = beta*(1 + alpha*cos(theta)) | beta alpha theta 1 5
III.19.51 | E_n = -m*q**4/(2*(4*pi*epsilon)**2*(h/(2*pi))**2*n**2) | m q h n epsilon 1 5
III.21.20 | j = -rho_c_0*q*A_vec/m | rho_c_0 q A_vec m 1 5
"""

BONUS = """
Rutherford: scattering of charges | A = (Z_1*Z_2*alpha*hbar*c/(4*E_n*sin(theta/2)**2))**2 | Z_1 Z_2 alpha hbar c 1 2; E_n theta 1 3
Goldstein 3.55: orbit | k = m*k_G/L**2*(1 + sqrt(1 + 2*E_n*L**2/(m*k_G**2))*cos(theta1 - theta2)) | m k_G L E_n 1 3; theta1 theta2 0 6
Goldstein 3.64: ellipse | r = d*(1 - alpha**2)/(1 + alpha*cos(theta1 - theta2)) | d 1 3; alpha 2 4; theta1 theta2 4 5
Goldstein 3.16: radial velocity | v = sqrt(2/m*(E_n - U - L**2/(2*m*r**2))) | m 1 3; E_n 8 12; U L r 1 3
Goldstein 3.74: Kepler | t = 2*pi*d**(3/2)/sqrt(G*(m1 + m2)) | d G m1 m2 1 3
Goldstein 3.99: eccentricity | alpha = sqrt(1 + 2*epsilon**2*E_n*L**2/(m*(Z_1*Z_2*q**2)**2)) | epsilon L m Z_1 Z_2 q E_n 1 3
Friedmann: Hubble constant | H_G = sqrt(8*pi*G*rho/3 - alpha*c**2/d**2) | G rho 1 3; alpha c 1 2; d 1 3
Compton: scattering of light | K = E_n/(1 + E_n/(m*c**2)*(1 - cos(theta))) | E_n m c theta 1 3
Gravitational waves: radiated power | Pwr = -32/5*G**4/c**5*(m1*m2)**2*(m1 + m2)/r**5 | G c 1 2; m1 m2 1 5; r 1 2
Aberration: relativistic | theta1 = acos((cos(theta2) - v/c)/(1 - v/c*cos(theta2))) | c 4 6; v theta2 1 3
N slits: diffraction | I = I_0*(sin(alpha/2)*sin(n*delta/2)/(alpha/2*sin(delta/2)))**2 | I_0 alpha delta 1 3; n 1 2
Jackson 2.11: sphere | F = q/(4*pi*epsilon*y**2)*(4*pi*epsilon*Volt*d - q*d*y**3/(y**2 - d**2)**2) | q Volt epsilon 1 5; y 1 3; d 4 6
Jackson 3.45: charge | Volt = q/(4*pi*epsilon*sqrt(r**2 + d**2 - 2*r*d*cos(alpha))) | q 1 5; r 1 3; d 4 6; alpha 0 6; epsilon 1 5
Jackson 4.60: dielectric sphere | Volt = Ef*cos(theta)*(-r + d**3/r**2*(alpha - 1)/(alpha + 2)) | Ef 1 5; theta 0 6; r d alpha 1 5
Jackson 11.38: Doppler | omega_0 = sqrt(1 - v**2/c**2)*omega/(1 + v/c*cos(theta)) | c 5 20; v 1 3; omega 1 5; theta 0 6
Goldstein 8.56: charge in a field | E_n = sqrt((p - q*A_vec)**2*c**2 + m**2*c**4) + q*Volt | m c p q A_vec Volt 1 5
Goldstein 12.80: anharmonic | E_n = (p**2 + m**2*omega**2*x**2*(1 + alpha*x/y))/(2*m) | m omega p y x alpha 1 5
Weinberg 15.2.1: density | rho_0 = 3/(8*pi*G)*(c**2*k_f/r**2 + H_G**2) | G k_f r H_G c 1 5
Weinberg 15.2.2: pressure | pr = -1/(8*pi*G)*(c**4*k_f/r**2 + H_G**2*c**2*(1 - 2*alpha)) | G k_f r H_G alpha c 1 5
Klein-Nishina | A = (alpha*h*omega_0/(m*c*omega))**2/(4*pi)*(omega_0/omega + omega/omega_0 - sin(beta)**2) \
    | omega omega_0 alpha h m c 1 5; beta 0 6
"""
