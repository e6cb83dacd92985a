"""Excel's own ways to draw: RAND(), RANDBETWEEN, RANDARRAY, and an inverse of a bare RAND(): NORM.INV(RAND(),10,2).

Source: Microsoft's pages of these functions. How RANDBETWEEN rounds ends that are not whole is not written there: the
lower is rounded up and the upper down, so that what it gives lies between them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tollway.engine.distributions import Distribution, IntegerUniform, Normal, Uniform
from tollway.engine.distributions.notation import parse_distribution
from tollway.engine.distributions.parameters import BadDistribution, number
from tollway.engine.written_inputs.atrisk import lognormal_of_logarithm
from tollway.engine.written_inputs.forms import EXCEL, Given, WrittenFunction, made, table

ARRAY_CELLS_MAX = 1_000
"""Numbers that one RANDARRAY may draw; each is an input."""
RAND = "RAND"
RANDBETWEEN = "RANDBETWEEN"
RANDARRAY = "RANDARRAY"


@dataclass(frozen=True)
class Inverse:
    """A worksheet function that inverts a distribution; `place` counts from 0 where its probability stands."""

    place: int
    build: Callable[[Sequence[Given]], Distribution]


def whole_ends(low: float, high: float) -> tuple[float, float]:
    """The least and the largest whole number from one end to the other; the first is above where there is none."""
    return float(math.ceil(low)), float(math.floor(high))


def array_shape(given: Sequence[Given]) -> tuple[int, int]:
    """Rows and columns of a RANDARRAY. Raises: BadDistribution."""
    padded = [*given, None, None][:2]
    rows, columns = (
        1 if size is None else math.trunc(number("uniform", name, size))
        for name, size in zip(("rows", "columns"), padded, strict=True)
    )
    if rows < 1 or columns < 1 or rows * columns > ARRAY_CELLS_MAX:
        raise BadDistribution(
            f"RANDARRAY: {rows:,} rows of {columns:,} columns were asked for; 1 to {ARRAY_CELLS_MAX:,} numbers are "
            "drawn. Draw fewer."
        )
    return rows, columns


def array_element(given: Sequence[Given]) -> Distribution:
    """What each number of a RANDARRAY is drawn from. Raises: BadDistribution."""
    _, _, low, high, is_whole = [*given, None, None, None, None, None][:5]
    least = 0.0 if low is None else number("uniform", "min", low)
    most = 1.0 if high is None else number("uniform", "max", high)
    if is_whole:
        return IntegerUniform(*whole_ends(least, most))
    return Uniform(least, most)


def _between(given: Sequence[Given]) -> Distribution:
    low, high = (
        number("integer_uniform", name, one) for name, one in zip(("bottom", "top"), given, strict=True)
    )
    return IntegerUniform(*whole_ends(low, high))


def _beta(given: Sequence[Given]) -> Distribution:
    alpha, beta, low, high = [*given, None, None][:4]
    ends = {"min": 0.0 if low is None else low, "max": 1.0 if high is None else high}
    return parse_distribution({"type": "beta_general", "alpha1": alpha, "alpha2": beta, **ends})


def _whole(given: Given) -> float:
    # Excel cuts degrees of freedom and trials to whole numbers.
    return float(math.trunc(number("inverse", "argument", given)))


def _shaped(kind: str, *names: str, whole: bool = False) -> Callable[[Sequence[Given]], Distribution]:
    def build(given: Sequence[Given]) -> Distribution:
        values = [_whole(one) if whole else one for one in given]
        return parse_distribution({"type": kind, **dict(zip(names, values, strict=True))})

    return build


_NORMAL = Inverse(0, _shaped("normal", "mean", "std"))
_STANDARD = Inverse(0, lambda _: Normal(0.0, 1.0))
_LOGNORMAL = Inverse(0, lognormal_of_logarithm)
_GAMMA = Inverse(0, _shaped("gamma", "alpha", "beta"))
_BETA = Inverse(0, _beta)
_BINOMIAL = Inverse(
    2, lambda given: parse_distribution({"type": "binomial", "n": _whole(given[0]), "p": given[1]})
)

INVERSES = {
    "NORM.INV": _NORMAL,
    "NORMINV": _NORMAL,
    "NORM.S.INV": _STANDARD,
    "NORMSINV": _STANDARD,
    "LOGNORM.INV": _LOGNORMAL,
    "LOGINV": _LOGNORMAL,
    "GAMMA.INV": _GAMMA,
    "GAMMAINV": _GAMMA,
    "BETA.INV": _BETA,
    "BETAINV": _BETA,
    "CHISQ.INV": Inverse(0, _shaped("chi_squared", "nu", whole=True)),
    "T.INV": Inverse(0, _shaped("student", "nu", whole=True)),
    "F.INV": Inverse(0, _shaped("f", "nu1", "nu2", whole=True)),
    "BINOM.INV": _BINOMIAL,
    "CRITBINOM": _BINOMIAL,
}
"""Inverses of the lower tail, so that the uniform of the RAND() inside stays that of the input. Others, such as
CHISQ.INV.RT, are computed from the uniform."""

FUNCTIONS: dict[str, WrittenFunction] = table(
    made(RAND, EXCEL, "", lambda _: Uniform(0.0, 1.0)),
    made(RANDBETWEEN, EXCEL, "bottom top", _between),
    made(RANDARRAY, EXCEL, "rows columns min max whole_number", array_element, 0),
)
