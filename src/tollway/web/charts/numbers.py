"""How numbers are written, and which round numbers stand on an axis."""

import math
from dataclasses import dataclass
from typing import Self

MINUS = "\N{MINUS SIGN}"
DIGITS_MIN = 3
DIGITS_MAX = 7
_SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


@dataclass(frozen=True)
class ValueFormat:
    """Writes a value as people read it: `1.23M`, `−$467k`, `4.5%`, with a real minus sign.

    `currency` is an ISO 4217 code; `percent` writes 0.045 as 4.5%; `digits` is how many significant digits are kept.
    static/charts.js writes values by the same rules while a bound moves; tests/web/test_charts.py holds the table of
    examples that both must meet.
    """

    currency: str | None = None
    percent: bool = False
    digits: int = DIGITS_MIN

    @classmethod
    def spanning(cls, low: float, high: float, currency: str | None = None) -> Self:
        """The format for values from `low` to `high`, with digits enough to tell them apart: $1.014M, not $1.01M."""
        span = high / 2 - low / 2
        largest = max(abs(low), abs(high)) / 2
        more = math.ceil(math.log10(largest / span)) if span > 0 and largest > span else 0
        return cls(currency=currency, digits=min(DIGITS_MAX, DIGITS_MIN + more))

    def __call__(self, value: float) -> str:
        """Write one value."""
        magnitude = abs(value) * (100 if self.percent else 1)
        if self.percent and magnitude >= 1000:
            digits = f"{magnitude:,.0f}"
        elif self.currency and 0.01 <= magnitude < 100 and magnitude != math.floor(magnitude):
            digits = f"{magnitude:.2f}"
        else:
            digits = compact(magnitude, digits=self.digits)
        return self._dressed(value, digits)

    def tick(self, value: float) -> str:
        """Write a round value on an axis: every digit it has, and no trailing zeros."""
        return self._dressed(
            value, compact(abs(value) * (100 if self.percent else 1), digits=DIGITS_MAX, trim=True)
        )

    @property
    def style(self) -> str:
        """What static/charts.js needs to write values alike: `plain`, `percent`, or the sign of the currency."""
        return "percent" if self.percent else self._sign or "plain"

    @property
    def _sign(self) -> str:
        return _SIGNS.get(self.currency, f"{self.currency} ") if self.currency else ""

    def _dressed(self, value: float, digits: str) -> str:
        return f"{MINUS if value < 0 else ''}{self._sign}{digits}{'%' if self.percent else ''}"


def compact(magnitude: float, *, digits: int = DIGITS_MIN, trim: bool = False) -> str:
    """Write a number that is not negative with a few significant digits and k, M, B or T.

    Zeros after the point are kept beside a suffix (`3.20M`), so that columns read alike, and dropped elsewhere or when
    `trim` asks for it. From 1e15, and below 0.0001, an exponent is written.
    """
    if magnitude == 0:
        return "0"
    exact = f"{magnitude:.{digits - 1}e}"
    rounded = float(exact)
    if rounded >= 1e15 or rounded < 1e-4:
        mantissa, exponent = exact.split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}".replace("-", MINUS)
    divisor, suffix = next((pair for pair in _SUFFIXES if rounded >= pair[0]), (1.0, ""))
    scaled = rounded / divisor
    written = f"{scaled:.{max(0, digits - 1 - math.floor(math.log10(scaled)))}f}"
    if "." in written and (trim or not suffix):
        written = written.rstrip("0").rstrip(".")
    return written + suffix


# Below it, steps are lost to the end of what a float can hold.
_SPAN_MIN = 1e-290


def round_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most `count` steps apart; a single one where the two are equal."""
    span = high - low
    if span < _SPAN_MIN or not math.isfinite(span):
        return [low]
    rough = span / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(
        magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough * (1 - 1e-9)
    )
    if step == 0 or math.isinf(low / step):
        return [low]
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]
