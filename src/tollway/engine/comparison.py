"""Two runs beside each other: how far each statistic of an output moved, and how sure that is.

Runs that share their random numbers differ only by what was changed. The error of the difference of their means is
then that of the mean of the differences, iteration by iteration, which is often many times smaller than the error of
two runs that have nothing in common.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tollway.engine.distributions.pert import Floats

PAIRS_MIN = 100
"""Fewer iterations side by side tell too little about the error of a difference."""

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class Pairs:
    """The same iterations of one output in two runs, with the error codes of each, 0 where it is a number."""

    base: Floats
    other: Floats
    base_errors: NDArray[np.int8]
    other_errors: NDArray[np.int8]


@dataclass(frozen=True)
class Difference:
    """One statistic of an output in two runs. What does not exist is None."""

    statistic: str
    """mean, std, p5 and the like, var_95 and the like (lower tail)."""
    base: float | None
    other: float | None
    difference: float | None
    """`other` less `base`."""
    relative: float | None
    """The difference over the size of `base`."""
    standard_error: float | None
    """Of the difference, by chance."""
    is_paired: bool
    """Whether that rests on the same iterations side by side; else the errors of both add up as independent ones do,
    which is too large for runs that share their random numbers."""


@dataclass(frozen=True)
class OutputComparison:
    """One output in two runs."""

    cell: str
    """As the base names it."""
    name: str | None
    base_index: int
    """Its place among the outputs of the base."""
    other_index: int
    differences: list[Difference]

    def as_json(self) -> dict[str, Any]:
        """Give plain types."""
        return asdict(self)


def matched_outputs(base: Sequence[Summary], other: Sequence[Summary]) -> list[tuple[int, int]]:
    """Pair the outputs of two runs: by cell, and where a cell is missing in one of them by a name that one each has."""
    by_cell = {summary["cell"]: place for place, summary in enumerate(other)}
    pairs = [
        (place, by_cell[summary["cell"]]) for place, summary in enumerate(base) if summary["cell"] in by_cell
    ]
    left = [place for place in range(len(base)) if place not in {pair[0] for pair in pairs}]
    free = [place for place in range(len(other)) if place not in {pair[1] for pair in pairs}]
    for place in left:
        name = base[place]["name"]
        namesakes = [one for one in free if name and other[one]["name"] == name]
        if len(namesakes) == 1 and sum(base[one]["name"] == name for one in left) == 1:
            pairs.append((place, namesakes[0]))
    return sorted(pairs)


def compare_outputs(
    base: Sequence[Summary],
    other: Sequence[Summary],
    pairs: Mapping[tuple[int, int], Pairs] | None = None,
    iterations: int = 0,
) -> list[OutputComparison]:
    """Compare the outputs that two runs have in common, in the order of the base.

    Args:
        base: `OutputSummary.as_json()` of each output; what runs of an earlier version did not compute may be missing.
        other: likewise.
        pairs: iterations side by side, by the places of the output, where the runs share their random numbers.
        iterations: of each of the two runs whole, of which `pairs` are a part.
    """
    return [
        OutputComparison(
            cell=base[first]["cell"],
            name=base[first]["name"],
            base_index=first,
            other_index=second,
            differences=_differences(
                base[first], other[second], _paired_error((pairs or {}).get((first, second)), iterations)
            ),
        )
        for first, second in matched_outputs(base, other)
    ]


def _paired_error(pairs: Pairs | None, iterations: int) -> float | None:
    """The standard error of the mean of differences; None where an iteration has no number in either run."""
    if pairs is None or len(pairs.base) < PAIRS_MIN or iterations < len(pairs.base):
        return None
    # Each mean is over the numbers of its own run, so iterations without one would part the pairs.
    if pairs.base_errors.any() or pairs.other_errors.any():
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        return _finite(float(np.std(pairs.other - pairs.base, ddof=1)) / math.sqrt(iterations))


def _differences(base: Summary, other: Summary, paired_error: float | None) -> list[Difference]:
    has_errors = bool(base["error_counts"] or other["error_counts"])
    paired = None if has_errors else paired_error
    found = [
        _difference("mean", base["mean"], other["mean"], *_mean_errors(base, other), paired_error=paired),
        _difference("std", base["std"], other["std"], *(_error(one, "std") for one in (base, other))),
    ]
    for group, prefix in (("percentiles", "p"), ("var", "var_"), ("cvar", "cvar_")):
        found += [
            _difference(
                f"{prefix}{name}",
                base[group][name],
                other[group][name],
                *(_error(one, group, name) for one in (base, other)),
            )
            for name in base[group]
            if name in other[group]
        ]
    return found


def _mean_errors(base: Summary, other: Summary) -> tuple[float | None, float | None]:
    return base["mean_standard_error"], other["mean_standard_error"]


def _error(summary: Summary, group: str, name: str | None = None) -> float | None:
    """The standard error of a statistic; None for runs of before it was computed."""
    known = (summary.get("standard_errors") or {}).get(group)
    if name is None:
        return known if isinstance(known, float | int) else None
    return known.get(name) if isinstance(known, Mapping) else None


def _difference(
    statistic: str,
    base: float | None,
    other: float | None,
    base_error: float | None,
    other_error: float | None,
    *,
    paired_error: float | None = None,
) -> Difference:
    difference = None if base is None or other is None else _finite(other - base)
    error = paired_error
    if error is None and base_error is not None and other_error is not None:
        error = _finite(math.hypot(base_error, other_error))
    return Difference(
        statistic=statistic,
        base=base,
        other=other,
        difference=difference,
        relative=None if difference is None or not base else _finite(difference / abs(base)),
        standard_error=None if difference is None else error,
        is_paired=paired_error is not None and difference is not None,
    )


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
