"""The variance from running sums, as Excel's totals take it: SUBTOTAL, AGGREGATE and the database functions."""

from __future__ import annotations

from collections.abc import Sequence


def variance_of_sums(numbers: Sequence[float], *, is_sample: bool) -> float:
    """The variance from the sum of numbers and the sum of their squares, of a sample or of a whole population.

    VAR.S and VAR.P take deviations from the mean instead. The two formulas are those that give the last digits
    which Excel stored for AGGREGATE and for DVAR and DVARP; numbers far from 0 lose digits in both, there too.

    Raises: ZeroDivisionError for too few numbers.
    """
    count, total, squares = len(numbers), 0.0, 0.0
    for number in numbers:
        total += number
        squares += number * number
    if is_sample:
        variance = (squares - total * total / count) / (count - 1)
    else:
        variance = (count * squares - total * total) / (count * count)
    # What is left of equal numbers may fall below 0.
    return max(variance, 0.0)
