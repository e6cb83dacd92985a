"""From a workbook, its inputs and its outputs to a program: an ordered list of typed operations.

The program is plain and can be read by any evaluator: operations in order, what each reads, constants,
texts, and after which operation a value is no longer needed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tollway.engine.distributions import Distribution
from tollway.engine.exact.calculation import Calculation
from tollway.engine.exact.drawn_calls import drawn_in
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.labels import label_of
from tollway.engine.language.syntax import COLUMN_MAX, ROW_MAX, column_number
from tollway.engine.programs.lowered_functions import LOWERED
from tollway.engine.programs.lowering import Lowering
from tollway.engine.programs.operations import Builder, Operation, Slot
from tollway.engine.programs.slice_lanes import SliceLanes, interpret_slice
from tollway.engine.programs.slicing import Slicing
from tollway.engine.programs.unread import unread_inputs
from tollway.engine.programs.written_draws import SettledDraws, draws_of, settle_draws
from tollway.engine.values import (
    BadInputCell,
    BadOutputCell,
    EngineError,
    ErrorValue,
    OutputDoesNotDependOnInputs,
    UnreadableFormula,
    UnsupportedFormula,
    Value,
    number_text,
)
from tollway.engine.workbooks.workbook import Workbook

INPUTS_MAX = 1_000
OUTPUTS_MAX = 100

_ADDRESS = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")


@dataclass(frozen=True)
class Input:
    """A cell whose number is drawn anew in every iteration. `name` is for people; None takes the cell's label.

    `written` is the formula that draws it, where the workbook does so by itself; None for a cell that was marked. Two
    draws in one formula are the cells "Sheet!B5#1" and "Sheet!B5#2". Where `is_computed`, the formula makes its value
    of a number between 0 and 1, whose distribution this is, and of other inputs.
    """

    cell: str
    distribution: Distribution
    name: str | None = None
    written: str | None = None
    is_computed: bool = False


@dataclass(frozen=True, eq=False)
class Program:
    """What evaluate() runs.

    `inputs` and `outputs` are in the order given, with cells written "Sheet!A1"; behind the inputs given stand those
    that formulas draw by themselves, by sheet, row, column and position. `output_names` are the labels found beside
    the outputs, or None. `correlations` are entries that the workbook itself says, as `read_correlations` takes them.
    Slots 0 to len(inputs)-1 hold the draws; `constants` fills further slots; each operation writes one slot, and
    `releases[i]` lists those that nobody reads after operation i.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    output_names: tuple[str | None, ...]
    operations: tuple[Operation, ...]
    constants: dict[int, Value]
    texts: tuple[str, ...]
    output_slots: tuple[Slot, ...]
    slot_count: int
    lanes: SliceLanes
    """Computes the outputs of one iteration by the exact interpreter."""
    correlations: tuple[dict[str, Any], ...] = ()
    unread: tuple[int, ...] = ()
    """Positions of given inputs that no output reads; `check_reach` refuses them where somebody asked for them."""

    @cached_property
    def releases(self) -> tuple[tuple[int, ...], ...]:
        """For each operation the slots that are last read by it; inputs, constants and outputs stay."""
        kept = set(range(len(self.inputs))) | set(self.constants) | {slot.index for slot in self.output_slots}
        last_read: dict[int, int] = {}
        for place, operation in enumerate(self.operations):
            for index in operation.operands:
                last_read[index] = place
        released: list[list[int]] = [[] for _ in self.operations]
        for index, place in last_read.items():
            if index not in kept:
                released[place].append(index)
        return tuple(tuple(indices) for indices in released)

    @property
    def interpreted_count(self) -> int:
        """How many operations are left to the scalar interpreter, one iteration at a time."""
        return sum(operation.name in ("interpret", "interpret_slice") for operation in self.operations)


def build_program(workbook: Workbook, inputs: Sequence[Input], outputs: Sequence[str]) -> Program:
    """Slice the workbook between inputs and outputs, fold what no input reaches, and lower the rest.

    Cells are given as "Sheet!A1", "'My Sheet'!A1", or "A1" for the first sheet. Calls that draw, in formulas that the
    outputs need, are inputs too (RAND(), RiskNormal(10,2)), but for those in cells that are given.

    INVARIANT: they come from the workbook and the outputs alone, so that every process finds the same ones in the
    same order (tests/engine/test_written_inputs.py::test_one_shard_and_seven_give_the_same_bits).

    Raises: BadDistribution for a call that cannot be drawn from, BadInputCell, BadOutputCell,
    OutputDoesNotDependOnInputs, CircularReference, UnsupportedFormula, UnreadableFormula, TooManyReferences; each
    names the cells.
    """
    book = FormulaBook(workbook)
    input_addresses = _input_addresses(book, inputs)
    output_addresses = _output_addresses(book, outputs)
    try:
        return _program(book, inputs, input_addresses, output_addresses)
    except (UnsupportedFormula, UnreadableFormula) as refusal:
        _name_output(refusal, book, input_addresses, output_addresses)
        raise


