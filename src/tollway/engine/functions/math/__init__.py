"""Math and trigonometry functions. Importing the package registers them."""

from tollway.engine.functions.math import (
    arithmetic,
    combinatorics,
    matrices,
    numerals,
    rounding,
    subtotals,
    sums,
    trigonometry,
)

__all__ = [
    "arithmetic",
    "combinatorics",
    "matrices",
    "numerals",
    "rounding",
    "subtotals",
    "sums",
    "trigonometry",
]
