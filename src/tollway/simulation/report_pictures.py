"""How numbers are written in a report, and where the parts of its pictures stand.

Positions are shares of a picture's width and height, from the left and from the bottom, so that the template needs no
arithmetic. Summaries are `OutputSummary.as_json()`.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Summary = Mapping[str, Any]
Write = Callable[[float | None], str]

# Figures are written so finely that the standard deviation keeps this many digits: finer is noise.
SPREAD_DIGITS = 4
ERROR_DIGITS = 2
# What is larger, or needs more decimals, is written by its power of ten; in a narrow column, earlier.
WRITTEN_IN_FULL_MAX = 1e12
NARROW_FULL_MAX = 1e9
DECIMALS_MAX = 6
SCIENTIFIC_DIGITS_MAX = 6
TICKS = 6
MISSING = "none"
TORNADO_ROWS_MAX = 8
SETTLING_TICKS = 4
# A label beside a bar is cut there; the table of inputs has it whole.
LABEL_LENGTH_MAX = 48
# A longer word may break anywhere.
WORD_LENGTH_MAX = 20
_BREAK = "\u200b"
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def readable(text: object) -> str:
    """Return text for paper: without characters that no font draws, with places to break in long words."""
    plain = re.sub("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", str(text))
    with_joints = re.sub(r"([!_/\\;:(=])(?=\w)", rf"\1{_BREAK}", plain)
    return re.sub(rf"[^\s{_BREAK}]{{{WORD_LENGTH_MAX},}}", lambda found: _BREAK.join(found[0]), with_joints)


def shortened(text: str, length_max: int) -> str:
    """Return the beginning of a text that is longer, with a sign that it goes on."""
    return text if len(text) <= length_max else text[: length_max - 1] + "…"


def writer_of(summary: Summary, full_max: float = WRITTEN_IN_FULL_MAX) -> Write:
    """Return how the values of an output are written: as finely as its spread has digits to tell."""
    return writer_for(summary["mean"], summary["std"], full_max)


def writer_for(mean: float | None, spread: float | None, full_max: float = WRITTEN_IN_FULL_MAX) -> Write:
    """Return how values about a mean are written, by how far they spread."""
    scale = spread or abs(mean or 0.0) or 1.0
    decimals = max(0, SPREAD_DIGITS - 1 - math.floor(math.log10(scale)))
    largest = max(abs(mean or 0.0), scale)
    if decimals > DECIMALS_MAX or largest > full_max:
        digits = SPREAD_DIGITS + max(0, math.floor(math.log10(largest)) - math.floor(math.log10(scale)))
        return lambda value: (
            MISSING if value is None else _scientific(value, min(digits, SCIENTIFIC_DIGITS_MAX))
        )

    def write(value: float | None) -> str:
        if value is None:
            return MISSING
        if abs(value) > full_max:
            return _scientific(value, SPREAD_DIGITS)
        return _signed(f"{value:,.{decimals}f}")

    return write


def error_text(error: float | None) -> str:
    """Write a standard error with two digits: `± 68`; nothing where there is none."""
    if error is None:
        return ""
    if error == 0:
        return "± 0"
    decimals = max(0, ERROR_DIGITS - 1 - math.floor(math.log10(error)))
    if decimals > DECIMALS_MAX or error > WRITTEN_IN_FULL_MAX:
        return f"± {_scientific(error, ERROR_DIGITS)}"
    return f"± {error:,.{decimals}f}"


def share_text(share: float) -> str:
    """Write a share in percent, fine enough that one in a hundred thousand is not none."""
    percent = 100 * share
    if percent == 0:
        return "0 %"
    return f"{percent:.2f} %" if percent >= 0.01 else f"{percent:.2g} %"


def _scientific(value: float, digits: int) -> str:
    """Write a number by its power of ten: 2.016×10¹⁵."""
    factor, power = f"{value:.{digits - 1}e}".split("e")
    return f"{_signed(factor)}×10{str(int(power)).translate(RAISED)}"


def _signed(text: str) -> str:
    """Put a real minus sign before a negative number, and none before a zero."""
    bare = text.removeprefix("-")
    return f"−{bare}" if text != bare and any(sign in bare for sign in "123456789") else bare


# --- pictures ------------------------------------------------------------------------------------------


def ticks(low: float, high: float, count: int = TICKS) -> list[tuple[float, str]]:
    """Return round values between two, with their positions: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not 0 < span < math.inf:
        return []
    rough = span / count
    magnitude = 10.0 ** math.floor(math.log10(rough))
    if magnitude == 0:
        return []
    step = next((times * magnitude for times in (1, 2, 5) if times * magnitude >= rough), 10 * magnitude)
    decimals = max(0, -math.floor(math.log10(step)))
    first = math.ceil(low / step)
    found: list[tuple[float, str]] = []
    while first * step <= high and len(found) <= 2 * count:
        value = first * step
        in_full = abs(value) < NARROW_FULL_MAX and decimals <= DECIMALS_MAX
        text = _signed(f"{value:,.{decimals}f}") if in_full else _scientific(value, SPREAD_DIGITS)
        found.append(((value - low) / span, text))
        first += 1
    return found


