"""Writes the tree of a formula as Excel would write the formula."""

from __future__ import annotations

import re

from tollway.engine.language.syntax import (
    ArrayConstant,
    Binary,
    Call,
    Corner,
    ErrorLiteral,
    External,
    Group,
    Invoke,
    Logical,
    Name,
    Node,
    Number,
    Omitted,
    Percent,
    Reference,
    Single,
    Spilled,
    Structured,
    Text,
    Unary,
    column_letters,
    sheet_text,
)
from tollway.engine.values import Value, number_text

# These stand for themselves in a column's name only behind an apostrophe.
_SPECIAL = re.compile(r"[\[\]#'@]")
_ITEM_WORDS = {"#all": "#All", "#data": "#Data", "#headers": "#Headers", "#totals": "#Totals"}


def print_formula(tree: Node) -> str:
    """Write a tree that parse() made, without the equals sign; parse() of it gives the same tree."""
    # A chain of operators leans to the left and may be thousands long: walked, not recursed into.
    tail: list[str] = []
    while isinstance(tree, (Binary, Percent)):
        if isinstance(tree, Percent):
            tail.append("%")
            tree = tree.operand
        else:
            tail.append(tree.operator + print_formula(tree.right))
            tree = tree.left
    return _print_operand(tree) + "".join(reversed(tail))


def _print_operand(tree: Node) -> str:
    match tree:
        case Number(value):
            return _print_number(value)
        case Text(text):
            return '"' + text.replace('"', '""') + '"'
        case Logical(truth):
            return "TRUE" if truth else "FALSE"
        case ErrorLiteral(error):
            return error.text
        case ArrayConstant(rows):
            return "{" + ";".join(",".join(_print_constant(value) for value in row) for row in rows) + "}"
        case Omitted():
            return ""
        case Unary(operator, operand):
            return operator + print_formula(operand)
        case Group(inner):
            return f"({print_formula(inner)})"
        case Call(name, arguments):
            return name + _print_arguments(arguments)
        case Invoke(callee, arguments):
            return print_formula(callee) + _print_arguments(arguments)
        case Single(operand):
            text = print_formula(operand)
            return f"@{text}" if _is_reference(operand) else f"SINGLE({text})"
        case Spilled(operand):
            text = print_formula(operand)
            return f"{text}#" if _is_end(operand) else f"ANCHORARRAY({text})"
        case _:
            return _print_reference(tree)


def _print_reference(tree: Node) -> str:
    match tree:
        case Reference(sheet, first, last, last_sheet):
            text = print_corner(first) + ("" if last is None else ":" + print_corner(last))
            return text if sheet is None else f"{sheets_text(sheet, last_sheet)}!{text}"
        case Structured():
            return _print_structured(tree)
        case External(text):
            return text
        case Name(sheet, text):
            return text if sheet is None else f"{sheet_text(sheet)}!{text}"
        case _:
            raise AssertionError(tree)


def sheets_text(first: str, last: str | None) -> str:
    """One sheet, or the first and last of several, as formulas write them before the exclamation mark."""
    if last is None:
        return sheet_text(first)
    both = (sheet_text(first), sheet_text(last))
    if both == (first, last):
        return f"{first}:{last}"
    return "'{}:{}'".format(first.replace("'", "''"), last.replace("'", "''"))


def print_corner(corner: Corner) -> str:
    """One end of a reference: $B$5, or B for a whole column."""
    column = (
        "" if corner.column is None else ("$" if corner.column_fixed else "") + column_letters(corner.column)
    )
    row = "" if corner.row is None else ("$" if corner.row_fixed else "") + str(corner.row)
    return column + row


def _print_arguments(arguments: tuple[Node, ...]) -> str:
    return f"({','.join(print_formula(argument) for argument in arguments)})"


def _is_end(node: Node) -> bool:
    """Whether a node is what may stand on one side of the colon of a range."""
    if isinstance(node, Reference):
        return node.last is None and node.first.row is not None and node.first.column is not None
    return isinstance(node, (Name, Call, Group, Structured, Invoke))


def _is_reference(node: Node) -> bool:
    """Whether a node binds tighter than any sign or operator of arithmetic."""
    while isinstance(node, Binary) and node.operator in (":", " "):
        node = node.left
    return isinstance(node, (Reference, External, Spilled, Single, ArrayConstant)) or _is_end(node)


def _print_structured(tree: Structured) -> str:
    table = tree.table or ""
    columns = ""
    if tree.first is not None:
        columns = f"[{_escaped(tree.first)}]"
        if tree.last is not None:
            columns += f":[{_escaped(tree.last)}]"
    items = [f"[{_ITEM_WORDS.get(item, '#This Row')}]" for item in tree.items]
    parts = [*items, columns] if columns else items
    if not parts:
        return f"{table}[]"
    if len(parts) == 1 and tree.last is None:
        return table + parts[0]
    return f"{table}[{','.join(parts)}]"


def _escaped(column: str) -> str:
    return _SPECIAL.sub(lambda match: f"'{match[0]}", column)


def _print_number(value: float) -> str:
    text = number_text(value)
    return text if float(text) == value else repr(value).upper()


def _print_constant(value: Value) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return ("-" if value < 0 else "") + _print_number(abs(value))
        case str():
            return '"' + value.replace('"', '""') + '"'
        case _:
            return str(value)
