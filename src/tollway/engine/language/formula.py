"""Reads Excel's formula language into a tree (syntax.py).

The tree is syntax only: names are not resolved and sheets not looked up (binding.py does that).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

from tollway.engine.language.cell_references import name_of, range_of, reference_of
from tollway.engine.language.constants import number_of, read_array
from tollway.engine.language.cursor import NESTING_MAX, Cursor
from tollway.engine.language.function_names import EXCEL_FUNCTIONS
from tollway.engine.language.lexemes import find_corner, is_data_exchange, shown_length
from tollway.engine.language.printing import print_formula
from tollway.engine.language.syntax import (
    Binary,
    Call,
    ErrorLiteral,
    External,
    Group,
    Invoke,
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
    cell_text,
    sheet_text,
)
from tollway.engine.language.table_references import parse_brackets
from tollway.engine.values import (
    ERROR_BY_TEXT,
    ErrorValue,
    UnreadableFormula,
    UnsupportedFormula,
)

__all__ = ["cell_text", "parse", "print_formula", "sheet_text"]

# Excel's own limits.
FORMULA_LENGTH_MAX = 8_192
ARGUMENTS_MAX = 255
# References with only colons, or only spaces, between them; Excel has no such limit, nor anybody a use for more.
JOINED_MAX = 64
# Formulas kept as read: copies of one formula are common, and trees are immutable.
_FORMULAS_KEPT = 4_096
# Excel writes these before functions that came after 2007.
_PREFIXES = ("_XLFN.", "_XLWS.")
# Characters that no sheet's name holds; before "!" they show the path of another workbook.
_PATH_CHARACTERS = frozenset("[]\\/")
# How the functions of add-ins for simulation begin, some of which live in a workbook of their own.
_PEERS = ("RISK", "PSI", "CB.")

# Higher binds tighter. A sign binds tighter than any of them, so -2^2 is 4, and 2^3^2 is 64.
_BINDING = {
    "=": 1, "<>": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 5,
}  # fmt: skip
# Operands of one word, where none of the operators of references follows.
_SHORT_KINDS = frozenset({"cell", "number", "text"})
_AFTER_OPERAND = frozenset({*_BINDING, "%", ",", ")"})
# Words that may begin the second of two references with only a space between.
_REFERENCE_KINDS = frozenset({"cell", "columns", "rows", "sheet", "name", "call", "bracket"})
_REFERENCES = (Reference, Name, Group, Call, Structured, Spilled, Invoke, External, ErrorLiteral)


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula as read: its tree, and the names of the functions it calls, one for each call."""

    tree: Node
    functions: tuple[str, ...]


def parse(text: str) -> Node:
    """The tree of a formula: read_formula() without its functions."""
    return read_formula(text).tree


@lru_cache(maxsize=_FORMULAS_KEPT)
def read_formula(text: str) -> Formula:
    """Read a formula, with or without its equals sign.

    Raises: UnreadableFormula for what Excel would not accept, UnsupportedFormula for what asks other programs
    (DDE, functions of other workbooks).
    """
    if (length := shown_length(text)) > FORMULA_LENGTH_MAX:
        raise UnreadableFormula(
            f"The formula has {length:,} characters and Excel allows {FORMULA_LENGTH_MAX:,}; "
            "split it over several cells."
        )
    try:
        parser = _Parser(text.removeprefix("="))
        return Formula(parser.formula(), tuple(parser.functions))
    except UnreadableFormula:
        if is_data_exchange(text):
            raise UnsupportedFormula(
                "The formula asks another program (DDE), which is not supported; "
                "replace it by the value that it gives.",
                construct="DDE link",
            ) from None
        raise