def histogram_picture(summary: Summary, write: Write) -> dict[str, Any] | None:
    """Lay out the histogram with the cumulated share; None where there is nothing to draw or no width."""
    histogram = summary["histogram"]
    if histogram is None:
        return None
    edges, counts = histogram["bin_edges"], histogram["counts"]
    low, high, total = edges[0], edges[-1], sum(counts)
    if not low < high or not total:
        return None

    def place(value: float) -> float:
        return float(min(max((value - low) / (high - low), 0.0), 1.0))

    top = _room_above(max(counts) / total)
    percentiles = summary["percentiles"]
    marks = [
        (place(percentiles[percent]), f"{percent} % below {write(percentiles[percent])}")
        for percent in ("5", "95")
        if percentiles[percent] is not None
    ]
    # Two that stand where one would write over the other are one too many.
    if len(marks) == 2 and marks[1][0] - marks[0][0] < 0.28:
        marks = []
    return {
        "bars": [
            (place(left), place(right), count / total / top)
            for left, right, count in zip(edges, edges[1:], counts, strict=False)
            if count
        ],
        "cumulative": [(place(value), share) for value, share in summary["cdf"]],
        "shares": [(position, f"{float(text):g} %") for position, text in _share_ticks(top)],
        "ticks": ticks(low, high),
        "marks": [(position, label, 0) for position, label in marks],
        "alt": f"Histogram from {write(low)} to {write(high)}; 5 % of outcomes lie below "
        f"{write(percentiles['5'])}, half below {write(percentiles['50'])}, 95 % below {write(percentiles['95'])}.",
    }


def small_picture(summary: Summary) -> list[tuple[float, float]]:
    """Return the bars of a picture the size of a word: (position, height) of each; empty where there is no width."""
    histogram = summary["histogram"]
    if histogram is None or not histogram["bin_edges"][0] < histogram["bin_edges"][-1]:
        return []
    counts = histogram["counts"]
    return [(place / len(counts), count / max(counts)) for place, count in enumerate(counts) if count]


def _room_above(largest: float) -> float:
    """Return a little more than the tallest bar, so that it does not touch the top."""
    return min(1.0, largest * 1.08) or 1.0


def _share_ticks(top: float) -> list[tuple[float, str]]:
    return ticks(0.0, 100 * top, 4)


def tornado_picture(summary: Summary, write: Write) -> dict[str, Any] | None:
    """Lay out the swings of the mean, the largest first; None where no input moves it."""
    moving = [one for one in summary["sensitivities"] if one["swing"]]
    mean = summary["mean"]
    if not moving or mean is None:
        return None
    moving.sort(key=lambda one: -abs(one["swing"]))
    shown = moving[:TORNADO_ROWS_MAX]
    ends = [mean, *(one["low_mean"] for one in shown), *(one["high_mean"] for one in shown)]
    low, high = min(ends), max(ends)
    span = high - low
    if not 0 < span < math.inf:
        return None

    def between(value: float) -> tuple[float, float]:
        first, second = sorted(((mean - low) / span, (value - low) / span))
        return first, second

    left = len(moving) - len(shown)
    strongest = shown[0]["name"] or shown[0]["cell"]
    return {
        "rows": [
            {
                "label": readable(shortened(one["name"] or one["cell"], LABEL_LENGTH_MAX)),
                "low": between(one["low_mean"]),
                "high": between(one["high_mean"]),
                "swing": write(one["swing"]),
                "variance": _whole_percent(one.get("variance_share")),
            }
            for one in shown
        ],
        "middle": (mean - low) / span,
        "ticks": ticks(low, high, 3),
        "more": f"{left:,} more input{'s' * (left != 1)} move it less." if left else "",
        "alt": f"Inputs by how far they move the mean; {readable(strongest)} moves it most, "
        f"by {write(shown[0]['swing'])}.",
    }


def _whole_percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f} %"


def settling_picture(convergence: Mapping[str, Any], write: Write) -> dict[str, Any] | None:
    """Lay out how the mean settles between its limits of confidence; None below two points."""
    points = [
        one
        for one in convergence.get("checkpoints") or ()
        if None not in (one["mean"], one["low"], one["high"])
    ]
    if len(points) < 2:
        return None
    low = min(one["low"] for one in points)
    high = max(one["high"] for one in points)
    first, last = points[0]["iterations"], points[-1]["iterations"]
    if not 0 < high - low < math.inf or first >= last:
        return None
    place: Callable[[float], float] = lambda value: (value - low) / (high - low)  # noqa: E731 - two uses, one line
    laid_out: Sequence[tuple[float, ...]] = [
        (
            (one["iterations"] - first) / (last - first),
            place(one["low"]),
            place(one["mean"]),
            place(one["high"]),
        )
        for one in points
    ]
    return {
        "points": laid_out,
        "ticks": ticks(first, last, SETTLING_TICKS),
        "values": ticks(low, high, SETTLING_TICKS),
        "alt": f"The mean after {first:,} to {last:,} iterations; it ends at {write(points[-1]['mean'])}.",
    }
