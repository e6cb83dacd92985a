"""Which formulas give another value at another moment: TODAY(), and whatever reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.exact.reach import reached_from
from tollway.engine.language.syntax import Call, Drawn, NamedLambda, Node, Text, children

# INDIRECT and OFFSET are computed anew at each calculation too, and give the same again.
_OF_THE_MOMENT = frozenset({"NOW", "TODAY"})


def volatile_cells(
    book: FormulaBook, trees: Mapping[Address, Node], order: Sequence[Address]
) -> frozenset[Address]:
    """The formulas that call such a function, and those whose references show that they depend on one."""
    calling = [address for address, tree in trees.items() if _calls_one(book, tree)]
    return reached_from(book, trees, order, calling)


def _calls_one(book: FormulaBook, tree: Node) -> bool:
    seen: set[NamedLambda] = set()
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, Drawn) or (
            isinstance(node, Call) and (node.name in _OF_THE_MOMENT or _tells_the_place(node))
        ):
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
