"""Scrambled Sobol points: numbers that fill the unit cube more evenly than chance does, any stretch of them alone.

Input k takes dimension k of the sequence. Each dimension is scrambled by a random linear map of its digits and a
random shift, which makes every point uniform by itself and keeps the evenness of all points together.
"""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]

DIMENSIONS_MAX = 1_000
"""As many as a run may have inputs (`program.INPUTS_MAX`)."""
BITS = 32
"""Binary digits of a point; there are 2**32 points."""
SCRAMBLE_WORDS = BITS + 1
"""Random words that the scramble of one dimension takes."""

# Points are made as all sums of these lowest directions, moved by the sum of the higher ones.
_RUN_BITS = 12
# Of each digit, the first being the most significant: its place in the word, and a mask of the digits before it.
_PLACES = np.arange(BITS - 1, -1, -1, dtype=np.uint32)
_BEFORE = np.array([2**BITS - 2 ** (BITS - digit) for digit in range(BITS)], dtype=np.uint32)


def points(scramble: Words, dimension: int, first: int, count: int) -> Words:
    """Give coordinates of scrambled points, in units of 2**-32: uint32 (count,).

    The order is that of the binary index, not of Gray codes, so that every aligned stretch of 2**k points is a net.

    Args:
        scramble: (SCRAMBLE_WORDS,), chosen by chance for each dimension.
        dimension: 0 to DIMENSIONS_MAX - 1.
        first: index of the first point, from 0.
        count: how many; the last index must lie below 2**32.

    Sources: Sobol 1967; Joe and Kuo 2008 (direction numbers); Matousek 1998, "On the L2-discrepancy for anchored
    boxes" (random linear scrambling and shift); Owen 2003, "Variance with alternative scramblings of digital
    nets" (its variance is that of nested scrambling).
    """
    assert first >= 0 <= count, (first, count)
    assert first + count <= 2**BITS, (first, count)
    directions = _scrambled(scramble, _directions()[dimension])
    lowest = np.zeros(1, dtype=np.uint32)
    for direction in directions[:_RUN_BITS]:
        lowest = np.concatenate([lowest, lowest ^ direction])
    start = first >> _RUN_BITS
    runs = [
        lowest ^ _sum_of(directions[_RUN_BITS:], run) ^ scramble[BITS]
        for run in range(start, -(-(first + count) >> _RUN_BITS))
    ]
    skipped = first - (start << _RUN_BITS)
    return np.concatenate([*runs, np.empty(0, dtype=np.uint32)])[skipped : skipped + count]


def _sum_of(directions: Words, index: int) -> np.uint32:
    chosen = [direction for bit, direction in enumerate(directions) if index >> bit & 1]
    return np.uint32(np.bitwise_xor.reduce(np.array(chosen, dtype=np.uint32)))


def _scrambled(scramble: Words, directions: Words) -> Words:
    """Map the digits of each direction: digit i becomes itself plus a random sum of the digits before it."""
    rows = (scramble[:BITS] & _BEFORE) | (np.uint32(1) << _PLACES)
    digits = _parity(directions[None, :] & rows[:, None])
    mapped: Words = np.bitwise_or.reduce(digits << _PLACES[:, None], axis=0)
    return mapped


def _parity(words: Words) -> Words:
    for shift in (16, 8, 4, 2, 1):
        words = words ^ (words >> np.uint32(shift))
    return words & np.uint32(1)


@cache
def _directions() -> Words:
    """The directions of every dimension, uint32 (DIMENSIONS_MAX, BITS).

    Source: Bratley and Fox 1988, "Algorithm 659" (the recurrence).
    """
    found = np.empty((DIMENSIONS_MAX, BITS), dtype=np.uint32)
    found[0] = [1 << (BITS - 1 - place) for place in range(BITS)]
    lines = (
        files("tollway.engine.sampling")
        .joinpath("sobol_directions.txt")
        .read_text(encoding="ascii")
        .splitlines()
    )
    numbered = [line for line in lines if not line.startswith("#")]
    assert len(numbered) == DIMENSIONS_MAX - 1, len(numbered)
    for dimension, line in enumerate(numbered, 1):
        polynomial, *initial = (int(number) for number in line.split())
        degree = len(initial)
        row = [number << (BITS - place) for place, number in enumerate(initial, 1)]
        for place in range(degree, BITS):
            direction = row[place - degree] ^ (row[place - degree] >> degree)
            for back in range(1, degree):
                if polynomial >> (degree - back) & 1:
                    direction ^= row[place - back]
            row.append(direction)
        found[dimension] = row
    return found
