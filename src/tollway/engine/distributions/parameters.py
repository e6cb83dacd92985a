"""Checks the parameters of a distribution: which numbers can be meant, and what to say of those that cannot."""

import math
from collections.abc import Iterable
from numbers import Real

from tollway.engine.values import EngineError

# Far beyond any workbook, and small enough that squares and cubes of draws stay finite.
PARAMETER_ABS_MAX = 1e100
DISCRETE_PAIRS_MAX = 10_000
# Beyond these a shape is a spike or a constant, and its inverse loses its digits.
SHAPE_MIN, SHAPE_MAX = 0.001, 1_000_000.0
# Decimal fractions such as 0.1 do not add up to exactly 1 in binary.
PROBABILITY_SUM_TOLERANCE = 1e-9


class BadDistribution(EngineError):
    """A distribution's parameter is missing, is not a number, or contradicts another."""

    code = "bad-distribution"


def number(kind: str, parameter: str, given: object) -> float:
    """Return a parameter as float; refuse what is no finite number within PARAMETER_ABS_MAX.

    Booleans are refused although Python counts them as numbers, and text although it may read as one.
    """
    field = f"distribution.{parameter}"
    if isinstance(given, bool) or not isinstance(given, Real):
        shown = "missing" if given is None else f"{_shortened(given)}, which is not a number"
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {shown}; give a number, such as 0.5 or 1200.",
            field=field,
        )
    try:
        value = float(given)
    except OverflowError:
        value = math.inf
    if math.isnan(value):
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is NaN; give a finite number.", field=field
        )
    if abs(value) > PARAMETER_ABS_MAX:
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {value:g}; "
            f"give a number between -{PARAMETER_ABS_MAX:g} and {PARAMETER_ABS_MAX:g}.",
            field=field,
        )
    return value


def check_range(kind: str, low: float, high: float) -> None:
    """Refuse a minimum that is not below the maximum."""
    if low > high:
        raise BadDistribution(
            f"min of this {kind} distribution is {shown(low)} and max is {shown(high)}; "
            "min must be below max, so exchange them or correct one.",
            field="distribution.min",
        )
    if low == high:
        raise BadDistribution(
            f"min and max of this {kind} distribution are both {shown(low)}; "
            "that is a constant, so give max a larger value or leave the cell as it is.",
            field="distribution.max",
        )


def check_mode(kind: str, low: float, mode: float, high: float) -> None:
    """Refuse a most likely value outside the range."""
    if not low <= mode <= high:
        raise BadDistribution(
            f"mode of this {kind} distribution is {shown(mode)}; "
            f"the most likely value must lie between min {shown(low)} and max {shown(high)}.",
            field="distribution.mode",
        )


def check_std(kind: str, std: float) -> None:
    """Refuse a standard deviation of zero or below."""
    if std == 0:
        raise BadDistribution(
            f"std of this {kind} distribution is 0; "
            "that is a constant, so give a standard deviation above 0 or leave the cell as it is.",
            field="distribution.std",
        )
    if std < 0:
        raise BadDistribution(
            f"std of this {kind} distribution is {shown(std)}; a standard deviation must be above 0.",
            field="distribution.std",
        )


def check_positive_mean(kind: str, mean: float) -> None:
    """Refuse a mean that a distribution of positive numbers cannot have."""
    if mean <= 0:
        raise BadDistribution(
            f"mean of this {kind} distribution is {shown(mean)}; "
            "all its draws are above 0, so the mean must be above 0 too.",
            field="distribution.mean",
        )


def check_positive(kind: str, parameter: str, value: float, words: str = "it") -> None:
    """Refuse a scale or another parameter that is not above 0."""
    if value <= 0:
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {shown(value)}; {words} must be above 0.",
            field=f"distribution.{parameter}",
        )


def check_shape(kind: str, parameter: str, value: float) -> None:
    """Refuse a shape parameter outside SHAPE_MIN to SHAPE_MAX."""
    check_between(kind, parameter, value, SHAPE_MIN, SHAPE_MAX)


