"""Turns a seed into draws. The only file that touches a random generator.

Iteration i of an input is one fixed number, whoever computes it: a block, a thread, a process or another
machine may take any part of a run, and the run keeps its bits.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.pert import Floats
from tollway.engine.sampling import latin_hypercube, sobol
from tollway.engine.sampling.correlation import RankCorrelation
from tollway.engine.values import EngineError

SEED_MAX = 2**63 - 1
INPUT_INDEX_MAX = 2**31 - 1
ITERATION_MAX = 2**53
"""One past the last iteration that has a number of its own."""

# Philox4x64 gives four numbers for each value of its counter.
_NUMBERS_PER_COUNTER = 4
# Half the smallest step of the generator, which stands for its 0: no inverse is infinite there.
UNIFORM_MIN = 2.0**-54
# The largest number below 1: at 1 some inverses are infinite too.
UNIFORM_MAX = 1 - 2.0**-53
# What a number is drawn for stands in the last word of the counter, which no iteration reaches.
_FOR_STRATA, _FOR_SCRAMBLE = 1, 2


class SamplingMethod(enum.StrEnum):
    """How the uniforms of a run are spread over its iterations."""

    MONTE_CARLO = "monte_carlo"
    """Each by chance."""
    LATIN_HYPERCUBE = "latin_hypercube"
    """Each input falls once in each of as many equal slices of its range as the run has iterations."""
    SOBOL = "sobol"
    """Scrambled Sobol points: all inputs together fill their cube evenly."""


class BadSampling(EngineError):
    """The sampling method is none of those there are."""

    code = "bad-sampling"


def check_sampling(method: object) -> SamplingMethod:
    """Return the method of this name, or refuse it. Raises: BadSampling."""
    try:
        return SamplingMethod(method)  # type: ignore[arg-type]  # anything else is refused
    except ValueError:
        raise BadSampling(
            f"The sampling method is {str(method)[:40]!r}; it must be one of {', '.join(SamplingMethod)}.",
            field="sampling",
        ) from None


@dataclass(frozen=True)
class Sampling:
    """How a run draws beside its seed. The default is Monte Carlo without correlation."""

    method: SamplingMethod = SamplingMethod.MONTE_CARLO
    run_iterations: int | None = None
    """Iterations of the whole run, which Latin hypercube slices the ranges by; the others do without."""
    correlation: RankCorrelation | None = None


PLAIN = Sampling()


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


def uniform_rows(
    seed: int, input_count: int, first_iteration: int, iteration_count: int, sampling: Sampling = PLAIN
) -> Floats:
    """Give the uniforms of every input, float64 (input_count, iteration_count), strictly between 0 and 1.

    INVARIANT: a stretch is the same however a run is cut, by every method and with correlation
    (tests/engine/test_sampling_methods.py::test_one_shard_seven_and_sixty_four_draw_the_same_bits).
    """
    rows = np.empty((input_count, iteration_count))
    for input_index in range(input_count):
        rows[input_index] = uniforms(seed, input_index, first_iteration, iteration_count)
        if sampling.method == SamplingMethod.LATIN_HYPERCUBE:
            assert sampling.run_iterations is not None, "Latin hypercube needs the length of the whole run"
            keys = _words(seed, input_index, _FOR_STRATA, latin_hypercube.ROUNDS)
            cells = latin_hypercube.strata(keys, sampling.run_iterations, first_iteration, iteration_count)
            rows[input_index] = _inside(cells, rows[input_index], sampling.run_iterations)
        elif sampling.method == SamplingMethod.SOBOL:
            scramble = _words(seed, input_index, _FOR_SCRAMBLE, sobol.SCRAMBLE_WORDS)
            cells = sobol.points(scramble, input_index, first_iteration, iteration_count)
            rows[input_index] = _inside(cells, rows[input_index], 2**sobol.BITS)
    if sampling.correlation is not None:
        sampling.correlation.apply(rows, UNIFORM_MIN, UNIFORM_MAX)
    return rows


def _words(seed: int, input_index: int, purpose: int, count: int) -> NDArray[np.uint32]:
    """Draw 32 random bits each for something that holds for a whole input."""
    generator = np.random.Philox(key=[seed, input_index], counter=[0, 0, 0, purpose])
    return (generator.random_raw(count) >> np.uint64(32)).astype(np.uint32)


def _inside(cells: NDArray[np.uint32], uniforms: Floats, cell_count: int) -> Floats:
    """Place a number by chance inside its cell, one of `cell_count` equal ones of [0, 1)."""
    return np.clip((cells + uniforms) / cell_count, UNIFORM_MIN, UNIFORM_MAX)


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


def draw(
    inputs: Sequence[Drawn],
    seed: int,
    first_iteration: int,
    iteration_count: int,
    sampling: Sampling = PLAIN,
) -> Floats:
    """Draw every input for a stretch of iterations, float64 (input_count, iteration_count).

    The position of an input in the sequence is its part of the generator's key.
    """
    rows = uniform_rows(seed, len(inputs), first_iteration, iteration_count, sampling)
    return draws_from_uniforms(inputs, rows)