class _Parser(Cursor):
    """Precedence climbing over the lexemes of one formula."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.functions: list[str] = []

    # --- operators ---------------------------------------------------------------------------------------

    def formula(self) -> Node:
        tree = self.union()
        if self.kind != "end":
            raise self.unreadable()
        return tree

    def union(self) -> Node:
        left = self.expression(0)
        while self.take(","):
            left = Binary(",", left, self.expression(0))
        return left

    def expression(self, binding: int) -> Node:
        self.deepen()
        left = self.signed()
        percents = 0
        while self.kind == "operator":
            operator = self.text
            if operator == "%":
                percents += 1
                if percents > NESTING_MAX:
                    raise self.unreadable()
                self.advance()
                left = Percent(left)
                continue
            operator_binding = _BINDING.get(operator, 0)
            if operator_binding <= binding:
                break
            self.advance()
            left = Binary(operator, left, self.expression(operator_binding))
        self.depth -= 1
        return left

    def signed(self) -> Node:
        if self.kind in _SHORT_KINDS:
            # Most operands are one word; the way through every kind of reference takes several times as long.
            following, operator, _ = self.lexemes[self.position + 1]
            if following == "end" or (following == "operator" and operator in _AFTER_OPERAND):
                return self.plain_operand()
        if self.kind != "operator" or self.text not in ("+", "-"):
            return self.intersection()
        signs = []
        while self.kind == "operator" and self.text in ("+", "-"):
            signs.append(self.text)
            self.deepen()
            self.advance()
        tree = self.intersection()
        for sign in reversed(signs):
            tree = Unary(sign, tree)
        self.depth -= len(signs)
        return tree

    def intersection(self) -> Node:
        if self.take("@"):
            self.deepen()
            inner = self.intersection()
            self.depth -= 1
            return Single(inner)
        left = self.range()
        count = 0
        while self.space and self.begins_reference() and isinstance(left, (*_REFERENCES, Binary)):
            count = self.joins(count)
            left = Binary(" ", left, self.range())
        return left

    def begins_reference(self) -> bool:
        return self.kind in _REFERENCE_KINDS or (self.kind == "operator" and self.text == "(")

    def range(self) -> Node:
        left = self.operand()
        count = 0
        while self.kind == "operator" and self.text == ":":
            count = self.joins(count)
            if not isinstance(left, (*_REFERENCES, Binary)):
                raise self.unreadable()
            self.advance()
            left = range_of(left, self.operand())
        return left

    def joins(self, count: int) -> int:
        """One reference more in a row. Raises: UnreadableFormula."""
        if count >= JOINED_MAX:
            raise UnreadableFormula(
                f"The formula joins more than {JOINED_MAX} references in a row by colons or spaces; "
                "name the range instead."
            )
        return count + 1

    # --- operands ----------------------------------------------------------------------------------------

    def operand(self) -> Node:
        node = self.plain_operand()
        while self.kind in {"operator", "bracket"}:
            if self.kind == "bracket":
                if self.space:
                    break
                if not isinstance(node, (Name, External)):
                    raise self.unreadable()
                node = self.of_table(node)
            elif self.text == "#" and isinstance(node, _REFERENCES) and not isinstance(node, Spilled):
                self.advance()
                node = Spilled(node)
            elif self.text == "(" and self.space and _is_function(node):
                # Excel takes the space out when a formula is typed; other programs leave it in.
                self.advance()
                node = self.call(node.text.upper())
            elif self.text == "(" and _may_be_called(node, self.space):
                self.advance()
                node = Invoke(node, self.arguments())
            else:
                break
        return node

    def plain_operand(self) -> Node:
        kind, text = self.kind, self.text
        self.advance()
        match kind:
            case "cell" | "columns" | "rows":
                return reference_of(None, kind, text)
            case "number":
                return Number(number_of(text))
            case "call":
                return self.call(text[:-1].upper())
            case "text":
                return Text(text[1:-1].replace('""', '"'))
            case "name":
                return name_of(None, text)
            case "sheet":
                return self.on_sheet(text[:-1])
            case "error":
                return self.error(text)
            case "bracket":
                return Structured(None, *parse_brackets(text))
            case "operator" if text == "(":
                return self.group()
            case "operator" if text == "{":
                return read_array(self)
        self.position -= kind != "end"
        self.kind, self.text, self.space = self.lexemes[self.position]
        raise self.unreadable()

    def group(self) -> Node:
        self.nest()
        inner = self.union()
        self.expect(")")
        self.nesting -= 1
        return Group(inner)

    def call(self, name: str) -> Node:
        arguments = self.arguments()
        bare = _unmarked(name)
        if bare in ("SINGLE", "ANCHORARRAY") and len(arguments) == 1:
            return Single(arguments[0]) if bare == "SINGLE" else Spilled(arguments[0])
        # What Excel marks as a function of a version after ours stays marked: it is one, even if unknown here.
        known = bare if bare in EXCEL_FUNCTIONS or bare == name else f"_XLFN.{bare}"
        self.functions.append(known)
        return Call(known, arguments)

    def arguments(self) -> tuple[Node, ...]:
        self.nest()
        arguments: list[Node] = []
        if not self.take(")"):
            arguments.append(self.argument())
            while self.take(","):
                arguments.append(self.argument())
            self.expect(")")
        if len(arguments) > ARGUMENTS_MAX:
            raise UnreadableFormula(
                f"The formula calls a function with {len(arguments):,} arguments and Excel allows {ARGUMENTS_MAX}; "
                "give it ranges instead."
            )
        self.nesting -= 1
        return tuple(arguments)

    def argument(self) -> Node:
        if self.kind == "operator" and self.text in (",", ")"):
            return Omitted()
        return self.expression(0)

    def error(self, text: str) -> Node:
        value = ERROR_BY_TEXT[text.upper()]
        # #REF!A1 is a reference to a sheet that was deleted.
        if (
            value is ErrorValue.REF
            and not self.space
            and self.kind in ("cell", "columns", "rows", "name", "error")
        ):
            self.advance()
        return ErrorLiteral(value)

    def on_sheet(self, written: str) -> Node:
        sheet = written[1:-1].replace("''", "'") if written.startswith("'") else written
        if not _PATH_CHARACTERS.isdisjoint(sheet):
            return self.external(written)
        kind, text = self.kind, self.text
        if kind not in ("cell", "columns", "rows", "name", "error"):
            raise self.unreadable()
        self.advance()
        first, colon, last = sheet.partition(":")
        if kind == "error":
            return ErrorLiteral(ERROR_BY_TEXT[text.upper()])
        if kind == "name" and colon:
            raise UnreadableFormula(f"A name belongs to one sheet or to all, not to {sheet!r}.")
        if kind == "name":
            return name_of(sheet or None, text)
        reference = reference_of(first or None, kind, text)
        if not colon or not isinstance(reference, Reference):
            return reference
        last_corner = reference.last
        if kind == "cell" and self.kind == "operator" and self.text == ":":
            following_kind, following, _ = self.lexemes[self.position + 1]
            if following_kind == "cell" and (found := find_corner(following)) is not None:
                last_corner = found
                self.advance()
                self.advance()
        return Reference(first, reference.first, last_corner, last)

    def external(self, sheet: str) -> Node:
        if self.kind == "call" and self.text.upper().startswith(_PEERS):
            # An add-in that is a workbook, as XLRisk is: [1]!RiskNormal(10,2).
            return self.plain_operand()
        if self.kind == "call":
            raise UnsupportedFormula(
                f"The formula calls {self.text[:-1]}, a function of another workbook, which is not supported; "
                "replace it by the value that it gives.",
                construct=f"function of another workbook ({self.text[:-1]})",
            )
        if self.kind not in ("cell", "columns", "rows", "name", "error", "bracket"):
            raise self.unreadable()
        kind = self.kind
        text = f"{sheet}!{self.text}"
        self.advance()
        if kind == "cell" and self.kind == "operator" and self.text == ":":
            following_kind, following, _ = self.lexemes[self.position + 1]
            if following_kind == "cell":
                text += f":{following}"
                self.advance()
                self.advance()
        return External(text)

    def of_table(self, table: Name | External) -> Node:
        brackets = self.text
        self.advance()
        if isinstance(table, External):
            return External(table.text + brackets)
        return Structured(table.text, *parse_brackets(brackets))


def _unmarked(name: str) -> str:
    """A function's name in capitals without the marks that files write before it."""
    while name.startswith(_PREFIXES):
        name = name.partition(".")[2]
    return name


def _is_function(node: Node) -> TypeGuard[Name]:
    return isinstance(node, Name) and node.sheet is None and _unmarked(node.text.upper()) in EXCEL_FUNCTIONS


def _may_be_called(node: Node, space: str) -> bool:
    """Whether a bracket behind a node holds arguments; behind a space it is the other side of an intersection."""
    if isinstance(node, Call) and node.name == "LAMBDA":
        return True
    return not space and isinstance(node, (Call, Invoke, Group))
