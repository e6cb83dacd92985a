"""Arguments of the functions that came from the Analysis ToolPak: as others take them, but no logicals.

Excel keeps this difference: ABS(TRUE) is 1, SQRTPI(TRUE) is #VALUE!.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.functions.registry import Argument, FailedError, Grid, number
from tollway.engine.values import ErrorValue


def toolpak_number(value: Argument) -> float:
    """One value as a number; a logical ends the call with #VALUE!, as a text that is no number does."""
    if isinstance(value, Grid) and value.row_count == value.column_count == 1:
        value = value.at(0, 0)
    if isinstance(value, bool):
        raise FailedError(ErrorValue.VALUE)
    return number(value)


def toolpak_numbers(arguments: Sequence[Argument]) -> list[float]:
    """The numbers among arguments, in order. Of a range blanks are left out, all else must be numbers.

    Errors: the first error value; #VALUE! for a logical, and for a text that is no number.
    """
    found: list[float] = []
    for argument in arguments:
        if isinstance(argument, Grid):
            found.extend(toolpak_number(value) for value in argument.items() if value is not None)
        else:
            found.append(toolpak_number(argument))
    return found
