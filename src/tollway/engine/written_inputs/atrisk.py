"""The functions of @RISK that draw, which XLRisk writes alike.

Source: Palisade, "A Concise Summary of @RISK Probability Distribution Functions" (2005), and help.palisade.com,
@RISK 8, "Distribution Functions". Those of XLRisk: its own source, Source/RiskFunctions.bas.
"""

import math
from collections.abc import Sequence

from tollway.engine.distributions import Distribution, Lognormal, Normal
from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.distributions.notation import parse_distribution
from tollway.engine.distributions.parameters import BadDistribution, check_positive, number
from tollway.engine.written_inputs.alternates import alternate
from tollway.engine.written_inputs.forms import AT_RISK, Given, WrittenFunction, made, of_catalogue, table

_ALTERNATE_ENDINGS = (("Alt", False), ("AltD", True))


def error_function(given: Sequence[Given]) -> Distribution:
    """A normal around 0 with variance 1 / (2 h²)."""
    h = number("normal", "h", given[0])
    check_positive("normal", "h", h)
    return Normal(0.0, 1 / (math.sqrt(2) * h))


def lognormal_of_logarithm(given: Sequence[Given]) -> Distribution:
    """A lognormal by mean and standard deviation of its logarithm."""
    mu, sigma = (number("lognormal", name, value) for name, value in zip(("mu", "sigma"), given, strict=True))
    check_positive("lognormal", "sigma", sigma)
    try:
        mean = math.exp(mu + sigma * sigma / 2)
        return Lognormal(mean, mean * math.sqrt(math.expm1(sigma * sigma)))
    except OverflowError:
        raise BadDistribution(
            f"mu {mu:g} and sigma {sigma:g} are those of a logarithm, and too large for it."
        ) from None


def descending_cumulative(given: Sequence[Given]) -> Distribution:
    """A curve through points (value, probability of more than it)."""
    low, high, values, falling = given
    rising = (
        [1 - one if isinstance(one, float) else one for one in falling]
        if isinstance(falling, list)
        else falling
    )
    return parse_distribution(
        {"type": "cumulative", "min": low, "max": high, "values": values, "probabilities": rising}
    )


def _truncated(kind: str) -> WrittenFunction:
    def build(given: Sequence[Given]) -> Distribution:
        mean, std, low, high = given
        return parse_distribution({"type": kind, "mean": mean, "std": std, "truncate": [low, high]})

    return made(
        {"normal": "RiskTnormal", "lognormal": "RiskTlognorm"}[kind], AT_RISK, "mean std min max", build
    )


def _resample(given: Sequence[Given]) -> Distribution:
    method, values = given
    if method != 2.0:
        raise BadDistribution(
            "It draws in order or without replacement; only its method 2, by chance with replacement, is drawn here."
        )
    return parse_distribution({"type": "empirical", "values": values})


def _beta(given: Sequence[Given]) -> Distribution:
    """XLRisk's has ends too, 0 and 1 where they are left out."""
    alpha1, alpha2, low, high = [*given, None, None][:4]
    if low is None and high is None:
        return parse_distribution({"type": "beta", "alpha1": alpha1, "alpha2": alpha2})
    ends = {"min": 0.0 if low is None else low, "max": 1.0 if high is None else high}
    return parse_distribution({"type": "beta_general", "alpha1": alpha1, "alpha2": alpha2, **ends})


_OWN = [
    made("RiskBeta", AT_RISK, "alpha1 alpha2 min max", _beta, 2),
    made("RiskErf", AT_RISK, "h", error_function),
    made("RiskLognorm2", AT_RISK, "mu sigma", lognormal_of_logarithm),
    made("RiskCumulD", AT_RISK, "min max values[] probabilities[]", descending_cumulative),
    _truncated("normal"),
    _truncated("lognormal"),
    made("RiskResample", AT_RISK, "method values[]", _resample),
]

_CATALOGUED = [
    of_catalogue(entry.peer, AT_RISK, kind)
    for kind, entry in CATALOGUE.items()
    if entry.peer and entry.peer != "RiskResample"
]
_ALTERNATES = [
    alternate(f"{entry.peer}{ending}", AT_RISK, kind, is_descending=is_descending)
    for kind, entry in CATALOGUE.items()
    if entry.peer and entry.roles and "fixed" not in entry.roles
    for ending, is_descending in _ALTERNATE_ENDINGS
]

# XLRisk's lognormal takes the mean and the standard deviation of the logarithm, where @RISK's takes those of the value.
XLRISK_LOGNORMAL = made("RiskLogNorm", AT_RISK, "mu sigma", lognormal_of_logarithm)

FUNCTIONS = table(*_ALTERNATES, *_CATALOGUED, *_OWN)
