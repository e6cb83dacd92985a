"""What counts as a request."""

from tollway.kit.problems import Forbidden, TooMany, Unavailable

# What counts as a request (X11), the one table of it; docs/guides/limits.md shows the same.
# A refused call counts 0; a run that fails by our fault gives its request back.
UNITS: dict[str, int] = {
    "upload_model": 1,
    "create_run": 1,
    "read": 0,
    "change": 0,
}


# Where things are managed, as opposed to the products' own paths: callers are recognised there, but nothing counts.
MANAGEMENT_PREFIXES = ("/api/", "/auth/", "/trial/")


class AddressLimitReached(TooMany):
    """One client address sent more requests in a minute than anyone may."""

    code = "address-limit-reached"
    title = "Too many requests from your address"


class ApiKeyTooFast(TooMany):
    """More calls came with one key in a minute than its owner allows it."""

    code = "api-key-too-fast"
    title = "Too many requests with this API key"


class AddressNotAllowed(Forbidden):
    """The key's allow-list does not hold the address that the call came from."""

    code = "address-not-allowed"
    title = "This API key takes no calls from there"


class JournalFull(Unavailable):
    """What a call used cannot be written down, so it is not served: nothing that is served goes uncounted."""

    code = "usage-journal-full"
    title = "Nothing is served while usage cannot be written down"
