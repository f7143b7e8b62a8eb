"""Signature and determinant of a knot from a planar diagram, by Gordon and Litherland.

A diagram is a list of crossings (a, b, c, d): the strands around each, counterclockwise from the one that comes in below; strands are
numbered 0, 1, ... along the knot, as SnapPy's ``PD_code()`` does. For the right-handed trefoil:

>>> signature([(1, 5, 2, 4), (3, 1, 4, 0), (5, 3, 0, 2)])
-2

Source: Gordon and Litherland, Invent. Math. 47 (1978) 53.
"""

from collections.abc import Sequence

import numpy as np

Diagram = Sequence[tuple[int, int, int, int]]


def signature(diagram: Diagram) -> int:
    """sign(G) - mu, G the Goeritz matrix of a checkerboard surface and mu its correction; negative for right-handed knots.

    Corner i of a crossing lies between its strands i and i + 1. Over it, turned counterclockwise, the upper strand sweeps two corners: eta
    is 1 where these are black, else -1. G_ij = -sum of eta over the crossings where the white faces i and j meet, with rows that sum to
    0, without its last row and column; mu is the sum of eta over the crossings through which both strands run along the black band.
    Raises ``ValueError`` for what is no diagram of one knot.
    """
    matrix, correction = goeritz(diagram)
    return int(np.sign(np.linalg.eigvalsh(matrix)).sum()) - correction if len(matrix) else -correction


def determinant(diagram: Diagram) -> int:
    """|det G|, odd."""
    return round(abs(float(np.linalg.det(goeritz(diagram)[0])))) if diagram else 1


def goeritz(diagram: Diagram, *, black: int = 0) -> tuple[np.ndarray, int]:
    """G and mu; ``black`` 0 or 1 says which faces of the checkerboard are black, which changes both but not the signature."""
    count = len(diagram)
    if not count:
        return np.zeros((0, 0)), 0
    ends = _ends(diagram)
    face, colour = _faces(diagram, ends), _colours(diagram, ends)
    white = sorted({face[c, i] for c in range(count) for i in range(4) if (colour[c] + i) % 2 != black})
    place = {each: k for k, each in enumerate(white)}
    matrix, correction = np.zeros((len(white), len(white))), 0
    for c, strands in enumerate(diagram):
        swept = (colour[c] + 1) % 2 == black  # the corners 1 and 3 are black
        eta = 1 if swept else -1
        positive = strands[1] == (strands[3] + 1) % (2 * count)  # the upper strand runs from 3 to 1
        if swept == positive:
            correction += eta
        i, j = (place[face[c, k]] for k in ((0, 2) if swept else (1, 3)))
        if i != j:
            matrix[[i, j], [j, i]] -= eta
            matrix[[i, j], [i, j]] += eta
    return matrix[:-1, :-1], correction


def _ends(diagram: Diagram) -> dict[tuple[int, int], tuple[int, int]]:
    """For every end of a strand, (crossing, place), the other end."""
    known: dict[int, list[tuple[int, int]]] = {}
    for c, strands in enumerate(diagram):
        for i, strand in enumerate(strands):
            known.setdefault(int(strand), []).append((c, i))
    if sorted(known) != list(range(2 * len(diagram))) or any(len(each) != 2 for each in known.values()):
        raise ValueError(f"a diagram of {len(diagram)} crossings has the strands 0 ... {2 * len(diagram) - 1} twice each, got {diagram}")
    for strands in diagram:
        if (strands[2] - strands[0]) % len(known) != 1 or (strands[1] - strands[3]) % len(known) not in (1, len(known) - 1):
            raise ValueError(f"at {strands} the strands do not run on by one: give the diagram of one knot, numbered along it")
    return {one: other for a, b in known.values() for one, other in ((a, b), (b, a))}


def _faces(diagram: Diagram, ends: dict[tuple[int, int], tuple[int, int]]) -> dict[tuple[int, int], int]:
    """A number for the face at each corner: from the corner i one walks along the strand i + 1 to the corner of its other end."""
    face: dict[tuple[int, int], int] = {}
    for c in range(len(diagram)):
        for i in range(4):
            corner, number = (c, i), len(face)
            while corner not in face:
                face[corner] = number
                corner = ends[corner[0], (corner[1] + 1) % 4]
    return face


def _colours(diagram: Diagram, ends: dict[tuple[int, int], tuple[int, int]]) -> list[int]:
    """The colour of the corner 0 of every crossing; corner i has that plus i, modulo 2."""
    colour, waiting = {0: 0}, [0]
    while waiting:
        c = waiting.pop()
        for i in range(4):
            other, j = ends[c, (i + 1) % 4]  # the corner j there is of the same face as the corner i here
            if other not in colour:
                colour[other] = (colour[c] + i - j) % 2
                waiting.append(other)
    if len(colour) < len(diagram):
        raise ValueError(f"the diagram falls apart: {len(colour)} of its {len(diagram)} crossings hang together")
    return [colour[c] for c in range(len(diagram))]
