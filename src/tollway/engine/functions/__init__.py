"""The worksheet functions, in Excel's own families. Each says what it takes, its error cases and its source."""

from tollway.engine.functions import (
    database,
    date_and_time,
    engineering,
    financial,
    information,
    logical,
    lookup,
    math,
    statistical,
    text,
)
from tollway.engine.functions.registry import FUNCTIONS, Function

# Importing a family registers its functions. The titles are Excel's.
FAMILIES = {
    database: "Database",
    date_and_time: "Date and time",
    engineering: "Engineering",
    financial: "Financial",
    information: "Information",
    logical: "Logical",
    lookup: "Lookup and reference",
    math: "Math and trigonometry",
    statistical: "Statistical",
    text: "Text",
}

# They give another result at each calculation, so that a run could not be repeated.
_VOLATILE = frozenset({"RAND", "RANDARRAY", "RANDBETWEEN"})


def find_function(name: str) -> Function | None:
    """A function by its name in capitals, without _xlfn.; None for one that is not computed."""
    return FUNCTIONS.get(name)


def is_volatile(name: str) -> bool:
    """Whether Excel computes the function anew at every calculation."""
    return name in _VOLATILE


def families() -> dict[str, dict[str, Function]]:
    """The functions by name, under the title of their family."""
    found: dict[str, dict[str, Function]] = {title: {} for title in FAMILIES.values()}
    for name, function in FUNCTIONS.items():
        title = next(
            title
            for family, title in FAMILIES.items()
            if function.scalar.__module__.startswith(f"{family.__name__}.")
        )
        found[title][name] = function
    return found
