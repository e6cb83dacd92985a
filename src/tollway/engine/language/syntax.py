"""The tree of a formula: its nodes, and how cells and sheets are named."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tollway.engine.values import ErrorValue, Value

ROW_MAX = 1_048_576
COLUMN_MAX = 16_384


# --- the tree ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written; never negative."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text between double quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Logical:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True, slots=True)
class ErrorLiteral:
    """An error value as written, such as #REF!."""

    value: ErrorValue


@dataclass(frozen=True, slots=True)
class ArrayConstant:
    """{1,2;3,4}: rows of constants, all of one length."""

    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Omitted:
    """An argument left out between two commas."""


@dataclass(frozen=True, slots=True)
class Corner:
    """One end of a reference, counted from 1; a whole column has no row, a whole row no column."""

    row: int | None
    column: int | None
    row_fixed: bool = False
    column_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A1, A1:B2, A:B or 1:2, with or without a sheet; `last_sheet` where it goes over several (Jan:Mar!A1)."""

    sheet: str | None
    first: Corner
    last: Corner | None = None
    last_sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Structured:
    """Table[[#Data],[first]:[last]]: `items` are "#all", "#data", "#headers", "#totals", "#this row", in lower case.

    `table` is None inside the table itself. Only the parser makes these; binding puts an Area in their place.
    """

    table: str | None
    items: tuple[str, ...] = ()
    first: str | None = None
    last: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A defined name; `sheet` where it was written before the name."""

    sheet: str | None
    text: str


@dataclass(frozen=True, slots=True)
class External:
    """A reference to another workbook, as written. Never followed: Excel's stored value stands for the cell."""

    text: str


@dataclass(frozen=True, slots=True)
class Unary:
    """+x or -x."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Percent:
    """x%."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands; " " is the intersection and "," the union of references."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Group:
    """(x). Kept, because Excel treats a bracketed + or - differently from a bare one."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments; the name is in capitals and without _xlfn."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Single:
    """@x: of a range the cell in line with this one, of an array the first element."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Spilled:
    """A1#: the whole array that the formula in one cell spills; #REF! where that cell spills nothing."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Invoke:
    """What an expression gives, a LAMBDA, called with arguments: LAMBDA(x,x+1)(2), or a name for one."""

    callee: Node
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name that the LET or LAMBDA around it gives a value; in lower case. Only binding makes these."""

    name: str


@dataclass(frozen=True, slots=True)
class Let:
    """LET(name, value, ..., result); later values see the names before them. Only binding makes these."""

    bindings: tuple[tuple[str, Node], ...]
    result: Node


@dataclass(frozen=True, slots=True)
class Lambda:
    """LAMBDA(parameters..., body); the last `optional_count` parameters may be left out. Only binding makes these."""

    parameters: tuple[str, ...]
    body: Node
    optional_count: int = 0


@dataclass(frozen=True, slots=True)
class NamedLambda:
    """A defined name whose formula is a LAMBDA; looked up when called, so that it may call itself.

    Only binding makes these: (sheet of the name or None, its name in lower case).
    """

    scope: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Union:
    """(A1:B2,D4): references joined by commas, or one over several sheets. Only binding makes these."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class DataTable:
    """One cell of Excel's what-if table: its formula's value with other values in one or two input cells.

    `formula` is the cell whose formula is computed anew; each of `inputs` pairs an input cell with the cell that
    holds the value put there. Only binding makes these.
    """

    formula: Area
    inputs: tuple[tuple[Area, Area], ...]


@dataclass(frozen=True, slots=True)
class Area:
    """A reference bound to its sheet: (top, left, bottom, right) counted from 1. Only graph.py makes these."""

    sheet: int
    bounds: tuple[int, int, int, int]
    is_cell: bool

    @property
    def address(self) -> tuple[int, int, int]:
        """Sheet, row and column of the top left cell."""
        return (self.sheet, self.bounds[0], self.bounds[1])


@dataclass(frozen=True, slots=True)
class ArrayPart:
    """One element, counted from 0, of what an array formula gives. Only graph.py makes these."""

    tree: Node
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Drawn:
    """A call that is drawn anew in every iteration: RAND(), RiskNormal(10,2). Only binding makes these.

    `chances` are cells beyond the last column of the sheet, each of which holds what is drawn: once the call is
    settled the value itself, before that a number between 0 and 1 that the arguments turn into one. While they hold
    nothing, no run is under way. `columns` is the width of what the call gives: 1, but for RANDARRAY.

    `properties` are the calls among the arguments that say more about the draw, such as RiskTruncate(0,20);
    `asides` those that no value depends on, such as RiskCorrmat(A1:C3,1).
    """

    name: str
    arguments: tuple[Node, ...]
    properties: tuple[Call, ...]
    asides: tuple[Call, ...]
    chances: tuple[Area, ...]
    columns: int = 1
    is_settled: bool = False


Node = (
    Number
    | Text
    | Logical
    | ErrorLiteral
    | ArrayConstant
    | Omitted
    | Reference
    | Name
    | External
    | Unary
    | Percent
    | Binary
    | Group
    | Call
    | Structured
    | Single
    | Spilled
    | Invoke
    | Parameter
    | Let
    | Lambda
    | NamedLambda
    | Union
    | DataTable
    | Area
    | ArrayPart
    | Drawn
)


# --- walking -------------------------------------------------------------------------------------------


def children(node: Node) -> Sequence[Node]:
    """The nodes directly below one."""
    match node:
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Group(inner):
            return (inner,)
        case Unary(_, operand) | Percent(operand) | Single(operand) | Spilled(operand):
            return (operand,)
        case ArrayPart(tree, _, _):
            return (tree,)
        case Invoke(callee, arguments):
            return (callee, *arguments)
        case Let(bindings, result):
            return (*(value for _, value in bindings), result)
        case Lambda(_, body, _):
            return (body,)
        case Union(parts):
            return parts
        case Drawn():
            if node.is_settled:
                return node.chances
            said = [argument for one in node.properties for argument in one.arguments]
            return (*node.arguments, *said, *node.chances)
        case DataTable(formula, inputs):
            return (formula, *(area for pair in inputs for area in pair))
        case _:
            return ()


def every_node(tree: Node) -> Iterator[Node]:
    """A node and all below it, in the order written; what is below a node is looked at after it was given."""
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


# --- addresses -----------------------------------------------------------------------------------------


def column_number(letters: str) -> int:
    """A is 1, Z 26, AA 27."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


@lru_cache(maxsize=COLUMN_MAX)
def column_letters(number: int) -> str:
    """1 is A, 26 Z, 27 AA."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def cell_text(row: int, column: int) -> str:
    """B5 for row 5, column 2."""
    return f"{column_letters(column)}{row}"


_AREA = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})(?::\$?([A-Za-z]{1,3})\$?(\d{1,7}))?")


def area_bounds(reference: str) -> tuple[int, int, int, int] | None:
    """The bounds that a text such as B2:C5 names; None where it names none on a sheet."""
    match = _AREA.fullmatch(reference.strip())
    if match is None:
        return None
    top, left = int(match[2]), column_number(match[1])
    bottom, right = (int(match[4]), column_number(match[3])) if match[4] else (top, left)
    if not (1 <= top <= bottom <= ROW_MAX and left <= right <= COLUMN_MAX):
        return None
    return (top, left, bottom, right)


_BARE_SHEET = re.compile(r"[^\W\d][\w.]*")
_LIKE_CELL = re.compile(
    r"[A-Za-z]{1,3}\d{1,7}|[Rr]\d*[Cc]\d*|[Rr]|[Cc]|[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"
)


def sheet_text(name: str) -> str:
    """A sheet's name as formulas write it: in single quotes unless it is a plain word."""
    if _BARE_SHEET.fullmatch(name) and not _LIKE_CELL.fullmatch(name):
        return name
    return "'" + name.replace("'", "''") + "'"
