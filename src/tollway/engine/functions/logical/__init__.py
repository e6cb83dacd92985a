"""Logical functions. Importing the package registers them."""

from tollway.engine.functions.logical import conditions

__all__ = ["conditions"]
