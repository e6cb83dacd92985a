"""Binds the tree of a formula to its workbook: references to sheets, names and tables to what they stand for,
LET and LAMBDA to their parameters, functions to those that are computed; refuses the rest by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from tollway.engine.exact.drawn_calls import OutputMark, bind_draw, fused
from tollway.engine.exact.joining import intersection, range_between, resized, union
from tollway.engine.functions import find_function
from tollway.engine.language.copying import wrapped
from tollway.engine.language.cursor import DEPTH_MAX
from tollway.engine.language.formula import parse
from tollway.engine.language.function_names import EXCEL_FUNCTIONS
from tollway.engine.language.lambda_names import PARAMETER_PREFIX, is_lambda, parameter_name
from tollway.engine.language.syntax import (
    COLUMN_MAX,
    ROW_MAX,
    Area,
    ArrayConstant,
    Binary,
    Call,
    Corner,
    ErrorLiteral,
    External,
    Group,
    Invoke,
    Lambda,
    Let,
    Logical,
    Name,
    NamedLambda,
    Node,
    Number,
    Omitted,
    Parameter,
    Percent,
    Reference,
    Single,
    Spilled,
    Structured,
    Text,
    Unary,
    Union,
)
from tollway.engine.values import ErrorValue, UnreadableFormula, UnsupportedFormula
from tollway.engine.workbooks.cells import Bounds
from tollway.engine.workbooks.tables import structured_area, table_at
from tollway.engine.workbooks.workbook import DefinedName, Workbook

# Names that stand for names that stand for names; no honest workbook goes deeper.
NAME_DEPTH_MAX = 16
# References, numbers, operators and calls in one formula, those of its names included.
PARTS_MAX = 20_000
# Deeper than any formula is read; names inside one another may add some.
_BOUND_DEPTH_MAX = DEPTH_MAX + NAME_DEPTH_MAX
# Looking a name up and reading its formula costs as much as this many other parts.
_PARTS_OF_A_NAME = 10
_LAMBDA_PARAMETERS_MAX = 253
# They came with the Analysis ToolPak and give #N/A where an argument is left empty; others take 0 or "".
_NEVER_OMITTED = frozenset({"EDATE", "EOMONTH", "MROUND", "QUOTIENT"})
# They give the range they add the size of the range they test.
_SUM_RANGE_FUNCTIONS = frozenset({"SUMIF", "AVERAGEIF"})
# How Excel marks, in files, functions given as values and those of add-ins.
_VALUE_PREFIX = "_xleta."
_ADD_IN_PREFIXES = ("_XLL.", "_XLUDF.", "__XLUDF.")
# Trims of blank edges, which formulas write as dots around the colon.
_TRIMS = {"_TRO_ALL": 3.0, "_TRO_LEADING": 1.0, "_TRO_TRAILING": 2.0}
# With how many arguments they call a function they are given; MAP with one for each of its arrays.
_CALLED_WITH = {
    "BYROW": 1, "BYCOL": 1, "REDUCE": 2, "SCAN": 2, "MAKEARRAY": 2, "GROUPBY": 1, "PIVOTBY": 1,
}  # fmt: skip
_GROUPING = frozenset({"GROUPBY", "PIVOTBY"})
_OF_A_WHOLE = "PERCENTOF"
_CONSTANTS = (Number, Text, Logical, ErrorLiteral, ArrayConstant, Omitted, External)


class Binder:
    """Binds formulas of one cell. So far, `parts_count` parts were bound, and `lambdas` were met by name."""

    def __init__(self, workbook: Workbook, address: tuple[int, int, int], *, is_movable: bool = True) -> None:
        self.workbook = workbook
        self.sheet, self.row, self.column = address
        self.parts_count = 0
        self.lambdas: set[NamedLambda] = set()
        self.draw_count = 0
        self.lambda_depth = 0
        self.output_marks: list[OutputMark] = []
        self._is_movable = is_movable
        self._depth = 0
        self._names: list[DefinedName] = []
        self._parameters: frozenset[str] = frozenset()

    def bind(self, tree: Node) -> Node:
        """The bound tree. Raises: UnreadableFormula, UnsupportedFormula."""
        self._depth += 1
        if self._depth > _BOUND_DEPTH_MAX:
            raise UnreadableFormula(
                f"The formula and the names it uses have more than {_BOUND_DEPTH_MAX} operators and calls "
                "inside one another; split it over several cells."
            )
        # Chains of operators lean to the left and may be thousands long: walked, not recursed into.
        spine: list[Binary | Percent] = []
        while isinstance(tree, (Binary, Percent)):
            spine.append(tree)
            tree = tree.left if isinstance(tree, Binary) else tree.operand
        bound = self._operand(tree)
        for node in reversed(spine):
            if isinstance(node, Percent):
                bound = Percent(bound)
                continue
            right = self.bind(node.right)
            match node.operator:
                case " ":
                    bound = intersection(bound, right)
                case ":":
                    bound = range_between(bound, right)
                case ",":
                    bound = union(bound, right)
                case operator:
                    bound = Binary(operator, bound, right)
        self._depth -= 1
        return bound

    def _operand(self, node: Node) -> Node:
        self.parts_count += 1
        if self.parts_count > PARTS_MAX:
            raise UnreadableFormula(
                f"The formula and the names it uses stand for more than {PARTS_MAX:,} references, numbers "
                "and calls; split it over several cells."
            )
        if isinstance(node, Reference):
            return self._area(node)
        if isinstance(node, _CONSTANTS):
            return node
        match node:
            case Call():
                return self._call(node)
            case Group(inner):
                bound = self.bind(inner)
                return bound if isinstance(bound, Union) else Group(bound)
            case Unary(operator, operand):
                return Unary(operator, self.bind(operand))
            case Name():
                return self._name(node)
            case Structured():
                return self._structured(node)
            case Single(operand):
                bound = self.bind(operand)
                return bound if isinstance(bound, Area) and bound.is_cell else Single(bound)
            case Spilled(operand):
                return Spilled(self.bind(operand))
            case Invoke(callee, arguments):
                return Invoke(self.bind(callee), tuple([self.bind(argument) for argument in arguments]))
            case _:
                raise AssertionError(node)

    # --- references --------------------------------------------------------------------------------------

    def _area(self, reference: Reference) -> Node:
        sheet = self.sheet
        if reference.sheet is not None:
            found = self.workbook.sheet_index.get(reference.sheet.lower())
            if found is None:
                return ErrorLiteral(ErrorValue.REF)
            sheet = found
        first, last = reference.first, reference.last
        if self._names:
            first = self._moved(first)
            last = None if last is None else self._moved(last)
        if last is None:
            assert first.row is not None
            assert first.column is not None
            bounds = (first.row, first.column, first.row, first.column)
        else:
            top, bottom = sorted((first.row or 1, last.row or ROW_MAX))
            left, right = sorted((first.column or 1, last.column or COLUMN_MAX))
            bounds = (top, left, bottom, right)
        if reference.last_sheet is not None:
            return self._over_sheets(sheet, reference.last_sheet, bounds, is_cell=last is None)
        return Area(sheet, bounds, last is None)

    def _moved(self, corner: Corner) -> Corner:
        """A corner in a defined name, whose unfixed parts are written as seen from A1."""
        if (corner.row is None or corner.row_fixed) and (corner.column is None or corner.column_fixed):
            return corner
        if not self._is_movable:
            raise UnsupportedFormula(
                f"The name {self._names[-1].name} stands for a LAMBDA whose references move with the cell, "
                "which is not supported yet.",
                construct="relative reference in a named LAMBDA",
            )
        return wrapped(corner, self.row - 1, self.column - 1)

    def _over_sheets(self, first: int, last_name: str, bounds: Bounds, *, is_cell: bool) -> Node:
        last = self.workbook.sheet_index.get(last_name.lower())
        if last is None:
            return ErrorLiteral(ErrorValue.REF)
        parts = [Area(sheet, bounds, is_cell) for sheet in range(min(first, last), max(first, last) + 1)]
        self.parts_count += len(parts)
        return parts[0] if len(parts) == 1 else Union(tuple(parts))

    def _structured(self, node: Structured) -> Node:
        if node.table is None:
            table = table_at(self.workbook.tables, self.sheet, self.row, self.column)
        else:
            table = self.workbook.tables.get(node.table.lower())
        if table is None:
            # A table that is gone is #REF!; a name that is no table cannot have columns either.
            return ErrorLiteral(ErrorValue.REF)
        return structured_area(node, table, self.sheet, self.row)

    # --- names -------------------------------------------------------------------------------------------

    def _name(self, node: Name) -> Node:
        lowered = node.text.lower()
        if node.sheet is None:
            bare = lowered.removeprefix(PARAMETER_PREFIX)
            if bare in self._parameters:
                return Parameter(bare)
            if lowered.startswith(_VALUE_PREFIX):
                return self._function_value(lowered.removeprefix(_VALUE_PREFIX).upper(), 1)
            scope = self.sheet
        else:
            found_sheet = self.workbook.sheet_index.get(node.sheet.lower())
            if found_sheet is None:
                return ErrorLiteral(ErrorValue.REF)
            scope = found_sheet
        found = self.workbook.find_name(node.text, scope)
        if found is not None:
            return self._defined(found)
        table = self.workbook.tables.get(lowered)
        if table is not None:
            return structured_area(Structured(table.name), table, self.sheet, self.row)
        return ErrorLiteral(ErrorValue.NAME)

    def _defined(self, found: DefinedName) -> Node:
        if found.is_macro:
            raise UnsupportedFormula(
                f"The formula uses {found.name}, a macro of the workbook, which is not run; "
                "replace it by the value that it gives.",
                construct=f"macro {found.name}",
            )
        try:
            tree = parse(found.formula)
        except UnreadableFormula as error:
            raise UnreadableFormula(f"The name {found.name} cannot be read: {error.message}") from error
        if is_lambda(tree):
            named = NamedLambda(found.sheet_index, found.name.lower())
            self.lambdas.add(named)
            return named
        if any(name is found for name in self._names):
            circle = " -> ".join(name.name for name in [*self._names[self._names.index(found) :], found])
            raise UnreadableFormula(
                f"The formula uses names that stand for one another in a circle ({circle[:200]}); "
                "let none of them depend on itself."
            )
        if len(self._names) >= NAME_DEPTH_MAX:
            raise UnreadableFormula(
                f"The name {found.name} stands for names that stand for names, more than {NAME_DEPTH_MAX} deep."
            )
        bound = self._inside(found, tree)
        return bound if isinstance(bound, (Area, Union, ErrorLiteral)) else Group(bound)

    def _inside(self, found: DefinedName, tree: Node) -> Node:
        outer = self._parameters
        self.parts_count += _PARTS_OF_A_NAME
        self._names.append(found)
        self._parameters = frozenset()
        bound = self.bind(tree)
        self._parameters = outer
        self._names.pop()
        return bound

    def named_lambda(self, found: DefinedName) -> Node:
        """The LAMBDA that a name stands for."""
        tree = parse(found.formula)
        while isinstance(tree, Group):
            tree = tree.inner
        return self._inside(found, tree)

    # --- functions ---------------------------------------------------------------------------------------

    def _call(self, node: Call) -> Node:
        parameter = node.name.lower().removeprefix(PARAMETER_PREFIX)
        if parameter in self._parameters:
            return Invoke(Parameter(parameter), self._arguments(node))
        if node.name == "LET":
            return self._let(node.arguments)
        if node.name == "LAMBDA":
            return self._lambda(node.arguments)
        if node.name in _TRIMS and len(node.arguments) == 1:
            edges = Number(_TRIMS[node.name])
            return self._call(Call("TRIMRANGE", (*node.arguments, edges, edges)))
        called = find_function(node.name)
        if called is None:
            return bind_draw(self, node) or self._unknown(node)
        if not called.accepts(len(node.arguments)):
            raise UnreadableFormula(
                f"The formula calls {node.name} with {len(node.arguments)} arguments, which Excel does not allow."
            )
        if node.name in _NEVER_OMITTED and Omitted() in node.arguments:
            return ErrorLiteral(ErrorValue.NA)
        arguments = self._arguments(node)
        if node.name in _SUM_RANGE_FUNCTIONS and len(arguments) == 3:
            arguments = (*arguments[:2], resized(arguments[2], arguments[0]))
        return fused(Call(node.name, arguments))

    def _arguments(self, node: Call) -> tuple[Node, ...]:
        bound: list[Node] = []
        for argument in node.arguments:
            name = self._function_name(argument)
            if name is None:
                bound.append(self.bind(argument))
            else:
                count = _CALLED_WITH.get(node.name, len(node.arguments) - 1 if node.name == "MAP" else 1)
                # GROUPBY offers all values too, to the one function that compares a part with them.
                count += name == _OF_A_WHOLE and node.name in _GROUPING
                bound.append(self._function_value(name, count))
        return tuple(bound)

    def _function_name(self, argument: Node) -> str | None:
        """The function that a bare name stands for: SUM in BYROW(A1:B9,SUM)."""
        if not isinstance(argument, Name) or argument.sheet is not None:
            return None
        lowered = argument.text.lower()
        if lowered.startswith(_VALUE_PREFIX):
            return lowered.removeprefix(_VALUE_PREFIX).upper()
        if lowered in self._parameters or find_function(lowered.upper()) is None:
            return None
        is_taken = self.workbook.find_name(lowered, self.sheet) is not None or lowered in self.workbook.tables
        return None if is_taken else lowered.upper()

    def _function_value(self, name: str, argument_count: int) -> Node:
        names = tuple(f"argument {index + 1}" for index in range(argument_count))
        outer = self._parameters
        self._parameters = outer | frozenset(names)
        self.lambda_depth += 1
        body = self._call(Call(name, tuple(Name(None, one) for one in names)))
        self.lambda_depth -= 1
        self._parameters = outer
        return Lambda(names, body)

    def _unknown(self, node: Call) -> Node:
        """A function that is not computed: a LAMBDA by name, a refusal, or #NAME? where Excel knows none either."""
        found = self.workbook.find_name(node.name, self.sheet)
        if found is not None:
            return Invoke(self._defined(found), self._arguments(node))
        name = node.name.removeprefix("_XLFN.")
        if name.startswith(_ADD_IN_PREFIXES):
            name = name.partition(".")[2]
            reason = "a function of an add-in, which"
        elif name in EXCEL_FUNCTIONS or name != node.name:
            reason = "which"
        elif self.workbook.has_macros:
            reason = "a function of the workbook's own macros, which"
        elif self._shows_a_value():
            reason = "which is no function of Excel but gave a value when the workbook was saved, and"
        else:
            return ErrorLiteral(ErrorValue.NAME)
        raise UnsupportedFormula(
            f"The formula uses {name}, {reason} is not supported yet; replace it by the value that it gives.",
            construct=name,
        )

    def _shows_a_value(self) -> bool:
        """Whether Excel, when it saved the workbook, knew what this cell calls: a macro or add-in that is not here."""
        cell = self.workbook.sheets[self.sheet].cells.get((self.row, self.column))
        return cell is not None and cell.value is not None and cell.value is not ErrorValue.NAME

    # --- LET and LAMBDA ----------------------------------------------------------------------------------

    def _let(self, arguments: Sequence[Node]) -> Node:
        if len(arguments) < 3 or len(arguments) % 2 == 0:
            raise UnreadableFormula("LET takes pairs of a name and its value, then what it gives.")
        outer = self._parameters
        bindings: list[tuple[str, Node]] = []
        for place in range(0, len(arguments) - 1, 2):
            name, is_optional = parameter_name(arguments[place], "LET")
            if is_optional:
                raise UnreadableFormula("A name of LET cannot be optional.")
            bindings.append((name, self._value(arguments[place + 1])))
            self._parameters |= {name}
        result = self._value(arguments[-1])
        self._parameters = outer
        return Let(tuple(bindings), result)

    def _lambda(self, arguments: Sequence[Node]) -> Node:
        if not 1 <= len(arguments) <= _LAMBDA_PARAMETERS_MAX + 1:
            raise UnreadableFormula(
                f"LAMBDA takes up to {_LAMBDA_PARAMETERS_MAX} names and then what it gives."
            )
        named = [parameter_name(argument, "LAMBDA") for argument in arguments[:-1]]
        names = tuple(name for name, _ in named)
        optional_count = sum(is_optional for _, is_optional in named)
        if len(set(names)) < len(names):
            raise UnreadableFormula("LAMBDA has two parameters of one name.")
        if any(is_optional for _, is_optional in named[: len(named) - optional_count]):
            raise UnreadableFormula("The optional parameters of a LAMBDA stand behind the others.")
        outer = self._parameters
        self._parameters = outer | frozenset(names)
        self.lambda_depth += 1
        body = self._value(arguments[-1])
        self.lambda_depth -= 1
        self._parameters = outer
        return Lambda(names, body, optional_count)

    def _value(self, node: Node) -> Node:
        name = self._function_name(node)
        return self.bind(node) if name is None else self._function_value(name, 1)
