"""Reads a distribution as people and clients write it: a JSON object, or text such as normal(1000, 50)."""

import re
from collections.abc import Mapping
from dataclasses import fields

from tollway.engine.distributions import Discrete, Distribution, Lognormal, Normal, Pert, Triangular, Uniform
from tollway.engine.parameters import BadDistribution, number

# Room for the largest discrete distribution.
TEXT_LENGTH_MAX = 500_000

_SHAPES: dict[str, type[Distribution]] = {
    shape.kind: shape for shape in (Uniform, Triangular, Normal, Lognormal, Pert, Discrete)
}
DISTRIBUTION_TYPES = tuple(_SHAPES)
_PARAMETERS = {kind: tuple(field.name for field in fields(shape)) for kind, shape in _SHAPES.items()}  # type: ignore[arg-type]  # each shape is a dataclass


def parse_distribution(given: object) -> Distribution:
    """Build a distribution from its JSON form, such as {"type": "normal", "mean": 1000, "std": 50}.

    Parameters that belong to another type may be present as null, as clients send them; with a value they
    are refused, because leaving them out of the calculation would answer another question.

    Raises: BadDistribution naming the parameter.
    """
    if not isinstance(given, Mapping):
        raise BadDistribution(
            'A distribution is written as an object, such as {"type": "normal", "mean": 1000, "std": 50}.',
            field="distribution",
        )
    kind = given.get("type")
    if not isinstance(kind, str) or kind.lower() not in _SHAPES:
        found = "missing" if kind is None else f"{str(kind)[:40]!r}"
        raise BadDistribution(
            f"The type of this distribution is {found}; it must be one of {', '.join(_SHAPES)}.",
            field="distribution.type",
        )
    kind = kind.lower()
    for parameter, value in given.items():
        if parameter != "type" and parameter not in _PARAMETERS[kind] and value is not None:
            raise BadDistribution(
                f"A {kind} distribution has no parameter {str(parameter)[:40]!r}; "
                f"it takes {' and '.join(_PARAMETERS[kind])}.",
                field=f"distribution.{str(parameter)[:40]}",
            )
    return _SHAPES[kind](*(given.get(parameter) for parameter in _PARAMETERS[kind]))


_CALL = re.compile(r"\s*([A-Za-z]+)\s*\((.*)\)\s*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def parse_distribution_text(text: str) -> Distribution:
    """Build a distribution from text: normal(1000, 50), pert(1, 2, 5), discrete(1:0.2, 5:0.8).

    Raises: BadDistribution saying what could not be read.
    """
    if len(text) > TEXT_LENGTH_MAX:
        raise BadDistribution(
            f"This distribution is {len(text):,} characters long; {TEXT_LENGTH_MAX:,} are read at most.",
            field="distribution",
        )
    call = _CALL.fullmatch(text)
    if call is None:
        raise BadDistribution(
            f"{text[:60]!r} is not a distribution; write it as normal(1000, 50), with one of "
            f"{', '.join(_SHAPES)}.",
            field="distribution",
        )
    kind, arguments = call[1].lower(), [part.strip() for part in call[2].split(",")]
    parameters = _PARAMETERS.get(kind)
    if parameters is None:
        return parse_distribution({"type": kind})
    if kind == "discrete":
        pairs = [_pair(argument) for argument in arguments]
        return Discrete(tuple(value for value, _ in pairs), tuple(probability for _, probability in pairs))
    if len(arguments) != len(parameters) or "" in arguments:
        raise BadDistribution(
            f"{text[:60]!r} does not fit; write {kind}({', '.join(parameters)}) with one number for each.",
            field="distribution",
        )
    numbers = (_number_from_text(kind, *pair) for pair in zip(parameters, arguments, strict=True))
    return _SHAPES[kind](*numbers)


def _pair(argument: str) -> tuple[float, float]:
    value, colon, probability = argument.partition(":")
    if not colon:
        raise BadDistribution(
            f"{argument[:40]!r} is not a value with its probability; write discrete(1:0.2, 5:0.8).",
            field="distribution.values",
        )
    return (
        _number_from_text("discrete", "values", value.strip()),
        _number_from_text("discrete", "probabilities", probability.strip()),
    )


def _number_from_text(kind: str, parameter: str, text: str) -> float:
    # float() alone would also read "nan", "1_000" and other alphabets' digits.
    if not text.isascii() or _NUMBER.fullmatch(text) is None:
        return number(kind, parameter, text)
    return number(kind, parameter, float(text))


def distribution_text(distribution: Distribution) -> str:
    """Write a distribution as `parse_distribution_text` reads it back, to the last digit."""
    if isinstance(distribution, Discrete):
        pairs = zip(distribution.values, distribution.probabilities, strict=True)
        arguments = [f"{_shortest(value)}:{_shortest(probability)}" for value, probability in pairs]
    else:
        arguments = [
            _shortest(getattr(distribution, parameter)) for parameter in _PARAMETERS[distribution.kind]
        ]
    return f"{distribution.kind}({', '.join(arguments)})"


def _shortest(number: float) -> str:
    return repr(number).removesuffix(".0")
