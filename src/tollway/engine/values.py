"""What a cell can hold, and Excel's arithmetic on it: the one place for its number rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from enum import Enum
from typing import ClassVar

from tollway.engine.collation import text_order
from tollway.engine.serials import number_from_text

# Below this a double is denormal, and Excel shows 0.
SMALLEST_NORMAL = 2.2250738585072014e-308
# A final + or - whose result has a binary exponent this far under that of its operands becomes 0.
SNAP_EXPONENT_GAP = 49
# Comparison and decimal rounding see this many significant digits.
SIGNIFICANT_DIGITS = 15
# Longest text a cell holds; a longer result is #VALUE!.
TEXT_LENGTH_MAX = 32_767


class EngineError(Exception):
    """A refusal of the engine: what was wrong, what was expected and what to do, in one sentence or two.

    `code` is stable and machine-readable, `cells` are written "Sheet!A1", `field` is a path into the
    caller's own input ("distribution.std"), or None.
    """

    code: ClassVar[str] = "engine-error"

    def __init__(self, message: str, *, cells: tuple[str, ...] = (), field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.cells = cells
        self.field = field

    def __reduce__(self) -> tuple[Callable[..., EngineError], tuple[object, ...]]:
        """Survive the way back from a child process with every part."""
        return _rebuilt, (type(self), self.message, self.cells, self.field)


class NotAWorkbook(EngineError):
    """The file is not an .xlsx or .xlsm workbook that can be read."""

    code = "not-a-workbook"


class WorkbookTooLarge(EngineError):
    """The file passes one of ReadLimits."""

    code = "workbook-too-large"


class UnsupportedFormula(EngineError):
    """A formula uses a function or construct that is not computed yet, so nothing is computed from it.

    `construct` names it: the function's name, or words such as "structured reference".
    """

    code = "unsupported-function"

    def __init__(
        self, message: str, *, construct: str = "", cells: tuple[str, ...] = (), field: str | None = None
    ) -> None:
        super().__init__(message, cells=cells, field=field)
        self.construct = construct

    def __reduce__(self) -> tuple[Callable[..., EngineError], tuple[object, ...]]:
        """Keep the construct too."""
        return _rebuilt_unsupported, (self.message, self.construct, self.cells, self.field)


class UnreadableFormula(EngineError):
    """A formula does not follow Excel's grammar, or is longer or deeper than Excel allows."""

    code = "unreadable-formula"


class CircularReference(EngineError):
    """Cells that need each other's value."""

    code = "circular-reference"


class TooManyReferences(EngineError):
    """Formulas read more cells than one calculation may."""

    code = "too-many-references"


class BadInputCell(EngineError):
    """A cell named as an input cannot be one."""

    code = "bad-input-cell"


class BadOutputCell(EngineError):
    """A cell named as an output cannot be one."""

    code = "bad-output-cell"


class OutputDoesNotDependOnInputs(EngineError):
    """An output would be the same number in every iteration."""

    code = "output-does-not-depend-on-inputs"


def _rebuilt(kind: type[EngineError], message: str, cells: tuple[str, ...], field: str | None) -> EngineError:
    return kind(message, cells=cells, field=field)


def _rebuilt_unsupported(
    message: str, construct: str, cells: tuple[str, ...], field: str | None
) -> EngineError:
    return UnsupportedFormula(message, construct=construct, cells=cells, field=field)


class ErrorValue(Enum):
    """What a cell shows instead of a value. `code` is that of Excel's ERROR.TYPE, stable, and fits int8."""

    NULL = (1, "#NULL!")
    DIV0 = (2, "#DIV/0!")
    VALUE = (3, "#VALUE!")
    REF = (4, "#REF!")
    NAME = (5, "#NAME?")
    NUM = (6, "#NUM!")
    NA = (7, "#N/A")
    GETTING_DATA = (8, "#GETTING_DATA")
    SPILL = (9, "#SPILL!")
    CONNECT = (10, "#CONNECT!")
    BLOCKED = (11, "#BLOCKED!")
    UNKNOWN = (12, "#UNKNOWN!")
    FIELD = (13, "#FIELD!")
    CALC = (14, "#CALC!")

    @property
    def code(self) -> int:
        """1 to 14; 0 is left for "no error"."""
        return self.value[0]

    @property
    def text(self) -> str:
        """As a cell shows it."""
        return self.value[1]

    def __str__(self) -> str:
        return self.text


