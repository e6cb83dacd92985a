"""Text functions. Importing the package registers them."""

from tollway.engine.functions.text import regex, strings

__all__ = ["regex", "strings"]
