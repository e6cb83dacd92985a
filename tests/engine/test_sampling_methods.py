"""Latin hypercube and Sobol: the same bits for any cut, what each fills evenly, and how much it gains."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, qmc
from tests.engine.sheets import workbook_of

from tollway.engine import (
    BLOCK_ITERATIONS,
    BadSampling,
    Input,
    Normal,
    Program,
    ProgramFacts,
    RankCorrelation,
    Sampling,
    SamplingMethod,
    build_program,
    draw,
    live_bin_edges,
    plan_shards,
    run_shard,
    simulate,
    summarize,
)
from tollway.engine.distributions import Triangular, Uniform
from tollway.engine.programs.program import INPUTS_MAX
from tollway.engine.sampling.draws import UNIFORM_MAX, UNIFORM_MIN, uniform_rows
from tollway.engine.sampling.latin_hypercube import ROUNDS, strata
from tollway.engine.sampling.sobol import BITS, DIMENSIONS_MAX, SCRAMBLE_WORDS, points

CELLS = {"A1": 10, "A2": 0.5, "A3": 1, "B1": "=A1+A2*A3"}
ITERATIONS = 64 * BLOCK_ITERATIONS - 1_000
METHODS = list(SamplingMethod)


@pytest.fixture(scope="module")
def program() -> Program:
    inputs = [
        Input("A1", Normal(10, 2)), Input("A2", Uniform(0, 1)), Input("A3", Triangular(0, 1, 4))
    ]  # fmt: skip
    return build_program(workbook_of(CELLS), inputs, ["B1"])


CORRELATION = RankCorrelation.of(
    ["S!A1", "S!A2", "S!A3"], [0, 1, 2], [[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]]
)


@pytest.mark.parametrize("method", METHODS)
def test_one_shard_seven_and_sixty_four_draw_the_same_bits(program, method):
    sampling = Sampling(method, ITERATIONS, CORRELATION)
    facts, told = ProgramFacts.of(program), []
    for shard_count in (1, 7, 64):
        length = math.ceil(ITERATIONS / BLOCK_ITERATIONS / shard_count) * BLOCK_ITERATIONS
        shards = [run_shard(program, 7, *part, sampling=sampling) for part in plan_shards(ITERATIONS, length)]
        assert len(shards) == shard_count
        np.random.default_rng(shard_count).shuffle(shards)
        told.append(repr(summarize(facts, shards)))
    assert told[0] == told[1] == told[2]


@given(
    st.sampled_from(METHODS), st.booleans(), st.integers(0, 9_000), st.lists(st.integers(0, 900), max_size=5)
)
def test_any_stretch_is_that_part_of_the_whole(method, correlated, first, counts):
    sampling = Sampling(method, 20_000, CORRELATION if correlated else None)
    whole = uniform_rows(3, 4, first, sum(counts), sampling)
    parts, position = [np.empty((4, 0))], first
    for count in counts:
        parts.append(uniform_rows(3, 4, position, count, sampling))
        position += count
    assert np.concatenate(parts, axis=1).tobytes() == whole.tobytes()


def test_monte_carlo_s_bits_are_what_they_were_before_there_was_a_choice():
    plain = uniform_rows(7, 5, 4_096, 1_000)
    assert plain.tobytes() == uniform_rows(7, 5, 4_096, 1_000, Sampling("monte_carlo", 9_999)).tobytes()
    assert plain[3, 0] == np.random.Generator(np.random.Philox(key=[7, 3])).random(4_097)[4_096]


def test_the_first_numbers_are_written_down_here_so_that_no_release_changes_them():
    first = {
        method: [
            number.hex() for number in uniform_rows(7, 2, 0, 2, Sampling(method, 10_000)).ravel().tolist()
        ]
        for method in METHODS
    }
    assert first == FIRST_NUMBERS


FIRST_NUMBERS = {
    "monte_carlo": [
        "0x1.be80697053d3fp-1",
        "0x1.2e744337e3990p-2",
        "0x1.c3d2b13f7efedp-1",
        "0x1.79e52f699b24ap-2",
    ],
    "latin_hypercube": [
        "0x1.3b62acdc9b3f3p-1",
        "0x1.3e71b7f39bb1bp-9",
        "0x1.eb53d2b1267fdp-6",
        "0x1.d507a0494da91p-2",
    ],
    "sobol": [
        "0x1.94733f277d00dp-2",
        "0x1.3f713ad8973a2p-1",
        "0x1.7f4664db87a56p-2",
        "0x1.bd415454bcf29p-1",
    ],
}


# --- Latin hypercube -----------------------------------------------------------------------------------


@pytest.mark.parametrize("iterations", [1, 2, 3, 1_000, 1_024, 1_025, 4_096, 4_097, 50_000])
def test_each_input_falls_once_in_each_slice_of_its_range(iterations):
    rows = uniform_rows(11, 3, 0, iterations, Sampling(SamplingMethod.LATIN_HYPERCUBE, iterations))
    for row in rows:
        assert (np.sort(np.floor(row * iterations)) == np.arange(iterations)).all()


@given(st.integers(1, 3_000), st.integers(0, 2**63 - 1))
def test_strata_are_a_permutation_for_any_length_and_key(iterations, seed):
    keys = np.random.default_rng(seed).integers(0, 2**32, ROUNDS, dtype=np.uint32)
    assert (np.sort(strata(keys, iterations, 0, iterations)) == np.arange(iterations)).all()


def test_the_orders_of_inputs_and_of_neighbours_have_nothing_to_do_with_each_other():
    """Chi-squared over 10 by 10 fields, 60 times 3: its mean lies within five of its own standard errors."""
    iterations, found = 5_000, []
    for seed in range(60):
        one, other = (
            np.floor(10 * row)
            for row in uniform_rows(
                seed, 2, 0, iterations, Sampling(SamplingMethod.LATIN_HYPERCUBE, iterations)
            )
        )
        place = np.arange(iterations) * 10 // iterations
        for first, second in ((one[:-1], one[1:]), (one, other), (one, place)):
            counts = np.histogram2d(first, second, bins=10, range=[[0, 10]] * 2)[0]
            found.append(((counts - len(first) / 100) ** 2).sum() / (len(first) / 100))
    # Both margins are fixed, which leaves 81 degrees of freedom.
    assert abs(np.mean(found) - 81) < 5 * math.sqrt(2 * 81 / len(found))


# --- Sobol ---------------------------------------------------------------------------------------------


def test_points_without_a_scramble_are_those_of_scipy_in_all_dimensions():
    assert DIMENSIONS_MAX == INPUTS_MAX
    unscrambled, index = np.zeros(SCRAMBLE_WORDS, dtype=np.uint32), np.arange(64)
    theirs = qmc.Sobol(DIMENSIONS_MAX, scramble=False, bits=BITS).random(64)
    ours = np.array([points(unscrambled, dimension, 0, 64) for dimension in range(DIMENSIONS_MAX)])
    # Theirs come in the order of Gray codes.
    assert ((ours / 2.0**BITS).T[index ^ (index >> 1)] == theirs).all()


@pytest.mark.parametrize("seed", [0, 7])
def test_scrambled_points_stay_a_net(seed):
    """Of 2**12 points each of 2**12 boxes of the first two dimensions holds one, whatever the boxes' shape."""
    rows = uniform_rows(seed, 2, 3 * 4_096, 4_096, Sampling(SamplingMethod.SOBOL))
    for wide in range(13):
        columns = np.floor(rows[0] * 2**wide), np.floor(rows[1] * 2 ** (12 - wide))
        boxes = columns[0] * 2 ** (12 - wide) + columns[1]
        assert len(np.unique(boxes)) == 4_096


