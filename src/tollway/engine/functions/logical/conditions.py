"""Logical functions. Source of each: Microsoft's page of that function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tollway.engine.functions.registry import Argument, FailedError, Grid, function
from tollway.engine.values import ErrorValue, Value, compare, to_logical


@function("IF", "logical any [any]", returns="any")
def if_(condition: bool, then: Value, otherwise: Value = False) -> Value:
    """One of two values; FALSE when the condition fails and nothing is given for that."""
    return then if condition else otherwise


@function("IFS", "any any [any any]...", returns="any")
def ifs(*pairs: Value) -> Value:
    """The value after the first true condition; #N/A when there is none. An error value in a condition ends it."""
    for condition, value in zip(pairs[::2], pairs[1::2], strict=False):
        truth = to_logical(condition)
        if isinstance(truth, ErrorValue):
            return truth
        if truth:
            return value
    return ErrorValue.NA


@function("IFERROR", "any any", returns="any")
def if_error(value: Value, otherwise: Value) -> Value:
    """The value, or another where it is an error value; a blank becomes 0."""
    chosen = otherwise if isinstance(value, ErrorValue) else value
    return 0.0 if chosen is None else chosen


@function("IFNA", "any any", returns="any")
def if_not_available(value: Value, otherwise: Value) -> Value:
    """The value, or another where it is #N/A; a blank becomes 0."""
    chosen = otherwise if value is ErrorValue.NA else value
    return 0.0 if chosen is None else chosen


@function("SWITCH", "any any [any]...", returns="any")
def switch(chosen: Value, *rest: Value) -> Value:
    """The value after the first case that equals the first argument, else the last one if unpaired, else #N/A."""
    if isinstance(chosen, ErrorValue):
        return chosen
    for case, value in zip(rest[::2], rest[1::2], strict=False):
        order = compare(chosen, case)
        if isinstance(order, ErrorValue):
            return order
        if order == 0:
            return value
    return rest[-1] if len(rest) % 2 else ErrorValue.NA


@function("AND", "grid...", returns="logical")
def and_(*arguments: Argument) -> bool:
    """TRUE when all are; of cells only numbers and logicals count, and "" never; #VALUE! when none does."""
    return all(_all_truths(arguments))


@function("OR", "grid...", returns="logical")
def or_(*arguments: Argument) -> bool:
    """TRUE when any is; of cells only numbers and logicals count, and "" never; #VALUE! when none does."""
    return any(_all_truths(arguments))


@function("XOR", "grid...", returns="logical")
def xor(*arguments: Argument) -> bool:
    """TRUE when an odd number of them is; #VALUE! when none counts."""
    return sum(_all_truths(arguments)) % 2 == 1


@function("NOT", "logical", returns="logical")
def not_(truth: bool) -> bool:
    """The opposite."""
    return not truth


@function("TRUE", "", returns="logical")
def true() -> bool:
    """TRUE."""
    return True


@function("FALSE", "", returns="logical")
def false() -> bool:
    """FALSE."""
    return False


def _all_truths(arguments: Sequence[Argument]) -> list[bool]:
    # All are read before any is judged: an error value anywhere ends the call.
    truths = list(_truths(arguments))
    if not truths:
        raise FailedError(ErrorValue.VALUE)
    return truths


def _truths(arguments: Sequence[Argument]) -> Iterator[bool]:
    for argument in arguments:
        if isinstance(argument, Grid):
            for value in argument.items():
                if isinstance(value, ErrorValue):
                    raise FailedError(value)
                if isinstance(value, (bool, float)):
                    yield bool(value)
        elif argument != "":
            truth = to_logical(argument)
            if isinstance(truth, ErrorValue):
                raise FailedError(truth)
            yield truth
