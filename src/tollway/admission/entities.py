"""What counts as a request."""

from tollway.kit.problems import TooMany

# What counts as a request (X11), the one table of it; docs/guides/limits.md shows the same.
# A refused call counts 0; a run that fails by our fault gives its request back.
UNITS: dict[str, int] = {
    "upload_model": 1,
    "create_run": 1,
    "read": 0,
    "change": 0,
}


class AddressLimitReached(TooMany):
    """One client address sent more requests in a minute than anyone may."""

    code = "address-limit-reached"
    title = "Too many requests from your address"
