"""Finds the parameters of a shape from percentiles, mean and standard deviation."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.catalogue import COUNTS, Entry
from tollway.engine.distributions.parameters import BadDistribution, shown
from tollway.engine.distributions.pert import Floats

# How exactly a solution meets what was asked, relative to the spread of it.
_MISS_MAX = 1e-9
_STEPS_MAX = 80
_HALVINGS_MAX = 12
_STARTS_MAX = 96
_DIFFERENCE = 1e-6
_DIGITS, _ROUNDING = 12, 1e-12


@dataclass(frozen=True)
class Condition:
    """What the shape shall have: a percentile, a mean or a standard deviation."""

    field: str
    """As it was given: "p5", "mean", "std"."""
    share: float | None
    """The percentile as a share, None for a moment."""
    value: float

    @property
    def words(self) -> str:
        """It in words."""
        if self.share is not None:
            return f"{100 * self.share:.6g} % below {shown(self.value)}"
        return f"{'mean' if self.field == 'mean' else 'standard deviation'} {shown(self.value)}"


class _Outside(Exception):
    """No shape has these parameters."""


def solved(
    entry: Entry,
    known: dict[str, float],
    conditions: Sequence[Condition],
    on_step: Callable[[], None] | None = None,
) -> Distribution:
    """Build the shape that has the known parameters and meets the conditions.

    Newton's steps, damped, from several starts; scales and shapes by their logarithm, so that they stay positive.

    `on_step` is called before each shape that is tried, some thousands at most, and may raise to stop.

    Raises: BadDistribution where conditions do not fit the parameters, or no shape meets them.
    """
    unknown = _unknown(entry, known, conditions)
    _check_conditions(entry, conditions)
    roles = dict(zip(entry.parameters, entry.roles, strict=True))
    spread = _spread(conditions)

    def built(point: Floats) -> Distribution:
        values = {
            name: _unfolded(roles[name], coordinate)
            for name, coordinate in zip(unknown, point.tolist(), strict=True)
        }
        return _shape(entry, known | values)

    def misses(point: Floats) -> Floats:
        if on_step is not None:
            on_step()
        try:
            with np.errstate(all="ignore"):
                missed: Floats = _misses(built(point), conditions) / spread
                return missed
        except (BadDistribution, OverflowError, ZeroDivisionError):
            raise _Outside from None

    best: tuple[float, Floats] | None = None
    for start in itertools.islice(_starts([roles[name] for name in unknown], conditions), _STARTS_MAX):
        reached = _descended(misses, start)
        if reached is not None and (best is None or reached[0] < best[0]):
            best = reached
        if best is not None and best[0] <= _MISS_MAX / 1_000:
            break
    if best is None or best[0] > _MISS_MAX:
        raise BadDistribution(
            f"No {entry.kind} distribution has {' and '.join(one.words for one in conditions)}; "
            "correct a number, or choose another shape.",
            field=f"distribution.{conditions[0].field}",
        )
    return _rounded(entry, built(best[1]), conditions, spread)


def _rounded(
    entry: Entry, exact: Distribution, conditions: Sequence[Condition], spread: float
) -> Distribution:
    """Drop the digits of a solution that only show rounding, where it still meets the conditions."""
    form = {name: value for name, value in exact.as_json().items() if name != "type"}
    short = {
        name: 0.0 if abs(value) < _ROUNDING * spread else float(f"{value:.{_DIGITS}g}")
        for name, value in form.items()
    }
    try:
        shape = entry.built(short)
        is_close = float(np.abs(_misses(shape, conditions)).max()) <= _MISS_MAX * spread
    except (BadDistribution, _Outside):
        return exact
    return shape if is_close else exact


def _shape(entry: Entry, values: dict[str, float]) -> Distribution:
    return entry.built(values)


def _unknown(entry: Entry, known: dict[str, float], conditions: Sequence[Condition]) -> list[str]:
    """Which parameters to solve for: those not given, as many as there are conditions; the rest by default."""
    left = [name for name in entry.parameters if name not in known]
    required = [name for name in left if name not in entry.optional]
    # Parameters that may be left out are solved for only where conditions are left for them.
    extra = [name for name in left if name in entry.optional]
    count = len(conditions)
    if not len(required) <= count <= len(left):
        raise BadDistribution(
            f"A {entry.kind} distribution takes {' and '.join(entry.parameters)}; "
            f"{len(known)} given by name and {count} by percentile, mean or standard deviation do not fit: "
            f"give {len(entry.parameters)} in all.",
            field=f"distribution.{conditions[-1].field}",
        )
    chosen = set(required) | set(extra[: count - len(required)])
    roles = dict(zip(entry.parameters, entry.roles, strict=True))
    for name in chosen:
        if roles[name] == "fixed":
            raise BadDistribution(
                f"{name} of this {entry.kind} distribution is missing; it cannot be found from percentiles or moments, "
                "so give it by name.",
                field=f"distribution.{name}",
            )
    return [name for name in entry.parameters if name in chosen]


def _check_conditions(entry: Entry, conditions: Sequence[Condition]) -> None:
    percentiles = sorted((one for one in conditions if one.share is not None), key=lambda one: one.share or 0)
    if percentiles and entry.group == COUNTS:
        raise BadDistribution(
            f"A {entry.kind} distribution of whole numbers cannot be given by percentiles; give its parameters or its "
            "mean.",
            field=f"distribution.{percentiles[0].field}",
        )
    for lower, upper in itertools.pairwise(percentiles):
        if lower.value >= upper.value:
            raise BadDistribution(
                f"{lower.field} of this {entry.kind} distribution is {shown(lower.value)} and {upper.field} is "
                f"{shown(upper.value)}; percentiles must rise.",
                field=f"distribution.{upper.field}",
            )
    for one in conditions:
        if one.field == "std" and one.value <= 0:
            raise BadDistribution(
                f"std of this {entry.kind} distribution is {shown(one.value)}; a standard deviation must be above 0.",
                field="distribution.std",
            )


def _misses(shape: Distribution, conditions: Sequence[Condition]) -> Floats:
    """How far the shape is from each condition."""
    needed = max((1 if one.field == "mean" else 2 for one in conditions if one.share is None), default=0)
    if shape.finite_moments < needed:
        raise _Outside
    shares = [one.share for one in conditions if one.share is not None]
    reached = iter(shape.exact_quantile(np.array(shares)).tolist())
    found = [
        next(reached) if one.share is not None else shape.mean if one.field == "mean" else shape.std
        for one in conditions
    ]
    missed: Floats = np.array(found) - np.array([one.value for one in conditions])
    if not np.isfinite(missed).all():
        raise _Outside
    return missed


def _descended(misses: Callable[[Floats], Floats], start: Floats) -> tuple[float, Floats] | None:
    """Follow damped Newton steps; give the largest miss that is left, and where."""
    point = start
    try:
        missed = misses(point)
        for _ in range(_STEPS_MAX):
            size = float(np.abs(missed).max())
            if size <= _MISS_MAX / 1e6:
                break
            step: Floats = np.asarray(np.linalg.lstsq(_jacobian(misses, point), -missed, rcond=None)[0])
            if not np.isfinite(step).all():
                break
            moved = _damped(misses, point, step, missed)
            if moved is None:
                break
            point, missed = moved
    except _Outside:
        return None
    return float(np.abs(missed).max()), point


def _damped(
    misses: Callable[[Floats], Floats], point: Floats, step: Floats, missed: Floats
) -> tuple[Floats, Floats] | None:
    """Halve a step until it leads to where the misses are smaller."""
    size = float(missed @ missed)
    for halving in range(_HALVINGS_MAX):
        there = point + step / 2**halving
        try:
            found = misses(there)
        except _Outside:
            continue
        if float(found @ found) < size:
            return there, found
    return None


def _jacobian(misses: Callable[[Floats], Floats], point: Floats) -> Floats:
    columns = []
    for at in range(len(point)):
        change = np.zeros_like(point)
        change[at] = _DIFFERENCE * max(1.0, abs(float(point[at])))
        columns.append((misses(point + change) - misses(point - change)) / (2 * change[at]))
    return np.stack(columns, axis=1)


def _spread(conditions: Sequence[Condition]) -> float:
    """About one standard deviation, as far as the conditions tell."""
    for one in conditions:
        if one.field == "std":
            return one.value
    percentiles = [one for one in conditions if one.share is not None]
    if len(percentiles) > 1:
        low, high = min(percentiles, key=_value), max(percentiles, key=_value)
        width = float(ndtri(high.share or 0.0) - ndtri(low.share or 0.0))
        return (high.value - low.value) / max(width, 1e-3)
    return max(abs(one.value) for one in conditions) or 1.0


def _value(condition: Condition) -> float:
    return condition.value


def _starts(
    roles: Sequence[str], conditions: Sequence[Condition]
) -> "itertools.product[Floats] | map[Floats]":
    """Points to begin from, the likeliest first."""
    middles = sorted(one.value for one in conditions if one.field != "std")
    centre = middles[len(middles) // 2] if middles else 0.0
    spread = _spread(conditions)
    logs = [math.log(size) for size in (abs(centre) or spread, spread, spread / 4, 4 * spread) if size > 0]
    by_role: dict[str, list[float]] = {
        "location": [centre, centre - 2 * spread, 0.0],
        "scale": logs,
        "shape": [math.log(size) for size in (2.0, 0.7, 6.0, 30.0)],
        "low": [centre - 2 * spread, centre - 1.2 * spread, centre - 4 * spread],
        "mode": [centre, centre - 0.5 * spread, centre + 0.5 * spread],
        "high": [centre + 2 * spread, centre + 1.2 * spread, centre + 4 * spread],
        "share": [0.0, -3.0, 3.0],
    }
    return map(np.array, itertools.product(*(by_role[role] for role in roles)))


def _unfolded(role: str, coordinate: float) -> float:
    if role in {"scale", "shape"}:
        return math.exp(coordinate)
    if role == "share":
        return 1 / (1 + math.exp(-coordinate))
    return coordinate