def _program(
    book: FormulaBook,
    inputs: Sequence[Input],
    input_addresses: Sequence[Address],
    output_addresses: Sequence[Address],
) -> Program:
    calculation = Calculation(book, draws_stand=True)
    slicing = Slicing(book, calculation, input_addresses)
    order = slicing.walk(output_addresses)
    drawn = draws_of(book, order)
    written = SettledDraws()
    if drawn:
        slicing.cut(drawn)
        written = settle_draws(book, calculation, order, drawn, slicing.may_vary)
        input_addresses = [*input_addresses, *(one.address for one in written.inputs)]
        slicing = Slicing(book, calculation, input_addresses)
        slicing.walk(output_addresses)
    _check_input_count(len(input_addresses), len(inputs))
    found = slicing.cut()
    builder = Builder(len(input_addresses))
    for address in output_addresses:
        if address not in found.varying:
            raise _does_not_vary(book, address, calculation.value(address))
    lanes = SliceLanes.of(calculation, found, input_addresses, output_addresses)
    if found.obstacle is not None:
        output_slots = interpret_slice(builder, lanes, found)
    else:
        lowering = Lowering(calculation, builder, input_addresses, LOWERED)
        for address in found.order:
            if address in found.varying:
                lowering.add_cell(address, found.trees[address])
        output_slots = [_output_slot(book, lowering, address) for address in output_addresses]
    operations = _scheduled(_needed(builder.operations, output_slots))
    return Program(
        inputs=(
            *(
                Input(book.text(address), given.distribution, given.name or label_of(book, address))
                for given, address in zip(inputs, input_addresses, strict=False)
            ),
            *(
                Input(one.cell, one.distribution, one.name, one.formula, one.is_computed)
                for one in written.inputs
            ),
        ),
        outputs=tuple(book.text(address) for address in output_addresses),
        output_names=tuple(_output_name(book, address) for address in output_addresses),
        operations=tuple(operations),
        constants=builder.constants,
        texts=tuple(builder.texts),
        output_slots=tuple(output_slots),
        slot_count=builder.slot_count,
        lanes=lanes,
        correlations=written.correlations,
        unread=tuple(unread_inputs(book, slicing, input_addresses[: len(inputs)])),
    )


def _check_input_count(count: int, given_count: int) -> None:
    if count > INPUTS_MAX:
        raise BadInputCell(
            f"A run has 1 to {INPUTS_MAX:,} inputs and {given_count:,} were given, beside {count - given_count:,} that "
            "the formulas which the outputs need draw by themselves; choose outputs that need fewer.",
            field="inputs",
        )
    if count == 0:
        raise BadInputCell(
            f"A run has 1 to {INPUTS_MAX:,} inputs and 0 were given, and no formula that the outputs need draws by "
            "itself, as RAND() or RiskNormal(10,2) would; mark a cell as an input.",
            field="inputs",
        )


def _input_addresses(book: FormulaBook, inputs: Sequence[Input]) -> list[Address]:
    if len(inputs) > INPUTS_MAX:
        raise BadInputCell(
            f"A run has 1 to {INPUTS_MAX:,} inputs and {len(inputs):,} were given.", field="inputs"
        )
    addresses: list[Address] = []
    for index, given in enumerate(inputs):
        field = f"inputs.{index}.cell"
        address = find_address(book, given.cell, BadInputCell, field)
        written = (book.text(address),)
        if address in addresses:
            raise BadInputCell(
                f"{written[0]} is given as an input twice; give each cell once.", cells=written, field=field
            )
        cell = book.cell(address)
        if _draws(book, address):
            addresses.append(address)
            continue
        if book.is_formula(address):
            raise BadInputCell(
                f"{written[0]} holds a formula; an input must be a cell with a constant number. "
                "Choose a cell that the formula reads.",
                cells=written,
                field=field,
            )
        if cell is None or not isinstance(cell.value, float):
            found = "is empty" if cell is None or cell.value is None else f"holds {str(cell.value)[:40]!r}"
            raise BadInputCell(
                f"{written[0]} {found}; an input must be a cell with a constant number.",
                cells=written,
                field=field,
            )
        addresses.append(address)
    return addresses


def _draws(book: FormulaBook, address: Address) -> bool:
    """Whether the formula of a cell draws: then the cell may be marked, and what is marked wins."""
    if not book.is_formula(address):
        return False
    try:
        return any(True for _ in drawn_in(book.tree(address)))
    except EngineError:
        return False


def _output_addresses(book: FormulaBook, outputs: Sequence[str]) -> list[Address]:
    if not 1 <= len(outputs) <= OUTPUTS_MAX:
        raise BadOutputCell(
            f"A run has 1 to {OUTPUTS_MAX} outputs and {len(outputs):,} were given.", field="outputs"
        )
    addresses: list[Address] = []
    for index, given in enumerate(outputs):
        field = f"outputs.{index}"
        address = find_address(book, given, BadOutputCell, field)
        written = (book.text(address),)
        if address in addresses:
            raise BadOutputCell(
                f"{written[0]} is given as an output twice; give each cell once.", cells=written, field=field
            )
        if not book.is_formula(address):
            found = "is empty" if book.cell(address) is None else "holds a constant"
            raise BadOutputCell(
                f"{written[0]} {found}; an output must be a cell with a formula.", cells=written, field=field
            )
        addresses.append(address)
    return addresses


