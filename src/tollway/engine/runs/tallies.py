"""Counts and sums of one walk through a run: enough to know where every percentile lies, to the width of a bin.

The bins come from the first iterations: about as many of their values lie in each. Which bins they are changes no
exact statistic, only what is read off them on the way: the running percentiles and the mode.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.bins import even_edges
from tollway.engine.runs.moments import Moments
from tollway.engine.runs.stored import Shard
from tollway.engine.runs.stretches import Ints, Stretch, first_samples, stretches
from tollway.engine.values import ERROR_BY_CODE

EDGES_MIN, EDGES_MAX = 4_096, 32_768
"""A short run has the fewest; a longer one so many that a bin still holds about as few of its values."""
BIN_VALUES = 2_048
SAMPLE_ITERATIONS = 65_536
SAMPLE_VALUES_MAX = 2_097_152
"""Of all outputs together; a run with many has its bins from fewer iterations."""
POWERS = 8
"""Up to which central moment is summed up: the standard error of the kurtosis needs the eighth."""
CHECKPOINTS = 20
RUNNING_PERCENTS = (5, 50, 95)


@dataclass(frozen=True)
class Prefix:
    """What an output's first iterations told."""

    iterations: int
    count: int
    """Of them, those that gave a number."""
    first_sum: float
    """Of the numbers, measured from the centre of the whole run in units of its scale."""
    second_sum: float
    """Of their squares."""
    percentiles: dict[int, float | None]
    """Of RUNNING_PERCENTS, read off the bins: off by a bin at most, which holds about one value in 4,096."""


@dataclass(frozen=True)
class Tally:
    """What one walk through the run told of one output."""

    count: int
    """Iterations that gave a number."""
    error_counts: dict[str, int]
    low: float
    high: float
    """The smallest and the largest number, where there is one."""
    edges: Floats
    """Rising. Bin i reaches from edges[i - 1] up to below edges[i]; the first and the last have no end."""
    below: Ints
    """How many numbers lie below each edge."""
    histogram_edges: Floats | None
    """None where there is no number, or where they lie too far apart."""
    histogram_counts: Ints
    target_counts: Ints
    """Numbers at or below each target."""
    centre: float
    scale: float
    """What powers are measured from and in: the mean, and the standard deviation of the population."""
    power_sums: Floats
    """(POWERS + 1,) sums of the powers 0, 1, ... of the numbers; not finite where they are too large."""
    prefixes: list[Prefix]


