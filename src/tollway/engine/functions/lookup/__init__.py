"""Lookup and reference functions. Importing the package registers them."""

from tollway.engine.functions.lookup import (
    addresses,
    ordering,
    parts,
    pivot_data,
    references,
    search,
    shaping,
)

__all__ = ["addresses", "ordering", "parts", "pivot_data", "references", "search", "shaping"]
