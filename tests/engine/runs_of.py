"""Shards of given values, for tests of statistics: no workbook, many outputs at once."""

from collections.abc import Sequence

import numpy as np

from tollway.engine import OutputSummary, ProgramFacts, Shard, ShardResult, summarize
from tollway.engine.runs.moments import BLOCK_ITERATIONS, Node, block_moments, joined


def facts_of(output_count: int, input_count: int = 1) -> ProgramFacts:
    return ProgramFacts(
        tuple(f"S!A{row + 1}" for row in range(input_count)),
        (None,) * input_count,
        tuple(f"S!B{row + 1}" for row in range(output_count)),
        (None,) * output_count,
    )


def shard_of(
    values: np.ndarray, errors: np.ndarray | None = None, *, first_block: int = 0, input_count: int = 1
) -> ShardResult:
    """A shard as run_shard makes it, of these values (O, n) and of inputs that never vary."""
    errors = np.zeros(values.shape, dtype=np.int8) if errors is None else errors.astype(np.int8)
    values = np.where(errors == 0, values, np.nan)
    nodes = []
    for start in range(0, values.shape[1], BLOCK_ITERATIONS):
        part = slice(start, start + BLOCK_ITERATIONS)
        uniforms = np.full((input_count, values[:, part].shape[1]), 0.5)
        moments = block_moments(uniforms, uniforms - 0.5, values[:, part], errors[:, part])
        nodes.append(Node(0, first_block + start // BLOCK_ITERATIONS, moments))
    return ShardResult(first_block * BLOCK_ITERATIONS, values.shape[1], values, errors, joined(nodes))


def cut_into(values: np.ndarray, blocks: int, errors: np.ndarray | None = None) -> list[Shard]:
    """The same values in shards of so many blocks."""
    length = blocks * BLOCK_ITERATIONS
    return [
        shard_of(
            values[:, first : first + length],
            None if errors is None else errors[:, first : first + length],
            first_block=first // BLOCK_ITERATIONS,
        )
        for first in range(0, values.shape[1], length)
    ]


def summaries_of(values: np.ndarray, **questions: Sequence[float]) -> list[OutputSummary]:
    """The summaries of outputs (O, n)."""
    return summarize(facts_of(len(values)), [shard_of(values)], **questions)
