"""Walks the samples of a run in the order of its iterations, a stretch at a time, however the run was cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.moments import BLOCK_ITERATIONS
from tollway.engine.runs.stored import Shard

STRETCH_VALUES = 262_144
"""Outputs times iterations that are looked at at once: few enough for a processor's cache, a block at least."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Stretch:
    """Consecutive iterations of a run, as far as they are there."""

    first: int
    """Of the iterations that are there, how many come before."""
    values: Floats
    """(O, n), anything where `numeric` is False."""
    errors: NDArray[np.int8]
    """(O, n), 0 or the code of the error value."""
    numeric: NDArray[np.bool_]
    """(O, n)."""
    piece_starts: Ints
    """Where each block of the run begins inside it, 0 first: what is summed up piece by piece has the same bits
    however the run was cut."""

    @property
    def end(self) -> int:
        """How many iterations are there until its end."""
        return self.first + int(self.values.shape[1])

    def numbers(self, output: int) -> Floats:
        """Return the numbers of an output, rising."""
        numbers = self.values[output]
        numeric = self.numeric[output]
        ordered: Floats = numbers.copy() if numeric.all() else numbers[numeric]
        ordered.sort()
        return ordered

    def piece_sums(self, numbers: Floats) -> Floats:
        """Sum up (O, n) over each piece: (O, pieces)."""
        return np.asarray(np.add.reduceat(numbers, self.piece_starts, axis=1))


def stretches(shards: Sequence[Shard], output_count: int, stops: Sequence[int] = ()) -> Iterator[Stretch]:
    """Walk through shards that come in the order of their iterations.

    Each stretch lies in one shard, begins with a block unless it begins at a stop, and ends at a stop at the latest.

    Args:
        shards: without overlaps; there may be gaps.
        output_count: of the run.
        stops: rising; how many iterations have passed at each.
    """
    blocks = max(1, STRETCH_VALUES // (BLOCK_ITERATIONS * max(1, output_count)))
    before = 0
    for shard in shards:
        values, errors = shard.values, shard.errors
        count = values.shape[1]
        cuts = {stop - before for stop in stops if 0 < stop - before < count}
        cuts |= set(range(0, count, blocks * BLOCK_ITERATIONS)) | {count}
        edges = sorted(cuts)
        for first, end in pairwise(edges):
            part = slice(first, end)
            yield Stretch(
                first=before + first,
                values=values[:, part],
                errors=errors[:, part],
                numeric=errors[:, part] == 0,
                piece_starts=np.array(
                    [
                        first,
                        *range(
                            first // BLOCK_ITERATIONS * BLOCK_ITERATIONS + BLOCK_ITERATIONS,
                            end,
                            BLOCK_ITERATIONS,
                        ),
                    ]
                )
                - first,
            )
        before += count


def first_iterations(shards: Sequence[Shard], count: int) -> list[tuple[int, int]]:
    """Say which iterations are the first that are there: (first, count) of each part of the run without a gap."""
    parts: list[tuple[int, int]] = []
    for shard in shards:
        taken = min(shard.iteration_count, count - sum(length for _, length in parts))
        if taken <= 0:
            break
        if parts and sum(parts[-1]) == shard.first_iteration:
            parts[-1] = (parts[-1][0], parts[-1][1] + taken)
        else:
            parts.append((shard.first_iteration, taken))
    return parts


def first_samples(shards: Sequence[Shard], count: int) -> tuple[Floats, NDArray[np.int8]]:
    """Return values and errors (O, n) of the first iterations that are there, at most `count`; at least one shard."""
    values: list[Floats] = []
    errors: list[NDArray[np.int8]] = []
    left = count
    for shard in shards:
        if left <= 0:
            break
        values.append(shard.values[:, :left])
        errors.append(shard.errors[:, :left])
        left -= values[-1].shape[1]
    return np.concatenate(values, axis=1), np.concatenate(errors, axis=1)
