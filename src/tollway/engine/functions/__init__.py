"""The worksheet functions, in Excel's own families. Each says what it takes, its error cases and its source."""

from tollway.engine.functions import (
    date,
    financial,
    information,
    logical,
    lookup,
    math,
    statistical,
    text,
)
from tollway.engine.functions.registry import FUNCTIONS, Function

# Importing a family registers its functions.
FAMILIES = {
    "date": date,
    "financial": financial,
    "information": information,
    "logical": logical,
    "lookup": lookup,
    "math": math,
    "statistical": statistical,
    "text": text,
}

# They give another result at each calculation, or depend on what no reference shows.
_VOLATILE = frozenset(
    {"CELL", "INDIRECT", "INFO", "NOW", "OFFSET", "RAND", "RANDARRAY", "RANDBETWEEN", "TODAY"}
)


def find_function(name: str) -> Function | None:
    """A function by its name in capitals, without _xlfn.; None for one that is not computed."""
    return FUNCTIONS.get(name)


def is_volatile(name: str) -> bool:
    """Whether Excel computes the function anew at every calculation."""
    return name in _VOLATILE
