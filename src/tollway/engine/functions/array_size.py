"""The bound on arrays that functions make."""

from __future__ import annotations

from tollway.engine.functions.registry import GRID_CELLS_MAX
from tollway.engine.values import TooManyReferences


def check_size(row_count: int, column_count: int) -> None:
    """Raise TooManyReferences for an array of more than GRID_CELLS_MAX cells, before any of it is made."""
    if row_count * column_count > GRID_CELLS_MAX:
        raise TooManyReferences(
            f"A formula makes an array of more than {GRID_CELLS_MAX:,} cells; make a smaller one."
        )
