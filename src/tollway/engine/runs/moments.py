"""Sums up blocks of iterations and merges the sums so that every split of a run gives the same bits.

Adding floating-point numbers in another order gives other bits. So the order is fixed: each block of
BLOCK_ITERATIONS is summed on its own, and blocks are joined along one binary tree over the whole run,
whose nodes cover blocks [index << level, (index + 1) << level). A shard keeps the largest nodes that lie
wholly inside it; whoever joins shards completes the same tree.

INVARIANT: the tree over a set of blocks does not depend on how they were cut into shards
(tests/engine/test_moments.py::test_any_split_into_shards_gives_the_same_bits).
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats

BLOCK_ITERATIONS = 4_096
TAIL_SHARE = 0.1
"""An input is in its low tail when its uniform lies below this, in its high tail at or above 1 minus this."""


@dataclass(frozen=True)
class Moments:
    """Sums over some iterations. O outputs, I inputs; only iterations in which the output is a number count.

    Inputs are measured from their distribution's mean in units of its standard deviation.
    """

    count: Floats
    """(O,) iterations in which the output was a number."""
    mean: Floats
    """(O,) mean of the output."""
    m2: Floats
    """(O,) sum of squared distances from the mean."""
    m3: Floats
    """(O,) sum of cubed distances from the mean."""
    min: Floats
    """(O,) smallest value, +inf where there is none."""
    max: Floats
    """(O,) largest value, -inf where there is none."""
    tail_count: Floats
    """(2, I, O) iterations with the input in its low, then its high tail."""
    tail_mean: Floats
    """(2, I, O) mean of the output over those."""
    input_mean: Floats
    """(I, O) mean of the input."""
    input_m2: Floats
    """(I, O) sum of squared distances of the input from that mean."""
    comoment: Floats
    """(I, O) sum of the products of both distances, for the correlation."""


@dataclass(frozen=True)
class Node:
    """The moments of blocks [index << level, (index + 1) << level)."""

    level: int
    index: int
    moments: Moments

    @property
    def first_block(self) -> int:
        """The first block it covers."""
        return self.index << self.level


def block_moments(uniforms: Floats, deviations: Floats, values: Floats, errors: NDArray[np.int8]) -> Moments:
    """Sum up one block.

    Args:
        uniforms: (I, n), what the draws were made of.
        deviations: (I, n), the draws less their expected value, over their standard deviation.
        values: (O, n), anything where `errors` is not 0.
        errors: (O, n), 0 where the output is a number.
    """
    numeric = errors == 0
    count = numeric.sum(axis=1).astype(np.float64)
    divisor = np.maximum(count, 1)
    # Measured from a value of the block itself, so that a constant has exactly no spread.
    first = values[np.arange(len(values)), numeric.argmax(axis=1)]
    shift = np.where(count > 0, first, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        centred = np.where(numeric, values - shift[:, None], 0.0)
        offset = centred.sum(axis=1) / divisor
        mean = shift + offset
        centred = np.where(numeric, centred - offset[:, None], 0.0)
        squared = centred * centred
        weights = None if numeric.all() else numeric.astype(np.float64)
        tails = np.empty((2, *uniforms.shape))
        np.copyto(tails[0], uniforms < TAIL_SHARE)
        np.copyto(tails[1], uniforms >= 1 - TAIL_SHARE)
        tail_count = _dots(tails, weights, len(values))
        input_mean = _dots(deviations, weights, len(values)) / divisor
        input_m2 = _dots(deviations * deviations, weights, len(values)) - divisor * input_mean * input_mean
        return Moments(
            count=count,
            mean=mean,
            m2=squared.sum(axis=1),
            m3=(squared * centred).sum(axis=1),
            min=np.where(numeric, values, np.inf).min(axis=1),
            max=np.where(numeric, values, -np.inf).max(axis=1),
            tail_count=tail_count,
            tail_mean=mean + _dots(tails, centred, len(values)) / np.maximum(tail_count, 1),
            input_mean=input_mean,
            input_m2=np.maximum(input_m2, 0.0),
            comoment=_dots(deviations, centred, len(values)),
        )


def merged(left: Moments, right: Moments) -> Moments:
    """Join the moments of two sets of iterations. The order of the two matters to the last bit.

    Source: Chan, Golub and LeVeque 1979 for the second moments, Terriberry 2007 for the third.
    """
    count = left.count + right.count
    divisor = np.maximum(count, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        # An empty side has mean 0, which must not pull on the other.
        delta = np.where((left.count > 0) & (right.count > 0), right.mean - left.mean, 0.0)
        left_share, right_share = left.count / divisor, right.count / divisor
        cross = delta * left.count * right_share
        mean = np.where(left.count > 0, left.mean + delta * right_share, right.mean)
        m3 = (
            left.m3
            + right.m3
            + delta * delta * cross * (left_share - right_share)
            + 3 * delta * (left_share * right.m2 - right_share * left.m2)
        )
        tail_count = left.tail_count + right.tail_count
        tail_step = (right.tail_mean - left.tail_mean) * (right.tail_count / np.maximum(tail_count, 1))
        tail_mean = np.where(left.tail_count > 0, left.tail_mean + tail_step, right.tail_mean)
        input_delta = np.where((left.count > 0) & (right.count > 0), right.input_mean - left.input_mean, 0.0)
        input_mean = np.where(left.count > 0, left.input_mean + input_delta * right_share, right.input_mean)
        pull = left.count * right_share
        return Moments(
            count=count,
            mean=mean,
            m2=left.m2 + right.m2 + delta * cross,
            m3=m3,
            min=np.minimum(left.min, right.min),
            max=np.maximum(left.max, right.max),
            tail_count=tail_count,
            tail_mean=tail_mean,
            input_mean=input_mean,
            input_m2=left.input_m2 + right.input_m2 + input_delta * input_delta * pull,
            comoment=left.comoment + right.comoment + input_delta * delta * pull,
        )


def joined(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Join neighbouring nodes of the tree wherever both halves are there. Nodes come in order of their blocks."""
    done: list[Node] = []
    for node in nodes:
        assert not done or node.first_block >= (done[-1].index + 1) << done[-1].level, "blocks counted twice"
        done.append(node)
        while len(done) > 1 and _are_halves(done[-2], done[-1]):
            right, left = done.pop(), done.pop()
            done.append(Node(left.level + 1, left.index >> 1, merged(left.moments, right.moments)))
    return tuple(done)


def total(nodes: Iterable[Node]) -> Moments:
    """Join everything, from the left. Nodes come in order of their blocks; there is at least one."""
    first, *others = joined(nodes)
    moments = first.moments
    for node in others:
        moments = merged(moments, node.moments)
    return moments


def moment_names() -> tuple[str, ...]:
    """The arrays of Moments, in the order in which they are stored."""
    return tuple(field.name for field in fields(Moments))


def _are_halves(left: Node, right: Node) -> bool:
    return left.level == right.level and left.index + 1 == right.index and left.index % 2 == 0


def _dots(rows: Floats, weights: Floats | None, output_count: int) -> Floats:
    """Sum each row times each output's weights: (..., I, n) and (O, n) to (..., I, O).

    One dot product a pair: a matrix product would be faster, but its order of adding depends on how many
    threads the linear algebra library happens to use.
    """
    if weights is None:
        sums = rows.sum(axis=-1)
        return np.repeat(sums[..., None], output_count, axis=-1)
    return np.asarray(np.vecdot(rows[..., :, None, :], weights), dtype=np.float64)
