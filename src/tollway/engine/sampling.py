"""Turns a seed into draws. The only file that touches a random generator.

Iteration i of an input is one fixed number, whoever computes it: a block, a thread, a process or another
machine may take any part of a run, and the run keeps its bits.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tollway.engine.distributions import Distribution
from tollway.engine.pert import Floats
from tollway.engine.values import EngineError

SEED_MAX = 2**63 - 1
INPUT_INDEX_MAX = 2**31 - 1
ITERATION_MAX = 2**53
"""One past the last iteration that has a number of its own."""

# Philox4x64 gives four numbers for each value of its counter.
_NUMBERS_PER_COUNTER = 4
# Half the smallest step of the generator, which stands for its 0: no inverse is infinite there.
UNIFORM_MIN = 2.0**-54


class BadSeed(EngineError):
    """The seed is not a whole number from 0 to SEED_MAX."""

    code = "bad-seed"


def check_seed(seed: object) -> int:
    """Return the seed, or refuse it. Raises: BadSeed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= SEED_MAX:
        raise BadSeed(
            f"The seed is {str(seed)[:40]}; it must be a whole number from 0 to {SEED_MAX}.", field="seed"
        )
    return seed


def uniforms(seed: int, input_index: int, first_iteration: int, iteration_count: int) -> Floats:
    """Give the uniforms of one input for a stretch of iterations.

    Iteration i is number i of `np.random.Generator(np.random.Philox(key=[seed, input_index])).random(...)`,
    with 0 replaced by UNIFORM_MIN. This is fixed for ever.

    Args:
        seed: 0 to SEED_MAX.
        input_index: position of the input in the model, 0 to INPUT_INDEX_MAX.
        first_iteration: counted from 0.
        iteration_count: how many; the last must lie below ITERATION_MAX.

    Returns:
        float64 (iteration_count,), strictly between 0 and 1.

    Source: Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x64-10).
    """
    assert 0 <= seed <= SEED_MAX, seed
    assert 0 <= input_index <= INPUT_INDEX_MAX, input_index
    assert first_iteration >= 0 <= iteration_count, (first_iteration, iteration_count)
    assert first_iteration + iteration_count <= ITERATION_MAX, (first_iteration, iteration_count)

    counter, skipped = divmod(first_iteration, _NUMBERS_PER_COUNTER)
    generator = np.random.Generator(np.random.Philox(key=[seed, input_index], counter=[counter, 0, 0, 0]))
    return np.maximum(generator.random(skipped + iteration_count)[skipped:], UNIFORM_MIN)


def uniform_rows(seed: int, input_count: int, first_iteration: int, iteration_count: int) -> Floats:
    """Give the uniforms of every input, float64 (input_count, iteration_count)."""
    rows = np.empty((input_count, iteration_count))
    for input_index in range(input_count):
        rows[input_index] = uniforms(seed, input_index, first_iteration, iteration_count)
    return rows


class Drawn(Protocol):
    """Anything that holds a distribution, such as an input of a program."""

    @property
    def distribution(self) -> Distribution:
        """The shape to draw from."""


def draws_from_uniforms(inputs: Sequence[Drawn], uniform_rows: Floats) -> Floats:
    """Invert each row with the distribution of its input; same shape."""
    draws = np.empty_like(uniform_rows)
    for row, drawn in enumerate(inputs):
        draws[row] = drawn.distribution.quantile(uniform_rows[row])
    return draws


def draw(inputs: Sequence[Drawn], seed: int, first_iteration: int, iteration_count: int) -> Floats:
    """Draw every input for a stretch of iterations, float64 (input_count, iteration_count).

    The position of an input in the sequence is its part of the generator's key.
    """
    return draws_from_uniforms(inputs, uniform_rows(seed, len(inputs), first_iteration, iteration_count))
