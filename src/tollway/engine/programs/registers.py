"""What every slot of a program holds while one block of iterations is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.programs.operations import Kind
from tollway.engine.values import ERROR_BY_CODE, SMALLEST_NORMAL, ErrorValue, Value

Errors = NDArray[np.int8]

_NUM = np.int8(ErrorValue.NUM.code)


class Registers:
    """What every slot holds for one block: values, and error codes or None. Constants are plain numbers."""

    def __init__(self, iteration_count: int, slot_count: int, texts: tuple[str, ...]) -> None:
        self.iteration_count = iteration_count
        self.values: list[Any] = [None] * slot_count
        self.errors: list[Any] = [None] * slot_count
        self.texts = texts
        # Slots whose overflow has been looked for already.
        self._is_settled = [False] * slot_count
        # Set when NumPy meets a result too small for a normal double.
        self.has_underflow = False
        # Set when NumPy meets one that is not finite; until then there is no overflow to look for.
        self.has_overflow = False
        # Iterations in which some operation was left to the exact scalar rules; None while there are none.
        self.replayed: NDArray[np.bool_] | None = None
        # Iterations in which blocks cannot tell what Excel shows.
        self.flagged: NDArray[np.bool_] | None = None

    def note_fault(self, kind: str, _flags: int) -> None:
        """What NumPy calls when a result is no normal double: "underflow", or one that is not finite."""
        if kind == "underflow":
            self.has_underflow = True
        else:
            self.has_overflow = True

    def flag(self, lanes: NDArray[np.bool_]) -> None:
        """Ask for these iterations to be computed anew by the interpreter, whatever is found here."""
        self.flagged = lanes.copy() if self.flagged is None else self.flagged | lanes
        self.note_replayed(lanes)

    def note_replayed(self, lanes: NDArray[np.bool_]) -> None:
        """Remember that these iterations were settled by the exact scalar rules."""
        self.replayed = lanes.copy() if self.replayed is None else self.replayed | lanes

    def flush(self, target: int) -> None:
        """Turn denormal results into 0, as Excel does."""
        self.has_underflow = False
        value = self.values[target]
        if type(value) is np.ndarray and value.dtype == np.float64:
            self.values[target] = np.where(np.less(np.abs(value), SMALLEST_NORMAL), 0.0, value)

    def set_constant(self, index: int, value: Value) -> None:
        """Fill a slot with the same value for every iteration; a text by its place among the texts."""
        if isinstance(value, ErrorValue):
            # Of any kind: as a number 0, as a logical FALSE, as a text the first; the code is what counts.
            self.values[index] = 0
            self.errors[index] = np.full(self.iteration_count, value.code, dtype=np.int8)
        elif isinstance(value, str):
            self.values[index] = self.texts.index(value)
        else:
            self.values[index] = 0.0 if value is None else value

    def settled(self, index: int) -> Errors | None:
        """The error codes of a slot, with #NUM! where a number has overflown; None when there are none."""
        known: Errors | None = self.errors[index]
        if not self.has_overflow or self._is_settled[index]:
            return known
        self._is_settled[index] = True
        value = self.values[index]
        if type(value) is not np.ndarray or value.dtype != np.float64:
            return known
        if known is None and np.isfinite(value.dot(value)):
            return None
        bad = ~np.isfinite(value)
        if known is None:
            if not bad.any():
                return None
            found: Errors = np.where(bad, _NUM, np.int8(0))
        else:
            found = np.where(bad & (known == 0), _NUM, known)
        self.errors[index] = found
        return found

    def first_error(self, operands: Sequence[int]) -> Errors | None:
        """The codes of the first error value among operands, left to right; None when there are none."""
        first: Errors | None = None
        for index in operands:
            found = self.settled(index)
            if found is not None:
                first = found if first is None else np.where(first != 0, first, found)
        return first

    def spread(self, target: int, operands: Sequence[int]) -> None:
        """Give a result its operands' errors; cheap while there are none."""
        errors = self.errors
        for index in operands:
            if errors[index] is not None:
                errors[target] = self.first_error(operands)
                return

    def column(self, index: int) -> NDArray[Any]:
        """A slot as a full array."""
        return np.broadcast_to(self.values[index], (self.iteration_count,))

    def objects(self, index: int, kind: Kind) -> list[Value]:
        """A slot as Python values, for the scalar interpreter."""
        column, errors = self.column(index), self.settled(index)
        if column.dtype == object:
            return list(column)
        found: list[Value]
        if kind is Kind.TEXT:
            found = [self.texts[place] for place in column.tolist()]
        else:
            found = column.astype(np.bool_ if kind is Kind.LOGICAL else np.float64).tolist()
        if errors is not None:
            for lane in np.flatnonzero(errors):
                found[lane] = ERROR_BY_CODE[int(errors[lane])]
        return found


# Reads the slots of operands and writes one; the last argument is what the operation needs beside them.
Operation = Callable[[Registers, int, tuple[int, ...], Any], None]
