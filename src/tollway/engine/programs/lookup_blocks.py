"""The operations of texts and lookups over blocks; blocks.py has the others."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.functions.lookup.search import find_exact
from tollway.engine.programs.operations import Kind
from tollway.engine.programs.registers import Errors, Operation, Registers
from tollway.engine.values import ErrorValue, Value

# Tables up to this length are searched by counting.
_FEW_KEYS = 16
_DTYPES = {Kind.NUMBER: np.float64, Kind.LOGICAL: np.bool_, Kind.TEXT: np.int64}
_VALUE = np.int8(ErrorValue.VALUE.code)
_NA = np.int8(ErrorValue.NA.code)


# --- texts ---------------------------------------------------------------------------------------------


def text_compare(is_equal: bool) -> Operation:
    """Whether two texts are equal, case aside; or the opposite."""

    def run(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
        folded = _folded(registers.texts)
        left, right = (folded[registers.column(index)] for index in operands)
        registers.values[target] = (left == right) if is_equal else (left != right)
        registers.spread(target, operands)

    return run


def text_position(registers: Registers, target: int, operands: tuple[int, ...], line: Any) -> None:
    """Where a text stands in a constant line, counted from 1; #N/A where it does not."""
    places = _places_of_texts(line, registers.texts)
    _write_place(registers, target, operands, places[registers.column(operands[0])])


@lru_cache(maxsize=256)
def _folded(texts: tuple[str, ...]) -> NDArray[np.int64]:
    """For each text the place of the first that differs in case at most."""
    lowered = [text.lower() for text in texts]
    return np.array([lowered.index(text) for text in lowered])


@lru_cache(maxsize=256)
def _places_of_texts(line: tuple[Value, ...], texts: tuple[str, ...]) -> NDArray[np.float64]:
    """For each text where it stands in a line, counted from 1; NaN where it does not."""
    found = [find_exact(line, text) for text in texts]
    return np.array([np.nan if place is None else place + 1.0 for place in found])


# --- lookups -------------------------------------------------------------------------------------------


def _write_place(
    registers: Registers, target: int, operands: tuple[int, ...], places: NDArray[np.float64]
) -> None:
    """Store positions, NaN meaning #N/A."""
    found = registers.first_error(operands)
    missing = np.isnan(places)
    if missing.any():
        known = np.int8(0) if found is None else found
        found = np.where((known == 0) & missing, _NA, known)
    registers.values[target] = places
    registers.errors[target] = found


def position(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """The place of the last of ascending keys that is at or below a number; #N/A below the first."""
    keys, places = detail
    wanted = registers.column(operands[0])
    if len(keys) <= _FEW_KEYS:
        # For a short table counting the keys at or below is faster than searching.
        found: NDArray[Any] = np.zeros(registers.iteration_count, dtype=np.int8)
        for key in keys.tolist():
            found += np.greater_equal(wanted, key).view(np.int8)
    else:
        found = np.searchsorted(keys, wanted, side="right")
    _write_place(registers, target, operands, np.concatenate(([np.nan], places)).take(found))


def position_exact(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """The place of the key that equals a number; #N/A where none does."""
    keys, places = detail
    wanted = registers.column(operands[0])
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    _write_place(registers, target, operands, np.where(keys[found] == wanted, places[found], np.nan))


def take(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """The entry of a constant table at a place counted from 1."""
    table, above = detail
    if registers.settled(operands[0]) is None:
        places = registers.values[operands[0]]
        if places.min() >= 1.0 and places.max() < len(table) + 1:
            registers.values[target] = table.take(places.astype(np.int64) - 1)
            return
    places, found = _whole_places(registers, operands[0], 1, len(table), above)
    registers.values[target] = table[places - 1]
    registers.errors[target] = found


def _whole_places(
    registers: Registers, index: int, first: int, last: int, above: int
) -> tuple[NDArray[np.int64], Errors | None]:
    """Positions cut to integers within bounds, and error codes where they lay outside."""
    known = registers.settled(index)
    places = np.trunc(registers.column(index))
    below, beyond = ~(places >= first), places > last
    if below.any() or beyond.any():
        free = np.int8(0) if known is None else known
        fault = np.where(beyond, np.int8(above), np.where(below, _VALUE, np.int8(0)))
        known = np.where(free == 0, fault, free)
        places = np.where(below | beyond, last, places)
    return places.astype(np.int64), known


def gather(registers: Registers, target: int, operands: tuple[int, ...], detail: Any) -> None:
    """The one of several operands at a place counted from 0 among them."""
    above, kind = detail
    entries = operands[1:]
    places, found = _whole_places(registers, operands[0], 0, len(entries) - 1, above)
    result: NDArray[Any] = np.zeros(registers.iteration_count, dtype=_DTYPES[kind])
    for place in np.unique(places):
        lanes = places == place
        entry = entries[place]
        np.copyto(result, registers.values[entry], where=lanes, casting="unsafe")
        entry_errors = registers.settled(entry)
        if entry_errors is not None:
            known = np.int8(0) if found is None else found
            found = np.where(lanes & (known == 0), entry_errors, known)
    registers.values[target] = result
    registers.errors[target] = found