def tally(
    shards: Sequence[Shard], iteration_count: int, moments: Moments, targets: Sequence[float]
) -> list[Tally]:
    """Count and sum up every output. Shards come in the order of their iterations; there is at least one."""
    output_count = len(moments.count)
    sample_count = max(EDGES_MIN, min(SAMPLE_ITERATIONS, SAMPLE_VALUES_MAX // output_count))
    edge_count = min(EDGES_MAX, max(EDGES_MIN, iteration_count // BIN_VALUES))
    values, errors = first_samples(shards, sample_count)
    counters = [
        _Counter(moments, output, _edges(values[output][errors[output] == 0], edge_count), targets)
        for output in range(output_count)
    ]
    del values, errors
    powers = _Powers(moments)
    stops = [-(-iteration_count * step // CHECKPOINTS) for step in range(1, CHECKPOINTS + 1)]
    for stretch in stretches(shards, output_count, stops):
        powers.add(stretch)
        for output, counter in enumerate(counters):
            counter.add(stretch.numbers(output), stretch, output)
        if stretch.end in stops:
            for output, counter in enumerate(counters):
                counter.mark(stretch.end, powers.sums[:, output])
    return [
        counter.tally(powers.centres[output], powers.scales[output], powers.sums[:, output])
        for output, counter in enumerate(counters)
    ]


def _edges(sample: Floats, edge_count: int) -> Floats:
    """Choose edges with about as many values of a sample between each two; rising, none twice.

    A value that comes more than once has a bin of its own, from itself to the next number there is.
    """
    ordered = np.sort(sample)
    if len(ordered) == 0:
        return ordered
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), edge_count)).round().astype(np.int64)
    chosen = np.unique(ordered[places])
    repeated = np.intersect1d(chosen, ordered[1:][ordered[1:] == ordered[:-1]])
    # There is no minus zero in a workbook; adding 0 makes one of the two.
    return np.unique(np.concatenate([chosen, np.nextafter(repeated, np.inf)]) + 0.0)


class _Counter:
    """Counts the numbers of one output."""

    def __init__(self, moments: Moments, output: int, edges: Floats, targets: Sequence[float]) -> None:
        self.count = int(moments.count[output])
        self.low, self.high = float(moments.min[output]), float(moments.max[output])
        self.edges = edges
        self.histogram_edges = None
        if self.count and np.isfinite(self.high - self.low):
            self.histogram_edges = even_edges(self.low, self.high)
        # At or below a target is below the number that comes next.
        above_targets = np.nextafter(np.array(targets, dtype=np.float64), np.inf)
        inner = edges[:0] if self.histogram_edges is None else self.histogram_edges[:-1]
        self.bounds = np.concatenate([edges, inner, above_targets])
        self.below = np.zeros(len(self.bounds), dtype=np.int64)
        self.seen = 0
        self.error_counts = np.zeros(max(ERROR_BY_CODE) + 1, dtype=np.int64)
        self.prefixes: list[Prefix] = []

    def add(self, ordered: Floats, stretch: Stretch, output: int) -> None:
        self.below += np.searchsorted(ordered, self.bounds, side="left")
        self.seen += len(ordered)
        if len(ordered) < stretch.values.shape[1]:
            self.error_counts += np.bincount(stretch.errors[output], minlength=len(self.error_counts))

    def mark(self, iterations: int, sums: Floats) -> None:
        below = self.below[: len(self.edges)]
        ranks = [max(0, self.seen - 1) * percent / 100 for percent in RUNNING_PERCENTS]
        places = np.searchsorted(below, ranks, side="right").tolist()
        percentiles = {
            percent: self._inside_bin(rank, place) if self.seen else None
            for percent, rank, place in zip(RUNNING_PERCENTS, ranks, places, strict=True)
        }
        self.prefixes.append(Prefix(iterations, self.seen, float(sums[1]), float(sums[2]), percentiles))

    def _inside_bin(self, rank: float, place: int) -> float:
        """Read a percentile off the counts, as if the values of a bin lay evenly in it."""
        first = float(self.edges[place - 1]) if place else self.low
        last = float(self.edges[place]) if place < len(self.edges) else self.high
        if last == math.nextafter(first, math.inf) or not math.isfinite(last - first):
            return first
        passed = int(self.below[place - 1]) if place else 0
        inside = (int(self.below[place]) if place < len(self.edges) else self.seen) - passed
        share = min((rank - passed + 0.5) / max(1, inside), 1.0)
        return min(max(first + (last - first) * share, self.low), self.high)

    def tally(self, centre: float, scale: float, sums: Floats) -> Tally:
        bins = 0 if self.histogram_edges is None else len(self.histogram_edges) - 1
        below, below_bins, target_counts = np.split(self.below, [len(self.edges), len(self.edges) + bins])
        return Tally(
            count=self.count,
            error_counts={
                str(ERROR_BY_CODE[code]): int(count)
                for code, count in enumerate(self.error_counts)
                if code and count
            },
            low=self.low,
            high=self.high,
            edges=self.edges,
            below=below,
            histogram_edges=self.histogram_edges,
            histogram_counts=np.diff(below_bins, append=self.count) if bins else below_bins,
            target_counts=target_counts,
            centre=float(centre),
            scale=float(scale),
            power_sums=sums.copy(),
            prefixes=self.prefixes,
        )


class _Powers:
    """Sums up powers of the outputs, measured from their means, piece after piece."""

    def __init__(self, moments: Moments) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            scales = np.sqrt(moments.m2 / np.maximum(moments.count, 1))
        # A constant measures 0 from its mean, in whatever unit.
        self.centres, self.scales = moments.mean, np.where(scales == 0, 1.0, scales)
        self.sums = np.zeros((POWERS + 1, len(moments.count)))

    def add(self, stretch: Stretch) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            unit = (stretch.values - self.centres[:, None]) / self.scales[:, None]
            unit[~stretch.numeric] = 0.0
            power = stretch.numeric.astype(np.float64)
            for exponent in range(POWERS + 1):
                if exponent:
                    power *= unit
                # One piece after the other: another order would give other bits.
                for sums in stretch.piece_sums(power).T:
                    self.sums[exponent] += sums
