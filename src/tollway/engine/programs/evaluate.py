"""Runs a program over blocks of iterations with NumPy, keeping Excel's error values per iteration.

A value is an array over iterations; beside it stands None, or an int8 array of error codes when an error
value occurred in this block. Overflow is carried as inf or NaN, without a code, through operations that
keep it visible, and given its code (#NUM!) before any that could hide it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from tollway.engine.programs.blocks import OPERATIONS, PLAIN_OPERATIONS
from tollway.engine.programs.operations import Kind, Slot
from tollway.engine.programs.program import Program
from tollway.engine.programs.registers import Registers
from tollway.engine.programs.unchecked import UNCHECKED_OPERATIONS, UNCHECKED_PLAIN_OPERATIONS
from tollway.engine.values import ErrorValue

# Iterations computed at once: temporaries stay in the processor's cache, and calls are still few.
BLOCK_ITERATIONS = 4_096

# A plain ufunc or None, the function of any other operation, target, operands, detail, slots to release.
Step = tuple[np.ufunc | None, Callable[..., None] | None, int, tuple[int, ...], Any, tuple[int, ...]]
# Runs evaluate one program block by block; with exactness and without.
_STEPS: dict[bool, WeakKeyDictionary[Program, list[Step]]] = {
    True: WeakKeyDictionary(),
    False: WeakKeyDictionary(),
}


@dataclass(frozen=True)
class Evaluation:
    """The outputs of every iteration.

    `values`: float64 (outputs, iterations), NaN where there is an error; TRUE is 1 and FALSE 0.
    `errors`: int8 (outputs, iterations), 0 for a number, else the code of the error value; text is #VALUE!.
    `replayed_count`: iterations of which some part was left to the exact scalar rules, one by one.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.int8]
    replayed_count: int


def evaluate(program: Program, draws: NDArray[np.float64], *, is_exact: bool = True) -> Evaluation:
    """Compute the outputs for draws of shape (inputs, iterations).

    An iteration's outputs depend on its own draws alone, so any cut of the iterations gives the same bits.
    Without `is_exact` plain doubles stay as they come (unchecked.py), which shows what exactness costs.
    """
    input_count, iteration_count = draws.shape
    assert input_count == len(program.inputs), (input_count, len(program.inputs))
    values = np.empty((len(program.outputs), iteration_count))
    errors = np.zeros((len(program.outputs), iteration_count), dtype=np.int8)
    replayed_count = 0
    steps = _STEPS[is_exact].get(program)
    if steps is None:
        steps = _STEPS[is_exact][program] = _steps(program, is_exact=is_exact)
    for start in range(0, iteration_count, BLOCK_ITERATIONS):
        stop = min(start + BLOCK_ITERATIONS, iteration_count)
        registers = _filled(program, draws[:, start:stop])
        with np.errstate(all="call", call=registers.note_fault):
            _run(steps, registers)
            for place, slot in enumerate(program.output_slots):
                _store(registers, slot, values[place, start:stop], errors[place, start:stop])
        if registers.flagged is not None and is_exact:
            _replay(program, registers.flagged, draws, start, values, errors)
        if registers.replayed is not None:
            replayed_count += int(np.count_nonzero(registers.replayed))
    return Evaluation(values, errors, replayed_count)


def _steps(program: Program, *, is_exact: bool) -> list[Step]:
    """The program with each operation's function looked up."""
    plain = PLAIN_OPERATIONS if is_exact else UNCHECKED_PLAIN_OPERATIONS
    others = OPERATIONS if is_exact else UNCHECKED_OPERATIONS
    return [
        (
            plain.get(operation.name),
            others.get(operation.name),
            operation.target,
            operation.operands,
            operation.detail,
            released,
        )
        for operation, released in zip(program.operations, program.releases, strict=True)
    ]


def _filled(program: Program, draws: NDArray[np.float64]) -> Registers:
    registers = Registers(draws.shape[1], program.slot_count, program.texts)
    for index, row in enumerate(draws):
        registers.values[index] = row
    for index, value in program.constants.items():
        registers.set_constant(index, value)
    return registers


def _run(steps: list[Step], registers: Registers) -> None:
    values, errors = registers.values, registers.errors
    for plain, function, target, operands, detail, released in steps:
        if plain is not None:
            left, right = operands
            values[target] = plain(values[left], values[right])
            if errors[left] is not None or errors[right] is not None:
                if function is None:
                    errors[target] = registers.first_error(operands)
                else:
                    function(registers, target, operands, detail)
        else:
            assert function is not None
            function(registers, target, operands, detail)
        if registers.has_underflow:
            registers.flush(target)
        for index in released:
            values[index] = None


def _replay(
    program: Program,
    flagged: NDArray[np.bool_],
    draws: NDArray[np.float64],
    start: int,
    values: NDArray[np.float64],
    errors: NDArray[np.int8],
) -> None:
    """Write what the interpreter gives over the outputs of flagged iterations."""
    for lane in start + np.flatnonzero(flagged):
        exact = np.empty(len(program.outputs), dtype=object)
        exact[:] = program.lanes.values(draws[:, lane].tolist())
        errors[:, lane] = 0
        _store_any(exact, values[:, lane], errors[:, lane])


def _store(registers: Registers, slot: Slot, values: NDArray[np.float64], errors: NDArray[np.int8]) -> None:
    if slot.kind is Kind.ANY:
        _store_any(registers.values[slot.index], values, errors)
        return
    found = registers.settled(slot.index)
    if found is not None:
        errors[:] = found
    if slot.kind is Kind.TEXT:
        errors[errors == 0] = ErrorValue.VALUE.code
    else:
        values[:] = registers.values[slot.index]
    values[errors != 0] = np.nan


def _store_any(found: NDArray[np.object_], values: NDArray[np.float64], errors: NDArray[np.int8]) -> None:
    for lane, value in enumerate(found):
        if isinstance(value, (float, bool)):
            values[lane] = float(value)
        else:
            values[lane] = np.nan
            errors[lane] = (value if isinstance(value, ErrorValue) else ErrorValue.VALUE).code
