"""How months run, counted from any day."""

from datetime import datetime


def month_around(anchor: datetime, now: datetime) -> tuple[datetime, datetime]:
    """Return the month, counted from `anchor`, that holds `now`: from its start until before its end."""
    months = (now.year - anchor.year) * 12 + now.month - anchor.month
    start = add_months(anchor, months)
    if start > now:
        months -= 1
        start = add_months(anchor, months)
    return start, add_months(anchor, months + 1)


def add_months(anchor: datetime, months: int) -> datetime:
    """Move by whole months; a day that the month lacks becomes its last (31 January + 1 is 28 February)."""
    years, month_index = divmod(anchor.month - 1 + months, 12)
    year, month = anchor.year + years, month_index + 1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return anchor.replace(year=year, month=month, day=min(anchor.day, lengths[month - 1]))
