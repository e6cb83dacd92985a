"""The one place that reads the wall clock; everything below the edge is handed `now`."""

from datetime import UTC, datetime


def read_now() -> datetime:
    """Read the wall clock in UTC, cut to the microsecond that PostgreSQL keeps."""
    return datetime.now(UTC)
