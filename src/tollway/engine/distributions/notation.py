"""Reads a distribution as people and clients write it: a JSON object, or text such as normal(1000, 50)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tollway.engine.distributions import Adjusted, Distribution
from tollway.engine.distributions.catalogue import CATALOGUE, Entry
from tollway.engine.distributions.parameters import BadDistribution, number
from tollway.engine.distributions.solving import Condition, solved

# Room for the largest discrete distribution.
TEXT_LENGTH_MAX = 500_000
DISTRIBUTION_TYPES = tuple(CATALOGUE)
ADJUSTMENTS = ("truncate", "truncate_percentiles", "shift")

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,15})?)")
_LISTS = ("values", "probabilities")


def parse_distribution(given: object, *, on_step: Callable[[], None] | None = None) -> Distribution:
    """Build a distribution from its JSON form, such as {"type": "normal", "mean": 1000, "std": 50}.

    Instead of parameters there may be percentiles ("p5": 10, "p95": 30), "mean" or "std", as many as there are
    parameters in all; the parameters are solved for. "truncate": [low, high] or "truncate_percentiles": [5, 95] cuts
    the shape off, one end may be null; then "shift" moves it.

    Parameters that belong to another type may be present as null, as clients send them; with a value they
    are refused, because leaving them out of the calculation would answer another question.

    Some shapes take seconds to be solved for: `on_step` is called on the way and may raise to stop.

    Raises: BadDistribution naming the parameter.
    """
    if not isinstance(given, Mapping):
        raise BadDistribution(
            'A distribution is written as an object, such as {"type": "normal", "mean": 1000, "std": 50}.',
            field="distribution",
        )
    entry = _entry_of(given.get("type"))
    present = {
        name: value
        for name, value in given.items()
        if name != "type" and (value is not None or name in entry.parameters)
    }
    adjustments = {name: present.pop(name) for name in ADJUSTMENTS if present.get(name) is not None}
    base = _built(entry, present, on_step)
    if not adjustments:
        return base
    return Adjusted(base, **{"shift": 0.0, **adjustments})


def _entry_of(kind: object) -> Entry:
    if not isinstance(kind, str) or kind.lower() not in CATALOGUE:
        found = "missing" if kind is None else f"{str(kind)[:40]!r}"
        raise BadDistribution(
            f"The type of this distribution is {found}; it must be one of {', '.join(CATALOGUE)}.",
            field="distribution.type",
        )
    return CATALOGUE[kind.lower()]


def _built(entry: Entry, present: Mapping[Any, object], on_step: Callable[[], None] | None) -> Distribution:
    """Build the shape itself from parameters, or from percentiles and moments."""
    conditions = []
    for name, value in present.items():
        if name in entry.parameters:
            continue
        percentile = _PERCENTILE.fullmatch(name) if isinstance(name, str) else None
        is_moment = name in {"mean", "std"} and not entry.is_list
        if not (is_moment or (percentile and (not entry.is_list or entry.kind == "metalog"))):
            raise BadDistribution(
                f"A {entry.kind} distribution has no parameter {str(name)[:40]!r}; "
                f"it takes {' and '.join(entry.parameters)}.",
                field=f"distribution.{str(name)[:40]}",
            )
        share = float(percentile[1]) / 100 if percentile else None
        if share == 0:
            raise BadDistribution(
                f"{name} of this {entry.kind} distribution is no percentile; write p5 or p97.5, above 0 and below 100.",
                field=f"distribution.{name}",
            )
        conditions.append(Condition(str(name), share, number(entry.kind, str(name), value)))
    known = {name: present[name] for name in entry.parameters if present.get(name) is not None}
    if conditions and entry.kind == "metalog":
        pairs = sorted((one.share or 0.0, one.value) for one in conditions)
        known |= {"values": [value for _, value in pairs], "probabilities": [share for share, _ in pairs]}
    elif conditions:
        numbers = {name: number(entry.kind, name, value) for name, value in known.items()}
        return solved(entry, numbers, conditions, on_step)
    # What may be left out and is must not be handed over, or None would stand for it.
    given = {
        name: known.get(name) for name in entry.parameters if name in known or name not in entry.optional
    }
    return entry.built(given)


_CALL = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*\((.*)\)\s*", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_.]*)\s*=\s*(.*)", re.DOTALL)


def parse_distribution_text(text: str, *, on_step: Callable[[], None] | None = None) -> Distribution:
    """Build a distribution from text: normal(1000, 50), discrete(1:0.2, 5:0.8), normal(p5=10, p95=30, shift=1).

    `on_step` is that of `parse_distribution`.

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
            f"{', '.join(CATALOGUE)}.",
            field="distribution",
        )
    entry = _entry_of(call[1])
    places, named = [], {}
    for argument in _arguments(call[2]):
        if pair := _NAMED.fullmatch(argument):
            name = _name_of(entry, pair[1])
            if name in named:
                raise BadDistribution(
                    f"{name} stands twice in {text[:60]!r}; leave one out.", field=f"distribution.{name}"
                )
            named[name] = _named_value(entry.kind, name, pair[2].strip())
        else:
            places.append(argument)
    members = {"type": entry.kind, **_placed(entry, places, named, text), **named}
    return parse_distribution(members, on_step=on_step)


