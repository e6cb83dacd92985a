"""Logical functions. Importing the package registers them."""

from tollway.engine.functions.logical import conditions, lambdas

__all__ = ["conditions", "lambdas"]
