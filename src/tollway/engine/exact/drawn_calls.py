"""Binds calls that draw (RAND(), RiskNormal(10,2)) and those that mark an output; refuses what only peers have.

Each call has a place for what is drawn: a cell beyond the last column of its own sheet, told from the cell of the
formula and from which call in it this is. So draws sort by sheet, row, column and position, and a place never changes
while the formula does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tollway.engine.language.syntax import (
    COLUMN_MAX,
    Area,
    Call,
    Drawn,
    Group,
    Node,
    Number,
    Omitted,
    Text,
    Union,
    children,
)
from tollway.engine.values import UnreadableFormula, UnsupportedFormula
from tollway.engine.written_inputs.adjusting import (
    is_correlation,
    is_refused,
    is_without_effect,
    property_of,
)
from tollway.engine.written_inputs.directory import (
    OUTPUT_MARKS,
    bare_name,
    find_written,
    is_statistic,
)
from tollway.engine.written_inputs.forms import WrittenFunction
from tollway.engine.written_inputs.worksheet import ARRAY_CELLS_MAX, INVERSES, RAND

if TYPE_CHECKING:
    from tollway.engine.exact.binding import Binder

DRAWS_IN_CELL_MAX = 1_000
_PLACES_OF_A_CELL = DRAWS_IN_CELL_MAX * ARRAY_CELLS_MAX
# Cells that one PsiOutput(B1:B10) marks.
_MARKED_CELLS_MAX = 100
_XLRISK = "xlrisk"
_PEERS = ("RISK", "PSI", "CB.")

# (sheet index, row, column), as graph.Address, which imports this.
Address = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class OutputMark:
    """A cell that a formula marks as an output, with the name it gives it."""

    address: Address
    name: str | None


def chance_area(address: Address, draw: int, element: int = 0) -> Area:
    """The place of what one call in a cell draws; calls and elements of arrays count from 0."""
    sheet, row, column = address
    place = COLUMN_MAX + 1 + (column - 1) * _PLACES_OF_A_CELL + draw * ARRAY_CELLS_MAX + element
    return Area(sheet, (row, place, row, place), True)


def owner_of(chance: Address) -> Address:
    """The cell whose formula draws what is held at a place."""
    sheet, row, place = chance
    return (sheet, row, (place - COLUMN_MAX - 1) // _PLACES_OF_A_CELL + 1)


def with_elements(node: Drawn, rows: int, columns: int) -> Drawn:
    """A call that draws an array, with a place for each of its elements."""
    sheet, row, place = node.chances[0].address
    chances = tuple(
        Area(sheet, (row, place + element, row, place + element), True) for element in range(rows * columns)
    )
    return replace(node, chances=chances, columns=columns)


def drawn_in(tree: Node) -> Iterator[Drawn]:
    """The calls of a formula that draw, those inside one another too."""
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Drawn):
            yield node
        stack.extend(children(node))


def bind_draw(binder: Binder, node: Call) -> Node | None:
    """A call that draws or marks an output, bound; None for any other.

    Raises: UnreadableFormula for a wrong number of arguments, UnsupportedFormula for what is not drawn here.
    """
    name = bare_name(node.name)
    if binder.workbook.find_name(node.name, binder.sheet) is not None:
        return None
    if name in OUTPUT_MARKS:
        return _output(binder, node)
    if is_statistic(name):
        raise UnsupportedFormula(
            f"The formula uses {name}, which tells of a simulation that is over and is not computed during one; read "
            "the statistic from the results of a run, or remove the formula from what the outputs need.",
            construct=name,
        )
    if name == "RISKLOGNORM" and any(_XLRISK in link.lower() for link in binder.workbook.external_links):
        name = "XLRISKLOGNORM"
    function = find_written(name)
    if function is None:
        if property_of(name) is not None:
            raise UnreadableFormula(
                f"The formula uses {name} outside of a distribution; write it as an argument of one, as in "
                "RiskNormal(10,2,RiskTruncate(0,20))."
            )
        if name.startswith(_PEERS):
            raise UnsupportedFormula(
                f"The formula uses {name}, which is none of the functions of @RISK, Analytic Solver or Crystal Ball "
                "that are drawn here; choose another distribution, or write a number and mark the cell as an input.",
                construct=name,
            )
        return None
    if binder.lambda_depth:
        raise UnsupportedFormula(
            f"The formula calls {function.name} inside a LAMBDA, where each call would be another draw, which is not "
            "supported yet; draw in cells of their own and refer to them.",
            construct=f"{function.name} inside a LAMBDA",
        )
    return _draw(binder, node, name, function)


def _draw(binder: Binder, node: Call, name: str, function: WrittenFunction) -> Drawn:
    if binder.draw_count >= DRAWS_IN_CELL_MAX:
        raise UnreadableFormula(
            f"The formula draws more than {DRAWS_IN_CELL_MAX:,} times; split it over several cells."
        )
    chance = chance_area((binder.sheet, binder.row, binder.column), binder.draw_count)
    binder.draw_count += 1
    parameters: list[Node] = []
    properties: list[Call] = []
    asides: list[Call] = []
    for argument in node.arguments:
        said = property_of(bare_name(argument.name)) if isinstance(argument, Call) else None
        if said is None:
            parameters.append(argument)
            continue
        assert isinstance(argument, Call)
        if is_refused(said):
            raise UnsupportedFormula(
                f"The formula uses {bare_name(argument.name)}, which is not supported yet; remove it, or give the "
                "correlation with the run.",
                construct=bare_name(argument.name),
            )
        if not is_without_effect(said):
            bound = Call(said, tuple([binder.bind(one) for one in argument.arguments]))
            (asides if is_correlation(said) else properties).append(bound)
    while len(parameters) > function.required and isinstance(parameters[-1], Omitted):
        parameters.pop()
    if not function.accepts(len(parameters)):
        raise UnreadableFormula(
            f"The formula calls {function.name} with {len(parameters)} arguments; it is written {function.form}."
        )
    arguments = tuple([binder.bind(argument) for argument in parameters])
    return Drawn(name, arguments, tuple(properties), tuple(asides), (chance,))


def fused(call: Call) -> Node:
    """An inverse of a bare RAND(), such as NORM.INV(RAND(),10,2), as one draw from that distribution."""
    inverse = INVERSES.get(call.name)
    if inverse is None or len(call.arguments) <= inverse.place:
        return call
    probability = call.arguments[inverse.place]
    while isinstance(probability, Group):
        probability = probability.inner
    if not isinstance(probability, Drawn) or probability.name != RAND:
        return call
    rest = (*call.arguments[: inverse.place], *call.arguments[inverse.place + 1 :])
    return Drawn(call.name, rest, (), (), probability.chances)


def unfused(node: Drawn) -> Node:
    """The inverse of the number between 0 and 1 that `fused` made one draw of."""
    inverse = INVERSES[node.name]
    uniform = Drawn(RAND, (), (), (), node.chances, is_settled=True)
    arguments = (*node.arguments[: inverse.place], uniform, *node.arguments[inverse.place :])
    return Call(node.name, arguments)


def _output(binder: Binder, node: Call) -> Node:
    """RiskOutput("name")+formula, PsiOutput()+formula, or PsiOutput(B1:B10) elsewhere: always 0."""
    first = node.arguments[0] if node.arguments else Omitted()
    own = (binder.sheet, binder.row, binder.column)
    if isinstance(first, (Omitted, Text)):
        name = first.value.strip() if isinstance(first, Text) else ""
        binder.output_marks.append(OutputMark(own, name or None))
        return Number(0.0)
    bound = binder.bind(first)
    areas = bound.parts if isinstance(bound, Union) else (bound,)
    marked = [area for area in areas if isinstance(area, Area)]
    if bare_name(node.name) == "RISKOUTPUT" or not marked:
        # A name that is computed, RiskOutput(A1&" total"): the cell's label stands for it.
        binder.output_marks.append(OutputMark(own, None))
        return Number(0.0)
    for area in marked:
        places = binder.workbook.sheets[area.sheet].positions_in(area.bounds)
        for count, (row, column) in enumerate(places):
            if count >= _MARKED_CELLS_MAX:
                break
            binder.output_marks.append(OutputMark((area.sheet, row, column), None))
    return Number(0.0)
