"""What a workbook holds before anything runs: candidates for inputs and outputs, functions, agreement with Excel."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from tollway.engine.agreement import Agreement, check_agreement, filled
from tollway.engine.distributions import Distribution, Normal, Triangular
from tollway.engine.exact.graph import Address, FormulaBook, is_external
from tollway.engine.exact.reach import reached_from
from tollway.engine.labels import label_of
from tollway.engine.language.syntax import Area, Node
from tollway.engine.programs.written_model import WrittenModel, read_written_model
from tollway.engine.values import EngineError, UnsupportedFormula
from tollway.engine.workbooks.workbook import Workbook

CANDIDATES_MAX = 200
# Constants weighed against each other; those that most formulas read directly come first.
WEIGHED_MAX = 2_000
UNSUPPORTED_SHOWN = 1_000
# Cells named that need an unsupported one, so that a page can tell of each whether it does.
BLOCKED_SHOWN = 1_000
# A suggestion reaches this far to either side of the present value.
_SPREAD = 0.2
# Rates that go below zero as easily as above: a bell fits better than ends 20 % away.
_SIGNED_RATE = re.compile(r"\b(growth|return|inflation|drift|change|appreciation)\b", re.IGNORECASE)
_DATE_FORMAT = re.compile(r"[dmyh]", re.IGNORECASE)
_FORMAT_LITERAL = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')
# This many numbers in a line, each one more than the last, are a count of months or years, not data.
_COUNTING_LENGTH = 3


@dataclass(frozen=True)
class InputCandidate:
    """A constant that outputs depend on, with a distribution to start from and the reason for it."""

    cell: str
    name: str | None
    current_value: float
    suggested_distribution: Distribution
    why: str
    dependents_count: int

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "cell": self.cell,
            "name": self.name,
            "current_value": self.current_value,
            "suggested_distribution": self.suggested_distribution.as_json(),
            "why": self.why,
            "dependents_count": self.dependents_count,
        }


@dataclass(frozen=True)
class OutputCandidate:
    """A formula with a number that no other number is computed from."""

    cell: str
    name: str | None
    current_value: float

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {"cell": self.cell, "name": self.name, "current_value": self.current_value}


@dataclass(frozen=True)
class SheetOutline:
    """A sheet in numbers; `rows` and `columns` are the last ones that hold something."""

    name: str
    is_hidden: bool
    rows: int
    columns: int
    cells_count: int
    formulas_count: int

    def as_json(self) -> dict[str, Any]:
        """Plain types."""
        return {
            "name": self.name,
            "is_hidden": self.is_hidden,
            "rows": self.rows,
            "columns": self.columns,
            "cells_count": self.cells_count,
            "formulas_count": self.formulas_count,
        }


@dataclass(frozen=True)
class Inspection:
    """All of it.

    `unsupported` pairs a cell with the function or construct that is not computed yet, the first 1,000 of
    `unsupported_count`. `blocked` are further cells that need one of those, the first 1,000 of `blocked_count`: no run
    has them for outputs. The other `computable_count` formulas can be run.
    """

    application: str
    saved_at: datetime | None
    """As the file says; TODAY() and NOW() give this moment."""
    formulas_count: int
    functions: dict[str, int]
    unsupported: tuple[tuple[str, str], ...]
    unsupported_count: int
    blocked: tuple[str, ...]
    blocked_count: int
    computable_count: int
    external_links_count: int
    inputs: tuple[InputCandidate, ...]
    outputs: tuple[OutputCandidate, ...]
    written: WrittenModel
    """What the workbook draws and marks by itself."""
    sheets: tuple[SheetOutline, ...]
    agreement: Agreement
    workbook: Workbook
    """As inspected: a formula that the file stores without a value has the one computed here."""

    def as_json(self) -> dict[str, Any]:
        """Plain types, under the names that callers of the API see."""
        return {
            "application": self.application,
            "saved_at": None if self.saved_at is None else self.saved_at.isoformat(),
            "formulas_count": self.formulas_count,
            "functions": self.functions,
            "unsupported": [{"cell": cell, "function": function} for cell, function in self.unsupported],
            "unsupported_count": self.unsupported_count,
            "blocked": list(self.blocked),
            "blocked_count": self.blocked_count,
            "computable_count": self.computable_count,
            "external_links_count": self.external_links_count,
            "variables_detected": [candidate.as_json() for candidate in self.inputs],
            "outputs_detected": [candidate.as_json() for candidate in self.outputs],
            **self.written.as_json(),
            "sheets": [sheet.as_json() for sheet in self.sheets],
            "agreement": self.agreement.as_json(),
        }


def inspect_workbook(workbook: Workbook) -> Inspection:
    """Look a workbook over.

    Raises: CircularReference naming the cells; TooManyReferences. Unsupported formulas are listed, not raised.
    """
    book = FormulaBook(workbook)
    formulas = list(book.formula_addresses())
    trees = BoundFormulas(book, formulas)
    functions = _function_counts(book)
    order = trees.order()
    agreement = check_agreement(book, trees.bound, order)
    trees.unsupported.extend((address, what_stopped(error)) for address, error in agreement.refused.items())
    stopped = {address for address, _ in trees.unsupported}
    reached = reached_from(book, trees.bound, order, stopped)
    blocked = sorted(reached - stopped)
    if agreement.missing:
        workbook = filled(workbook, agreement.missing)
        book = FormulaBook(workbook)
    outputs = [address for address in _output_candidates(book, trees, formulas) if address not in reached]
    written = read_written_model(trees.book, trees.bound, order, outputs)
    return Inspection(
        application=workbook.application,
        saved_at=workbook.saved_at,
        formulas_count=sum(1 for address in formulas if _formula_text(book, address) is not None),
        functions=functions,
        unsupported=tuple(
            (book.text(address), function) for address, function in trees.unsupported[:UNSUPPORTED_SHOWN]
        ),
        unsupported_count=len(trees.unsupported),
        blocked=tuple(book.text(address) for address in blocked[:BLOCKED_SHOWN]),
        blocked_count=len(blocked),
        computable_count=len(formulas) - len(reached),
        external_links_count=sum(is_external(tree) for tree in trees.bound.values()),
        inputs=_input_candidates(book, trees, order, outputs),
        outputs=tuple(
            OutputCandidate(book.text(address), label_of(book, address), _stored_number(book, address))
            for address in outputs[:CANDIDATES_MAX]
        ),
        written=written,
        sheets=tuple(_outlines(workbook)),
        agreement=agreement,
        workbook=workbook,
    )


class BoundFormulas:
    """The formulas that could be bound, and what stopped the others."""

    def __init__(self, book: FormulaBook, formulas: Sequence[Address]) -> None:
        self.book = book
        self.formulas = formulas
        self.bound: dict[Address, Node] = {}
        self.unsupported: list[tuple[Address, str]] = []
        for address in formulas:
            try:
                self.bound[address] = book.tree(address)
            except EngineError as error:
                self.unsupported.append((address, what_stopped(error)))

    def order(self) -> list[Address]:
        """All formulas, each after those its references show; where they go round in a circle, anyhow."""
        return self.book.loose_order(list(self.formulas))


def what_stopped(error: EngineError) -> str:
    """The function or construct that is not computed, or the refusal's code in words."""
    if isinstance(error, UnsupportedFormula):
        return error.construct
    return error.code.replace("-", " ")


