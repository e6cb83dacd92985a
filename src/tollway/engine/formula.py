"""Reads Excel's formula language into a tree (syntax.py), and shifts references as shared formulas need.

The tree is syntax only: names are not resolved and sheets not looked up (graph.py does that).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from tollway.engine.syntax import (
    COLUMN_MAX,
    ROW_MAX,
    ArrayConstant,
    Binary,
    Call,
    Corner,
    ErrorLiteral,
    External,
    Group,
    Logical,
    Name,
    Node,
    Number,
    Omitted,
    Percent,
    Reference,
    Text,
    Unary,
    cell_text,
    column_number,
    print_corner,
    print_formula,
    sheet_text,
)
from tollway.engine.values import (
    ERROR_BY_TEXT,
    UnreadableFormula,
    UnsupportedFormula,
    Value,
)

__all__ = ["cell_text", "parse", "print_formula", "sheet_text", "shifted"]

# Excel's own limits.
FORMULA_LENGTH_MAX = 8_192
NESTING_MAX = 64
# Operators inside operators inside brackets; NESTING_MAX brackets hold far fewer in any real formula.
DEPTH_MAX = 192
# Parsed trees kept: copies of one formula are common, and trees are immutable.
_TREES_KEPT = 4_096


# --- text to tree --------------------------------------------------------------------------------------


@lru_cache(maxsize=_TREES_KEPT)
def parse(text: str) -> Node:
    """Read a formula, with or without its equals sign.

    Raises: UnreadableFormula for what Excel would not accept, UnsupportedFormula for what this engine
    does not compute yet (structured references, spilled ranges, 3-D and external references).
    """
    if len(text) > FORMULA_LENGTH_MAX:
        raise UnreadableFormula(
            f"The formula has {len(text):,} characters and Excel allows {FORMULA_LENGTH_MAX:,}; "
            "split it over several cells."
        )
    return _Parser(text.removeprefix("=")).formula()


@dataclass(frozen=True, slots=True)
class _Lexeme:
    kind: str
    text: str
    after_space: bool


_SHEET = r"(?:'(?:[^']|'')+'|(?:\[\d+\])?[^\W\d][\w.]*(?::[^\W\d][\w.]*)?|\[\d+\])!"
_LEXEME = re.compile(
    rf"""(?P<space>[ \t\r\n]*)(?:
    (?P<text>"(?:[^"]|"")*")
  | (?P<error>{"|".join(re.escape(text) for text in ERROR_BY_TEXT)})
  | (?P<sheet>{_SHEET})
  | (?P<columns>\$?[A-Za-z]{{1,3}}:\$?[A-Za-z]{{1,3}}(?![\w.(!\[]))
  | (?P<rows>\$?\d{{1,7}}:\$?\d{{1,7}}(?![\w.]))
  | (?P<cell>\$?[A-Za-z]{{1,3}}\$?\d{{1,7}}(?![\w.(!\[]))
  | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<call>[^\W\d][\w.]*\()
  | (?P<name>[^\W\d\\][\w.\\?]*|\\[\w.\\?]*)
  | (?P<operator><=|>=|<>|[-+*/^&=<>%,:;(){{}}@\#])
  | (?P<bracket>\[[^\]]*\]?)
  | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_CELL = re.compile(r"(\$?)([A-Za-z]{1,3})(\$?)(\d{1,7})")
# Higher binds tighter. A sign binds tighter than any of them, so -2^2 is 4, and 2^3^2 is 64.
_BINDING = {
    "=": 1, "<>": 1, "<": 1, ">": 1, "<=": 1, ">=": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "^": 5,
}  # fmt: skip
_BINDING_PERCENT = 6
_BINDING_SIGN = 7
_PREFIXES = ("_XLFN.", "_XLWS.", "_XLUDF.")


def _lexemes(text: str) -> Iterator[_Lexeme]:
    position = 0
    while True:
        match = _LEXEME.match(text, position)
        if match is None or match.lastgroup is None:
            raise UnreadableFormula(
                f"The formula cannot be read from character {position + 1} on: {text[position : position + 20]!r}."
            )
        kind = match.lastgroup
        yield _Lexeme(kind, match[kind], bool(match["space"]))
        if kind == "end":
            return
        position = match.end()


class _Parser:
    """Precedence climbing over the lexemes of one formula."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lexemes = list(_lexemes(text))
        self.position = 0
        self.nesting = 0
        self.depth = 0

    def formula(self) -> Node:
        tree = self.expression(0)
        if self.next.kind != "end":
            raise self.unreadable()
        return tree

    @property
    def next(self) -> _Lexeme:
        return self.lexemes[self.position]

    def take(self) -> _Lexeme:
        lexeme = self.lexemes[self.position]
        self.position += 1
        return lexeme

    def take_operator(self, operator: str) -> bool:
        if self.next.kind == "operator" and self.next.text == operator:
            self.position += 1
            return True
        return False

    def expect(self, operator: str) -> None:
        if not self.take_operator(operator):
            raise self.unreadable()

    def unreadable(self) -> UnreadableFormula:
        found = "the end of the formula" if self.next.kind == "end" else repr(self.next.text)
        return UnreadableFormula(
            f"The formula does not follow Excel's grammar at {found}: ={self.text[:200]}"
        )

    def expression(self, binding: int) -> Node:
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise UnreadableFormula(
                f"The formula has more than {DEPTH_MAX} operators inside one another; "
                "split it over several cells."
            )
        left = self.intersections()
        percents = 0
        while True:
            lexeme = self.next
            if lexeme.kind != "operator":
                break
            if lexeme.text == "%" and binding < _BINDING_PERCENT:
                percents += 1
                if percents > NESTING_MAX:
                    raise self.unreadable()
                self.position += 1
                left = Percent(left)
                continue
            operator_binding = _BINDING.get(lexeme.text, 0)
            if operator_binding <= binding:
                break
            self.position += 1
            left = Binary(lexeme.text, left, self.expression(operator_binding))
        self.depth -= 1
        return left

    def intersections(self) -> Node:
        left = self.operand()
        while self.next.after_space and self.next.kind in ("cell", "columns", "rows", "sheet", "name"):
            if not isinstance(left, (Reference, Name, Group, Binary)):
                raise self.unreadable()
            left = Binary(" ", left, self.operand())
        if self.next.kind == "operator" and self.next.text == ":":
            raise _unsupported(
                "range with a computed end", "a range whose end is computed (such as A1:INDEX(...))"
            )
        if self.next.kind == "operator" and self.next.text == "#":
            raise _unsupported("spilled range", "a reference to a spilled range (#)")
        if self.next.kind == "bracket":
            raise _unsupported("structured reference", "a structured reference (Table[column])")
        return left

    def operand(self) -> Node:
        lexeme = self.take()
        match lexeme.kind:
            case "number":
                value = float(lexeme.text)
                if value == float("inf"):
                    raise UnreadableFormula(f"The number {lexeme.text} is larger than Excel allows.")
                return Number(value)
            case "text":
                return Text(lexeme.text[1:-1].replace('""', '"'))
            case "error":
                return ErrorLiteral(ERROR_BY_TEXT[lexeme.text])
            case "sheet":
                return self.on_sheet(lexeme.text[:-1])
            case "cell" | "columns" | "rows":
                return self.reference(None, lexeme)
            case "call":
                return self.call(lexeme.text[:-1])
            case "name":
                return self.name(None, lexeme.text)
            case "bracket":
                raise _unsupported("structured reference", "a structured reference (Table[column])")
            case "operator":
                return self.prefix(lexeme.text)
        self.position -= 1
        raise self.unreadable()

    def prefix(self, operator: str) -> Node:
        if operator in ("+", "-"):
            return Unary(operator, self.expression(_BINDING_SIGN))
        if operator == "(":
            return self.group()
        if operator == "{":
            return self.array_constant()
        if operator == "@":
            inner = self.operand()
            if isinstance(inner, Reference) and inner.last is None:
                return inner
            raise _unsupported("implicit intersection", "the implicit intersection operator (@)")
        self.position -= 1
        raise self.unreadable()

    def group(self) -> Node:
        self.enter()
        inner = self.expression(0)
        while self.take_operator(","):
            inner = Binary(",", inner, self.expression(0))
        self.expect(")")
        self.nesting -= 1
        return Group(inner)

    def enter(self) -> None:
        self.nesting += 1
        if self.nesting > NESTING_MAX:
            raise UnreadableFormula(
                f"The formula nests brackets deeper than the {NESTING_MAX} levels that Excel allows; "
                "split it over several cells."
            )

    def call(self, written: str) -> Node:
        self.enter()
        name = written.upper()
        while name.startswith(_PREFIXES):
            name = name.partition(".")[2]
        arguments: list[Node] = []
        if not self.take_operator(")"):
            arguments.append(self.argument())
            while self.take_operator(","):
                arguments.append(self.argument())
            self.expect(")")
        self.nesting -= 1
        return Call(name, tuple(arguments))

    def argument(self) -> Node:
        if self.next.kind == "operator" and self.next.text in (",", ")"):
            return Omitted()
        return self.expression(0)

    def name(self, sheet: str | None, text: str) -> Node:
        if sheet is None and text.upper() in ("TRUE", "FALSE"):
            return Logical(text.upper() == "TRUE")
        return Name(sheet, text)

    def on_sheet(self, written: str) -> Node:
        sheet = written[1:-1].replace("''", "'") if written.startswith("'") else written
        if "[" in sheet:
            return self.external(written)
        if ":" in sheet:
            raise _unsupported("3-D reference", "a reference over several sheets (Sheet1:Sheet3!A1)")
        lexeme = self.take()
        if lexeme.kind in ("cell", "columns", "rows"):
            return self.reference(sheet, lexeme)
        if lexeme.kind == "name":
            return self.name(sheet, lexeme.text)
        if lexeme.kind == "error":
            return ErrorLiteral(ERROR_BY_TEXT[lexeme.text])
        self.position -= 1
        raise self.unreadable()

    def external(self, sheet: str) -> Node:
        lexeme = self.take()
        if lexeme.kind not in ("cell", "columns", "rows", "name", "error"):
            raise _unsupported("external reference", "a function of another workbook")
        text = f"{sheet}!{lexeme.text}"
        if lexeme.kind == "cell" and self.next.text == ":" and self.lexemes[self.position + 1].kind == "cell":
            self.position += 1
            text += f":{self.take().text}"
        return External(text)

    def reference(self, sheet: str | None, lexeme: _Lexeme) -> Node:
        if lexeme.kind != "cell":
            first, _, last = lexeme.text.partition(":")
            return Reference(sheet, _line(first), _line(last))
        corner = _corner(lexeme.text)
        if corner is None:
            return Name(sheet, lexeme.text)
        if self.next.kind == "operator" and self.next.text == ":":
            following = self.lexemes[self.position + 1]
            if following.kind == "cell" and (last_corner := _corner(following.text)) is not None:
                self.position += 2
                return Reference(sheet, corner, last_corner)
        return Reference(sheet, corner)

    def array_constant(self) -> Node:
        rows: list[tuple[Value, ...]] = []
        row: list[Value] = [self.constant()]
        while not self.take_operator("}"):
            if self.take_operator(","):
                row.append(self.constant())
            else:
                self.expect(";")
                rows.append(tuple(row))
                row = [self.constant()]
        rows.append(tuple(row))
        if any(len(other) != len(rows[0]) for other in rows):
            raise UnreadableFormula("The rows of an array constant have different lengths.")
        return ArrayConstant(tuple(rows))

    def constant(self) -> Value:
        sign = -1.0 if self.take_operator("-") else 1.0
        if sign > 0:
            self.take_operator("+")
        node = self.operand()
        if isinstance(node, Number):
            return sign * node.value
        if isinstance(node, (Text, Logical, ErrorLiteral)) and sign > 0:
            return node.value
        raise self.unreadable()


def _unsupported(construct: str, words: str) -> UnsupportedFormula:
    return UnsupportedFormula(f"The formula uses {words}, which is not supported yet.", construct=construct)


def _corner(text: str) -> Corner | None:
    """The cell that a text such as $A1 names; None where the sheet does not reach that far (it is a name)."""
    match = _CELL.fullmatch(text)
    if match is None:
        return None
    row, column = int(match[4]), column_number(match[2])
    if not (1 <= row <= ROW_MAX and column <= COLUMN_MAX):
        return None
    return Corner(row, column, bool(match[3]), bool(match[1]))


def _line(text: str) -> Corner:
    """One end of a whole-column or whole-row reference."""
    fixed, bare = text.startswith("$"), text.removeprefix("$")
    if bare.isdigit():
        if not 1 <= int(bare) <= ROW_MAX:
            raise UnreadableFormula(f"A sheet has no row {bare}; rows are 1 to {ROW_MAX:,}.")
        return Corner(int(bare), None, row_fixed=fixed)
    if column_number(bare) > COLUMN_MAX:
        raise UnreadableFormula(f"A sheet has no column {bare.upper()}; the last is XFD.")
    return Corner(None, column_number(bare), column_fixed=fixed)


# --- shared formulas -----------------------------------------------------------------------------------


def shifted(text: str, rows: int, columns: int) -> str:
    """The formula as Excel would copy it `rows` down and `columns` to the right: fixed parts ($) stay.

    A reference that leaves the sheet becomes #REF!. Works on the text, so that a formula which cannot be
    computed is still copied and refused where it stands.
    """
    parts: list[str] = []
    for lexeme in _lexemes(text):
        written = lexeme.text
        if lexeme.kind == "cell" and (corner := _corner(written)) is not None:
            written = _shifted_corner(corner, rows, columns)
        elif lexeme.kind in ("columns", "rows"):
            first, _, last = written.partition(":")
            ends = [_shifted_corner(_line(end), rows, columns) for end in (first, last)]
            written = "#REF!" if "#REF!" in ends else ":".join(ends)
        parts.append((" " if lexeme.after_space else "") + written)
    return "".join(parts)


def _shifted_corner(corner: Corner, rows: int, columns: int) -> str:
    row = corner.row if corner.row is None or corner.row_fixed else corner.row + rows
    column = corner.column if corner.column is None or corner.column_fixed else corner.column + columns
    if (row is not None and not 1 <= row <= ROW_MAX) or (
        column is not None and not 1 <= column <= COLUMN_MAX
    ):
        return "#REF!"
    return print_corner(Corner(row, column, corner.row_fixed, corner.column_fixed))
