"""Cuts a range of values into the equal bins of a histogram."""

import numpy as np

from tollway.engine.distributions.pert import Floats

BIN_COUNT = 50


def even_edges(low: float, high: float) -> Floats:
    """BIN_COUNT + 1 rising edges from low to high; a range too small to be cut is widened around its middle."""
    narrowest = BIN_COUNT * 4 * float(np.spacing(max(abs(low), abs(high))))
    if high - low < narrowest:
        half = max(narrowest, abs(low) * 1e-3, 0.5) if high == low else narrowest
        middle = low + (high - low) / 2
        low, high = middle - half, middle + half
    return np.linspace(low, high, BIN_COUNT + 1)


def centers(edges: Floats) -> Floats:
    """The middle of each bin."""
    return edges[:-1] + np.diff(edges) / 2
