"""Date and time functions. Importing the package registers them."""

from tollway.engine.functions.date_and_time import calendar

__all__ = ["calendar"]
