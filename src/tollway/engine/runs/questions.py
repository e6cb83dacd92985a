"""What may be asked of the results of a run: levels of value at risk, targets, and how closely they must be known."""

import math
from collections.abc import Sequence
from numbers import Real

from tollway.engine.values import EngineError

CONFIDENCE_LEVELS_DEFAULT = (0.95, 0.99)
CONFIDENCE_LEVELS_MAX = 20
TARGETS_MAX = 20
TOLERANCE_DEFAULT = 0.03


class BadConfidenceLevel(EngineError):
    """A confidence level is not a share between 0 and 1."""

    code = "bad-confidence-level"


class BadTarget(EngineError):
    """A target is no finite number, or there are too many."""

    code = "bad-target"


class BadTolerance(EngineError):
    """A tolerance is not a share between 0 and 1."""

    code = "bad-tolerance"


def check_confidence_levels(given: Sequence[object]) -> tuple[float, ...]:
    """Return the levels as floats without repetition, or refuse them. Raises: BadConfidenceLevel."""
    if len(given) > CONFIDENCE_LEVELS_MAX:
        raise BadConfidenceLevel(
            f"{len(given)} confidence levels are asked for; {CONFIDENCE_LEVELS_MAX} are possible.",
            field="confidence_levels",
        )
    levels: dict[float, None] = {}
    for position, level in enumerate(given):
        if isinstance(level, bool) or not isinstance(level, Real) or not 0 < float(level) < 1:
            raise BadConfidenceLevel(
                f"Confidence level {position + 1} is {str(level)[:40]}; it must lie between 0 and 1, such as 0.95.",
                field=f"confidence_levels[{position}]",
            )
        levels[float(level)] = None
    return tuple(levels)


def check_targets(given: Sequence[object]) -> tuple[float, ...]:
    """Return the values whose probability is asked for, without repetition, or refuse them. Raises: BadTarget."""
    if len(given) > TARGETS_MAX:
        raise BadTarget(
            f"{len(given)} targets are asked for; {TARGETS_MAX} are possible. Ask for fewer.", field="targets"
        )
    targets: dict[float, None] = {}
    for position, target in enumerate(given):
        if isinstance(target, bool) or not isinstance(target, Real) or not math.isfinite(float(target)):
            raise BadTarget(
                f"Target {position + 1} is {str(target)[:40]}; it must be a number, such as 1000000.",
                field=f"targets[{position}]",
            )
        # -0.0 is the same target as 0.
        targets[float(target) + 0.0] = None
    return tuple(targets)


def check_tolerance(given: object) -> float:
    """Return the tolerance as a float, or refuse it. Raises: BadTolerance."""
    if isinstance(given, bool) or not isinstance(given, Real) or not 0 < float(given) < 1:
        raise BadTolerance(
            f"The tolerance is {str(given)[:40]}; it must lie between 0 and 1, such as 0.03 for three percent.",
            field="tolerance",
        )
    return float(given)
