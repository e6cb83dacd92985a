"""The database functions. Source of each: Microsoft's page of that function; criteria are explained in records."""

from __future__ import annotations

import math

from tollway.engine.functions.database.records import field_values, matching_rows
from tollway.engine.functions.registry import Argument, Context, FailedError, as_grid, function
from tollway.engine.functions.running_variance import variance_of_sums
from tollway.engine.values import ErrorValue, Value


@function("DSUM", "grid grid grid", wants_context=True)
def sum_of_records(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The sum of a field over the records that meet the criteria.

    `field` is a name from the first row of the database, or the place of a column counted from 1.

    Errors: #VALUE! for an unknown field and a database or criteria of one row; the first error value among
    the numbers.
    """
    total = 0.0
    for number in _numbers(context, database, field, criteria):
        total += number
    return total


@function("DPRODUCT", "grid grid grid", wants_context=True)
def product_of_records(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The product of a field over the records that meet the criteria; 0 when there is no number.

    Errors: as DSUM.
    """
    factors = _numbers(context, database, field, criteria)
    return math.prod(factors) if factors else 0.0


@function("DAVERAGE", "grid grid grid", wants_context=True)
def average_of_records(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The average of a field over the records that meet the criteria.

    Errors: #DIV/0! when there is no number, else as DSUM.
    """
    numbers = _numbers(context, database, field, criteria)
    return sum(numbers) / len(numbers)


@function("DMAX", "grid grid grid", wants_context=True)
def largest_of_records(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The largest number of a field among the records that meet the criteria; 0 when there is none.

    Errors: as DSUM.
    """
    return max(_numbers(context, database, field, criteria), default=0.0)


@function("DMIN", "grid grid grid", wants_context=True)
def smallest_of_records(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The smallest number of a field among the records that meet the criteria; 0 when there is none.

    Errors: as DSUM.
    """
    return min(_numbers(context, database, field, criteria), default=0.0)


@function("DCOUNT", "grid grid grid", wants_context=True)
def count_of_numbers(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """How many of the records that meet the criteria hold a number in a field; all of them if it is left out.

    Errors: #VALUE! for an unknown field and a database or criteria of one row.
    """
    if field is None:
        return float(len(_records(context, database, criteria)))
    return float(sum(isinstance(value, float) for value in field_values(context, database, field, criteria)))


@function("DCOUNTA", "grid grid grid", wants_context=True)
def count_of_filled(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """How many of the records that meet the criteria hold anything in a field; all of them if it is left out.

    Errors: #VALUE! for an unknown field and a database or criteria of one row.
    """
    if field is None:
        return float(len(_records(context, database, criteria)))
    return float(sum(value is not None for value in field_values(context, database, field, criteria)))


@function("DGET", "grid grid grid", returns="any", wants_context=True)
def only_record(context: Context, database: Argument, field: Argument, criteria: Argument) -> Value:
    """What the one record that meets the criteria holds in a field.

    Errors: #VALUE! when no record meets them, #NUM! when several do; else as DCOUNT.
    """
    values = field_values(context, database, field, criteria)
    if len(values) > 1:
        raise FailedError(ErrorValue.NUM)
    if not values:
        raise FailedError(ErrorValue.VALUE)
    return values[0]


@function("DVAR", "grid grid grid", wants_context=True)
def variance_of_sample(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The variance of a field, estimated from the records that meet the criteria as a sample.

    Errors: #DIV/0! when there are fewer than two numbers, else as DSUM.
    """
    return variance_of_sums(_numbers(context, database, field, criteria), is_sample=True)


@function("DVARP", "grid grid grid", wants_context=True)
def variance_of_population(
    context: Context, database: Argument, field: Argument, criteria: Argument
) -> float:
    """The variance of a field over the records that meet the criteria, taken as the whole population.

    Errors: #DIV/0! when there is no number, else as DSUM.
    """
    return variance_of_sums(_numbers(context, database, field, criteria), is_sample=False)


@function("DSTDEV", "grid grid grid", wants_context=True)
def deviation_of_sample(context: Context, database: Argument, field: Argument, criteria: Argument) -> float:
    """The standard deviation of a field, estimated from the records that meet the criteria as a sample.

    Errors: #DIV/0! when there are fewer than two numbers, else as DSUM.
    """
    return math.sqrt(variance_of_sample(context, database, field, criteria))


@function("DSTDEVP", "grid grid grid", wants_context=True)
def deviation_of_population(
    context: Context, database: Argument, field: Argument, criteria: Argument
) -> float:
    """The standard deviation of a field over the records that meet the criteria, the whole population.

    Errors: #DIV/0! when there is no number, else as DSUM.
    """
    return math.sqrt(variance_of_population(context, database, field, criteria))


def _numbers(context: Context, database: Argument, field: Argument, criteria: Argument) -> list[float]:
    found: list[float] = []
    for value in field_values(context, database, field, criteria):
        if isinstance(value, ErrorValue):
            raise FailedError(value)
        if isinstance(value, float):
            found.append(value)
    return found


def _records(context: Context, database: Argument, criteria: Argument) -> list[int]:
    grid = as_grid(database)
    if grid.row_count < 2:
        raise FailedError(ErrorValue.VALUE)
    return matching_rows(context, grid, criteria)