ERROR_BY_CODE: dict[int, ErrorValue] = {error.code: error for error in ErrorValue}
ERROR_BY_TEXT: dict[str, ErrorValue] = {error.text: error for error in ErrorValue}

# A number is always a float, a blank cell is None.
Value = float | str | bool | ErrorValue | None


# --- numbers -------------------------------------------------------------------------------------------


def settle(number: float) -> float | ErrorValue:
    """Give a finished calculation Excel's form: overflow is #NUM!, a denormal is 0, minus zero is 0."""
    if not math.isfinite(number):
        return ErrorValue.NUM
    if -SMALLEST_NORMAL < number < SMALLEST_NORMAL:
        return 0.0
    return number


def snap(result: float, operand: float) -> float:
    """Turn the rounding dust of a formula's last + or - into 0.

    `operand` is either side of the operator. Dust is a result below 2**(exponent(operand) - 49).

    Source: Microsoft KB 78113 says that it happens; the bound fits the measured cases in the newsgroup
    thread microsoft.public.excel "rounding" of joeu2004 and J. W. Lewis: with operands just under 2**1024
    a difference of 7 units in the last place becomes 0 and one of 8 does not.
    """
    if result == 0.0 or operand == 0.0:
        return result
    exponent = math.frexp(operand)[1] - 1
    return 0.0 if abs(result) < math.ldexp(1.0, exponent - SNAP_EXPONENT_GAP) else result


def add(left: float, right: float) -> float | ErrorValue:
    """Left plus right."""
    return settle(left + right)


def subtract(left: float, right: float) -> float | ErrorValue:
    """Left minus right."""
    return settle(left - right)


def multiply(left: float, right: float) -> float | ErrorValue:
    """Left times right."""
    return settle(left * right)


def divide(left: float, right: float) -> float | ErrorValue:
    """Left over right; #DIV/0! over zero."""
    if right == 0.0:
        return ErrorValue.DIV0
    return settle(left / right)


def power(base: float, exponent: float) -> float | ErrorValue:
    """Base to the exponent; 0^0 and roots of negative numbers are #NUM!, 0 to a negative power #DIV/0!.

    Source: Microsoft's POWER page; 0^0 as Excel stores it in the corpus.
    """
    if base == 0.0:
        if exponent == 0.0:
            return ErrorValue.NUM
        return ErrorValue.DIV0 if exponent < 0.0 else 0.0
    try:
        result = math.pow(base, exponent)
    except (OverflowError, ValueError):
        return ErrorValue.NUM
    return settle(result)


def decimal_text(number: float) -> str:
    """The number with 15 significant digits, in scientific form: two numbers compare equal when these do."""
    return f"{number:.14e}"


def decimal_round(number: float, digits: float, mode: str) -> float:
    """Round as written in decimal, seeing 15 significant digits, so that 2.675 to 2 digits is 2.68.

    `mode` is one of decimal's; a place beyond the 15th digit changes nothing.
    """
    place = math.trunc(digits)
    if number == 0.0 or place > 320:
        return number
    if place < -320:
        return 0.0
    written = Decimal(decimal_text(number))
    if written.adjusted() + place >= SIGNIFICANT_DIGITS:
        return number
    return float(written.quantize(Decimal(1).scaleb(-place), rounding=mode))


def round_half_up(number: float, digits: float) -> float:
    """ROUND: halves go away from zero."""
    return decimal_round(number, digits, ROUND_HALF_UP)


def round_away(number: float, digits: float) -> float:
    """ROUNDUP: away from zero."""
    return decimal_round(number, digits, ROUND_UP)


def round_toward_zero(number: float, digits: float) -> float:
    """ROUNDDOWN and TRUNC: towards zero."""
    return decimal_round(number, digits, ROUND_DOWN)


