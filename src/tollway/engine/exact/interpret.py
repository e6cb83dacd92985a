"""The exact scalar interpreter: one formula, one value, by Excel's rules. The oracle for every faster way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tollway.engine.exact.drawn_values import drawn_value
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.exact.invocation import CallLimits, EndlessLambdaError
from tollway.engine.exact.operators import apply_binary, apply_each, hundredth, negative
from tollway.engine.exact.range_rows import RangeRows
from tollway.engine.exact.references import find_spill, indirect, joined
from tollway.engine.exact.selection import SELECTIONS
from tollway.engine.functions import find_function
from tollway.engine.functions.ranges import (
    Bounds,
    CellRange,
    MultiRange,
    RangeArray,
    call_with_references,
    spread,
)
from tollway.engine.functions.registry import (
    GRID_CELLS_MAX,
    OMITTED,
    Argument,
    Closure,
    Context,
    Grid,
    call,
    element,
    kinds_of,
)
from tollway.engine.language.copying import shifted
from tollway.engine.language.syntax import (
    Area,
    ArrayConstant,
    ArrayPart,
    Binary,
    Call,
    Drawn,
    ErrorLiteral,
    External,
    Group,
    Invoke,
    Lambda,
    Let,
    Logical,
    NamedLambda,
    Node,
    Number,
    Omitted,
    Parameter,
    Percent,
    Single,
    Spilled,
    Text,
    Unary,
    Union,
)
from tollway.engine.values import ErrorValue, Value

# Operators between references; what they join is no value yet.
_JOINING = frozenset({":", " ", ","})
# A LAMBDA is no value for any other function.
_TAKING_LAMBDAS = frozenset(
    {"BYCOL", "BYROW", "GROUPBY", "MAKEARRAY", "MAP", "PIVOTBY", "REDUCE", "SCAN", "TYPE"}
)
# Of arrays they make arrays of references.
_COMPUTED = frozenset({"INDIRECT", "OFFSET"})
# They go through the filled cells of a range once, however far it reaches.
_READING_SPARSELY = frozenset(
    {"AVERAGE", "COUNT", "COUNTA", "MAX", "MEDIAN", "MIN", "PRODUCT", "SUM", "SUMSQ"}
)
_PLAIN = frozenset({float, str, bool, type(None), ErrorValue})


class ExternalReferenceError(Exception):
    """A formula reads another workbook: the value that Excel stored for the whole cell stands."""


class Interpreter(RangeRows):
    """Computes formulas over whatever `value_of` says each cell holds.

    `value_of` may raise NotComputedError, which passes through; `spill_of` gives the area that the array of a
    cell fills, or None for a cell without one. With `draws_stand`, RAND() outside of a run gives the middle of what it
    may give, where it is refused else.
    """

    def __init__(
        self,
        book: FormulaBook,
        value_of: Callable[[Address], Value],
        *,
        spill_of: Callable[[Address], Bounds | None] | None = None,
        draws_stand: bool = False,
    ) -> None:
        super().__init__(book, value_of)
        self.spill_of = spill_of or (lambda address: find_spill(book, address))
        self.limits = CallLimits()
        self.draws_stand = draws_stand
        self._address: Address = (0, 1, 1)
        self._array: tuple[int, int] | None = None
        self._context: Context | None = None
        self._names: dict[str, Any] = {}
        self._forms: dict[type, Callable[[Any, bool], Any]] = {
            Number: self._constant,
            Text: self._constant,
            Logical: self._constant,
            ErrorLiteral: self._constant,
            ArrayConstant: self._array_constant,
            Omitted: self._omitted,
            Area: self._area,
            Union: self._union,
            External: self._external,
            Call: self._call,
            Binary: self._binary,
            Percent: self._binary,
            Unary: self._unary,
            Group: self._group,
            Single: self._single,
            Spilled: self._spilled,
            Let: self._let,
            Lambda: self._lambda,
            NamedLambda: self._named_lambda,
            Parameter: self._parameter,
            Invoke: self._invoke,
            Drawn: self._drawn,
        }

    # --- a whole formula -------------------------------------------------------------------------------

    def cell_value(self, address: Address, tree: Node) -> Value:
        """What a cell with this formula shows; a blank becomes 0."""
        if isinstance(tree, ArrayPart):
            return shown(element(self.array(address, tree), tree.row, tree.column))
        self._enter(address, None)
        try:
            return shown(self._root(tree, is_array=False))
        except EndlessLambdaError:
            return ErrorValue.NUM

    def part(self, address: Address, node: Node, *, is_array: bool) -> Any:
        """What a part of a formula gives, as it stands in a cell: a value, array, reference or LAMBDA."""
        self._enter(address, None)
        try:
            return self.whole(node, is_array)
        except EndlessLambdaError:
            return ErrorValue.NUM

    def enter(self, address: Address) -> None:
        """Stand in a cell, before parts of its formula are asked for."""
        self._enter(address, None)

    def array(self, address: Address, part: ArrayPart) -> Argument:
        """What the array formula gives that a cell is part of, before it is cut to the area it fills."""
        sheet, row, column = address
        anchor = (sheet, row - part.row, column - part.column)
        cell = self.book.cell(anchor)
        size = None
        if cell is not None and cell.array is not None and not cell.is_dynamic:
            top, left, bottom, right = cell.array
            size = (bottom - top + 1, right - left + 1)
        self._enter(anchor, size)
        try:
            found = self._root(part.tree, is_array=True)
        except EndlessLambdaError:
            return ErrorValue.NUM
        return ErrorValue.CALC if isinstance(found, Closure) else found

    def _enter(self, address: Address, array: tuple[int, int] | None) -> None:
        self._address = address
        self._array = array
        self._context = None
        self._names = {}
        self.limits.restart()

    def _root(self, tree: Node, *, is_array: bool) -> Any:
        if type(tree) is Binary and tree.operator in ("+", "-"):
            left = self.value(tree.left, is_array)
            right = self.value(tree.right, is_array)
            return apply_binary(tree.operator, left, right, is_last=True)
        return self.value(tree, is_array, keeps_closure=True)

    # --- one node --------------------------------------------------------------------------------------

    def value(self, node: Node, is_array: bool, *, keeps_closure: bool = False) -> Any:
        """A node where a single value is wanted: outside arrays a range gives the cell in line with this one."""
        if type(node) is Area:
            if node.is_cell:
                bounds = node.bounds
                return self.value_of((node.sheet, bounds[0], bounds[1]))
            found: Any = self.range_of(node.sheet, node.bounds)
        else:
            found = self._forms[type(node)](node, is_array)
            if type(found) in _PLAIN:
                return found
        if isinstance(found, Grid):
            if found.origin is None:
                return ErrorValue.VALUE if isinstance(found, MultiRange) else found
            if found.row_count == found.column_count == 1:
                return self.value_of(found.origin)
            return found if is_array else self._in_line(found)
        return found if keeps_closure else ErrorValue.VALUE

    def whole(self, node: Node, is_array: bool) -> Any:
        """A node where a range, an array or a LAMBDA may stay whole."""
        return self._forms[type(node)](node, is_array)

    def _constant(self, node: Any, _is_array: bool) -> Value:
        found: Value = node.value
        return found

    def _array_constant(self, node: ArrayConstant, _is_array: bool) -> Grid:
        return Grid(node.rows, len(node.rows), len(node.rows[0]))

    def _omitted(self, _node: Omitted, _is_array: bool) -> None:
        return None

    def _external(self, _node: External, _is_array: bool) -> None:
        raise ExternalReferenceError

    def _group(self, node: Group, is_array: bool) -> Any:
        return self._forms[type(node.inner)](node.inner, is_array)

    def _unary(self, node: Unary, is_array: bool) -> Argument:
        value = self.value(node.operand, is_array)
        return value if node.operator == "+" else apply_each(negative, value)

    def _binary(self, node: Binary | Percent, is_array: bool) -> Argument:
        if type(node) is Binary and node.operator in _JOINING:
            return joined(node.operator, self.whole(node.left, is_array), self.whole(node.right, is_array))
        # Chains of operators lean to the left and may be thousands long: walked, not recursed into.
        spine: list[Binary | Percent] = []
        start: Node = node
        while isinstance(start, (Binary, Percent)):
            if isinstance(start, Percent):
                spine.append(start)
                start = start.operand
            elif start.operator in _JOINING:
                break
            else:
                spine.append(start)
                start = start.left
        found: Argument = self.value(start, is_array)
        for step in reversed(spine):
            if isinstance(step, Percent):
                found = apply_each(hundredth, found)
            else:
                found = apply_binary(step.operator, found, self.value(step.right, is_array))
        return found

    # --- references ------------------------------------------------------------------------------------

    def _area(self, node: Area, _is_array: bool) -> CellRange:
        return CellRange(self.read_rows, node.sheet, node.bounds)

    def grid(self, area: Area) -> Grid:
        """The cells of a reference."""
        return CellRange(self.read_rows, area.sheet, area.bounds)

    def range_of(self, sheet: int, bounds: Bounds) -> CellRange:
        """The cells of an area, read when they are asked for."""
        return CellRange(self.read_rows, sheet, bounds)

    def reference(self, text: str, *, is_r1c1: bool) -> Argument:
        """What INDIRECT gives for a text."""
        return indirect(self, self._address, text, is_r1c1=is_r1c1)

    def _in_line(self, found: Grid) -> Value:
        """Implicit intersection. Source: Microsoft, "Implicit intersection operator: @"."""
        assert found.origin is not None
        sheet, top, left = found.origin
        bounds = (top, left, top + found.row_count - 1, left + found.column_count - 1)
        place = in_line(Area(sheet, bounds, False), self._address[1:])
        return ErrorValue.VALUE if place is None else self.value_of(place)

    def _single(self, node: Single, is_array: bool) -> Argument:
        found = self.whole(node.operand, is_array)
        if isinstance(found, MultiRange):
            return ErrorValue.VALUE
        if isinstance(found, Grid):
            return self._in_line(found) if found.origin is not None else found.at(0, 0)
        return found  # type: ignore[no-any-return]

    def _spilled(self, node: Spilled, is_array: bool) -> Argument:
        found = self.whole(node.operand, is_array)
        if isinstance(found, ErrorValue):
            return found
        if not isinstance(found, CellRange) or found.row_count * found.column_count != 1:
            return ErrorValue.REF
        assert found.origin is not None
        bounds = self.spill_of(found.origin)
        return ErrorValue.REF if bounds is None else self.range_of(found.sheet, bounds)

    def _union(self, node: Union, is_array: bool) -> Argument:
        found: Any = self.whole(node.parts[0], is_array)
        for part in node.parts[1:]:
            found = joined(",", found, self.whole(part, is_array))
        return found  # type: ignore[no-any-return]

    # --- functions -------------------------------------------------------------------------------------

    def _call(self, node: Call, is_array: bool) -> Any:
        select = SELECTIONS.get(node.name)
        if select is not None:
            return select(self, node, is_array)
        return self.called(node, is_array, ())

    def called(self, node: Call, is_array: bool, first: Sequence[Any]) -> Any:
        """What a function gives; `first` are those arguments, from the left, that are known already."""
        called = find_function(node.name)
        assert called is not None, node.name
        arguments: list[Any] = list(first)
        forms = self._forms
        written = node.arguments
        kinds = kinds_of(called, len(written))
        for place in range(len(arguments), len(written)):
            argument, kind = written[place], kinds[place]
            if kind == "array":
                arguments.append(forms[type(argument)](argument, True))
            elif kind == "grid":
                arguments.append(forms[type(argument)](argument, is_array))
            else:
                found = self.value(argument, is_array)
                if found is None and kind == "choice" and not self.is_left_out(argument):
                    found = 0.0
                arguments.append(found)
        for place, found in enumerate(arguments):
            if isinstance(found, CellRange):
                if called.name in _READING_SPARSELY and found.row_count * found.column_count > GRID_CELLS_MAX:
                    arguments[place] = CellRange(self.read_sparse, found.sheet, found.bounds)
            elif isinstance(found, Closure):
                if found is OMITTED:
                    arguments[place] = None
                elif called.name not in _TAKING_LAMBDAS:
                    arguments[place] = ErrorValue.VALUE
            elif isinstance(found, MultiRange):
                given = spread(called, arguments)
                if given is None:
                    return ErrorValue.VALUE
                arguments = given
                break
            elif isinstance(found, RangeArray) or (isinstance(found, Grid) and called.name in _COMPUTED):
                return call_with_references(called, arguments, self.context if called.wants_context else None)
        return call(called, arguments, self.context if called.wants_context else None)

    def lifted(self, node: Call, first: Sequence[Any]) -> Any:
        """A function applied to each element of its arguments, of which those in `first` are known."""
        called = find_function(node.name)
        assert called is not None, node.name
        rest = [self.value(argument, True) for argument in node.arguments[len(first) :]]
        return call(called, [*first, *rest], None)

    @property
    def context(self) -> Context:
        """What functions may know of the cell being computed."""
        if self._context is None:
            sheet, row, column = self._address
            self._context = Context(row, column, self.workbook.is_1904, sheet, self, self._array)
        return self._context

    def _drawn(self, node: Drawn, is_array: bool) -> Argument:
        return drawn_value(self, node, is_array=is_array)

    # --- LET and LAMBDA --------------------------------------------------------------------------------

    def _let(self, node: Let, is_array: bool) -> Any:
        outer = self._names
        names = self._names = dict(outer)
        try:
            for name, bound in node.bindings:
                names[name] = self.whole(bound, is_array)
            return self.whole(node.result, is_array)
        finally:
            self._names = outer

    def _lambda(self, node: Lambda, _is_array: bool) -> Closure:
        return Closure(node, self._names)

    def _named_lambda(self, node: NamedLambda, _is_array: bool) -> Closure:
        return Closure(self.book.named_lambda(node.scope, node.name), {})

    def _parameter(self, node: Parameter, _is_array: bool) -> Any:
        return self._names.get(node.name, ErrorValue.NAME)

    def is_omitted(self, node: Node) -> bool:
        """Whether a node is a parameter that the call of its LAMBDA left out."""
        return isinstance(node, Parameter) and self._names.get(node.name) is OMITTED

    def is_left_out(self, node: Node) -> bool:
        """Whether an argument stands for nothing, so that a default takes its place."""
        return isinstance(node, Omitted) or self.is_omitted(node)

    def _invoke(self, node: Invoke, is_array: bool) -> Any:
        called = self.whole(node.callee, is_array)
        arguments = [
            OMITTED if isinstance(argument, Omitted) else self.whole(argument, True)
            for argument in node.arguments
        ]
        return self.invoke(called, arguments)

    def copied_value(self, address: Address, rows: int) -> Value:
        """What the formula of a cell would give some rows further down; without a formula the cell's value.

        Raises: EngineError where the formula cannot be computed.
        """
        cell = self.book.cell(address)
        if cell is None or cell.formula is None:
            return self.value_of(address)
        sheet, row, column = address
        target = (sheet, row + rows, column)
        tree = self.book.bind_text(target, shifted(cell.formula, rows, 0))
        outer = self._address, self._array, self._context, self._names
        self._address, self._array, self._context, self._names = target, None, None, {}
        try:
            return shown(self.value(tree, False))
        finally:
            self._address, self._array, self._context, self._names = outer

    def invoke(self, called: Argument | Closure, arguments: Sequence[Any]) -> Any:
        """What a LAMBDA gives; #VALUE! for what is none, and for a wrong number of arguments."""
        if not isinstance(called, Closure) or called is OMITTED:
            return called if isinstance(called, ErrorValue) else ErrorValue.VALUE
        parameters = called.node.parameters
        left_out = len(parameters) - len(arguments)
        if not 0 <= left_out <= called.node.optional_count:
            return ErrorValue.VALUE
        outer = self._names
        self._names = {**called.names, **dict(zip(parameters, arguments, strict=False))}
        for name in parameters[len(arguments) :]:
            self._names[name] = OMITTED
        try:
            self.limits.enter(len(parameters))
            try:
                return self.whole(called.node.body, True)
            finally:
                self.limits.leave(len(parameters))
        finally:
            self._names = outer


def shown(found: Argument | Closure) -> Value:
    """What a cell shows of what its formula gives: of an array the first value, for a blank 0."""
    if isinstance(found, Grid):
        found = element(found, 0, 0)
    if found is None:
        return 0.0
    return ErrorValue.CALC if isinstance(found, Closure) else found


def in_line(area: Area, position: tuple[int, ...]) -> Address | None:
    """The cell of a range that lies in the row or column of a cell; None where there is not exactly one."""
    top, left, bottom, right = area.bounds
    row, column = position
    if left == right and top <= row <= bottom:
        return (area.sheet, row, left)
    if top == bottom and left <= column <= right:
        return (area.sheet, top, column)
    if top == bottom and left == right:
        return (area.sheet, top, left)
    if left <= column <= right and top <= row <= bottom:
        return (area.sheet, row, column)
    return None