def _arguments(text: str) -> list[str]:
    """Cut at the commas that stand outside of parentheses."""
    if "(" not in text:
        return [part.strip() for part in text.split(",")]
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        if letter == "(":
            depth += 1
        elif letter == ")":
            depth = max(0, depth - 1)
        elif letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


# Pages call three parameters by these.
_FORM_WORDS = {"min": "low", "mode": "likely", "max": "high"}


def _name_of(entry: Entry, written: str) -> str:
    """Take a parameter's name in any case, since some shapes have n and D and M, and by the words of pages."""
    for name in entry.parameters:
        if written.lower() in {name.lower(), _FORM_WORDS.get(name)}:
            return name
    return written.lower()


def _named_value(kind: str, name: str, text: str) -> object:
    if not text.startswith("("):
        return _number_from_text(kind, name, text)
    inside = text.removeprefix("(").removesuffix(")")
    return [
        _number_from_text(kind, name, part.strip()) if part.strip() else None for part in inside.split(",")
    ]


def _placed(entry: Entry, places: list[str], named: Mapping[str, object], text: str) -> dict[str, object]:
    """Give each argument without a name the parameter of its place."""
    if entry.kind == "metalog":
        scalars: list[str] = []
    else:
        scalars = [name for name in entry.parameters if name not in _LISTS and name not in named]
    if places == [""] and named:
        places = []
    fits = len(places) == len(scalars) or len(places) >= len(
        [name for name in scalars if name not in entry.optional]
    )
    conditions = any(name not in entry.parameters and name not in ADJUSTMENTS for name in named)
    fits = fits or conditions
    if entry.is_list:
        fits = len(places) > len(scalars) or (conditions and len(places) == len(scalars))
    elif len(places) > len(scalars):
        fits = False
    if not fits or (places and "" in places):
        raise BadDistribution(
            f"{text[:60]!r} does not fit; write {written_form(entry)} with one number for each.",
            field="distribution",
        )
    found: dict[str, object] = {
        name: _number_from_text(entry.kind, name, place) for name, place in zip(scalars, places, strict=False)
    }
    rest = places[len(scalars) :]
    lists = [name for name in _LISTS if name in entry.parameters]
    if len(lists) == 2 and rest:
        pairs = [_pair(entry.kind, argument) for argument in rest]
        found["values"] = [value for value, _ in pairs]
        found["probabilities"] = [probability for _, probability in pairs]
    elif rest:
        found[lists[0]] = [_number_from_text(entry.kind, lists[0], place) for place in rest]
    return found


def written_form(entry: Entry) -> str:
    """How a shape is written: `gamma(alpha, beta)`, `discrete(value:probability, ...)`."""
    scalars = [name for name in entry.parameters if name not in _LISTS]
    lists = [name for name in _LISTS if name in entry.parameters]
    items = {0: [], 1: ["value, ..."], 2: ["value:probability, ..."]}[len(lists)]
    if entry.kind == "metalog":
        return "metalog(value:probability, ..., min=, max=)"
    return f"{entry.kind}({', '.join([*scalars, *items])})"


def _pair(kind: str, argument: str) -> tuple[float, float]:
    value, colon, probability = argument.partition(":")
    if not colon:
        raise BadDistribution(
            f"{argument[:40]!r} is not a value with its probability; write {CATALOGUE[kind].example}.",
            field="distribution.values",
        )
    return (
        _number_from_text(kind, "values", value.strip()),
        _number_from_text(kind, "probabilities", probability.strip()),
    )


def _number_from_text(kind: str, parameter: str, text: str) -> float:
    # float() alone would also read "nan", "1_000" and other alphabets' digits.
    if not text.isascii() or _NUMBER.fullmatch(text) is None:
        return number(kind, parameter, text)
    return number(kind, parameter, float(text))


def distribution_text(distribution: Distribution) -> str:
    """Write a distribution as `parse_distribution_text` reads it back, to the last digit."""
    form = distribution.as_json()
    entry = CATALOGUE[form["type"]]
    # An end of a metalog may be there or not, so it is written by its name.
    is_named = entry.kind == "metalog"
    scalars = [name for name in entry.parameters if name not in _LISTS and name in form]
    arguments = [] if is_named else [_shortest(form[name]) for name in scalars]
    lists = [form[name] for name in _LISTS if name in form]
    arguments += [":".join(map(_shortest, items)) for items in zip(*lists, strict=True)]
    arguments += [f"{name}={_shortest(form[name])}" for name in scalars if is_named]
    for name in ADJUSTMENTS:
        if name in form:
            arguments.append(f"{name}={_adjustment(form[name])}")
    return f"{entry.kind}({', '.join(arguments)})"


def _adjustment(value: float | list[float | None]) -> str:
    if not isinstance(value, list):
        return _shortest(value)
    low, high = ("" if end is None else _shortest(end) for end in value)
    return f"({low}, {high})"


def _shortest(number: float) -> str:
    return repr(number).removesuffix(".0")
