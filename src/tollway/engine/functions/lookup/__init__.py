"""Lookup and reference functions. Importing the package registers them."""

from tollway.engine.functions.lookup import addresses, ordering, parts, references, search, shaping

__all__ = ["addresses", "ordering", "parts", "references", "search", "shaping"]
