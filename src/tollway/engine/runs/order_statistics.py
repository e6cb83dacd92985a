"""Exact order statistics of a run too long to be sorted: a second walk keeps only the bins that hold wanted ones.

A rank is a place among the numbers of an output, rising, counted from 0. Which ranks are wanted is known from the
counts of the first walk (`tallies`), so memory holds one bin for each, whatever the number of iterations.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tollway.engine.distributions.pert import Floats
from tollway.engine.runs.stored import Shard
from tollway.engine.runs.stretches import Stretch, stretches
from tollway.engine.runs.tallies import Tally

COLLECTED_VALUES_MAX = 4_194_304
"""Values that are kept at once, of several outputs: 32 MB."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of one output."""

    ranks: Iterable[int]
    tail_ranks: Sequence[int] = ()
    """Among the ranks; of each, what lies below its bin is summed up too."""


@dataclass(frozen=True)
class Tail:
    """The numbers at or below a limit."""

    count: int
    limit: float
    origin: float
    """The number at the rank that was asked for, far from which the limit may lie; sums are measured from here."""
    first_sum: float
    second_sum: float
    """Of the squares of that."""


@dataclass(frozen=True)
class _Bin:
    first_rank: int
    end_rank: int
    low: float
    """Of what lies in it, -inf for the first bin."""
    high: float
    """Above what lies in it, inf for the last bin."""

    @property
    def is_one_value(self) -> bool:
        return self.high == math.nextafter(self.low, math.inf)


@dataclass(frozen=True)
class OrderStatistics:
    """The numbers of one output at the wanted ranks, and in their bins."""

    count: int
    _at: dict[int, float]
    """By rank."""
    _places: dict[int, int]
    """By rank, the place of its bin."""
    _bins: dict[int, _Bin]
    """By place."""
    _values: dict[int, Floats]
    """By place, rising, of the bins that hold more than one value."""
    _below: dict[int, tuple[float, float]]
    """By the place of a bin: sums of the numbers below it, and of their squares, measured from its low end."""

    def at(self, rank: int) -> float:
        """Return the number at a wanted rank."""
        return self._at[rank]

    def percentile(self, percent: float) -> float | None:
        """Interpolate between the two nearest numbers, as Excel's PERCENTILE.INC and NumPy's default."""
        if self.count == 0:
            return None
        position = (self.count - 1) * percent / 100
        below = math.floor(position)
        low, high = self.at(below), self.at(min(below + 1, self.count - 1))
        share = position - below
        if math.isfinite(high - low):
            # Rises with the share, whatever is rounded; two products could round apart.
            return min(low + (high - low) * share, high)
        return min(max(low * (1 - share) + high * share, low), high)

    def tail(self, rank: int, limit: float) -> Tail:
        """Sum up the numbers at or below a limit, which lies between a wanted tail rank and the next number."""
        place = self._places[rank]
        found = self._bins[place]
        origin, first_sum, second_sum = self.at(rank), 0.0, 0.0
        count = found.first_rank
        with np.errstate(over="ignore", invalid="ignore"):
            if count:
                below_first, below_second = self._below[place]
                # Measured from the origin now, so that a constant tail measures exactly nothing.
                step = found.low - origin
                first_sum = below_first + count * step
                second_sum = below_second + 2 * step * below_first + count * step * step
            for near in sorted({place, self._places[min(rank + 1, self.count - 1)]}):
                near_bin = self._bins[near]
                if near_bin.is_one_value:
                    held = near_bin.end_rank - near_bin.first_rank if near_bin.low <= limit else 0
                    measured = np.array([near_bin.low - origin])
                else:
                    values = self._values[near]
                    measured = values[values <= limit] - origin
                    held = len(measured)
                times = held / max(1, len(measured))
                count += held
                first_sum += times * float(measured.sum())
                second_sum += times * float((measured * measured).sum())
        return Tail(count, limit, origin, first_sum, second_sum)


def percentile_ranks(count: int, percents: Iterable[float]) -> set[int]:
    """Say which ranks `OrderStatistics.percentile` needs."""
    below = {math.floor((count - 1) * percent / 100) for percent in percents} if count else set()
    return below | {min(rank + 1, count - 1) for rank in below}


def lower_rank(count: int, percent: float) -> int:
    """Return the rank at or below a percentile."""
    return math.floor((count - 1) * percent / 100)


