"""The mode of an output, of which only counts of bins are known."""

import math

import numpy as np

from tollway.engine.runs.tallies import Tally

MODE_SHARE_MIN = 0.01
"""A single value with this share of the numbers is the mode."""
MODE_INTERVAL_SHARE = 0.05
"""Else the mode is the middle of the shortest interval with this share of them, and at least so many:"""
MODE_INTERVAL_COUNT_MIN = 10


def find_mode(tallied: Tally) -> float:
    """Find where the numbers of an output lie closest, from the counts of its bins; there is at least one.

    The most frequent value where one has MODE_SHARE_MIN of the numbers; else the middle of the shortest interval that
    holds MODE_INTERVAL_SHARE of them and ends at edges of bins.
    """
    places = np.concatenate([[tallied.low], tallied.edges, [np.inf]])
    starts = np.concatenate([[0], tallied.below, [tallied.count]])
    held = np.diff(starts[1:])
    is_one_value = places[2:] == np.nextafter(places[1:-1], np.inf)
    single = np.where(is_one_value, held, 0)
    if len(single) and single.max() >= MODE_SHARE_MIN * tallied.count:
        return float(places[1:-1][single.argmax()])
    places[-1] = tallied.high
    inside = (places >= tallied.low) & (places <= tallied.high)
    places, starts = places[inside], starts[inside]
    least = min(tallied.count, MODE_INTERVAL_COUNT_MIN)
    needed = max(least, math.ceil(MODE_INTERVAL_SHARE * tallied.count))
    ends = np.searchsorted(starts, starts + needed, side="left")
    possible = ends < len(starts)
    # What lies in a bin is taken to lie at its low end, as it does where a bin holds one number.
    first, last = places[possible], places[ends[possible] - 1]
    with np.errstate(over="ignore"):
        shortest = int((last - first).argmin())
    return float(first[shortest]) / 2 + float(last[shortest]) / 2