def floor_decimal(number: float) -> float:
    """INT: the integer at or below, after rounding to 15 significant digits.

    Source: INT(10^14+0.5) is 100000000000001 in Excel (joeu2004, microsoft.public.excel.misc,
    "Why does Excel INT(x) behave like ROUND(x,0) for 10^14 and higher").
    """
    if abs(number) >= 10.0 ** (SIGNIFICANT_DIGITS - 1):
        return float(math.floor(number + 0.5))
    return float(math.floor(float(decimal_text(number))))


def modulo(number: float, divisor: float) -> float | ErrorValue:
    """MOD: number - divisor * INT(number / divisor), so it has the divisor's sign.

    Source: Microsoft's MOD page.
    """
    if divisor == 0.0:
        return ErrorValue.DIV0
    quotient = number / divisor
    if not abs(quotient) < 2.0**50:
        return ErrorValue.NUM
    remainder = number - divisor * floor_decimal(quotient)
    return settle(snap(remainder, number))


# --- coercion ------------------------------------------------------------------------------------------


def to_number(value: Value) -> float | ErrorValue:
    """As an operand of arithmetic: blank 0, TRUE 1, text that reads as a number that number, else #VALUE!."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool):
        return 1.0 if value else 0.0
    if value is None:
        return 0.0
    if isinstance(value, str):
        number = number_from_text(value)
        return ErrorValue.VALUE if number is None else number
    return value


def to_text(value: Value) -> str | ErrorValue:
    """As an operand of &: blank "", numbers as the General format writes them, TRUE and FALSE."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return number_text(value)
    if value is None:
        return ""
    return value


def to_logical(value: Value) -> bool | ErrorValue:
    """As a condition: blank FALSE, any number but 0 TRUE, the texts TRUE and FALSE, else #VALUE!."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value != 0.0
    if value is None:
        return False
    if isinstance(value, str):
        return {"TRUE": True, "FALSE": False}.get(value.upper(), ErrorValue.VALUE)
    return value


def number_text(number: float) -> str:
    """A number as the General format writes it in text: at most 15 significant digits, no trailing zeros.

    From 1E+21 on, and below 1E-9 where the digits no longer fit, the form is 1.5E+21.
    """
    if number == 0.0:
        return "0"
    mantissa, _, exponent_text = decimal_text(number).partition("e")
    exponent = int(exponent_text)
    digits = mantissa.replace(".", "").replace("-", "").rstrip("0")
    sign = "-" if number < 0 else ""
    if exponent > 20 or (exponent < -4 and len(digits) - exponent - 1 > 20) or exponent < -9:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}E{'+' if exponent > 0 else '-'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


# --- comparison ----------------------------------------------------------------------------------------


def numbers_equal(left: float, right: float) -> bool:
    """Equal to 15 significant digits, as the operator = sees it, so that 0.1+0.2 = 0.3."""
    if left == right:
        return True
    if abs(left - right) > 1e-14 * abs(left):
        return False
    return decimal_text(left) == decimal_text(right)


def compare(left: Value, right: Value) -> int | ErrorValue:
    """Order two values as Excel's operators do: -1, 0 or 1, or the first error value.

    Numbers come before texts, texts before FALSE, FALSE before TRUE; texts go as `collation.text_order` says;
    a blank takes the other side's kind.
    """
    if isinstance(left, ErrorValue):
        return left
    if isinstance(right, ErrorValue):
        return right
    left, right = _blank_as(left, right), _blank_as(right, left)
    left_rank, right_rank = _rank(left), _rank(right)
    if left_rank != right_rank:
        return -1 if left_rank < right_rank else 1
    if isinstance(left, float) and isinstance(right, float):
        if numbers_equal(left, right):
            return 0
        return -1 if left < right else 1
    left_order = text_order(left) if isinstance(left, str) else left
    right_order = text_order(right) if isinstance(right, str) else right
    if left_order == right_order:
        return 0
    return -1 if left_order < right_order else 1  # type: ignore[operator]  # equal ranks are one type


def _blank_as(value: Value, other: Value) -> Value:
    if value is not None:
        return value
    if isinstance(other, str):
        return ""
    return False if isinstance(other, bool) else 0.0


def _rank(value: Value) -> int:
    if isinstance(value, bool):
        return 2
    return 1 if isinstance(value, str) else 0