def collect(
    shards: Sequence[Shard],
    tallies: Sequence[Tally],
    wanted: Sequence[Wanted],
    values_max: int = COLLECTED_VALUES_MAX,
) -> list[OrderStatistics]:
    """Find the order statistics of every output. Shards come in the order of their iterations, as for the tallies.

    Where the bins of all outputs hold more than `values_max` together, outputs take turns, with a walk for each turn.
    """
    collectors = [
        _Collector(tallied, asked, output)
        for output, (tallied, asked) in enumerate(zip(tallies, wanted, strict=True))
    ]
    for group in _groups(collectors, values_max):
        for stretch in stretches(shards, len(tallies)):
            for collector in group:
                collector.add(stretch)
        for collector in group:
            collector.finish()
    return [collector.found for collector in collectors]


def _groups(collectors: Sequence["_Collector"], values_max: int) -> list[list["_Collector"]]:
    groups: list[list[_Collector]] = []
    room = 0
    for collector in collectors:
        if collector.is_done:
            continue
        if not groups or collector.value_count > room:
            groups.append([])
            room = values_max
        groups[-1].append(collector)
        room -= collector.value_count
    return groups


class _Collector:
    """Keeps the bins of one output that hold wanted ranks."""

    def __init__(self, tally: Tally, wanted: Wanted, output: int) -> None:
        self.output = output
        self.count = tally.count
        # Where each bin begins; of bins that begin together the last one holds something.
        starts = np.concatenate([[0], tally.below])
        edges = np.concatenate([[-np.inf], tally.edges, [np.inf]])
        ends = np.concatenate([tally.below, [tally.count]])
        ranks = sorted(set(wanted.ranks))
        places = (np.searchsorted(starts, ranks, side="right") - 1).tolist()
        self.places = dict(zip(ranks, places, strict=True))
        self.bins = {
            place: _Bin(int(starts[place]), int(ends[place]), float(edges[place]), float(edges[place + 1]))
            for place in dict.fromkeys(places)
        }
        self.open = [place for place, one in self.bins.items() if not one.is_one_value]
        self.bounds = np.array(
            [(self.bins[place].low, self.bins[place].high) for place in self.open]
        ).reshape(-1)
        self.kept: list[Floats] = []
        tail_places = dict.fromkeys(self.places[rank] for rank in wanted.tail_ranks)
        self.tails = [place for place in tail_places if self.bins[place].first_rank]
        self.tail_sums = np.zeros((2, len(self.tails)))
        self.values: dict[int, Floats] = {}

    @property
    def value_count(self) -> int:
        """How many values its bins hold."""
        return sum(self.bins[place].end_rank - self.bins[place].first_rank for place in self.open)

    @property
    def is_done(self) -> bool:
        """Whether nothing is asked of the second walk."""
        return not self.open and not self.tails

    def add(self, stretch: Stretch) -> None:
        ordered = stretch.numbers(self.output)
        places = np.searchsorted(ordered, self.bounds, side="left").reshape(-1, 2)
        # Adding 0 makes one of the two zeros, as in the edges.
        self.kept.append(np.concatenate([ordered[:0], *(ordered[low:high] for low, high in places)]) + 0.0)
        row, numeric = stretch.values[self.output], stretch.numeric[self.output]
        with np.errstate(over="ignore", invalid="ignore"):
            for column, place in enumerate(self.tails):
                below = np.where(numeric, np.minimum(row - self.bins[place].low, 0.0), 0.0)[None, :]
                for power, numbers in enumerate((below, below * below)):
                    # One piece after the other: another order would give other bits.
                    for piece in stretch.piece_sums(numbers)[0].tolist():
                        self.tail_sums[power, column] += piece

    def finish(self) -> None:
        """Sort what was kept into its bins."""
        kept = np.concatenate([np.empty(0), *self.kept])
        kept.sort()
        self.kept.clear()
        first = 0
        for place in self.open:
            held = self.bins[place].end_rank - self.bins[place].first_rank
            self.values[place] = kept[first : first + held]
            first += held
        assert first == len(kept), "both walks saw the same numbers"

    @property
    def found(self) -> OrderStatistics:
        """What was found, after `finish`."""
        below = {
            place: (float(self.tail_sums[0, column]), float(self.tail_sums[1, column]))
            for column, place in enumerate(self.tails)
        }
        at = {rank: self._at(rank, place) for rank, place in self.places.items()}
        return OrderStatistics(self.count, at, self.places, self.bins, self.values, below)

    def _at(self, rank: int, place: int) -> float:
        found = self.bins[place]
        return found.low if place not in self.values else float(self.values[place][rank - found.first_rank])
