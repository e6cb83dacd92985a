"""Information functions. Importing the package registers them."""

from tollway.engine.functions.information import kinds, questions, surroundings

__all__ = ["kinds", "questions", "surroundings"]
