"""Sums of blocks: right against plain NumPy, and the same bits however the blocks are joined."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tollway.engine.runs.moments import Moments, Node, block_moments, joined, merged, moment_names, total


def block(seed: int, count: int, *, error_share: float = 0.2, offset: float = 0.0) -> tuple[np.ndarray, ...]:
    """Uniforms and deviations of 2 inputs, values and errors of 3 outputs."""
    generator = np.random.default_rng(seed)
    uniforms = generator.random((2, count))
    deviations = (uniforms - 0.5) * np.sqrt(12)
    values = offset + np.stack(
        [deviations[0] + deviations[1], deviations[0] ** 3, generator.standard_normal(count)]
    )
    errors = np.where(generator.random((3, count)) < error_share, 7, 0).astype(np.int8)
    values[errors != 0] = np.nan
    return uniforms, deviations, values, errors


def plain(uniforms, deviations, values, errors) -> dict[str, np.ndarray]:
    """The same sums, one output and one input at a time."""
    sums: dict[str, np.ndarray] = {name: np.zeros(3) for name in ("count", "mean", "m2", "m3", "min", "max")}
    sums |= {name: np.zeros((2, 3)) for name in ("input_mean", "input_m2", "comoment")}
    sums |= {name: np.zeros((2, 2, 3)) for name in ("tail_count", "tail_mean")}
    for output in range(3):
        numeric = errors[output] == 0
        y = values[output][numeric]
        sums["count"][output], sums["mean"][output] = len(y), y.mean()
        sums["m2"][output], sums["m3"][output] = ((y - y.mean()) ** 2).sum(), ((y - y.mean()) ** 3).sum()
        sums["min"][output], sums["max"][output] = y.min(), y.max()
        for row in range(2):
            x, u = deviations[row][numeric], uniforms[row][numeric]
            sums["input_mean"][row, output] = x.mean()
            sums["input_m2"][row, output] = ((x - x.mean()) ** 2).sum()
            sums["comoment"][row, output] = ((x - x.mean()) * (y - y.mean())).sum()
            for tail, chosen in enumerate([u < 0.1, u >= 0.9]):
                sums["tail_count"][tail, row, output] = chosen.sum()
                sums["tail_mean"][tail, row, output] = y[chosen].mean()
    return sums


def assert_close(moments: Moments, expected: dict[str, np.ndarray], scale: float = 1.0) -> None:
    for name in moment_names():
        assert getattr(moments, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-9 * scale), name


def same_bits(one: Moments, other: Moments) -> bool:
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in moment_names())


@pytest.mark.parametrize("error_share", [0.0, 0.2])
def test_the_sums_of_a_block_are_those_of_plain_numpy(error_share):
    arguments = block(1, 4096, error_share=error_share)
    assert_close(block_moments(*arguments), plain(*arguments))


def test_a_large_offset_costs_no_precision():
    uniforms, deviations, values, errors = block(2, 4096, offset=1e9)
    moments = block_moments(uniforms, deviations, values, errors)
    shifted = block_moments(uniforms, deviations, values - 1e9, errors)
    assert moments.m2 == pytest.approx(shifted.m2, rel=1e-8)
    assert moments.comoment == pytest.approx(shifted.comoment, rel=1e-8)


@given(st.lists(st.integers(150, 400), min_size=2, max_size=6), st.sampled_from([0.0, 0.3]))
def test_merged_blocks_are_the_sums_of_all_their_iterations(counts, error_share):
    blocks = [block(seed, count, error_share=error_share) for seed, count in enumerate(counts)]
    whole = [np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)]
    merged_moments = block_moments(*blocks[0])
    for one in blocks[1:]:
        merged_moments = merged(merged_moments, block_moments(*one))
    assert_close(merged_moments, plain(*whole), scale=len(whole[0][0]))


def test_a_block_without_numbers_changes_nothing():
    numbers = block_moments(*block(1, 300))
    uniforms, deviations, values, errors = block(2, 300)
    nothing = block_moments(uniforms, deviations, np.full_like(values, np.nan), np.full_like(errors, 2))
    assert (nothing.count == 0).all()
    for both in (merged(numbers, nothing), merged(nothing, numbers)):
        assert same_bits(both, numbers)


def test_a_constant_has_exactly_its_value_and_no_spread_however_many_blocks():
    nodes = []
    for index in range(11):
        uniforms, deviations, values, errors = block(index, 999, error_share=0.1)
        nodes.append(Node(0, index, block_moments(uniforms, deviations, np.full_like(values, 0.1), errors)))
    moments = total(nodes)
    assert (moments.mean == 0.1).all()
    assert (moments.m2 == 0).all()
    assert (moments.m3 == 0).all()
    assert (moments.tail_mean == 0.1).all()
    assert (moments.comoment == 0).all()


BLOCKS = [Node(0, index, block_moments(*block(index, 64, error_share=0.1))) for index in range(64)]


@given(st.integers(1, 64), st.sets(st.integers(1, 63)), st.randoms(use_true_random=False))
def test_any_split_into_shards_gives_the_same_bits(block_count, cuts, chance):
    whole = total(BLOCKS[:block_count])
    edges = [0, *sorted(cut for cut in cuts if cut < block_count), block_count]
    shards = [joined(BLOCKS[first:last]) for first, last in pairwise(edges)]
    chance.shuffle(shards)
    shards.sort(key=lambda nodes: nodes[0].first_block)
    assert same_bits(total(node for nodes in shards for node in nodes), whole)


@given(st.integers(1, 64))
def test_a_shard_keeps_no_more_nodes_than_twice_the_logarithm_of_its_blocks(block_count):
    nodes = joined(BLOCKS[64 - block_count :])
    assert len(nodes) <= max(1, 2 * block_count.bit_length() - 2)
    assert sum(1 << node.level for node in nodes) == block_count


@given(st.sets(st.integers(0, 63), min_size=1))
def test_blocks_may_be_missing_and_the_others_still_add_up(present):
    nodes = joined([BLOCKS[index] for index in sorted(present)])
    assert total(nodes).count == pytest.approx(sum(BLOCKS[index].moments.count for index in present))


def test_a_block_that_is_counted_twice_is_noticed():
    with pytest.raises(AssertionError, match="counted twice"):
        joined([*BLOCKS[:4], BLOCKS[3]])


@given(arrays(np.float64, (1, 50), elements=st.floats(-1e308, 1e308)))
def test_values_at_the_end_of_the_number_range_end_in_infinities_and_not_in_warnings(values):
    uniforms = np.linspace(0.01, 0.99, 50)[None, :]
    moments = block_moments(uniforms, uniforms - 0.5, values, np.zeros((1, 50), dtype=np.int8))
    merged(moments, moments)
    assert moments.count == 50
    assert moments.min == values.min()
