"""What further calls inside a call that draws say: truncation, shift, name, static value, lock, correlation.

Source: help.palisade.com, @RISK 8, "Property Functions" (RiskTruncate, RiskTruncateP, RiskTruncate2, RiskShift: a
truncation comes before the shift, but for RiskTruncate2 after it); solver.com, "PSI property functions" (PsiTruncate
with its third argument, PsiTruncateP, PsiShift).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tollway.engine.distributions import Adjusted, Distribution
from tollway.engine.distributions.parameters import BadDistribution, number
from tollway.engine.written_inputs.forms import Given, WrittenFunction

Said = tuple[str, Sequence[Given]]
"""A property's name in capitals without its maker's prefix, and its arguments."""

# They say nothing about what is drawn.
_WITHOUT_EFFECT = frozenset(
    {
        "UNITS",
        "CATEGORY",
        "COLLECT",
        "ISDATE",
        "ISDISCRETE",
        "SEED",
        "FIT",
        "LIBRARY",
        "CONVERGENCE",
        "SIXSIGMA",
    }
)
_READ = frozenset({"TRUNCATE", "TRUNCATEP", "TRUNCATE2", "SHIFT", "NAME", "STATIC", "BASECASE", "LOCK"})
_CORRELATING = frozenset({"CORRMAT", "CORRMATRIX"})
# Another draw would come of them than is drawn here.
_REFUSED = frozenset({"CENSOR", "COPULA", "CORRDEPEN", "CORRINDEP", "DEPC", "INDEPC"})
_ARGUMENTS_MAX = {"TRUNCATE": 3, "TRUNCATEP": 2, "TRUNCATE2": 2, "LOCK": 1}
_MAKERS = ("RISK", "PSI")


@dataclass(frozen=True)
class Draw:
    """What a call draws: its shape, what it shows outside of a run, and its name where it says one.

    `is_locked` calls are not drawn: they give their static value in every iteration.
    """

    distribution: Distribution
    static: float | None = None
    name: str | None = None
    is_locked: bool = False

    @property
    def value(self) -> float:
        """What it shows outside of a run."""
        return self.distribution.mean if self.static is None else self.static


def property_of(name: str) -> str | None:
    """The property that a function's name in capitals stands for: TRUNCATE for RISKTRUNCATE; None for no property."""
    for maker in _MAKERS:
        bare = name.removeprefix(maker)
        if bare != name and bare in _READ | _CORRELATING | _WITHOUT_EFFECT | _REFUSED:
            return bare
    return None


def is_correlation(said: str) -> bool:
    """Whether a property attaches an input to a matrix."""
    return said in _CORRELATING


def is_without_effect(said: str) -> bool:
    """Whether a property leaves the draw as it is."""
    return said in _WITHOUT_EFFECT


def is_refused(said: str) -> bool:
    """Whether a property asks for what is not drawn here."""
    return said in _REFUSED


def read_draw(function: WrittenFunction, given: Sequence[Given], said: Sequence[Said]) -> Draw:
    """What a call draws. Raises: BadDistribution, whose sentence begins with the function's name."""
    try:
        return _drawn(function, given, said)
    except BadDistribution as refusal:
        refusal.message = f"{function.name}: {refusal.message}"
        refusal.args = (refusal.message,)
        refusal.field = None
        raise


def _drawn(function: WrittenFunction, given: Sequence[Given], said: Sequence[Said]) -> Draw:
    shape = function.build(given)
    static: float | None = None
    name = _own_name(function, given)
    is_locked = False
    changes: dict[str, object] = {}
    shift = 0.0
    shifted_ends: list[float | None] | None = None
    for what, arguments in said:
        if len(arguments) > _ARGUMENTS_MAX.get(what, 1):
            raise BadDistribution(f"{what.capitalize()} has {len(arguments)} arguments, which are too many.")
        match what:
            case "TRUNCATE":
                changes |= _truncation(shape, arguments)
            case "TRUNCATEP":
                changes["truncate_percentiles"] = [
                    None if end is None else 100 * end for end in _ends(shape, arguments)
                ]
            case "TRUNCATE2":
                shifted_ends = _ends(shape, arguments)
            case "SHIFT":
                shift += number(shape.kind, "shift", arguments[0] if arguments else None)
            case "STATIC" | "BASECASE":
                static = number(shape.kind, "static value", arguments[0] if arguments else None)
            case "NAME":
                name = None if not arguments or arguments[0] is None else str(arguments[0])
            case "LOCK":
                is_locked = not arguments or arguments[0] is None or bool(arguments[0])
    if shifted_ends is not None:
        changes["truncate"] = [None if end is None else end - shift for end in shifted_ends]
    return Draw(_adjusted(shape, changes, shift), static, name, is_locked)


def _own_name(function: WrittenFunction, given: Sequence[Given]) -> str | None:
    """The name among the arguments of Crystal Ball's functions."""
    if "name" not in function.parameters[: len(given)]:
        return None
    name = given[function.parameters.index("name")]
    return name if isinstance(name, str) and name else None


def _adjusted(shape: Distribution, changes: dict[str, object], shift: float) -> Distribution:
    changes = {what: ends for what, ends in changes.items() if ends != [None, None]}
    if not changes and not shift:
        return shape
    if isinstance(shape, Adjusted):
        # What the function itself cuts off or moves (CB.Normal's cutoffs) comes first.
        kept = {"truncate": shape.truncate, "truncate_percentiles": shape.truncate_percentiles}
        if changes and any(ends is not None for ends in kept.values()):
            raise BadDistribution("It is truncated twice; leave one truncation out.")
        if changes and shape.shift:
            raise BadDistribution(
                "It is truncated after it was shifted; truncate it by the function's own ends."
            )
        return Adjusted(shape.base, shift=shape.shift + shift, **{**kept, **changes})  # type: ignore[arg-type]  # checked there
    return Adjusted(shape, shift=shift, **changes)  # type: ignore[arg-type]  # Adjusted checks what it is given


def _truncation(shape: Distribution, arguments: Sequence[Given]) -> dict[str, object]:
    ends = _ends(shape, arguments[:2])
    unit = arguments[2] if len(arguments) == 3 else None
    if unit in (None, 1.0):
        return {"truncate": ends}
    if unit == 2.0:
        return {"truncate": [None if end is None else shape.mean + end * shape.std for end in ends]}
    if unit == 3.0:
        return {"truncate_percentiles": [None if end is None else 100 * end for end in ends]}
    raise BadDistribution(
        "The third argument of PsiTruncate must be 1 (values), 2 (deviations) or 3 (percentiles)."
    )


def _ends(shape: Distribution, arguments: Sequence[Given]) -> list[float | None]:
    padded = [*arguments, None, None][:2]
    return [None if end is None else number(shape.kind, "truncate", end) for end in padded]