def check_between(kind: str, parameter: str, value: float, low: float, high: float) -> None:
    """Refuse a parameter below or above what it may be; both ends are allowed."""
    if not low <= value <= high:
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {shown(value)}; "
            f"give a number from {shown(low)} to {shown(high)}.",
            field=f"distribution.{parameter}",
        )


def check_share(kind: str, parameter: str, value: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1."""
    if not 0 < value < 1:
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {shown(value)}; it is a probability and must lie between "
            "0 and 1, and at either end the cell would be a constant.",
            field=f"distribution.{parameter}",
        )


def check_whole(kind: str, parameter: str, value: float, low: float, high: float) -> None:
    """Refuse a count that is no whole number or outside its range; both ends are allowed."""
    if value != math.floor(value):
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {shown(value)}; give a whole number, such as "
            f"{shown(max(low, math.floor(value)))}.",
            field=f"distribution.{parameter}",
        )
    check_between(kind, parameter, value, low, high)


def joined_pairs(values: object, probabilities: object) -> dict[float, float]:
    """Return value -> probability of a discrete distribution, sorted by value, adding up to 1.

    Equal values are joined and those of probability 0 left out.
    """
    value_list = numbers("discrete", "values", values)
    probability_list = numbers("discrete", "probabilities", probabilities)
    if len(value_list) != len(probability_list):
        raise BadDistribution(
            f"This discrete distribution has {len(value_list):,} values and {len(probability_list):,} probabilities; "
            "give one probability for each value.",
            field="distribution.probabilities",
        )
    for position, probability in enumerate(probability_list):
        if probability < 0:
            raise BadDistribution(
                f"Probability {position + 1} of this discrete distribution is {shown(probability)}; "
                "a probability must lie between 0 and 1.",
                field=f"distribution.probabilities[{position}]",
            )
    total = math.fsum(probability_list)
    if abs(total - 1) > PROBABILITY_SUM_TOLERANCE:
        raise BadDistribution(
            f"The probabilities of this discrete distribution add up to {total:.12g}; they must add up to 1, "
            "so divide each by their sum.",
            field="distribution.probabilities",
        )
    joined: dict[float, float] = {}
    for value, probability in sorted(zip(value_list, probability_list, strict=True)):
        if probability > 0:
            joined[value] = joined.get(value, 0.0) + probability / total
    if len(joined) == 1:
        raise BadDistribution(
            f"This discrete distribution always gives {shown(next(iter(joined)))}; that is a constant, "
            "so give at least two different values a probability above 0 or leave the cell as it is.",
            field="distribution.values",
        )
    return joined


def shown(value: float) -> str:
    """Write a number for a sentence: thousands separated, no needless decimals."""
    return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:g}"


def numbers(
    kind: str, parameter: str, given: object, count_min: int = 1, count_max: int = DISCRETE_PAIRS_MAX
) -> list[float]:
    """Return a parameter that is a list of numbers; refuse what is none, or one of another length."""
    field = f"distribution.{parameter}"
    if given is None or isinstance(given, str | bytes | dict) or not isinstance(given, Iterable):
        found = "missing" if given is None else f"{_shortened(given)}, which is not a list"
        raise BadDistribution(
            f"{parameter} of this {kind} distribution is {found}; give a list of numbers, such as [1, 5].",
            field=field,
        )
    items = list(given)
    if not count_min <= len(items) <= count_max:
        raise BadDistribution(
            f"{parameter} of this {kind} distribution has {len(items):,} entries; "
            f"give {max(count_min, 2):,} to {count_max:,}.",
            field=field,
        )
    return [number(kind, f"{parameter}[{position}]", item) for position, item in enumerate(items)]


def _shortened(given: object) -> str:
    text = repr(given)
    return text if len(text) <= 40 else text[:37] + "..."
