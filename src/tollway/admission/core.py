"""May this call run: arithmetic on what this process holds in memory, without a look at anything else.

One core for everybody who admits calls: the middleware of the products, that of the management paths, pages, and
whatever stands in front of other services. What it needs is brought by others: the directory loads snapshots, the
limiter and the quota leases bring budget. Nothing here waits.
"""

import enum
from typing import NamedTuple

from tollway.admission.buckets import Bucket
from tollway.admission.entities import AddressNotAllowed, Cost
from tollway.admission.quota_leases import Account
from tollway.admission.recognition import RecognisedKey, refusal_of_state
from tollway.customers.entities import Mode
from tollway.kit.problems import Problem
from tollway.metering.entities import Quota
from tollway.plans.entities import Entitlement

# Nothing is taken for granted longer than this without the database having agreed. With the poll's own length it
# keeps a revoked key below a second, whatever else fails.
CONFIRMED_FOR_NS = 900_000_000


class Verdict(enum.IntEnum):
    """What comes of asking."""

    ADMITTED = 0
    # A rule fired; the decision names it.
    REFUSED = 1
    # The key is not known here, or not known well enough any more: load it, and ask again.
    UNKNOWN = 2
    # Budget of a rate limit may be had: renew it, and ask again.
    RATE_SPENT = 3
    # Budget of the quota may be had: renew it, and ask again.
    QUOTA_SPENT = 4


class Decision(NamedTuple):
    """The answer to one call.

    `lease_id` names the budget that its units came from, 0 where none were asked for. `refusal` is the rule that
    fired: its members say which limit at which value, and `retry_after_seconds` when to try again. `spent` is the
    rate limit that had nothing left.
    """

    verdict: Verdict
    snapshot: "Snapshot | None" = None
    lease_id: int = 0
    refusal: Problem | None = None
    spent: Bucket | None = None


class Snapshot:
    """What one API key may do, as the database told at one moment. Shared by all calls of the key."""

    __slots__ = (
        "account",
        "admitted",
        "api_key_id",
        "at_once_max",
        "buckets",
        "durable",
        "ends_ns",
        "entitlement",
        "in_use",
        "is_bound_to_networks",
        "is_live",
        "quota",
        "recognised",
        "refusals",
        "seen_in",
        "valid_until_ns",
    )

    def __init__(
        self,
        recognised: RecognisedKey,
        entitlement: Entitlement | None,
        buckets: tuple[Bucket, ...],
        account: Account | None,
        *,
        quota: Quota | None,
        durable: bool,
        seen_in: int,
        loaded_ns: int,
        ends_ns: int,
    ) -> None:
        self.recognised = recognised
        self.api_key_id = recognised.api_key.id
        self.entitlement = entitlement
        self.buckets = buckets
        self.account = account
        # How many calls that make or change something may be under way; None: any number.
        self.at_once_max = None if entitlement is None else entitlement.limits.writes_at_once_max
        # The period as it was last seen, for headers; what decides about it is the account or a transaction.
        self.quota = quota
        # Whether replies wait until their usage is on the disk.
        self.durable = durable
        # Every change by this transaction or a later one may be missing here.
        self.seen_in = seen_in
        self.valid_until_ns = loaded_ns + CONFIRMED_FOR_NS
        # When it changes by itself: a key expires, a free trial ends, a grant begins.
        self.ends_ns = ends_ns
        self.is_live = recognised.api_key.mode is Mode.LIVE
        self.is_bound_to_networks = bool(recognised.api_key.allowed_networks)
        self.refusals: dict[Cost, Problem | None] = {}
        # The answer to the last call that was let in, which most often is that to the next.
        self.admitted = Decision(Verdict.ADMITTED, self)
        self.in_use = True


UNKNOWN = Decision(Verdict.UNKNOWN)


class Gate:
    """Every snapshot of this process, and the one question about them."""

    def __init__(self) -> None:
        self.snapshots: dict[bytes, Snapshot] = {}
        # Until when the last look at all changes vouches for every snapshot.
        self.confirmed_until_ns = 0

    def admit(self, digest: bytes, cost: Cost, address: str, now_ns: int, now_seconds: float) -> Decision:
        """Decide whether the key with this SHA-256 may make a call; takes what the call costs where it may.

        Args:
            address: where the call came from.
            now_ns: of the monotonic clock. Limits run by it, so that setting the clock changes no answer.
            now_seconds: of the wall clock, which days and periods of quotas go by.

        A call that is refused has taken nothing.
        """
        snapshot = self.snapshots.get(digest)
        if (
            snapshot is None
            or (now_ns >= self.confirmed_until_ns and now_ns >= snapshot.valid_until_ns)
            or now_ns >= snapshot.ends_ns
        ):
            return UNKNOWN
        snapshot.in_use = True
        try:
            refusal = snapshot.refusals[cost]
        except KeyError:
            refusal = snapshot.refusals[cost] = _refusal_of(snapshot, cost)
        if refusal is not None:
            return Decision(Verdict.REFUSED, snapshot, 0, refusal)
        if snapshot.is_bound_to_networks and not snapshot.recognised.api_key.takes_calls_from(address):
            return Decision(Verdict.REFUSED, snapshot, 0, address_not_allowed(address))
        for bucket in snapshot.buckets:
            if not bucket.take(cost.weight, now_ns):
                return self._without_budget(snapshot, cost, bucket)
        lease_id = 0
        if cost.units:
            account = snapshot.account
            if account is None:
                self._without_units(snapshot, cost)
                return UNKNOWN
            lease_id = account.spend(cost.units, now_seconds)
            if not lease_id:
                return self._without_units(snapshot, cost)
        decision = snapshot.admitted
        if decision.lease_id != lease_id:
            decision = snapshot.admitted = Decision(Verdict.ADMITTED, snapshot, lease_id)
        return decision

    def _without_units(self, snapshot: Snapshot, cost: Cost) -> Decision:
        for bucket in snapshot.buckets:
            bucket.give_back(cost.weight)
        return Decision(Verdict.QUOTA_SPENT, snapshot)

    def _without_budget(self, snapshot: Snapshot, cost: Cost, spent: Bucket) -> Decision:
        """Give back what the limits before the one that is spent gave."""
        for bucket in snapshot.buckets:
            if bucket is spent:
                break
            bucket.give_back(cost.weight)
        verdict = Verdict.RATE_SPENT if spent.needs_renewal() else Verdict.REFUSED
        return Decision(verdict, snapshot, 0, None, spent)


def _refusal_of(snapshot: Snapshot, cost: Cost) -> Problem | None:
    """Return why calls of a kind are refused whatever is left of limits."""
    recognised = snapshot.recognised
    refusal = refusal_of_state(recognised, cost.product, reads=cost.reads)
    if refusal is None and cost.units and snapshot.account is None:
        # Only what takes no units may still be read.
        return recognised.standing.refusal
    return refusal


def address_not_allowed(address: str) -> AddressNotAllowed:
    """Say that the key's allow-list does not hold an address."""
    return AddressNotAllowed(
        f"This API key takes no calls from {address}. Call from a network of its allow-list, "
        "or have the list changed on the page of your keys."
    )
