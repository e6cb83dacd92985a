"""Distributions between the form, where they are text, and models, where they are JSON."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tollway.engine import distribution_text, parse_distribution
from tollway.engine.distributions.catalogue import CATALOGUE, Entry
from tollway.engine.distributions.notation import written_form
from tollway.simulation.entities import computed_words
from tollway.simulation.mark_flows import DistributionReader

# As long as the fields for it take.
DISTRIBUTION_LENGTH_MAX = 1_000
FORM_WORDS = {"min": "low", "mode": "likely", "max": "high"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One distribution as the form offers it."""

    kind: str
    use: str
    written: str
    """How it is written, by the names that the form's fields have."""
    example: str
    parameters: str
    """The fields' names with spaces between them; "" where it is written as a list."""
    optional_count: int

    @classmethod
    def of(cls, entry: Entry) -> "Kind":
        """Say it in the form's words."""
        names = "" if entry.is_list else in_words_of_the_form(" ".join(entry.parameters))
        written = in_words_of_the_form(written_form(entry))
        return cls(entry.kind, entry.use, written, entry.example, names, len(entry.optional))


@dataclass(frozen=True, slots=True)
class Group:
    """Distributions of one sort."""

    name: str
    entries: tuple[Kind, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.entries)


@cache
def distribution_groups() -> tuple[Group, ...]:
    """Every distribution that a form may name, by group."""
    names = dict.fromkeys(entry.group for entry in CATALOGUE.values())
    return tuple(
        Group(name, tuple(Kind.of(entry) for entry in CATALOGUE.values() if entry.group == name))
        for name in names
    )


def shown_distribution(distribution: dict[str, Any]) -> str:
    """Write a stored distribution as the form takes it: `normal(1000, 50)`, `discrete(0: 0.9, 1: 0.1)`."""
    return distribution_text(parse_distribution(distribution))


def shown_input(source: dict[str, Any]) -> str:
    """Write what an input of a run draws from: its distribution, or the formula that computes it from other inputs."""
    return computed_words(source) or shown_distribution(source["distribution"])


def read_distribution(text: str, reader: DistributionReader) -> dict[str, Any]:
    """Read what `shown_distribution` wrote, or a person; raises EngineError with a sentence for the field."""
    return reader.read_text(text).as_json()


def in_words_of_the_form(message: str) -> str:
    """Say what the engine found wrong by the names that the form's fields have."""
    return re.sub(r"\b(min|mode|max)\b", lambda name: FORM_WORDS[name.group()], message)