def _formula_text(book: FormulaBook, address: Address) -> str | None:
    cell = book.cell(address)
    return None if cell is None else cell.formula


def _function_counts(book: FormulaBook) -> dict[str, int]:
    """How often each function is called, most used first; formulas that cannot be parsed are left out."""
    return dict(sorted(book.function_counts.items(), key=lambda item: (-item[1], item[0])))


def _outlines(workbook: Workbook) -> Iterator[SheetOutline]:
    for sheet in workbook.sheets:
        rows, columns = sheet.used
        formulas_count = sum(cell.formula is not None for cell in sheet.cells.values())
        yield SheetOutline(sheet.name, sheet.is_hidden, rows, columns, len(sheet.cells), formulas_count)


# --- candidates ----------------------------------------------------------------------------------------


def _output_candidates(book: FormulaBook, trees: BoundFormulas, formulas: Sequence[Address]) -> list[Address]:
    # A verdict in words ("OK", "LATE") does not make the number it judges a mere step on the way.
    areas: set[Area] = set()
    for address in trees.bound:
        cell = book.cell(address)
        if cell is None or not isinstance(cell.value, (str, bool)):
            areas.update(book.reads_at(address).areas)
    read = set(book.formulas_in(areas))
    return [
        address
        for address in formulas
        if address not in read
        and address in trees.bound
        and not math.isnan(_stored_number(book, address))
        and book.reads_at(address).areas
    ]


def _stored_number(book: FormulaBook, address: Address) -> float:
    cell = book.cell(address)
    return cell.value if cell is not None and isinstance(cell.value, float) else math.nan


