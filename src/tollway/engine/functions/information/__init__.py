"""Information functions. Importing the package registers them."""

from tollway.engine.functions.information import kinds

__all__ = ["kinds"]
