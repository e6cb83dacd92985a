"""What counts as a request, and why a call is refused."""

from dataclasses import dataclass

from tollway.kit.problems import Forbidden, TooMany, Unavailable

# What counts as a request (X11), the one table of it; docs/guides/limits.md shows the same.
# A refused call counts 0; a run that fails by our fault gives its request back.
UNITS: dict[str, int] = {
    "upload_model": 1,
    "create_run": 1,
    "create_goal_seek": 1,
    "read": 0,
    "change": 0,
}


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """What a kind of call asks for. Compared by identity: make one for each kind, not for each call.

    Args:
        product: whose path is called; empty for the paths where things are managed.
        reads: whether it only reads, which decides the scope and what its key's state must be.
        units: what it takes from the quota here; 0 where the transaction of its effect counts it.
        weight: what it takes from limits a minute.
    """

    product: str
    reads: bool
    units: int = 0
    weight: int = 1


# The limits by their names, as answers, headers and the usage log tell them.
LIMIT_PER_KEY = "requests_per_minute_per_key"
LIMIT_PER_CUSTOMER = "requests_per_minute"
LIMIT_PER_ADDRESS = "requests_per_minute_per_address"
LIMIT_PER_PERIOD = "requests_per_period"
LIMIT_AT_ONCE = "writes_at_once"

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


class CustomerTooFast(TooMany):
    """More calls came with all keys of a customer in a minute than the plan allows."""

    code = "rate-limit-exceeded"
    title = "Too many requests in this minute"


class TooManyAtOnce(TooMany):
    """As many requests of a customer that make or change something are under way as the plan allows."""

    code = "requests-at-once"
    title = "Too many requests at once"


class AddressNotAllowed(Forbidden):
    """The key's allow-list does not hold the address that the call came from."""

    code = "address-not-allowed"
    title = "This API key takes no calls from there"


class JournalFull(Unavailable):
    """What a call used cannot be written down, so it is not served: nothing that is served goes uncounted."""

    code = "usage-journal-full"
    title = "Nothing is served while usage cannot be written down"
