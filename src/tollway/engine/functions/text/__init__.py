"""Text functions. Importing the package registers them."""

from tollway.engine.functions.text import (
    baht,
    conversion,
    finding,
    letters,
    phonetic,
    regex,
    splitting,
    strings,
)

__all__ = ["baht", "conversion", "finding", "letters", "phonetic", "regex", "splitting", "strings"]
