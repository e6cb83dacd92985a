"""What a call that draws gives: in a run what is held for it, outside of one what it shows while nothing is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from tollway.engine.distributions.parameters import BadDistribution
from tollway.engine.functions.registry import Argument, Grid, element
from tollway.engine.language.syntax import Call, Drawn, Node, Number, Omitted
from tollway.engine.values import ErrorValue, UnsupportedFormula, Value
from tollway.engine.written_inputs.adjusting import Said, read_draw
from tollway.engine.written_inputs.directory import FUNCTIONS
from tollway.engine.written_inputs.forms import Given
from tollway.engine.written_inputs.worksheet import (
    INVERSES,
    RAND,
    RANDARRAY,
    RANDBETWEEN,
    array_element,
    array_shape,
    whole_ends,
)

if TYPE_CHECKING:
    from tollway.engine.exact.interpret import Interpreter

_MIDDLE = 0.5


class FailedDrawError(Exception):
    """An argument of a call that draws is an error value."""

    def __init__(self, error: ErrorValue) -> None:
        super().__init__(error.text)
        self.error = error


def drawn_value(interpreter: Interpreter, node: Drawn, *, is_array: bool) -> Argument:
    """What the call gives where it stands. Raises: UnsupportedFormula for RAND() outside of a run."""
    held = [interpreter.value_of(chance.address) for chance in node.chances]
    if node.is_settled and held[0] is not None:
        return held[0] if len(held) == 1 else _rows(held, node.columns)
    uniform = cast(float | None, held[0])
    if node.name in INVERSES:
        call = Call(node.name, _with_probability(node, _uniform(interpreter, node, uniform)))
        return cast(Argument, interpreter.whole(call, is_array))
    if node.name == RAND:
        return _uniform(interpreter, node, uniform)
    try:
        given, said = read_arguments(interpreter, node)
        if node.name == RANDBETWEEN:
            return _between(_uniform(interpreter, node, uniform), given)
        if node.name == RANDARRAY:
            _uniform(interpreter, node, uniform)
            rows, columns = array_shape(given)
            return _rows([array_element(given).mean] * (rows * columns), columns)
        draw = read_draw(FUNCTIONS[node.name], given, said)
    except FailedDrawError as failed:
        return failed.error
    except BadDistribution:
        # As the peers show it; a run says what is wrong, wherever arguments are the same in every iteration.
        return ErrorValue.NUM if node.name in (RANDBETWEEN, RANDARRAY) else ErrorValue.VALUE
    if uniform is None or draw.is_locked:
        return draw.value
    return float(draw.distribution.exact_quantile(np.array([uniform]))[0])


def read_arguments(interpreter: Interpreter, node: Drawn) -> tuple[list[Given], list[Said]]:
    """The values of a call's parameters, and of its properties. Raises: FailedDrawError."""
    function = FUNCTIONS.get(node.name)
    given = [
        _list(interpreter, argument, keeps_rows=function.parameters[place].endswith("[][]"))
        if function is not None and function.is_list(place)
        else _one(interpreter, argument)
        for place, argument in enumerate(node.arguments)
    ]
    said: list[Said] = [
        (one.name, [_one(interpreter, argument) for argument in one.arguments]) for one in node.properties
    ]
    return given, said


def _uniform(interpreter: Interpreter, node: Drawn, held: float | None) -> float:
    if held is not None:
        return held
    if interpreter.draws_stand:
        return _MIDDLE
    raise UnsupportedFormula(
        f"The formula uses {RAND if node.name in INVERSES else node.name}, which draws by chance at each calculation "
        "and has no value outside of a run; simulate the workbook, or write a number into the cell.",
        construct=node.name,
    )


def _with_probability(node: Drawn, probability: float) -> tuple[Node, ...]:
    place = INVERSES[node.name].place
    return (*node.arguments[:place], Number(probability), *node.arguments[place:])


def _between(uniform: float, given: list[Given]) -> Argument:
    if not all(isinstance(one, float) for one in given):
        return ErrorValue.VALUE
    low, high = whole_ends(*cast(list[float], given))
    if high < low:
        return ErrorValue.NUM
    # The last step must not round up past the end.
    return min(low + float(np.floor(uniform * (high - low + 1))), high)


def _rows(values: list[Value] | list[float], columns: int) -> Grid:
    rows = [list(values[start : start + columns]) for start in range(0, len(values), columns)]
    return Grid(rows, len(rows), columns)


def _one(interpreter: Interpreter, argument: Node) -> Given:
    found = interpreter.value(argument, False)
    if isinstance(found, Grid):
        found = element(found, 0, 0)
    if isinstance(found, ErrorValue):
        raise FailedDrawError(found)
    if found is None and not isinstance(argument, Omitted):
        return 0.0
    return cast(Given, found)


def _list(interpreter: Interpreter, argument: Node, *, keeps_rows: bool) -> Given:
    found = interpreter.whole(argument, True)
    if not isinstance(found, Grid):
        rows: list[list[Value]] = [[found]]
    else:
        filled = min(found.row_count, len(found.rows))
        width = found.column_count if keeps_rows else max((len(row) for row in found.rows), default=0)
        rows = [[found.at(row, column) for column in range(width)] for row in range(filled)]
    for row in rows:
        for value in row:
            if isinstance(value, ErrorValue):
                raise FailedDrawError(value)
    if keeps_rows:
        return cast(Given, [row for row in rows if any(value is not None for value in row)])
    return cast(Given, [value for row in rows for value in row if value is not None])
