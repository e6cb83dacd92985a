"""Which formulas give another value at another moment: TODAY(), and whatever reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tollway.engine.graph import Address, FormulaBook
from tollway.engine.syntax import Area, Call, NamedLambda, Node, Text, children

# INDIRECT and OFFSET are computed anew at each calculation too, and give the same again.
_OF_THE_MOMENT = frozenset({"NOW", "RAND", "RANDARRAY", "RANDBETWEEN", "TODAY"})


def volatile_cells(
    book: FormulaBook, trees: Mapping[Address, Node], order: Sequence[Address]
) -> frozenset[Address]:
    """The formulas that call such a function, and those whose references show that they depend on one."""
    volatile = {address for address, tree in trees.items() if _calls_one(book, tree)}
    if not volatile:
        return frozenset()
    for address in order:
        if address not in trees or address in volatile:
            continue
        if any(_holds_one(area, volatile) for area in book.reads_at(address).areas):
            volatile.add(address)
    return frozenset(volatile)


def _holds_one(area: Area, volatile: set[Address]) -> bool:
    if area.is_cell:
        return area.address in volatile
    top, left, bottom, right = area.bounds
    if (bottom - top + 1) * (right - left + 1) <= len(volatile):
        rows, columns = range(top, bottom + 1), range(left, right + 1)
        return any((area.sheet, row, column) in volatile for row in rows for column in columns)
    return any(
        sheet == area.sheet and top <= row <= bottom and left <= column <= right
        for sheet, row, column in volatile
    )


def _calls_one(book: FormulaBook, tree: Node) -> bool:
    seen: set[NamedLambda] = set()
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Call) and (node.name in _OF_THE_MOMENT or _tells_the_place(node)):
            return True
        if isinstance(node, NamedLambda) and node not in seen:
            seen.add(node)
            stack.append(book.named_lambda(node.scope, node.name))
        stack.extend(children(node))
    return False


def _tells_the_place(node: Call) -> bool:
    """Whether a call asks for the file's name or for the computer, which were others when Excel saved."""
    return node.name == "INFO" or (
        node.name == "CELL"
        and isinstance(node.arguments[0], Text)
        and node.arguments[0].value.lower() == "filename"
    )
