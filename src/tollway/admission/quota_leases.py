"""Units of quotas that this process took in advance, so that calls without an effect need no look at PostgreSQL.

A lease may be spent on its own day (UTC) and in its own period alone. What is left of it comes back when the journal
says that it is over, behind the record of every call that spent from it: so nothing is admitted twice. A process that
is killed says nothing; whoever ships its journal to the end gives back what its leases had left.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import psycopg_pool

from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.log import log
from tollway.kit.problems import Problem
from tollway.metering import operations as metering
from tollway.metering.entities import Quota, UnitLease, day_of
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement

# A lease is as large as what is spent in about this time; the next one is doubled or halved to it.
LEASE_NS = 1_000_000_000
LEASE_UNITS_MAX = 1_000_000
TICK_SECONDS = 1.0
# A lease that nobody spends from during this many ticks is ended.
IDLE_TICKS = 2
# A refusal is believed this long, so that a customer without quota costs no transaction for each call.
REFUSED_FOR_NS = 500_000_000
ACCOUNTS_MAX = 200_000


class _Lease:
    """One lease: what is left to spend, and what calls under way have spent whose records are still to come."""

    __slots__ = ("ending", "id", "idle_ticks", "in_flight", "left", "seen", "valid_from", "valid_until")

    def __init__(self, lease: UnitLease, valid_from: float, valid_until: float) -> None:
        self.id = lease.id
        self.left = lease.units_granted
        self.in_flight = 0
        self.valid_from = valid_from
        self.valid_until = valid_until
        self.ending = False
        self.seen = (self.left, 0)
        self.idle_ticks = 0


class Account:
    """What one subscription may spend here, in one mode. Shared by all of its keys; no method waits."""

    __slots__ = (
        "_end",
        "_leases",
        "_open",
        "_refused_units",
        "_refused_until_ns",
        "_renewed_ns",
        "_size",
        "change_count",
        "customer_id",
        "mode",
        "product",
        "refusal",
        "renewal",
        "waiting",
    )

    def __init__(self, customer_id: int, product: str, mode: Mode, end: Callable[[_Lease], bool]) -> None:
        self.customer_id = customer_id
        self.product = product
        self.mode = mode
        # How often the plan may have changed: what was asked for before is not for what holds now.
        self.change_count = 0
        # Why nothing can be had, when that was last asked.
        self.refusal: Problem | None = None
        # The transaction that brings more, and the units that are waited for.
        self.renewal: asyncio.Task[None] | None = None
        self.waiting = 0
        self._end = end
        self._leases: dict[int, _Lease] = {}
        self._open: list[_Lease] = []
        self._refused_units = 0
        self._refused_until_ns = 0
        self._size = 1
        self._renewed_ns = 0

    def spend(self, units: int, now_seconds: float) -> int:
        """Take units for one call and return the lease that they are of, or 0 where not enough is held.

        Say `journaled` once the call's record stands in the journal, or `refund` where it was not served. A lease is
        void from the end of its day or period on, by the wall clock.
        """
        for lease in self._open:
            if lease.left >= units and lease.valid_from <= now_seconds < lease.valid_until:
                lease.left -= units
                lease.in_flight += units
                if not lease.left:
                    self._open.remove(lease)
                return lease.id
        return 0

    def refund(self, lease_id: int, units: int) -> None:
        """Take back what a call spent that was not served; no record of units of it may be in the journal."""
        lease = self._leases[lease_id]
        assert units <= lease.in_flight, "what is taken back was spent, and its record was not written"
        lease.in_flight -= units
        lease.left += units
        if not lease.ending and lease not in self._open:
            self._open.append(lease)
        self._close_where_over(lease)

    def journaled(self, lease_id: int, units: int) -> None:
        """Note that the record of a call which spent from a lease stands in the journal.

        Until then the lease cannot end: its end must stand in the journal behind every record of it.
        """
        lease = self._leases[lease_id]
        assert units <= lease.in_flight, "a call is written to the journal once"
        lease.in_flight -= units
        if lease.ending or not lease.left:
            self._close_where_over(lease)

    def holds(self, units: int, now_seconds: float) -> bool:
        """Say whether `spend` would find this many units."""
        return any(
            lease.left >= units and lease.valid_from <= now_seconds < lease.valid_until
            for lease in self._open
        )

    @property
    def has_leases(self) -> bool:
        """Whether anything is held or under way."""
        return bool(self._leases)

    @property
    def lease_ids(self) -> list[int]:
        """The leases that this process knows of."""
        return list(self._leases)

    def is_refused(self, units: int, now_ns: int) -> bool:
        """Say whether asking for this many was refused a moment ago."""
        return self.refusal is not None and units >= self._refused_units and now_ns < self._refused_until_ns

    # For QuotaLeases -------------------------------------------------------------------------------

    def next_size(self, now_ns: int) -> int:
        """Return how many units to ask for: about a second of demand, and what is being waited for at least."""
        elapsed_ns, self._renewed_ns = now_ns - self._renewed_ns, now_ns
        if elapsed_ns < LEASE_NS:
            self._size = min(LEASE_UNITS_MAX, self._size * 2)
        elif elapsed_ns > 2 * LEASE_NS:
            self._size = max(1, self._size // 2)
        return max(self._size, self.waiting)

    def add(self, lease: _Lease, change_count: int) -> None:
        """Hold one more lease; one that was asked for before the last change ends at once."""
        self.refusal = None
        lease.ending = change_count != self.change_count
        self._leases[lease.id] = lease
        self._open.append(lease)
        self._close_where_over(lease)

    def refuse(self, refusal: Problem | None, change_count: int, units: int, now_ns: int) -> None:
        """Remember why nothing can be had, unless it was asked before the last change."""
        if change_count != self.change_count:
            return
        self.refusal = refusal
        self._refused_units = units
        self._refused_until_ns = now_ns + REFUSED_FOR_NS

    def forget_refusal(self) -> None:
        """Ask again at the next call."""
        self.refusal = None

    def give_up(self) -> None:
        """Spend no more from what is held; it ends as soon as the calls under way have."""
        self.change_count += 1
        for lease in list(self._leases.values()):
            lease.ending = True
            self._close_where_over(lease)

    def tick(self, now_seconds: float) -> None:
        """End what is void or idle."""
        for lease in list(self._leases.values()):
            seen = (lease.left, lease.in_flight)
            lease.idle_ticks = lease.idle_ticks + 1 if seen == lease.seen else 0
            lease.seen = seen
            is_void = not lease.valid_from <= now_seconds < lease.valid_until
            if is_void or lease.idle_ticks >= IDLE_TICKS:
                lease.ending = True
            self._close_where_over(lease)

    def _close_where_over(self, lease: _Lease) -> None:
        if lease.ending and lease in self._open:
            self._open.remove(lease)
        if lease.in_flight:
            return
        # One that was spent whole needs no word of its end: its records say it.
        if lease.left == 0 or (lease.ending and self._end(lease)):
            del self._leases[lease.id]
            if lease in self._open:
                self._open.remove(lease)


class QuotaLeases:
    """Every account of this process.

    INVARIANT: what is admitted never passes a quota's bound, however processes and calls with an effect share it
    (tests/admission/test_quota_leases.py::test_reserve_spend_expire_refund).
    """

    def __init__(
        self,
        database: Database,
        source_id: int,
        journal_lease_end: Callable[[int], None],
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Make it empty.

        Args:
            source_id: the row of usage_sources that this process's journal has.
            journal_lease_end: writes to the journal that a lease is over; may raise a Problem, and is tried again.
        """
        self.database = database
        self.source_id = source_id
        self._journal_lease_end = journal_lease_end
        self._clock_ns = clock_ns
        self._accounts: dict[tuple[int, Mode], Account] = {}
        self._by_customer: dict[int, set[tuple[int, Mode]]] = {}
        self._must_reconcile = False
        self._task: asyncio.Task[None] | None = None

    def account(self, entitlement: Entitlement, mode: Mode) -> Account:
        """Return the account of a subscription in one mode; the same one each time."""
        subscription = entitlement.subscription
        key = (subscription.id, mode)
        found = self._accounts.get(key)
        if found is None:
            if len(self._accounts) >= ACCOUNTS_MAX:
                self._forget_idle()
            found = Account(subscription.customer_id, subscription.product, mode, self._end)
            self._accounts[key] = found
            self._by_customer.setdefault(subscription.customer_id, set()).add(key)
        return found

    async def renew(self, account: Account, units: int, now: datetime) -> None:
        """Bring an account as many units, or set `account.refusal` where they cannot be had.

        One of both is so when it returns, for whoever looks without waiting for anything else before. Those who ask
        at the same time share one transaction.
        Raises: what the database raises. Writes: usage_leases, usage_quotas, usage_quota_days.
        """
        account.waiting += units
        try:
            # Others may spend first what was brought; each round brings more, or ends in a refusal.
            while not (account.holds(units, now.timestamp()) or account.is_refused(units, self._clock_ns())):
                if account.renewal is None:
                    account.renewal = asyncio.ensure_future(self._renew(account, units, now))
                    account.renewal.add_done_callback(lambda done: _forget_renewal(account, done))
                # One caller who goes away must not take it from the others.
                await asyncio.shield(account.renewal)
        finally:
            account.waiting -= units

    def give_up(self, customer_id: int) -> None:
        """End what is held for a customer whose plan may have changed, and ask again at the next call."""
        for key in self._by_customer.get(customer_id, ()):
            self._accounts[key].forget_refusal()
            self._accounts[key].give_up()

    def tick(self, now: datetime) -> None:
        """End leases that are void, or that nobody spends from."""
        for account in list(self._accounts.values()):
            if account.has_leases:
                account.tick(now.timestamp())

    def start(self) -> None:
        """Look after the leases once a second until `close`."""
        assert self._task is None, "it is started once"
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """End every lease that no call under way spends from; close the journal after this."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        renewals = [one.renewal for one in self._accounts.values() if one.renewal is not None]
        await asyncio.gather(*renewals, return_exceptions=True)
        for account in self._accounts.values():
            account.give_up()

    async def reconcile(self) -> None:
        """End leases that were granted without this process hearing of it, as when a connection broke at its commit."""
        renewing = any(account.renewal is not None for account in self._accounts.values())
        if renewing:
            # What is being granted right now is not known here yet; the next tick tries again.
            return
        async with self.database.transaction() as tx:
            granted = await metering.list_leases_of_source(tx, self.source_id)
        known = {lease_id for account in self._accounts.values() for lease_id in account.lease_ids}
        if any(account.renewal is not None for account in self._accounts.values()):
            return
        for lease_id in granted:
            # The records of one that is over here stand in the journal already: its end comes behind them.
            if lease_id not in known:
                self._journal_lease_end(lease_id)
        self._must_reconcile = False

    # The parts -------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self.tick(read_now())
                if self._must_reconcile:
                    await self.reconcile()
            except (psycopg.Error, psycopg_pool.PoolTimeout, Problem) as error:
                log.warning("leases of quotas could not be looked after; trying again", reason=str(error))

    async def _renew(self, account: Account, units: int, now: datetime) -> None:
        wanted, change_count = max(units, account.next_size(self._clock_ns())), account.change_count
        try:
            async with self.database.transaction() as tx:
                entitlement = await plans.get_entitlement(tx, account.customer_id, account.product, now)
                entitlement.assert_may_write()
                quota = await plans.get_quota(tx, entitlement, account.mode, now)
                lease = await metering.lease_units(
                    tx,
                    self.source_id,
                    quota.id,
                    wanted,
                    needed=units,
                    waiting=account.waiting,
                    day=day_of(now),
                    day_max=quota.requests_per_day_max,
                    now=now,
                )
                refusal = None
                if lease is None:
                    refusal = await metering.find_refusal(
                        tx, quota, units, now=now, way_out=entitlement.way_to_more_requests
                    )
        except Problem as problem:
            account.refuse(problem, change_count, units, self._clock_ns())
        except Exception:
            # It may have been granted all the same.
            self._must_reconcile = True
            raise
        else:
            if lease is None:
                account.refuse(refusal, change_count, units, self._clock_ns())
            else:
                account.add(_Lease(lease, *_validity(lease, quota)), change_count)

    def _end(self, lease: _Lease) -> bool:
        """Write that a lease is over; return whether that was possible."""
        try:
            self._journal_lease_end(lease.id)
        except Problem as problem:
            log.warning("the end of a lease could not be written; trying again", reason=problem.code)
            return False
        return True

    def _forget_idle(self) -> None:
        """Make room; what was forgotten and is asked for again gets a new account."""
        for key, account in list(self._accounts.items()):
            if not account.has_leases and account.renewal is None:
                del self._accounts[key]
                keys = self._by_customer[account.customer_id]
                keys.discard(key)
                if not keys:
                    del self._by_customer[account.customer_id]


def _validity(lease: UnitLease, quota: Quota) -> tuple[float, float]:
    """Return from when and until when a lease may be spent, by the wall clock."""
    midnight = datetime(lease.day.year, lease.day.month, lease.day.day, tzinfo=UTC)
    begins = max(midnight, quota.period_start)
    ends = min(midnight + timedelta(days=1), quota.period_end)
    return begins.timestamp(), ends.timestamp()


def _forget_renewal(account: Account, done: asyncio.Task[None]) -> None:
    account.renewal = None
    if not done.cancelled():
        # Whoever waited has it too; where nobody does any more, it is no exception that nobody saw.
        done.exception()
