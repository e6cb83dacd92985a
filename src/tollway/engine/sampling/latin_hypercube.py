"""Latin hypercube strata without a stored permutation: which slice of its range an input takes in iteration i.

A run of N iterations cuts [0, 1) in N equal slices, and each input takes each slice once, in an order of its
own. The order is a permutation of 0 to N-1 that is computed at any point: a Feistel network over a rectangle of
hardly more than N points, walked along its cycle where it lands beyond N.
"""

import math

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

ROUNDS = 8
"""Keys that one permutation takes."""
# A network over a smaller rectangle has too few round functions to look random.
SIDE_MIN = 32


def strata(round_keys: Words, run_iterations: int, first_iteration: int, iteration_count: int) -> Words:
    """Give the slices that iterations take: the images of a stretch under a permutation of the whole run.

    Args:
        round_keys: (ROUNDS,), chosen by chance for each input.
        run_iterations: N, at most 2**31; over the whole run every number below it is given once.
        first_iteration: counted from 0.
        iteration_count: how many; the last must lie below N.

    Returns:
        uint32 (iteration_count,), each below N.

    Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains" (generalised Feistel, cycle walking).
    """
    assert 1 <= run_iterations <= 2**31, run_iterations
    assert first_iteration + iteration_count <= run_iterations, (first_iteration, iteration_count)
    stretch = slice(first_iteration, first_iteration + iteration_count)
    if run_iterations <= SIDE_MIN**2:
        # Walking home from so much larger a rectangle takes long; the ranks of a short run's images do as well.
        images = _permuted(np.arange(run_iterations, dtype=np.uint32), round_keys, SIDE_MIN, SIDE_MIN)
        return images.argsort().argsort()[stretch].astype(np.uint32)
    width = math.isqrt(run_iterations - 1) + 1
    height = -(-run_iterations // width)
    images = _permuted(np.arange(stretch.start, stretch.stop, dtype=np.uint32), round_keys, width, height)
    # The walk from a number below N comes back below N, at the latest where it began.
    outside = np.flatnonzero(images >= run_iterations)
    while len(outside):
        walked = _permuted(images[outside], round_keys, width, height)
        images[outside] = walked
        outside = outside[walked >= run_iterations]
    return images


def _permuted(numbers: Words, round_keys: Words, width: int, height: int) -> Words:
    """Apply the network once: a permutation of 0 to width * height - 1."""
    columns, rows = np.uint32(width), np.uint32(height)
    row, column = np.divmod(numbers, columns)
    for key in round_keys:
        # Each side in turn is moved around by a random function of the other.
        row = (row + _mixed(column ^ key) % rows) % rows
        row, column, columns, rows = column, row, rows, columns
    images: Words = row * columns + column
    return images


def _mixed(words: Words) -> Words:
    """Spread every bit of a word over all of it.

    Source: Appleby 2011, MurmurHash3 (fmix32).
    """
    words = words ^ (words >> np.uint32(16))
    words *= np.uint32(0x85EBCA6B)
    words ^= words >> np.uint32(13)
    words *= np.uint32(0xC2B2AE35)
    words ^= words >> np.uint32(16)
    return words