def find_address(book: FormulaBook, text: str, kind: type[EngineError], field: str) -> Address:
    """The place of a cell written "Sheet!A1", "'My Sheet'!A1" or "A1" (on the first sheet).

    Raises: `kind` for another form, an unknown sheet or a cell outside it.
    """
    sheet_name, mark, cell = text.strip().rpartition("!")
    match = _ADDRESS.fullmatch(cell)
    if match is None or (mark and not sheet_name):
        raise kind(f"{text[:80]!r} names no cell; write it like Sheet1!B5.", field=field)
    if sheet_name.startswith("'") and sheet_name.endswith("'") and len(sheet_name) > 1:
        sheet_name = sheet_name[1:-1].replace("''", "'")
    sheet = book.workbook.sheet_index.get(sheet_name.lower()) if mark else 0
    if sheet is None:
        names = ", ".join(repr(found.name) for found in book.workbook.sheets[:10])
        raise kind(f"The workbook has no sheet {sheet_name[:80]!r}; its sheets are {names}.", field=field)
    row, column = int(match[2]), column_number(match[1])
    if not 1 <= row <= ROW_MAX or column > COLUMN_MAX:
        raise kind(f"{cell} lies outside a sheet, which ends at XFD{ROW_MAX}.", field=field)
    return (sheet, row, column)


def _output_name(book: FormulaBook, address: Address) -> str | None:
    """What the formula itself calls its output, RiskOutput("NPV")+..., or else its label."""
    marked = [mark.name for mark in book.output_marks if mark.address == address and mark.name]
    return marked[0] if marked else label_of(book, address)


def _output_slot(book: FormulaBook, lowering: Lowering, address: Address) -> Slot:
    slot = lowering.varying.get(address)
    if slot is None:
        raise _does_not_vary(book, address, lowering.folded[address])
    return slot


def _name_output(
    refusal: EngineError, book: FormulaBook, inputs: Sequence[Address], outputs: Sequence[Address]
) -> None:
    """Say in a refusal of a formula which output needs it, where one alone can be told."""
    if refusal.field is not None or len(refusal.cells) != 1:
        return
    (cell,) = refusal.cells
    for index, output in enumerate(outputs):
        written = book.text(output)
        if any(book.text(address) == cell for address in book.loose_order([output], inputs)):
            refusal.field = f"outputs.{index}"
            if written != cell:
                refusal.message = f"{written} needs {cell}, which is not computed. {refusal.message}"
                refusal.args = (refusal.message,)
            return


def _does_not_vary(book: FormulaBook, address: Address, value: Value) -> OutputDoesNotDependOnInputs:
    written = book.text(address)
    shown = (
        number_text(value)
        if isinstance(value, float)
        else value.text
        if isinstance(value, ErrorValue)
        else repr(value)
    )
    return OutputDoesNotDependOnInputs(
        f"{written} does not depend on any of the inputs: it is {shown} in every iteration. "
        "Mark a cell that it depends on as an input, or leave it out.",
        cells=(written,),
        field="outputs",
    )


def _needed(operations: Sequence[Operation], outputs: Sequence[Slot]) -> list[Operation]:
    """The operations that outputs need, in order."""
    wanted = {slot.index for slot in outputs}
    kept: list[Operation] = []
    for operation in reversed(operations):
        if operation.target in wanted:
            kept.append(operation)
            wanted.update(operation.operands)
    return kept[::-1]


def _scheduled(operations: Sequence[Operation]) -> list[Operation]:
    """The same operations, each moved up to where its last operand is made if that frees another operand.

    A sum over 360 rows is so added up row by row as the rows are made, instead of keeping them all.
    """
    readers: dict[int, list[Operation]] = {}
    missing: dict[int, int] = {}
    made = {operation.target for operation in operations}
    for operation in operations:
        wanted = made.intersection(operation.operands)
        missing[operation.target] = len(wanted)
        for index in wanted:
            readers.setdefault(index, []).append(operation)
    waiting = {index: len(found) for index, found in readers.items()}
    ordered: list[Operation] = []
    placed: set[int] = set()
    for operation in operations:
        stack = [operation]
        while stack:
            current = stack.pop()
            if current.target in placed or missing[current.target]:
                continue
            placed.add(current.target)
            ordered.append(current)
            for index in set(current.operands) & made:
                waiting[index] -= 1
            for reader in reversed(readers.get(current.target, ())):
                missing[reader.target] -= 1
                if not missing[reader.target] and any(waiting.get(index) == 1 for index in reader.operands):
                    stack.append(reader)
    return ordered
