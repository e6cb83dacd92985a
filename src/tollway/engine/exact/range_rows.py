"""The values of a range, read cell by cell: those that are not computed yet are told all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tollway.engine.exact.cell_facts import CellFacts
from tollway.engine.exact.graph import Address, FormulaBook
from tollway.engine.exact.references import filled_corner, sparse_positions
from tollway.engine.functions.ranges import Bounds
from tollway.engine.functions.registry import GRID_CELLS_MAX
from tollway.engine.values import TooManyReferences, Value


class NotComputedError(Exception):
    """A formula reads cells whose own formulas must be computed first."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        super().__init__(addresses)
        self.addresses = addresses


class RangeRows(CellFacts):
    """Reads ranges over whatever `value_of` says each cell holds."""

    def __init__(self, book: FormulaBook, value_of: Callable[[Address], Value]) -> None:
        super().__init__(book)
        self.value_of = value_of

    def read_rows(self, sheet: int, bounds: Bounds) -> Sequence[Sequence[Value]]:
        """The values of an area, as far as anything is filled.

        Raises: NotComputedError with every cell that is to be computed first; TooManyReferences when the area
        has more than GRID_CELLS_MAX filled cells.
        """
        top, left, _, _ = bounds
        last_row, last_column = self.filled_corner(sheet, bounds)
        if (last_row - top + 1) * (last_column - left + 1) > GRID_CELLS_MAX:
            raise _too_large()
        value_of = self.value_of
        missing: list[Address] = []
        rows: list[list[Value]] = []
        for row in range(top, last_row + 1):
            values: list[Value] = []
            for column in range(left, last_column + 1):
                try:
                    values.append(value_of((sheet, row, column)))
                except NotComputedError as found:
                    missing.extend(found.addresses)
            rows.append(values)
        if missing:
            raise NotComputedError(tuple(missing))
        return rows

    def read_sparse(self, sheet: int, bounds: Bounds) -> Sequence[Sequence[Value]]:
        """As read_rows, also where a stray cell far out makes an area large: then each row ends with its last cell."""
        corner = self.filled_corner(sheet, bounds)
        if (corner[0] - bounds[0] + 1) * (corner[1] - bounds[1] + 1) <= GRID_CELLS_MAX:
            return self.read_rows(sheet, bounds)
        cells = self.workbook.sheets[sheet]
        # What arrays have spilled beyond the cells of the file is not among them.
        filled = sparse_positions(cells, bounds) if corner == filled_corner(cells, bounds) else None
        if filled is None:
            raise _too_large()
        top, left, _, _ = bounds
        rows: list[Sequence[Value]] = [()] * (corner[0] - top + 1)
        missing: list[Address] = []
        for row, columns in filled.items():
            values: list[Value] = [None] * (columns[-1] - left + 1)
            for column in columns:
                try:
                    values[column - left] = self.value_of((sheet, row, column))
                except NotComputedError as found:
                    missing.extend(found.addresses)
            rows[row - top] = values
        if missing:
            raise NotComputedError(tuple(missing))
        return rows

    def filled_corner(self, sheet: int, bounds: Bounds) -> tuple[int, int]:
        """The last row and the last column of an area that hold something."""
        return filled_corner(self.workbook.sheets[sheet], bounds)


def _too_large() -> TooManyReferences:
    return TooManyReferences(
        f"A formula reads a range of more than {GRID_CELLS_MAX:,} cells; refer to a smaller one."
    )
