"""Questions about values and the workbook. Source of each: Microsoft's page of that function."""

from __future__ import annotations

import math
from typing import Any

from tollway.engine.functions.ranges import MultiRange
from tollway.engine.functions.registry import Argument, Closure, Grid, function
from tollway.engine.values import ErrorValue, Value, to_number

_TYPE_ARRAY = 64.0
_TYPE_COMPOUND = 128.0


@function("ISEVEN", "any", returns="logical")
def is_even(value: Value) -> bool | ErrorValue:
    """Whether a number, its fraction cut off, is even. Errors: #VALUE! for a logical or what is no number."""
    found = _whole_part(value)
    return found if isinstance(found, ErrorValue) else math.fmod(found, 2.0) == 0.0


@function("ISODD", "any", returns="logical")
def is_odd(value: Value) -> bool | ErrorValue:
    """Whether a number, its fraction cut off, is odd. Errors: #VALUE! for a logical or what is no number."""
    found = _whole_part(value)
    return found if isinstance(found, ErrorValue) else math.fmod(found, 2.0) != 0.0


def _whole_part(value: Value) -> float | ErrorValue:
    if isinstance(value, bool):
        return ErrorValue.VALUE
    found = to_number(value)
    return found if isinstance(found, ErrorValue) else float(math.trunc(found))


@function("ISREF", "grid", returns="logical")
def is_reference(argument: Argument) -> bool:
    """Whether it is a reference. Never reads it."""
    return isinstance(argument, MultiRange) or (isinstance(argument, Grid) and argument.origin is not None)


@function("TYPE", "grid")
def type_of(argument: Any) -> float:
    """1 for a number or blank, 2 text, 4 logical, 16 error value, 64 array, 128 LAMBDA."""
    if isinstance(argument, MultiRange):
        return float(_TYPES[ErrorValue])
    if isinstance(argument, Grid):
        if argument.row_count * argument.column_count > 1:
            return _TYPE_ARRAY
        argument = argument.at(0, 0)
    if isinstance(argument, Closure):
        return _TYPE_COMPOUND
    return float(_TYPES.get(type(argument), 1))


_TYPES: dict[type, int] = {float: 1, str: 2, bool: 4, ErrorValue: 16}


@function("ERROR.TYPE", "any")
def error_type(value: Value) -> float | ErrorValue:
    """The number of an error value: 1 #NULL!, 2 #DIV/0!, 3 #VALUE!, 4 #REF!, 5 #NAME?, 6 #NUM!, 7 #N/A, 9 #SPILL!,
    14 #CALC!. Errors: #N/A for any other value.
    """
    return float(value.code) if isinstance(value, ErrorValue) else ErrorValue.NA
