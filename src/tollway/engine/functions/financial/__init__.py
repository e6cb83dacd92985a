"""Financial functions. Importing the package registers them."""

from tollway.engine.functions.financial import annuities

__all__ = ["annuities"]
