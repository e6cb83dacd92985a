"""Order: positions, ranks, percentiles. Source of each, unless it says otherwise: Microsoft's page of it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from tollway.engine.functions.registry import Argument, function, numbers, whole
from tollway.engine.functions.statistical.samples import require
from tollway.engine.values import ErrorValue, round_toward_zero


@function("LARGE", "grid number")
def large(argument: Argument, position: float) -> float:
    """The number at a position from the largest.

    position: rounded up to a whole number.
    Errors: #NUM! for a position outside 1 to the count of numbers.
    """
    return _at_position(sorted(numbers((argument,)), reverse=True), math.ceil(position))


@function("SMALL", "grid number")
def small(argument: Argument, position: float) -> float:
    """The number at a position from the smallest.

    position: rounded down to a whole number.
    Errors: #NUM! for a position outside 1 to the count of numbers.
    """
    return _at_position(sorted(numbers((argument,))), math.floor(position))


def _at_position(found: Sequence[float], position: int) -> float:
    require(1 <= position <= len(found))
    return found[position - 1]


@function("RANK", "number grid [number]")
@function("RANK.EQ", "number grid [number]")
def rank(value: float, argument: Argument, order: float = 0.0) -> float:
    """The place of a number among numbers; equal ones share the first place of theirs.

    order: 0 counts from the largest, anything else from the smallest.
    Errors: #N/A when the number is not among them.
    """
    first, _ = _places(value, numbers((argument,)), order)
    return float(first)


@function("RANK.AVG", "number grid [number]")
def average_rank(value: float, argument: Argument, order: float = 0.0) -> float:
    """The place of a number among numbers; equal ones get the mean of their places.

    order: 0 counts from the largest, anything else from the smallest.
    Errors: #N/A when the number is not among them.
    """
    first, last = _places(value, numbers((argument,)), order)
    return (first + last) / 2.0


def _places(value: float, found: Sequence[float], order: float) -> tuple[int, int]:
    equal = sum(other == value for other in found)
    require(equal > 0, ErrorValue.NA)
    ahead = sum(other < value if order != 0 else other > value for other in found)
    return ahead + 1, ahead + equal


@function("PERCENTILE", "grid number")
@function("PERCENTILE.INC", "grid number")
def percentile(argument: Argument, share: float) -> float:
    """The value below which a share of the numbers lies, the ends included, straight lines between neighbours.

    share: 0 gives the smallest, 1 the largest number.
    Errors: #NUM! for no numbers, or a share outside 0 to 1.
    """
    found = sorted(numbers((argument,)))
    require(bool(found) and 0.0 <= share <= 1.0)
    return _between(found, share * (len(found) - 1))


@function("PERCENTILE.EXC", "grid number")
def percentile_exclusive(argument: Argument, share: float) -> float:
    """The value below which a share of the numbers lies, where n numbers cut the whole into n + 1 parts.

    Errors: #NUM! for no numbers, or a share below 1/(n+1) or above n/(n+1).
    """
    found = sorted(numbers((argument,)))
    place = share * (len(found) + 1)
    require(1.0 <= place <= len(found))
    return _between(found, place - 1.0)


def _between(ordered: Sequence[float], place: float) -> float:
    below = math.floor(place)
    if below >= len(ordered) - 1:
        return ordered[-1]
    return ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])


@function("QUARTILE", "grid number")
@function("QUARTILE.INC", "grid number")
def quartile(argument: Argument, quarter: float) -> float:
    """The percentile at 0 to 4 quarters, the ends included.

    quarter: cut to a whole number. Errors: #NUM! for no numbers, or a quarter outside 0 to 4.
    """
    quarters = whole(quarter)
    require(0 <= quarters <= 4)
    return float(percentile(argument, quarters / 4.0))


@function("QUARTILE.EXC", "grid number")
def quartile_exclusive(argument: Argument, quarter: float) -> float:
    """The percentile at 1 to 3 quarters, where n numbers cut the whole into n + 1 parts.

    quarter: cut to a whole number. Errors: #NUM! for no numbers, too few, or a quarter outside 1 to 3.
    """
    quarters = whole(quarter)
    require(1 <= quarters <= 3)
    return float(percentile_exclusive(argument, quarters / 4.0))


@function("PERCENTRANK", "grid number [number]")
@function("PERCENTRANK.INC", "grid number [number]")
def percent_rank(argument: Argument, value: float, digits: float = 3.0) -> float:
    """The share of the numbers that lies below a value: 0 for the smallest, 1 for the largest.

    digits: decimals that are kept, the rest is cut off.
    Errors: #NUM! for no numbers or digits below 1; #N/A for a value outside their range.
    """
    found = sorted(numbers((argument,)))
    require(bool(found) and digits >= 1.0)
    place = _place_of(found, value)
    return round_toward_zero(1.0 if len(found) == 1 else place / (len(found) - 1), whole(digits))


@function("PERCENTRANK.EXC", "grid number [number]")
def percent_rank_exclusive(argument: Argument, value: float, digits: float = 3.0) -> float:
    """The share of the numbers that lies below a value, where n numbers cut the whole into n + 1 parts.

    digits: decimals that are kept, the rest is cut off.
    Errors: #NUM! for no numbers or digits below 1; #N/A for a value outside their range.
    """
    found = sorted(numbers((argument,)))
    require(bool(found) and digits >= 1.0)
    return round_toward_zero((_place_of(found, value) + 1.0) / (len(found) + 1), whole(digits))


def _place_of(ordered: Sequence[float], value: float) -> float:
    require(ordered[0] <= value <= ordered[-1], ErrorValue.NA)
    first, after = bisect_left(ordered, value), bisect_right(ordered, value)
    if first < after:
        return float(first)
    below, above = ordered[first - 1], ordered[first]
    return first - 1 + (value - below) / (above - below)
