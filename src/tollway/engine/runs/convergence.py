"""How statistics settle while iterations go by, and whether there were enough of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tollway.engine.runs.output_summary import Checkpoint, Convergence, SettledStatistic
from tollway.engine.runs.standard_errors import CONFIDENCE, NORMAL_QUANTILE
from tollway.engine.runs.tallies import RUNNING_PERCENTS, Prefix, Tally

ITERATIONS_NEEDED_MAX = 1_000_000_000
"""Ten times what a run may have. Beyond it a number is not told: where almost nothing is allowed it has no end."""
MORE_NEEDED = f"more than {ITERATIONS_NEEDED_MAX:,}"
"""What is said in its place."""

# How people call what is judged.
_NAMES = {
    "mean": "the mean",
    "std": "the standard deviation",
    "p5": "the 5th percentile",
    "p50": "the median",
    "p95": "the 95th percentile",
}


def judge_convergence(
    statistics: Sequence[tuple[str, float | None, float | None]],
    std: float | None,
    checkpoints: list[Checkpoint],
    iteration_count: int,
    tolerance: float,
) -> Convergence:
    """Say which statistics are known closely enough, and how many iterations the others need.

    A statistic has settled when half of its 95 % confidence interval is at most the tolerance times its size. That is
    the statistic's own, or the output's standard deviation where that is larger: a statistic that happens to lie near 0
    need not be known to a share of nearly nothing.

    Args:
        statistics: name, value and standard error of each.
        std: the output's.
        checkpoints: on the way.
        iteration_count: of the run.
        tolerance: a share, above 0 and below 1.
    """
    judged = [
        _judged(name, value, error, std, iteration_count, tolerance) for name, value, error in statistics
    ]
    needed = [one.iterations_needed for one in judged if not one.is_settled]
    known = [one for one in needed if one is not None]
    return Convergence(
        tolerance=tolerance,
        confidence=CONFIDENCE,
        is_settled=not needed,
        iterations_needed=max(known) if known and len(known) == len(needed) else None,
        statistics=judged,
        checkpoints=checkpoints,
    )


def _judged(
    name: str,
    value: float | None,
    error: float | None,
    std: float | None,
    iteration_count: int,
    tolerance: float,
) -> SettledStatistic:
    half_width = _finite(NORMAL_QUANTILE * error) if error is not None else None
    allowed = None if value is None else _finite(tolerance * max(abs(value), std or 0.0))
    if half_width is None or allowed is None:
        return SettledStatistic(name, value, half_width, allowed, is_settled=False, iterations_needed=None)
    needed = None
    if half_width > allowed:
        # The error falls with the root of the iterations.
        ratio = half_width / allowed if allowed else math.inf
        wanted = iteration_count * ratio * ratio
        needed = _readable(wanted) if wanted <= ITERATIONS_NEEDED_MAX else None
    return SettledStatistic(name, value, half_width, allowed, half_width <= allowed, needed)


def cap_needed(convergence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Leave out of the JSON form what is beyond ITERATIONS_NEEDED_MAX: results of before were stored with it."""
    if convergence is None:
        return None
    statistics = [one | {"iterations_needed": _told(one)} for one in convergence["statistics"]]
    return {**convergence, "iterations_needed": _told(convergence), "statistics": statistics}


def _told(judged: Mapping[str, Any]) -> int | None:
    needed: int | None = judged["iterations_needed"]
    return None if needed is None or needed > ITERATIONS_NEEDED_MAX else needed


def describe_needed(judged: Mapping[str, Any]) -> str:
    """Say how many iterations a statistic or a whole verdict needs: "15,625" or "more than 1,000,000,000".

    Takes the JSON form. Gives "" where it has settled, and where that is not known.
    """
    if judged["is_settled"]:
        return ""
    needed = judged.get("iterations_needed")
    if needed is None:
        return MORE_NEEDED if any(map(_is_beyond, judged.get("statistics", [judged]))) else ""
    return f"{needed:,}" if needed <= ITERATIONS_NEEDED_MAX else MORE_NEEDED


def _is_beyond(one: Mapping[str, Any]) -> bool:
    """Whether a statistic needs more than is told: both widths are known and no number is."""
    is_open = not one["is_settled"] and one.get("iterations_needed") is None
    return is_open and one["half_width"] is not None and one["allowed"] is not None


def _readable(wanted: float) -> int:
    """Round up to two digits."""
    unit = int(10 ** max(0, math.floor(math.log10(wanted)) - 1))
    return math.ceil(wanted / unit) * unit


def list_checkpoints(tally: Tally) -> list[Checkpoint]:
    """Say what the first iterations told alone, about evenly spaced; the last is the whole run."""
    return [_checkpoint(tally, prefix) for prefix in tally.prefixes]


def _checkpoint(tally: Tally, prefix: Prefix) -> Checkpoint:
    mean, reach = None, None
    if prefix.count:
        offset = prefix.first_sum / prefix.count
        mean = _finite(tally.centre + tally.scale * offset)
        if prefix.count > 1:
            squares = max(0.0, prefix.second_sum - prefix.count * offset * offset)
            reach = _finite(
                NORMAL_QUANTILE * tally.scale * math.sqrt(squares / (prefix.count - 1) / prefix.count)
            )
    return Checkpoint(
        iterations=prefix.iterations,
        mean=mean,
        low=None if mean is None or reach is None else _finite(mean - reach),
        high=None if mean is None or reach is None else _finite(mean + reach),
        percentiles={str(percent): prefix.percentiles[percent] for percent in RUNNING_PERCENTS},
    )


def describe_convergence(convergence: Convergence | Mapping[str, Any] | None) -> str:
    """Say in a sentence or two whether there were iterations enough; takes the JSON form too, and None of old runs."""
    if convergence is None:
        return "Whether there were iterations enough is not known for this run."
    told = convergence if isinstance(convergence, Mapping) else _as_mapping(convergence)
    within = f"to within {100 * told['tolerance']:.3g} % with {100 * told['confidence']:.3g} % confidence"
    names: dict[bool, list[str]] = {False: [], True: []}
    for one in told["statistics"]:
        names[bool(one["is_settled"])].append(_NAMES[one["statistic"]])
    if told["is_settled"]:
        return f"There were enough iterations: {_listed(names[True])} are known {within}."
    sentence = f"There were too few iterations to know {_listed(names[False])} {within}."
    needed = describe_needed(told)
    if needed == MORE_NEEDED:
        return f"{sentence} It would take {needed}."
    return f"{sentence} About {needed} should be enough." if needed else sentence


def _as_mapping(convergence: Convergence) -> dict[str, Any]:
    return {
        "tolerance": convergence.tolerance,
        "confidence": convergence.confidence,
        "is_settled": convergence.is_settled,
        "iterations_needed": convergence.iterations_needed,
        "statistics": [asdict(one) for one in convergence.statistics],
    }


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
