"""Mean and standard deviation of a shape that has no formula for them, from its inverse."""

import math
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from tollway.engine.distributions.pert import Floats

# Beyond this many standard deviations a normal has less than 1e-16 on either side.
_SCORE_MAX = 8.25
_PANELS = 66
_NODES = 16
# Tails are followed to this distance, far beyond any draw, in panels of this width in logarithms.
_DISTANCE_MAX, _TAIL_PANEL = 1e100, 0.25
_TINY = 1e-100


@cache
def _rule() -> tuple[Floats, Floats]:
    """Nodes and weights on -1 to 1, which take as long to find as all the rest."""
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def quantile_moments(inverse: Callable[[Floats], Floats], kinks: Sequence[float] = ()) -> tuple[float, float]:
    """Integrate an inverse over the uniforms, by Gauss and Legendre's rule on panels of normal scores.

    On that scale an inverse is smooth even where the support ends or a tail is long; panels are cut at `kinks`,
    the uniforms where it bends. Good to about 1e-12 of the standard deviation where no tail is heavy.

    Returns:
        mean and standard deviation.
    """
    inner = ndtri(np.asarray(kinks, dtype=np.float64))
    edges = np.unique(np.concatenate([np.linspace(-_SCORE_MAX, _SCORE_MAX, _PANELS + 1), inner]))
    edges = edges[np.abs(edges) <= _SCORE_MAX]
    nodes, weights = _rule()
    halves = np.diff(edges)[:, None] / 2
    scores = (edges[:-1, None] + halves * (1 + nodes)).ravel()
    shares = (halves * weights).ravel() * np.exp(-(scores**2) / 2) / math.sqrt(2 * math.pi)
    shares /= shares.sum()
    draws = inverse(ndtr(scores))
    mean = math.fsum((shares * draws).tolist())
    return mean, math.sqrt(math.fsum((shares * (draws - mean) ** 2).tolist()))


def tail_moments(
    density: Callable[[Floats], Floats], start: float, centre: float, sign: float
) -> tuple[float, float]:
    """Integrate (x - centre) and its square over a heavy tail that begins at `start` and has no end.

    Args:
        density: of the whole shape.
        start: where the tail begins.
        centre: what distances are measured from.
        sign: 1 for a tail to the right, -1 for one to the left.
    """
    # In logarithms of the distance a power is an exponential, which short panels follow to the last digit.
    size = max(abs(start - centre), _TINY)
    edges = np.arange(0.0, math.log(_DISTANCE_MAX / size), _TAIL_PANEL)
    nodes, weights = _rule()
    distances = size * np.exp((edges[:, None] + _TAIL_PANEL / 2 * (1 + nodes)).ravel())
    shares = np.tile(_TAIL_PANEL / 2 * weights, len(edges)) * distances * density(centre + sign * distances)
    first, second = (shares * distances).sum(), (shares * distances * distances).sum()
    return float(sign * first), float(second)
