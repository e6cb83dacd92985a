"""Text functions. Importing the package registers them."""

from tollway.engine.functions.text import strings

__all__ = ["strings"]
