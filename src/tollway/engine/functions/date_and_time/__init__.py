"""Date and time functions. Importing the package registers them."""

from tollway.engine.functions.date_and_time import calendar, clock, day_counts, moments, working_days

__all__ = ["calendar", "clock", "day_counts", "moments", "working_days"]