def _input_candidates(
    book: FormulaBook, trees: BoundFormulas, order: Sequence[Address], outputs: Sequence[Address]
) -> tuple[InputCandidate, ...]:
    direct = _direct_constants(book, trees)
    weighed = [address for address, _ in direct.most_common(WEIGHED_MAX)]
    counts = _dependents(book, trees, order, weighed, outputs)
    candidates: list[InputCandidate] = []
    for address, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        cell = book.cell(address)
        assert cell is not None
        assert isinstance(cell.value, float)
        name = label_of(book, address)
        try:
            distribution, why = suggest(cell.value, cell.number_format, name)
        except EngineError:
            # Beyond what a distribution takes, such as 1E+200: nobody's assumption.
            continue
        candidates.append(InputCandidate(book.text(address), name, cell.value, distribution, why, count))
        if len(candidates) == CANDIDATES_MAX:
            break
    return tuple(candidates)


def _direct_constants(book: FormulaBook, trees: BoundFormulas) -> Counter[Address]:
    """The numbers that formulas read directly, by how many; counts of months, dates and zeros are no inputs."""
    areas: Counter[Area] = Counter()
    for address in trees.bound:
        areas.update(book.reads_at(address).areas)
    found: Counter[Address] = Counter()
    for area, count in areas.items():
        for row, column in book.workbook.sheets[area.sheet].positions_in(area.bounds):
            found[(area.sheet, row, column)] += count
    return Counter({address: count for address, count in found.items() if _is_data(book, address)})


def _is_data(book: FormulaBook, address: Address) -> bool:
    cell = book.cell(address)
    if cell is None or book.is_formula(address) or not isinstance(cell.value, float) or cell.value == 0.0:
        return False
    if _DATE_FORMAT.search(_FORMAT_LITERAL.sub("", cell.number_format.replace("General", ""))):
        return False
    return not any(_counts_along(book, address, step) for step in ((1, 0), (0, 1)))


def _counts_along(book: FormulaBook, address: Address, step: tuple[int, int]) -> bool:
    """Whether the cell is one of several in a line that count 1, 2, 3."""
    length = 1
    for direction in (1, -1):
        place, value = address, _stored_number(book, address)
        while length < _COUNTING_LENGTH:
            place = (place[0], place[1] + direction * step[0], place[2] + direction * step[1])
            value += direction
            if book.is_formula(place) or _stored_number(book, place) != value:
                break
            length += 1
    return length >= _COUNTING_LENGTH


def _dependents(
    book: FormulaBook,
    trees: BoundFormulas,
    order: Sequence[Address],
    constants: Sequence[Address],
    outputs: Sequence[Address],
) -> dict[Address, int]:
    """How many formulas depend on each constant, directly or not; only constants that reach an output.

    Each formula holds one bit for each constant it depends on.
    """
    bit_of = {address: 1 << index for index, address in enumerate(constants)}
    bits: dict[Address, int] = {}
    byte_count = (len(constants) + 7) // 8
    totals = np.zeros(byte_count * 8, dtype=np.int64)
    # A range is gone through once: its cells come before all that read it.
    of_ranges: dict[Area, int] = {}

    def bits_in(area: Area) -> int:
        known = of_ranges.get(area)
        if known is None:
            known = 0
            for row, column in book.workbook.sheets[area.sheet].positions_in(area.bounds):
                place = (area.sheet, row, column)
                known |= bits.get(place, 0) | bit_of.get(place, 0)
            of_ranges[area] = known
        return known

    for address in order:
        found = 0
        for area in book.reads_at(address).areas if address in trees.bound else ():
            if area.is_cell:
                found |= bits.get(area.address, 0) | bit_of.get(area.address, 0)
            else:
                found |= bits_in(area)
        bits[address] = found
        if found:
            packed = np.frombuffer(found.to_bytes(byte_count, "little"), dtype=np.uint8)
            totals += np.unpackbits(packed, bitorder="little")
    reached = 0
    for address in outputs:
        reached |= bits[address]
    return {
        address: int(totals[index]) for index, address in enumerate(constants) if reached & bit_of[address]
    }


def suggest(value: float, number_format: str, name: str | None) -> tuple[Distribution, str]:
    """A distribution to start from, in proportion to the present value, and why; the value is not 0."""
    reach = _SPREAD * abs(value)
    is_rate = abs(value) < 1.0 or "%" in number_format
    if is_rate and name is not None and _SIGNED_RATE.search(name):
        return (
            Normal(mean=value, std=float(f"{reach:.6g}")),
            (
                "a rate that may fall to either side: normal around the present value, "
                "with a fifth of it as standard deviation"
            ),
        )
    low, high = float(f"{value - reach:.6g}"), float(f"{value + reach:.6g}")
    if 0.0 < value < 1.0:
        return (
            Triangular(min=low, mode=value, max=min(high, 1.0)),
            "a rate between 0 and 1: triangular, 20 % to either side and not above 1",
        )
    return (
        Triangular(min=low, mode=value, max=high),
        "an amount: triangular, from 20 % below to 20 % above the present value",
    )
