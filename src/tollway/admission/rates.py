"""How fast is too fast: the arithmetic of rate limits, and nothing else.

GCRA in the form of a leaking bucket: each unit adds to a debt, time takes the debt away, and a unit that would raise it
above the limit is refused. Everything is a whole number, so that no rounding ever admits one unit too many, and the
same numbers come out in Python and in Redis.
"""

from dataclasses import dataclass

from tollway.kit.problems import Invalid

COUNT_MAX = 1_000_000_000
SECONDS_MAX = 31 * 86_400
MICROSECONDS = 1_000_000
# Redis computes in doubles, which hold whole numbers up to 2**53: a debt is at most count * seconds * 1,000,000.
COUNT_SECONDS_MAX = 9_000_000_000

# How long a worker may spend what the centre gave it, from before it asked.
LEASE_MS = 250
# Where fewer units than this come in while a lease is valid, each unit is asked for by itself.
LEASED_UNITS_MIN = 10


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`count` units in `seconds`, all of them at once at most.

    INVARIANT: within any t seconds at most count + count * t / seconds units pass
    (tests/admission/test_rates.py::test_no_window_holds_more_than_the_limit).

    Raises:
        Invalid: a number is outside its bounds.
    """

    name: str
    count: int
    seconds: int = 60

    def __post_init__(self) -> None:
        if not 1 <= self.count <= COUNT_MAX or not 1 <= self.seconds <= SECONDS_MAX:
            raise Invalid(
                f"A rate limit allows 1 to {COUNT_MAX:,} units in 1 to {SECONDS_MAX:,} seconds, "
                f"not {self.count:,} in {self.seconds:,}. Choose numbers within these bounds."
            )
        if self.count * self.seconds > COUNT_SECONDS_MAX:
            raise Invalid(
                f"{self.count:,} units in {self.seconds:,} seconds cannot be counted exactly: the product of both may "
                f"be {COUNT_SECONDS_MAX:,} at most. Name the same rate over fewer seconds."
            )

    @property
    def is_exact(self) -> bool:
        """Whether it is so slow that workers ask for each unit, instead of leasing some in advance."""
        return self.count * LEASE_MS < LEASED_UNITS_MIN * self.seconds * 1000

    @property
    def burst(self) -> int:
        """How many units the centre gives at once.

        What is leased may be spent up to LEASE_MS later, beside what came in meanwhile. So that many are held back,
        and the limit is kept over every window of the callers' own time, too.
        """
        return (
            self.count if self.is_exact else self.count - -(-self.count * LEASE_MS // (self.seconds * 1000))
        )


def unit_debt(seconds: int) -> int:
    """Return what one unit adds to the debt; `count` of it goes in each microsecond."""
    return seconds * MICROSECONDS


def drained(debt: int, count: int, seconds: int, *, of_seconds: int, elapsed_us: int) -> int:
    """Return what is left of a debt after some time.

    Args:
        count: of the limit as it is now; a lower one than before cannot make anybody wait longer than it takes to
            fill it once.
        seconds: likewise.
        of_seconds: those that the debt was counted by.
        elapsed_us: since the debt was what it was, in microseconds.
    """
    if of_seconds != seconds:
        debt = -(-debt * seconds // of_seconds)
    return max(0, min(debt, count * unit_debt(seconds)) - max(0, elapsed_us) * count)


@dataclass(frozen=True, slots=True)
class Grant:
    """What the centre gives: `units`, the debt after them, what is left to anybody, and when more can be had.

    `wait_us` is 0 where everything that was wanted was given.
    """

    units: int
    debt: int
    available: int
    wait_us: int


def grant(debt: int, count: int, seconds: int, *, burst: int, wanted: int, needed: int) -> Grant:
    """Give up to `wanted` units, or none where fewer than `needed` are there: they would only expire."""
    unit = unit_debt(seconds)
    free = (burst * unit - debt) // unit
    units = min(wanted, free) if free >= needed else 0
    debt += units * unit
    wait_us = max(0, -(-(debt + needed * unit - burst * unit) // count)) if units < wanted else 0
    return Grant(units, debt, max(0, (count * unit - debt) // unit), wait_us)
