"""Lookup and reference functions. Importing the package registers them."""

from tollway.engine.functions.lookup import (
    addresses,
    grouping,
    ordering,
    parts,
    pivot_data,
    references,
    search,
    shaping,
)

__all__ = ["addresses", "grouping", "ordering", "parts", "pivot_data", "references", "search", "shaping"]
