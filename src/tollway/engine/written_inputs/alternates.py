"""Shapes by percentiles: RiskNormalAlt(5%,1,95%,10) and its like, whose arguments are pairs of a type and a value.

A type is a share from 0 to 1 for a percentile, or the name of a parameter. Source: help.palisade.com, @RISK 8,
"RiskNormalAlt, RiskNormalAltD": with AltD a share is that of values at or above.
"""

from collections.abc import Sequence

from tollway.engine.distributions import Distribution
from tollway.engine.distributions.catalogue import CATALOGUE
from tollway.engine.distributions.notation import parse_distribution
from tollway.engine.distributions.parameters import BadDistribution, number
from tollway.engine.written_inputs.forms import Build, Given, WrittenFunction

PAIRS_MAX = 6
# What the peers call parameters that we call otherwise.
_OTHER_NAMES = {
    "mu": "mean",
    "sigma": "std",
    "mlikely": "mode",
    "mostlikely": "mode",
    "likely": "mode",
    "a": "alpha",
    "location": "loc",
}


def alternate(name: str, peer: str, kind: str, *, is_descending: bool = False) -> WrittenFunction:
    """The form of one shape that takes pairs of a type and a value."""
    parameters = tuple(
        word for place in range(1, PAIRS_MAX + 1) for word in (f"type{place}", f"value{place}")
    )
    return WrittenFunction(name, peer, parameters, 2, _build(kind, is_descending=is_descending))


def _build(kind: str, *, is_descending: bool) -> Build:
    def build(given: Sequence[Given]) -> Distribution:
        if len(given) % 2:
            raise BadDistribution(
                f"It has {len(given)} arguments; they come in pairs of a type (a percentile such as 5%, or the name "
                "of a parameter) and its value."
            )
        form: dict[str, object] = {}
        loc = 0.0
        for place in range(0, len(given), 2):
            what, value = _type(kind, given[place], is_descending=is_descending), given[place + 1]
            if what == "loc" and "loc" not in CATALOGUE[kind].parameters:
                loc = number(kind, "loc", value)
            elif what in form:
                raise BadDistribution(f"It names {what} twice; leave one out.")
            else:
                form[what] = number(kind, what, value)
        if loc:
            # Percentiles and means are those of the shape once it is moved.
            moved = {"mean", *(name for name in form if name.startswith("p") and name[1:2].isdigit())}
            form = {
                name: value - loc if name in moved and isinstance(value, float) else value
                for name, value in form.items()
            }
            form["shift"] = loc
        return parse_distribution({"type": kind, **form})

    return build


def _type(kind: str, given: Given, *, is_descending: bool) -> str:
    if isinstance(given, str):
        word = given.lower().replace(" ", "").replace(".", "")
        own = CATALOGUE[kind].parameters
        named = word if word in own else _OTHER_NAMES.get(word, word)
        if named in own or named in ("loc", "mean", "std"):
            return named
        raise BadDistribution(
            f"{given[:40]!r} names no parameter of a {kind} distribution; it takes {', '.join(own)} and percentiles."
        )
    if isinstance(given, bool) or not isinstance(given, float) or not 0 < given < 1:
        raise BadDistribution(
            f"The type {str(given)[:40]} of a pair is no percentile; write a share between 0 and 1, such as 5%, or the "
            "name of a parameter in quotes."
        )
    share = 1 - given if is_descending else given
    return f"p{100 * share:.10f}".rstrip("0").rstrip(".")
