"""Reads correlations as people and clients write them: pairs, whole matrices, or text such as A1,A2=0.6.

Everything that cannot be meant is refused by its entry; what is only impossible together is repaired, and told.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from numbers import Real
from typing import Any

from tollway.engine.exact.graph import FormulaBook
from tollway.engine.programs.program import Program, find_address
from tollway.engine.sampling.correlation import RankCorrelation
from tollway.engine.values import EngineError
from tollway.engine.workbooks.workbook import Workbook

CORRELATED_INPUTS_MAX = 200
"""Inputs that have a correlation with another; mixing them costs the square of this in each iteration."""
ENTRIES_MAX = CORRELATED_INPUTS_MAX * (CORRELATED_INPUTS_MAX - 1) // 2
# Matrices are often computed elsewhere and carry the rounding of that.
TOLERANCE = 1e-9

_HOW = 'Write {"cells": ["A1", "A2"], "correlation": 0.6}, or {"cells": ["A1", "A2", "A3"], "matrix": [[...], ...]}.'


class BadCorrelation(EngineError):
    """A correlation is no number from -1 to 1, a matrix is no correlation matrix, or a cell is no input."""

    code = "bad-correlation"


def read_correlations(
    given: Sequence[object], workbook: Workbook, program: Program
) -> RankCorrelation | None:
    """Build what a run draws with from its entries, each in JSON form; None where there are none.

    An entry is {"cells": [a, b], "correlation": r} or {"cells": [...], "matrix": [[...], ...]}; r and the matrix
    are Spearman's rank correlations. Pairs that no entry names have none. Cells are written as inputs are.

    Without any, those count that the workbook itself says (RiskCorrmat).

    Raises: BadCorrelation naming the entry, such as `correlations.0.matrix.1.2`.
    """
    given = given or program.correlations
    if len(given) > ENTRIES_MAX:
        raise BadCorrelation(
            f"{len(given):,} correlations are given; {ENTRIES_MAX:,} are read at most. Give one matrix instead.",
            field="correlations",
        )
    book = FormulaBook(workbook)
    indexes = {source.cell: index for index, source in enumerate(program.inputs)}
    pairs: dict[tuple[int, int], float] = {}
    for position, entry in enumerate(given):
        field = f"correlations.{position}"
        cells = _cells(entry, field)
        places = [
            _input_index(book, indexes, text, f"{field}.cells.{place}") for place, text in enumerate(cells)
        ]
        matrix = _matrix(entry, cells, places, field)
        for row, column in combinations(range(len(places)), 2):
            pair = (min(places[row], places[column]), max(places[row], places[column]))
            if pair in pairs:
                named = tuple(program.inputs[index].cell for index in pair)
                raise BadCorrelation(
                    f"The correlation of {named[0]} and {named[1]} is given twice; leave one of them out.",
                    cells=named,
                    field=field,
                )
            pairs[pair] = matrix[row][column]
    chosen = sorted({index for pair in pairs for index in pair})
    if len(chosen) > CORRELATED_INPUTS_MAX:
        raise BadCorrelation(
            f"{len(chosen):,} inputs are correlated; {CORRELATED_INPUTS_MAX} are possible. Leave out those that "
            "matter least.",
            field="correlations",
        )
    if not chosen:
        return None
    asked = [
        [1.0 if row == column else pairs.get((min(row, column), max(row, column)), 0.0) for column in chosen]
        for row in chosen
    ]
    return RankCorrelation.of([program.inputs[index].cell for index in chosen], chosen, asked)


def _cells(entry: object, field: str) -> list[str]:
    if not isinstance(entry, Mapping):
        raise BadCorrelation(f"A correlation is written as an object. {_HOW}", field=field)
    for name in entry:
        if name not in ("cells", "correlation", "matrix"):
            raise BadCorrelation(f"A correlation has no member {str(name)[:40]!r}. {_HOW}", field=field)
    if (entry.get("correlation") is None) == (entry.get("matrix") is None):
        found = "neither" if entry.get("matrix") is None else "both"
        raise BadCorrelation(
            f"This entry has {found} of `correlation` and `matrix`; it takes one. {_HOW}", field=field
        )
    cells = entry.get("cells")
    is_pair = entry.get("matrix") is None
    if not isinstance(cells, Sequence) or isinstance(cells, str | bytes):
        raise BadCorrelation(f"`cells` must be a list of cells. {_HOW}", field=f"{field}.cells")
    if len(cells) != 2 if is_pair else not 2 <= len(cells) <= CORRELATED_INPUTS_MAX:
        wanted = "2" if is_pair else f"2 to {CORRELATED_INPUTS_MAX}"
        raise BadCorrelation(f"`cells` names {len(cells):,}; name {wanted}. {_HOW}", field=f"{field}.cells")
    for place, cell in enumerate(cells):
        if not isinstance(cell, str):
            raise BadCorrelation(
                f"Cell {place + 1} of this correlation is {str(cell)[:40]}; write it like Sheet1!B5.",
                field=f"{field}.cells.{place}",
            )
    return list(cells)


def _input_index(book: FormulaBook, indexes: Mapping[str, int], text: str, field: str) -> int:
    # The second of several draws in one formula, B5#2, is an input and no cell.
    written = text if text in indexes else book.text(find_address(book, text, BadCorrelation, field))
    if written not in indexes:
        known = ", ".join(list(indexes)[:5]) + (" ..." if len(indexes) > 5 else "")
        raise BadCorrelation(
            f"{written} is correlated and is no input of this run; its inputs are {known}. "
            "Mark it as an input, or name one of them.",
            cells=(written,),
            field=field,
        )
    return indexes[written]


def _matrix(entry: Any, cells: Sequence[str], places: Sequence[int], field: str) -> Sequence[Sequence[float]]:
    """The numbers of one entry as a matrix over its cells."""
    for place, index in enumerate(places):
        if index in places[:place]:
            raise BadCorrelation(
                f"{cells[place]} stands twice in one correlation; name each cell once.",
                cells=(cells[place],),
                field=f"{field}.cells.{place}",
            )
    if entry.get("matrix") is None:
        between = f"of {cells[0]} and {cells[1]}"
        correlation = _number(entry["correlation"], between, f"{field}.correlation")
        return [[1.0, correlation], [correlation, 1.0]]
    given = entry["matrix"]
    _assert_square(given, len(cells), f"{field}.matrix")
    matrix = [
        [
            _number(number, f"of {cells[row]} and {cells[column]}", f"{field}.matrix.{row}.{column}")
            for column, number in enumerate(numbers)
        ]
        for row, numbers in enumerate(given)
    ]
    for row, numbers in enumerate(matrix):
        if abs(numbers[row] - 1) > TOLERANCE:
            raise BadCorrelation(
                f"The correlation of {cells[row]} with itself is {numbers[row]:g} (row {row + 1}, column {row + 1}); "
                "the diagonal must be 1.",
                cells=(cells[row],),
                field=f"{field}.matrix.{row}.{row}",
            )
        for column in range(row):
            if abs(numbers[column] - matrix[column][row]) > TOLERANCE:
                raise BadCorrelation(
                    f"The correlation of {cells[row]} and {cells[column]} is {numbers[column]:g} in row {row + 1} and "
                    f"{matrix[column][row]:g} in row {column + 1}; the matrix must be symmetric, so correct one.",
                    cells=(cells[row], cells[column]),
                    field=f"{field}.matrix.{row}.{column}",
                )
    return matrix


def _assert_square(given: object, size: int, field: str) -> None:
    found: object = "no list"
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        found = f"{len(given):,} rows"
        if len(given) == size:
            for row, numbers in enumerate(given):
                is_list = isinstance(numbers, Sequence) and not isinstance(numbers, str | bytes)
                if not is_list or len(numbers) != size:
                    found = f"{len(numbers):,} numbers" if is_list else "no list"
                    raise BadCorrelation(
                        f"Row {row + 1} of this matrix has {found}; {size} cells need {size} numbers in each row.",
                        field=f"{field}.{row}",
                    )
            return
    raise BadCorrelation(
        f"This matrix has {found}; {size} cells need {size} rows of {size} numbers.", field=field
    )


def _number(given: object, between: str, field: str) -> float:
    if isinstance(given, bool) or not isinstance(given, Real):
        raise BadCorrelation(
            f"The correlation {between} is {str(given)[:40]!r}, which is not a number; give one from -1 to 1.",
            field=field,
        )
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    # Not a number is refused here too: no comparison holds for it.
    if not abs(number) <= 1:
        raise BadCorrelation(
            f"The correlation {between} is {str(given)[:40]}; a correlation lies from -1 to 1, such as 0.6.",
            field=field,
        )
    return number


# Cells before the last "=", a sheet's name in apostrophes whole.
_PAIR = re.compile(r"\s*((?:'(?:[^']|'')*'|[^',])+),((?:'(?:[^']|'')*'|[^',])+)=([^=]*)")


def parse_correlation_text(text: str) -> dict[str, Any]:
    """Read a pair written as 'Inputs!B4,Inputs!B5=0.6' into the form of an entry.

    Raises: BadCorrelation saying what could not be read.
    """
    match = _PAIR.fullmatch(text)
    try:
        correlation = float(match[3]) if match and match[3].isascii() and "_" not in match[3] else None
    except ValueError:
        correlation = None
    if match is None or correlation is None:
        raise BadCorrelation(
            f"{text[:80]!r} is no correlation; write two cells and a number from -1 to 1, as "
            "'Inputs!B4,Inputs!B5=0.6'.",
            field="correlations",
        )
    return {"cells": [match[1].strip(), match[2].strip()], "correlation": correlation}
