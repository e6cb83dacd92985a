"""Lookup and reference functions. Importing the package registers them."""

from tollway.engine.functions.lookup import search

__all__ = ["search"]
