"""How the functions of statistics read their arguments: numbers, pairs of numbers, text counted as 0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tollway.engine.functions.registry import Argument, FailedError, Grid, as_grid, number
from tollway.engine.values import ErrorValue, Value, to_logical


def numbers_and_texts(arguments: Sequence[Argument]) -> list[float]:
    """The numbers among arguments as AVERAGEA sees them.

    Of cells and arrays, TRUE is 1, FALSE and any text are 0, blanks do not count; a value given directly is
    converted. An error value ends the call.
    """
    found: list[float] = []
    for argument in arguments:
        if isinstance(argument, Grid):
            found.extend(_counted(value) for value in argument.items() if value is not None)
        else:
            found.append(number(argument))
    return found


def _counted(value: Value) -> float:
    if isinstance(value, ErrorValue):
        raise FailedError(value)
    return float(value) if isinstance(value, (bool, float)) else 0.0


def pairs_of_numbers(left: Argument, right: Argument) -> list[tuple[float, float]]:
    """Places of two arrays where both hold a number; #N/A when the arrays differ in size."""
    left_grid, right_grid = as_grid(left), as_grid(right)
    if cell_count(left_grid) != cell_count(right_grid):
        raise FailedError(ErrorValue.NA)
    pairs: list[tuple[float, float]] = []
    for x, y in _values_side_by_side(left_grid, right_grid):
        for value in (x, y):
            if isinstance(value, ErrorValue):
                raise FailedError(value)
        if isinstance(x, float) and isinstance(y, float):
            pairs.append((x, y))
    return pairs


def cell_count(grid: Grid) -> int:
    """How many cells a grid has, blanks included."""
    return grid.row_count * grid.column_count


def _values_side_by_side(left: Grid, right: Grid) -> Iterator[tuple[Value, Value]]:
    if left.column_count == right.column_count:
        # Whole columns end where both are blank for good.
        for row in range(max(len(left.rows), len(right.rows))):
            for column in range(left.column_count):
                yield left.at(row, column), right.at(row, column)
        return
    for index in range(cell_count(left)):
        yield left.at(*divmod(index, left.column_count)), right.at(*divmod(index, right.column_count))


def mean_of(found: Sequence[float]) -> float:
    """The mean, summed left to right as AVERAGE does; #DIV/0! when there are no numbers."""
    if not found:
        raise FailedError(ErrorValue.DIV0)
    return total_of(found) / len(found)


def total_of(values: Iterable[float]) -> float:
    """The sum left to right, rounded at each step: the last digits are those that Excel stores."""
    total = 0.0
    for value in values:
        total += value
    return total


def squared_deviations(found: Sequence[float]) -> float:
    """The sum of squared distances from the mean; #DIV/0! when there are no numbers."""
    mean = mean_of(found)
    return total_of((value - mean) ** 2 for value in found)


def logical_or(value: Value, default: bool) -> bool:
    """A logical argument that may be left out: then the default holds."""
    if value is None:
        return default
    converted = to_logical(value)
    if isinstance(converted, ErrorValue):
        raise FailedError(converted)
    return converted


def probability(value: float, *, zero: bool = True, one: bool = True) -> float:
    """A probability; #NUM! outside 0 to 1, and at an end that does not count."""
    if not 0.0 <= value <= 1.0 or (value == 0.0 and not zero) or (value == 1.0 and not one):
        raise FailedError(ErrorValue.NUM)
    return value


def require(condition: bool, error: ErrorValue = ErrorValue.NUM) -> None:
    """End the call with an error value, #NUM! unless another is named, where a condition does not hold."""
    if not condition:
        raise FailedError(error)
