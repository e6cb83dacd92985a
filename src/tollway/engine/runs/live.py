"""What a picture of a run needs while it goes on: bins chosen early, and the little of each finished shard."""

import math
from dataclasses import dataclass

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.programs.program import Program
from tollway.engine.runs.bins import BIN_COUNT, even_edges
from tollway.engine.runs.moments import BLOCK_ITERATIONS, total
from tollway.engine.runs.run import ShardResult, run_shard
from tollway.engine.sampling.draws import PLAIN, Sampling


@dataclass(frozen=True)
class ShardProgress:
    """Counts, means and bins of one finished shard, small enough for a row of a table. One entry an output."""

    iteration_count: int
    numeric_counts: list[int]
    means: list[float | None]
    """None where no iteration gave a number, or where they are too large to be added up."""
    m2s: list[float | None]
    """Sums of squared distances from the mean; None as above."""
    bin_counts: list[list[int]] | None
    """None where the shard was run without bins."""


def live_bin_edges(program: Program, seed: int, sampling: Sampling = PLAIN) -> Floats:
    """Choose the bins from the first block of the run: (O, BIN_COUNT + 1), NaN where it has no numbers.

    They reach a quarter of the block's range beyond it on both sides; the final histogram has its own.
    """
    # A run shorter than a block has no iterations beyond its own where its length decides how it draws.
    count = min(BLOCK_ITERATIONS, sampling.run_iterations or BLOCK_ITERATIONS)
    moments = total(run_shard(program, seed, 0, count, sampling=sampling).nodes)
    edges = np.full((len(program.outputs), BIN_COUNT + 1), np.nan)
    for output, (low, high) in enumerate(zip(moments.min.tolist(), moments.max.tolist(), strict=True)):
        reach = (high - low) / 4
        if math.isfinite(high - low + 2 * reach):
            edges[output] = even_edges(low - reach, high + reach)
    return edges


def shard_progress(shard: ShardResult) -> ShardProgress:
    """Keep of a shard what a live picture needs."""
    moments = total(shard.nodes)
    return ShardProgress(
        iteration_count=shard.iteration_count,
        numeric_counts=[int(count) for count in moments.count],
        means=_finite(moments.mean, moments.count),
        m2s=_finite(moments.m2, moments.count),
        bin_counts=None if shard.bin_counts is None else shard.bin_counts.tolist(),
    )


def _finite(sums: Floats, counts: Floats) -> list[float | None]:
    return [
        float(one) if count and math.isfinite(one) else None for one, count in zip(sums, counts, strict=True)
    ]
