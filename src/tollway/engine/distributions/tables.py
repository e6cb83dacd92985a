"""Tables of inverses that are slow to compute, with a stated error."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from tollway.engine.distributions.pert import Floats

TABLE_ERROR = 1e-10
"""How far the probability at a draw from a table may be from its uniform, as a share of the smaller tail."""

# The table reaches from the uniform 1e-6 to its mirror image; what lies outside is inverted exactly.
_SCORE_MAX = 4.75
# Each is tried until nearly all cells keep the error; the cells that do not are inverted exactly.
_CELL_COUNTS = (1_024, 4_096, 16_384)
_EXACT_SHARE_MAX = 1e-3
# The error is measured in the middle of each cell, where it is largest; a quarter leaves room for the rest.
_MEASURED_ERROR_MAX = TABLE_ERROR / 4


class QuantileTable:
    """An inverse as a cubic in each cell of a grid that is even in normal scores.

    Rising, and equal to the exact inverse at the edges of cells. No random number is involved: equal shapes have
    equal tables.

    INVARIANT: the probability at a draw differs from its uniform by at most TABLE_ERROR of the smaller tail
    (tests/engine/test_distribution_tables.py::test_a_table_keeps_its_stated_error).
    """

    def __init__(self, below: Callable[[Floats], Floats], above: Callable[[Floats], Floats]) -> None:
        """Build the table.

        Args:
            below: the stretched inverse at shares of the left tail, up to 1/2.
            above: the same at shares of the right tail, up to 1/2.
        """
        for cell_count in _CELL_COUNTS:
            self.step = 2 * _SCORE_MAX / cell_count
            self.coefficients, self.is_exact = _cells(below, above, cell_count)
            edges = ndtr(np.linspace(-_SCORE_MAX, _SCORE_MAX, cell_count + 1))
            if np.diff(edges)[self.is_exact].sum() <= _EXACT_SHARE_MAX:
                break
        self.cell_count = cell_count

    def read(
        self, uniforms: Floats, unstretched: Callable[[Floats], Floats], exact: Callable[[Floats], Floats]
    ) -> Floats:
        """Invert uniforms: from the table where it keeps its error, exactly elsewhere."""
        places = (ndtri(uniforms) + _SCORE_MAX) / self.step
        inside = (places >= 0) & (places < self.cell_count)
        # 0 stands in for what lies outside, and for NaN.
        places = np.where(inside, places, 0.0)
        cells = places.astype(np.intp)
        within = places - cells
        a, b, c, d = self.coefficients
        draws = unstretched(a[cells] + within * (b[cells] + within * (c[cells] + within * d[cells])))
        slow = ~inside | self.is_exact[cells]
        if slow.any():
            draws[slow] = exact(uniforms[slow])
        return draws


def _cells(
    below: Callable[[Floats], Floats], above: Callable[[Floats], Floats], cell_count: int
) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
    """Give the four coefficients of each cell, and which cells miss the error or do not rise."""
    step = 2 * _SCORE_MAX / cell_count
    # Two nodes more on either side, for slopes by differences of the fourth order.
    nodes = _at_scores(below, above, np.asarray((np.arange(-2, cell_count + 3) - cell_count / 2) * step))
    slopes = (8 * (nodes[3:-1] - nodes[1:-3]) - (nodes[4:] - nodes[:-4])) / 12
    left, right, left_slope, right_slope = nodes[2:-3], nodes[3:-2], slopes[:-1], slopes[1:]
    rise = right - left
    coefficients = (
        left,
        left_slope,
        3 * rise - 2 * left_slope - right_slope,
        left_slope + right_slope - 2 * rise,
    )
    # A cubic with these slopes rises (Fritsch and Carlson 1980, SIAM Journal on Numerical Analysis 17(2)).
    rises = (left_slope > 0) & (right_slope > 0) & (left_slope <= 3 * rise) & (right_slope <= 3 * rise)

    scores: Floats = np.asarray((np.arange(cell_count) + 0.5 - cell_count / 2) * step)
    a, b, c, d = coefficients
    misses = np.abs(a + (b + (c + d / 2) / 2) / 2 - _at_scores(below, above, scores))
    # Per unit of normal score, the share of the smaller tail that is passed.
    hazard = np.exp(-(scores**2) / 2) / np.sqrt(2 * np.pi) / ndtr(-np.abs(scores))
    close = misses * hazard * step <= _MEASURED_ERROR_MAX * rise
    is_exact = ~(rises & close)
    return tuple(np.where(is_exact, 0.0, one) for one in coefficients), is_exact


def _at_scores(
    below: Callable[[Floats], Floats], above: Callable[[Floats], Floats], scores: Floats
) -> Floats:
    lower = scores <= 0
    return np.concatenate([below(ndtr(scores[lower])), above(ndtr(-scores[~lower]))])
