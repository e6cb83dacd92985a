"""The operations without Excel's exactness: what evaluation costs with no error values, no dust and 15 digits ignored.

For measuring, and for whoever knows that a model never meets a corner; what is not finite at the end is #NUM!.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tollway.engine.functions import find_function
from tollway.engine.programs.blocks import OPERATIONS, PLAIN_OPERATIONS
from tollway.engine.programs.registers import Operation, Registers


def _snap(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    registers.values[target] = registers.values[operands[0]]


def _select(registers: Registers, target: int, operands: tuple[int, ...], _: Any) -> None:
    condition, then, otherwise = (registers.values[index] for index in operands)
    registers.values[target] = np.where(condition, then, otherwise)


def _call(registers: Registers, target: int, operands: tuple[int, ...], name: Any) -> None:
    given = [registers.values[index] for index in operands]
    if name in _ROUNDINGS and type(given[-1]) is float:
        registers.values[target] = _rounded(_ROUNDINGS[name], *given)
        return
    called = find_function(name)
    assert called is not None, name
    assert called.block is not None, name
    result = called.block(*given)
    registers.values[target] = result[0] if isinstance(result, tuple) else result


def _rounded(cut: Callable[[Any], Any], values: Any, digits: float) -> Any:
    """Binary rounding to a constant place, which takes 2.675 for what it is: less than 2.675."""
    scale = 10.0**digits
    size = np.abs(values)
    return np.copysign(cut(size * scale) / scale if digits else cut(size), values)


_ROUNDINGS: dict[str, Callable[[Any], Any]] = {
    "ROUND": lambda scaled: np.floor(scaled + 0.5),
    "ROUNDUP": np.ceil,
    "ROUNDDOWN": np.floor,
}


UNCHECKED_PLAIN_OPERATIONS: dict[str, np.ufunc] = {
    **PLAIN_OPERATIONS,
    "divide": np.true_divide,
    "power": np.power,
    "minimum": np.minimum,
    "maximum": np.maximum,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "greater": np.greater,
    "less_equal": np.less_equal,
    "greater_equal": np.greater_equal,
    "and": np.logical_and,
    "or": np.logical_or,
}
UNCHECKED_OPERATIONS: dict[str, Operation] = {
    **OPERATIONS,
    "snap": _snap,
    "select": _select,
    "call": _call,
}
