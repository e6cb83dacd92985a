"""What is left of one limit of one subject, as this process knows it; asked at every call, so it does no more than add.

`Bucket` is the whole truth where one process serves. `LeasedBucket` holds what the centre gave to this one.
"""

from typing import Protocol

from tollway.admission.rates import LEASE_MS, MICROSECONDS, RateLimit, drained

SECOND_NS = 1_000_000_000
LEASE_NS = LEASE_MS * 1_000_000
# A lease is what is spent in so long; so little is lost with a worker that is killed.
DEMAND_NS = 50_000_000
# Who was given less than was wanted does not ask again earlier: the units that come in meanwhile wait at the centre.
PAUSE_NS = 10_000_000


class Bucket:
    """A limit of one subject, counted in this process alone."""

    __slots__ = (
        "_almost_full",
        "_almost_full_ns",
        "_burst_ns",
        "_count",
        "_full_at_ns",
        "_interval_ns",
        "key",
        "limit",
        "told",
    )

    def __init__(self, key: str, limit: RateLimit) -> None:
        self.key = key
        self.limit = limit
        # What the last answer told of the limit, kept by whoever writes it (headers.py): most often, what the next
        # one tells. Its level, the second in which everything is back, and the headers.
        self.told: tuple[tuple[int, int], int, list[tuple[bytes, bytes]]] | None = None
        self._count = limit.count
        # Rounded up: a unit never comes back earlier than it may.
        self._interval_ns = -(-limit.seconds * SECOND_NS // limit.count)
        self._burst_ns = self._interval_ns * limit.count
        # The level while so much is spent at most: that of most keys, at most times.
        self._almost_full = self._count - 1, 1
        self._almost_full_ns = min(self._interval_ns, SECOND_NS)
        # When everything will have come back, if nothing more is taken.
        self._full_at_ns = 0

    def take(self, weight: int, now_ns: int) -> bool:
        """Take units, or return False where they are not here. A weight above the limit counts as the whole limit."""
        full_at_ns = self._full_at_ns
        if full_at_ns < now_ns:  # noqa: PLR1730 - max() is one more call for every request
            full_at_ns = now_ns
        full_at_ns += weight * self._interval_ns
        if full_at_ns - now_ns > self._burst_ns:
            return weight > self.limit.count and self.take(self.limit.count, now_ns)
        self._full_at_ns = full_at_ns
        return True

    def give_back(self, weight: int) -> None:
        """Return what was taken in the same step and not used after all."""
        self._full_at_ns -= min(weight, self.limit.count) * self._interval_ns

    def needs_renewal(self) -> bool:
        """Tell whether more may be had by asking the centre; there is none here."""
        return False

    def level(self, now_ns: int) -> tuple[int, int]:
        """Return how many units could be taken now, and after how many seconds everything has come back."""
        spent_ns = self._full_at_ns - now_ns
        if spent_ns <= 0:
            return self._count, 0
        if spent_ns <= self._almost_full_ns:
            return self._almost_full
        left = self._count + -spent_ns // self._interval_ns
        return max(0, left), -(-spent_ns // SECOND_NS)

    def remaining(self, now_ns: int) -> int:
        """Return how many units could be taken now."""
        return self.level(now_ns)[0]

    def reset_seconds(self, now_ns: int) -> int:
        """Return after how many seconds everything has come back."""
        return self.level(now_ns)[1]

    def retry_after_seconds(self, weight: int, now_ns: int) -> int:
        """Return after how many seconds so many units can be had: 1 at least."""
        needed_ns = min(weight, self.limit.count) * self._interval_ns
        return max(1, -(-(self._full_at_ns + needed_ns - self._burst_ns - now_ns) // SECOND_NS))

    def change(self, limit: RateLimit, now_ns: int) -> None:
        """Take another limit; what was spent stays spent."""
        debt = self.debt(now_ns)
        of_seconds = self.limit.seconds
        Bucket.__init__(self, self.key, limit)
        self.owe(drained(debt, limit.count, limit.seconds, of_seconds=of_seconds, elapsed_us=0), now_ns)

    def debt(self, now_ns: int) -> int:
        """Return what is spent and has not come back, as the centre counts it."""
        return self._spent(now_ns) * self.limit.seconds * MICROSECONDS

    def owe(self, debt: int, now_ns: int) -> None:
        """Begin with a debt."""
        units = -(-debt // (self.limit.seconds * MICROSECONDS))
        self._full_at_ns = now_ns + min(units, self.limit.count) * self._interval_ns

    def is_idle(self, now_ns: int) -> bool:
        """Tell whether a new one would know the same."""
        return self._full_at_ns <= now_ns

    def _spent(self, now_ns: int) -> int:
        return max(0, -(-(self._full_at_ns - now_ns) // self._interval_ns))


class Refills(Protocol):
    """Whoever fetches budget."""

    def refill(self, bucket: "LeasedBucket") -> None:
        """Ask the centre soon, without anybody waiting for it."""
        ...

    def clock_ns(self) -> int:
        """Read the monotonic clock."""
        ...


class LeasedBucket(Bucket):
    """A limit of one subject, spent from leases of the centre.

    Two leases at most are held: one is spent while the next is fetched. Each ends by itself, counted on this
    process's monotonic clock from before it was asked for, so that no delay makes it longer.
    """

    __slots__ = (
        "_allowance",
        "_allowance_left",
        "_available",
        "_available_at_ns",
        "_burst",
        "_given",
        "_given_at_ns",
        "_held",
        "_is_exact",
        "_next_held",
        "_next_void_at_ns",
        "_not_before_ns",
        "_refill_below",
        "_refills",
        "_size",
        "_void_at_ns",
        "is_asked_for",
    )

    def __init__(self, key: str, limit: RateLimit, refills: Refills) -> None:
        super().__init__(key, limit)
        self._refills = refills
        self._burst, self._is_exact = limit.burst, limit.is_exact
        # How many units may pass in this process while the centre is gone, and how many of them are left.
        self._allowance = self._allowance_left = 0
        self._held = self._next_held = 0
        self._void_at_ns = self._next_void_at_ns = 0
        self._size = max(1, limit.count // (limit.seconds * 100))
        self._given = 0
        self._given_at_ns = 0
        # Below this, more is fetched; 0 where it is on its way, or where each unit is asked for by itself.
        self._refill_below = 0
        self._not_before_ns = 0
        self._available = limit.count
        self._available_at_ns = 0
        self.is_asked_for = False

    def take(self, weight: int, now_ns: int) -> bool:
        """Take units, or return False where they are not here: then `needs_renewal` says whether to ask for more."""
        held = self._held - weight
        if held >= self._refill_below and now_ns < self._void_at_ns:
            self._held = held
            return True
        return self._take_slowly(min(self._burst, weight), now_ns)

    def _take_slowly(self, weight: int, now_ns: int) -> bool:
        held = self._held if now_ns < self._void_at_ns else 0
        ahead = self._next_held if now_ns < self._next_void_at_ns else 0
        if held + ahead < weight:
            return False
        if held >= weight:
            self._held = held - weight
        else:
            self._held = held + ahead - weight
            self._void_at_ns = self._next_void_at_ns
            self._given = ahead
            self._given_at_ns = now_ns
            ahead = 0
        self._next_held = ahead
        if not self._is_exact and not self.is_asked_for and not ahead:
            self._refill_below = self._given // 2
            if self._held < self._refill_below:
                self._refills.refill(self)
        return True

    def give_back(self, weight: int) -> None:
        """Return what was taken in the same step and not used after all."""
        self._held += min(weight, self._burst)

    def needs_renewal(self) -> bool:
        """Tell whether the centre may have more; False where it said lately that it has not."""
        return self._refills.clock_ns() >= self._not_before_ns

    def wanted(self, now_ns: int) -> int:
        """Return how many units to lease: what is spent here in 50 ms, by doubling and halving."""
        self.is_asked_for = True
        self._refill_below = 0
        if self._given:
            spent = self._given - (self._held if now_ns < self._void_at_ns else 0)
            demand = max(0, spent) * DEMAND_NS // max(1, now_ns - self._given_at_ns)
            self._size = max(1, self._size // 2, min(demand, self._size * 2, self._burst))
        return self._size

    def receive(self, units: int, available: int, wait_us: int, *, asked_at_ns: int, now_ns: int) -> None:
        """Take over what the centre gave."""
        self.is_asked_for = False
        self._available, self._available_at_ns = available, now_ns
        self._allowance_left = self._allowance
        if wait_us:
            pause_ns = 0 if self._is_exact else PAUSE_NS
            self._not_before_ns = asked_at_ns + max(wait_us * 1000, pause_ns)
        if units:
            self._hold(units, asked_at_ns + LEASE_NS, now_ns)

    def _hold(self, units: int, void_at_ns: int, now_ns: int) -> None:
        if self._held <= 0 or now_ns >= self._void_at_ns:
            self._held, self._void_at_ns = units, void_at_ns
            self._given, self._given_at_ns = units, now_ns
            self._refill_below = 0 if self._is_exact else units // 2
        elif self._next_held and now_ns < self._next_void_at_ns:
            # Both end when the earlier one does.
            self._next_held += units
            self._next_void_at_ns = min(self._next_void_at_ns, void_at_ns)
        else:
            self._next_held, self._next_void_at_ns = units, void_at_ns

    def allow(self, units: int) -> None:
        """Let so many units pass in this process each time that the centre is gone."""
        if units != self._allowance:
            self._allowance_left = max(0, self._allowance_left + units - self._allowance)
            self._allowance = units

    def allow_without(self, weight: int, now_ns: int) -> bool:
        """Let units pass though the centre is gone, or return False where none may (any more)."""
        self.is_asked_for = False
        weight = min(weight, self._burst)
        if self._allowance_left < weight:
            return False
        self._allowance_left -= weight
        self._hold(weight, now_ns + LEASE_NS, now_ns)
        self._refill_below = 0
        return True

    def drop(self, now_ns: int) -> int:
        """Let go of everything, and return how many units the centre may have back."""
        held = self._held if now_ns < self._void_at_ns else 0
        ahead = self._next_held if now_ns < self._next_void_at_ns else 0
        self._held = self._next_held = 0
        return held + ahead

    def level(self, now_ns: int) -> tuple[int, int]:
        """Return how many units could be taken now, and after how many seconds all is back, as far as is known here."""
        remaining = self.remaining(now_ns)
        return remaining, -(-(self._count - remaining) * self.limit.seconds // self._count)

    def remaining(self, now_ns: int) -> int:
        """Return how many units could be taken now, as far as is known here."""
        came_in = (now_ns - self._available_at_ns) * self.limit.count // (self.limit.seconds * SECOND_NS)
        held = self._held if now_ns < self._void_at_ns else 0
        ahead = self._next_held if now_ns < self._next_void_at_ns else 0
        return min(self.limit.count, self._available + came_in + held + ahead)

    def retry_after_seconds(self, weight: int, now_ns: int) -> int:
        """Return after how many seconds so many units can be had: 1 at least."""
        missing = min(weight, self.limit.count) - self.remaining(now_ns)
        by_rate = -(-missing * self.limit.seconds // self.limit.count)
        return max(1, by_rate, -(-(self._not_before_ns - now_ns) // SECOND_NS))

    def change(self, limit: RateLimit, now_ns: int) -> None:
        """Take another limit; the centre knows what was spent, and asks here begin anew."""
        spent = max(0, self.limit.count - self._available)
        self._available, self._available_at_ns = max(0, limit.count - spent), now_ns
        Bucket.__init__(self, self.key, limit)
        self._burst, self._is_exact = limit.burst, limit.is_exact
        self._held = min(self._held, self._burst)
        self._next_held = min(self._next_held, self._burst)
        self._not_before_ns = 0
        if self._is_exact:
            self._refill_below = 0

    def is_idle(self, now_ns: int) -> bool:
        """Tell whether a new one would know the same."""
        return (
            not self.is_asked_for
            and (not self._held or now_ns >= self._void_at_ns)
            and (not self._next_held or now_ns >= self._next_void_at_ns)
            and self._allowance_left >= self._allowance
            and now_ns >= self._not_before_ns
        )