def test_a_scrambled_point_is_uniform_over_seeds():
    first = np.array(
        [uniform_rows(seed, 2, 5, 1, Sampling(SamplingMethod.SOBOL))[:, 0] for seed in range(800)]
    )
    assert min(kstest(first[:, column], "uniform").pvalue for column in (0, 1)) > 1e-4


# --- what they gain ------------------------------------------------------------------------------------


def root_mean_square_error(method: str, iterations: int) -> float:
    """Of the mean of a smooth function of three inputs whose mean is known, over 100 seeds."""
    sampling, errors = Sampling(SamplingMethod(method), iterations), []
    for seed in range(100):
        x, y, z = uniform_rows(seed, 3, 0, iterations, sampling)
        errors.append((np.exp(x) * (1 + y) + np.sin(3 * z)).mean() - EXPECTED)
    return float(np.sqrt(np.mean(np.square(errors))))


EXPECTED = (math.e - 1) * 1.5 + (1 - math.cos(3)) / 3


def test_the_error_of_the_mean_falls_as_it_should_for_each_method():
    """Measured: 1/5.9 of chance by Latin hypercube, 1/2,770 by Sobol. A root mean square of 100 varies by 7 %."""
    chance, hypercube, sobol = (root_mean_square_error(method, 4_096) for method in METHODS)
    assert hypercube < chance / 4
    assert sobol < chance / 500
    # Sixteen times as many: 1/4 by chance; by Sobol nearly 1/64, as n to the power of -1.5 (measured 1/52).
    fewer = root_mean_square_error("sobol", 256)
    assert sobol < fewer / 25
    assert 2.8 < root_mean_square_error("monte_carlo", 256) / chance < 5.7


def test_every_number_lies_strictly_between_0_and_1():
    for method in METHODS:
        rows = uniform_rows(1, 3, 0, 100_000, Sampling(method, 100_000, CORRELATION))
        assert rows.min() >= UNIFORM_MIN
        assert rows.max() <= UNIFORM_MAX < 1


# --- through the library -------------------------------------------------------------------------------


def test_simulate_takes_the_method_by_name():
    found = simulate(workbook_of(CELLS), {"A2": "uniform(0, 1)"}, ["B1"], iterations=4_096, sampling="sobol")
    # 4,096 points, one in each 4,096th: the mean is that of a grid to within a step.
    assert abs(found["B1"].mean - 10.5) < 1 / 4_096
    with pytest.raises(BadSampling, match="one of monte_carlo, latin_hypercube, sobol") as refusal:
        simulate(workbook_of(CELLS), {"A2": "uniform(0, 1)"}, ["B1"], sampling="halton")
    assert refusal.value.field == "sampling"


def test_draws_and_live_bins_follow_the_method_even_in_a_run_shorter_than_a_block(program):
    sampling = Sampling(SamplingMethod.LATIN_HYPERCUBE, 1_500)
    drawn = draw(program.inputs, 5, 0, 1_500, sampling)
    assert (np.sort(np.floor(drawn[1] * 1_500)) == np.arange(1_500)).all()
    shard = run_shard(program, 5, 0, 1_500, sampling=sampling)
    assert (shard.values[0] == drawn[0] + drawn[1] * drawn[2]).all()
    low, high = live_bin_edges(program, 5, sampling)[0][[0, -1]]
    assert low < shard.values[0].min() < shard.values[0].max() < high
    one = [SimpleNamespace(distribution=Uniform(0, 1))]
    assert draw(one, 5, 0, 1, Sampling(SamplingMethod.LATIN_HYPERCUBE, 1)).shape == (1, 1)
