"""Runs a program over a stretch of iterations. A run is cut into shards that anyone may compute in any order."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats
from tollway.engine.programs.evaluate import evaluate
from tollway.engine.programs.program import Program
from tollway.engine.runs.moments import BLOCK_ITERATIONS, Node, block_moments, joined, moment_names
from tollway.engine.runs.stored import STORED_VERSION, opened, read_header, read_nodes
from tollway.engine.sampling.draws import PLAIN, Sampling, draws_from_uniforms, uniform_rows

ITERATIONS_MAX = 100_000_000
"""The most iterations of one run; plans set lower limits."""


@dataclass(frozen=True)
class ShardResult:
    """The outcome of a stretch of iterations: all values, and sums that join into those of the whole run."""

    first_iteration: int
    iteration_count: int
    values: Floats
    """(O, n), NaN where the output was no number."""
    errors: NDArray[np.int8]
    """(O, n), 0 or the code of the error value."""
    nodes: tuple[Node, ...]
    bin_counts: NDArray[np.int64] | None = None
    """(O, bins), how many values lie in each of the bins asked for."""
    replayed_count: int = 0
    """Iterations of which some part was left to the exact scalar rules."""

    def to_bytes(self) -> bytes:
        """Pack into an uncompressed .npz; equal shards give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {
            "header": np.array(
                [STORED_VERSION, self.first_iteration, self.iteration_count, self.replayed_count],
                dtype=np.int64,
            ),
            "values": self.values,
            "errors": self.errors,
            "nodes": np.array([[node.level, node.index] for node in self.nodes], dtype=np.int64).reshape(
                -1, 2
            ),
        }
        for name in moment_names():
            arrays[f"moments_{name}"] = np.stack([getattr(node.moments, name) for node in self.nodes])
        if self.bin_counts is not None:
            arrays["bin_counts"] = self.bin_counts
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **arrays)
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, packed: bytes) -> "ShardResult":
        """Unpack what `to_bytes` gave. Raises: DamagedShard."""
        with opened(io.BytesIO(packed)) as arrays:
            first_iteration, iteration_count, replayed_count = read_header(arrays)
            return cls(
                first_iteration=first_iteration,
                iteration_count=iteration_count,
                values=arrays["values"],
                errors=arrays["errors"],
                nodes=read_nodes(arrays),
                bin_counts=arrays.get("bin_counts"),
                replayed_count=replayed_count,
            )


def plan_shards(iteration_count: int, shard_iterations: int) -> list[tuple[int, int]]:
    """Cut a run into (first_iteration, iteration_count), each about `shard_iterations` long, in whole blocks.

    The last shard takes what is left. Any cut gives the same statistics to the last bit.
    """
    assert 1 <= iteration_count <= ITERATIONS_MAX, iteration_count
    step = max(1, round(shard_iterations / BLOCK_ITERATIONS)) * BLOCK_ITERATIONS
    return [(first, min(step, iteration_count - first)) for first in range(0, iteration_count, step)]


def run_shard(
    program: Program,
    seed: int,
    first_iteration: int,
    iteration_count: int,
    bin_edges: Floats | None = None,
    on_block: Callable[[int], None] | None = None,
    *,
    sampling: Sampling = PLAIN,
) -> ShardResult:
    """Draw, evaluate and sum up a stretch of iterations, block by block.

    Args:
        program: what `build_program` gave.
        seed: 0 to SEED_MAX.
        first_iteration: a multiple of BLOCK_ITERATIONS.
        iteration_count: a multiple of BLOCK_ITERATIONS too, unless this is the end of the run.
        bin_edges: (O, bins + 1), evenly spaced, a row of NaN for no bins; values beyond count in the outermost bins.
        on_block: told the iterations done so far in this shard; may raise to stop it.
        sampling: the method, and the correlation of inputs; the same for every shard of a run.
    """
    assert first_iteration % BLOCK_ITERATIONS == 0, first_iteration
    assert iteration_count >= 1, iteration_count
    output_count = len(program.outputs)
    values = np.empty((output_count, iteration_count))
    errors = np.zeros((output_count, iteration_count), dtype=np.int8)
    centres = np.array([drawn.distribution.mean for drawn in program.inputs]).reshape(-1, 1)
    scales = np.array([drawn.distribution.std for drawn in program.inputs]).reshape(-1, 1)
    nodes: list[Node] = []
    replayed_count = 0
    for done in range(0, iteration_count, BLOCK_ITERATIONS):
        first = first_iteration + done
        count = min(BLOCK_ITERATIONS, iteration_count - done)
        uniforms = uniform_rows(seed, len(program.inputs), first, count, sampling)
        draws = draws_from_uniforms(program.inputs, uniforms)
        block = evaluate(program, draws)
        # In place: the draws are not needed again.
        draws -= centres
        draws /= scales
        moments = block_moments(uniforms, draws, block.values, block.errors)
        nodes.append(Node(0, first // BLOCK_ITERATIONS, moments))
        values[:, done : done + count] = block.values
        errors[:, done : done + count] = block.errors
        replayed_count += block.replayed_count
        if on_block is not None:
            on_block(done + count)
    bin_counts = None if bin_edges is None else _bin_counts(values, errors, bin_edges)
    return ShardResult(
        first_iteration, iteration_count, values, errors, joined(nodes), bin_counts, replayed_count
    )


def _bin_counts(values: Floats, errors: NDArray[np.int8], bin_edges: Floats) -> NDArray[np.int64]:
    bin_count = bin_edges.shape[1] - 1
    counts = np.zeros((len(values), bin_count), dtype=np.int64)
    for row, edges in enumerate(bin_edges):
        if np.isfinite(edges[0]):
            inside = np.clip(values[row][errors[row] == 0], edges[0], edges[-1])
            counts[row] = np.histogram(inside, bins=bin_count, range=(edges[0], edges[-1]))[0]
    return counts
