"""Functions that read only some of their arguments, as Excel does: IF and its like, and INDEX of several areas."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tollway.engine.functions import find_function
from tollway.engine.functions.ranges import CellRange, MultiRange
from tollway.engine.functions.registry import Grid, call
from tollway.engine.language.syntax import Call, ErrorLiteral, Node, Omitted
from tollway.engine.values import ErrorValue, Value, compare, to_logical, to_number

if TYPE_CHECKING:
    from tollway.engine.exact.interpret import Interpreter

# Gives what a call gives.
Selection = Callable[["Interpreter", Call, bool], Any]


def branch(name: str, selector: Value, branch_count: int) -> int | ErrorValue | None:
    """Which branch of IF or CHOOSE a selector takes, counted from 0; None for IF's missing "else"."""
    if name == "IF":
        truth = to_logical(selector)
        if isinstance(truth, ErrorValue):
            return truth
        position = 0 if truth else 1
        return position if position < branch_count else None
    number = to_number(selector)
    if isinstance(number, ErrorValue):
        return number
    return int(number) - 1 if 1.0 <= number < branch_count + 1.0 else ErrorValue.VALUE


def _if_or_choose(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    selector = interpreter.value(node.arguments[0], is_array)
    if isinstance(selector, Grid):
        return interpreter.lifted(node, [selector])
    chosen = branch(node.name, selector, len(node.arguments) - 1)
    if chosen is None:
        return False
    if isinstance(chosen, ErrorValue):
        return chosen
    return interpreter.whole(node.arguments[chosen + 1], is_array)


def _ifs(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    arguments = node.arguments
    for place in range(0, len(arguments) - 1, 2):
        condition = interpreter.value(arguments[place], is_array)
        if isinstance(condition, Grid):
            # What was false so far stays false beside an array.
            before = [value for _ in range(place // 2) for value in (False, None)]
            return interpreter.lifted(node, [*before, condition])
        truth = to_logical(condition)
        if isinstance(truth, ErrorValue):
            return truth
        if truth:
            return interpreter.whole(arguments[place + 1], is_array)
    return ErrorValue.NA


def _switch(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    arguments = node.arguments
    wanted = interpreter.value(arguments[0], is_array)
    if isinstance(wanted, Grid):
        return interpreter.lifted(node, [wanted])
    if isinstance(wanted, ErrorValue):
        return wanted
    for place in range(1, len(arguments) - 1, 2):
        case = interpreter.value(arguments[place], is_array)
        if isinstance(case, Grid):
            return interpreter.lifted(node, [wanted])
        order = compare(wanted, case)
        if isinstance(order, ErrorValue):
            return order
        if order == 0:
            return interpreter.whole(arguments[place + 1], is_array)
    return ErrorValue.NA if len(arguments) % 2 else interpreter.whole(arguments[-1], is_array)


def _if_error(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    found = interpreter.value(node.arguments[0], is_array)
    if isinstance(found, Grid):
        return interpreter.lifted(node, [found])
    is_replaced = found is ErrorValue.NA if node.name == "IFNA" else isinstance(found, ErrorValue)
    if is_replaced:
        found = interpreter.whole(node.arguments[1], is_array)
    return 0.0 if found is None else found


def _is_omitted(interpreter: Interpreter, node: Call, _is_array: bool) -> bool:
    return interpreter.is_omitted(node.arguments[0])


def _index(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    found = interpreter.whole(node.arguments[0], True)
    if not isinstance(found, MultiRange):
        return interpreter.called(node, is_array, [found])
    area: Any = 1.0
    if len(node.arguments) > 3 and not isinstance(node.arguments[3], Omitted):
        area = to_number(_one(interpreter.value(node.arguments[3], is_array)))
    if isinstance(area, ErrorValue):
        return area
    if area < 1.0:
        return ErrorValue.VALUE
    if area >= len(found.areas) + 1 or found.is_over_sheets:
        return ErrorValue.REF
    return interpreter.called(Call("INDEX", node.arguments[:3]), is_array, [found.areas[int(area) - 1]])


def _table_lookup(interpreter: Interpreter, node: Call, is_array: bool) -> Any:
    """VLOOKUP and HLOOKUP read the line they search and the one cell they give, so they may stand in their table."""
    wanted = interpreter.value(node.arguments[0], is_array)
    table = interpreter.whole(node.arguments[1], is_array)
    position = interpreter.value(node.arguments[2], is_array)
    kind: Any = True
    if len(node.arguments) > 3:
        kind = interpreter.value(node.arguments[3], is_array)
    given = [wanted, table, position, kind][: len(node.arguments)]
    is_single = not any(isinstance(found, Grid) for found in (wanted, position, kind))
    if not (isinstance(table, CellRange) and is_single and isinstance(position, float)):
        return interpreter.called(node, is_array, given)
    is_vertical = node.name == "VLOOKUP"
    is_approximate = to_logical(kind)
    count = table.column_count if is_vertical else table.row_count
    if not 1.0 <= position < count + 1.0 or isinstance(is_approximate, ErrorValue):
        return interpreter.called(node, is_array, given)
    rows, columns = range(table.row_count), range(table.column_count)
    searched = table.part(rows, range(1)) if is_vertical else table.part(range(1), columns)
    match = find_function("MATCH")
    assert match is not None
    place = call(match, [wanted, searched, 1.0 if is_approximate else 0.0], None)
    if not isinstance(place, float):
        return place
    beside, along = int(place) - 1, int(position) - 1
    row, column = (beside, along) if is_vertical else (along, beside)
    return interpreter.value_of((table.sheet, table.bounds[0] + row, table.bounds[1] + column))


def _one(found: Any) -> Value:
    return found.at(0, 0) if isinstance(found, Grid) else found


def _is_reference(interpreter: Interpreter, node: Call, is_array: bool) -> bool:
    argument: Node = node.arguments[0]
    if isinstance(argument, ErrorLiteral):
        return False
    found = interpreter.whole(argument, is_array)
    return isinstance(found, MultiRange) or (isinstance(found, Grid) and found.origin is not None)


SELECTIONS: dict[str, Selection] = {
    "IF": _if_or_choose,
    "CHOOSE": _if_or_choose,
    "IFS": _ifs,
    "SWITCH": _switch,
    "IFERROR": _if_error,
    "IFNA": _if_error,
    "INDEX": _index,
    "ISOMITTED": _is_omitted,
    "ISREF": _is_reference,
    "VLOOKUP": _table_lookup,
    "HLOOKUP": _table_lookup,
}
