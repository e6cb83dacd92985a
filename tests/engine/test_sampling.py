"""Which number iteration i gets, for ever."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.engine.distributions import Distribution, Normal, Uniform
from tollway.engine.sampling.draws import (
    INPUT_INDEX_MAX,
    ITERATION_MAX,
    SEED_MAX,
    UNIFORM_MIN,
    BadSeed,
    check_seed,
    draw,
    uniforms,
)

seeds = st.integers(0, SEED_MAX)
input_indexes = st.integers(0, INPUT_INDEX_MAX)


def numpy_stream(seed: int, input_index: int, count: int) -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=[seed, input_index])).random(count)


@given(seeds, input_indexes, st.integers(0, 300), st.integers(0, 300))
def test_any_stretch_equals_that_part_of_numpy_s_own_stream(seed, input_index, first, count):
    stretch = uniforms(seed, input_index, first, count)
    assert stretch.tobytes() == numpy_stream(seed, input_index, first + count)[first:].tobytes()


@given(seeds, st.integers(0, 40), st.lists(st.integers(0, 50), max_size=8))
def test_stretches_laid_end_to_end_are_the_whole(seed, first, counts):
    parts, position = [], first
    for count in counts:
        parts.append(uniforms(seed, 3, position, count))
        position += count
    whole = uniforms(seed, 3, first, position - first)
    assert np.concatenate([*parts, np.empty(0)]).tobytes() == whole.tobytes()


@pytest.mark.parametrize("seed", [0, 1, 2**32, SEED_MAX])
@pytest.mark.parametrize("input_index", [0, 1, INPUT_INDEX_MAX])
def test_seeds_and_inputs_at_their_limits_have_streams_of_their_own(seed, input_index):
    own = uniforms(seed, input_index, 0, 8)
    assert own.tobytes() == numpy_stream(seed, input_index, 8).tobytes()
    assert not np.isin(own, uniforms(seed, input_index ^ 1, 0, 8)).any()
    assert not np.isin(own, uniforms(seed ^ 1, input_index, 0, 8)).any()


def test_a_far_iteration_is_reached_without_drawing_those_before_it():
    # Philox can also jump: the same place reached by NumPy's own advance().
    far = ITERATION_MAX - 8
    bit_generator = np.random.Philox(key=[7, 2])
    bit_generator.advance(far // 4)
    assert uniforms(7, 2, far, 8).tobytes() == np.random.Generator(bit_generator).random(8).tobytes()


def test_the_first_numbers_are_written_down_here_so_that_no_release_changes_them():
    assert [float(number).hex() for number in uniforms(7, 3, 0, 5)] == [
        "0x1.edb31ec618b30p-2",
        "0x1.72c1e5d4967f1p-1",
        "0x1.9bae5c02bbd60p-5",
        "0x1.43b6c348a9a9ap-2",
        "0x1.5c8b1237ef569p-1",
    ]


def test_uniforms_are_never_0_or_1_and_a_zero_becomes_half_a_step():
    numbers = uniforms(1, 0, 0, 1_000_000)
    assert numbers.min() >= UNIFORM_MIN > 0
    assert numbers.max() <= 1 - 2**-53 < 1
    assert Normal(0, 1).quantile(np.array([UNIFORM_MIN]))[0] == pytest.approx(-8.29236, abs=1e-5)


def inputs(*distributions: Distribution) -> list[SimpleNamespace]:
    return [SimpleNamespace(distribution=distribution) for distribution in distributions]


def test_an_input_s_place_in_the_list_decides_its_numbers_and_its_neighbours_do_not():
    both = draw(inputs(Uniform(0, 1), Normal(10, 2)), 5, 100, 50)
    assert both.shape == (2, 50)
    assert both[0].tobytes() == uniforms(5, 0, 100, 50).tobytes()
    assert both[1].tobytes() == Normal(10, 2).quantile(uniforms(5, 1, 100, 50)).tobytes()
    assert draw(inputs(Normal(-3, 7), Normal(10, 2)), 5, 100, 50)[1].tobytes() == both[1].tobytes()


def test_no_inputs_and_no_iterations_give_empty_arrays():
    assert draw([], 1, 0, 10).shape == (0, 10)
    assert draw(inputs(Uniform(0, 1)), 1, 4096, 0).shape == (1, 0)


@pytest.mark.parametrize("seed", [-1, SEED_MAX + 1, 1.5, True, "7", None])
def test_a_seed_that_is_not_a_whole_number_in_range_is_refused(seed):
    with pytest.raises(BadSeed, match="whole number from 0 to 9223372036854775807") as refusal:
        check_seed(seed)
    assert refusal.value.field == "seed"
    assert refusal.value.code == "bad-seed"


@pytest.mark.parametrize("seed", [0, SEED_MAX])
def test_seeds_at_both_ends_are_taken(seed):
    assert check_seed(seed) == seed
