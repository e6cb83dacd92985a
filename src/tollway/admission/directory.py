"""Loads what keys may do, and hears of every change of it: by notification, by looking, and by letting it lapse.

Three ways, each of which is enough by itself to stop a revoked key within a second in every process:

- PostgreSQL notifies whoever listens when the change commits;
- a look at `admission_changes` three times a second finds what a lost notification told;
- a snapshot that no look has confirmed is not believed for longer than 0.9 s.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import psycopg
import psycopg_pool

from tollway.admission import change_store
from tollway.admission.buckets import Bucket
from tollway.admission.core import CONFIRMED_FOR_NS, Gate, Snapshot
from tollway.admission.entities import LIMIT_PER_CUSTOMER, LIMIT_PER_KEY
from tollway.admission.leases import RateLimiter
from tollway.admission.quota_leases import Account, QuotaLeases
from tollway.admission.rates import RateLimit
from tollway.admission.recognition import RecognisedKey, recognised_of
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKey, ApiKeyUnknown
from tollway.kit.db import POOL_CONNECTIONS_MAX, Database, Transaction
from tollway.kit.log import log
from tollway.metering.entities import Quota
from tollway.plans import operations as plans
from tollway.plans.entities import Entitlement

POLL_SECONDS = 0.3
# So many keys are read at once: however many are asked for that nobody has, calls under way find connections.
LOADS_AT_ONCE_MAX = POOL_CONNECTIONS_MAX // 2
RECONNECT_SECONDS = 1.0
SNAPSHOTS_MAX = 200_000
# Keys that nobody has: asked for again they cost no look at the database, for a while.
STRANGERS_MAX = 10_000
SWEEP_SECONDS = 60.0
FOR_EVER_NS = 2**63 - 1
# How often a refusal is checked against the database itself, for each key, so that what was mended works at once.
RECHECKS = RateLimit("rechecks", 20, 1)


class Directory:
    """The snapshots of this process, kept true."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        limiter: RateLimiter,
        quota_leases: Callable[[], QuotaLeases | None],
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.database = database
        self.gate = gate
        self.limiter = limiter
        self._quota_leases = quota_leases
        self._clock_ns = clock_ns
        self._loading: dict[bytes, asyncio.Task[Snapshot]] = {}
        self._reading = asyncio.Semaphore(LOADS_AT_ONCE_MAX)
        # Where looks go: to a connection of their own once they come by themselves. Behind calls that wait for
        # connections they would come too late, everything would lapse, and be read anew by still more who wait.
        self._looked_at = database
        self._digests: dict[int, set[bytes]] = {}
        # How often a change was heard of, and at which time it was the customer's: what was read before may be old.
        self._heard_count = 0
        self._heard: dict[int, int] = {}
        # At which of these times it may have been anybody's.
        self._heard_all = 0
        self._strangers: OrderedDict[bytes, tuple[int, str, str]] = OrderedDict()
        self._seen_in = 0
        self._told: dict[int, tuple[int, int]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._rechecks = RateLimiter(None, clock_ns=clock_ns)

    # --- loading ---------------------------------------------------------------------------------------

    async def load(self, authorization: str, digest: bytes, now: datetime) -> Snapshot:
        """Read what a key may do now, once for all who ask at the same time.

        Raises: ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown.
        """
        self._refuse_stranger(digest)
        task = self._loading.get(digest)
        if task is None:
            task = asyncio.ensure_future(self._load(authorization, digest, now))
            self._loading[digest] = task
            task.add_done_callback(lambda _task: self._loading.pop(digest, None))
        # One caller who goes away must not take the answer from the others.
        return await asyncio.shield(task)

    async def _load(self, authorization: str, digest: bytes, now: datetime) -> Snapshot:
        while True:
            heard_count = self._heard_count
            try:
                async with self._reading:
                    snapshot = await self.read(authorization, now)
            except ApiKeyUnknown as stranger:
                if self._heard_count == heard_count:
                    self._remember_stranger(digest, self._clock_ns(), stranger)
                raise
            customer_id = snapshot.recognised.api_key.customer_id
            if max(self._heard.get(customer_id, 0), self._heard_all) <= heard_count:
                break
            # Something changed while it was read.
        if len(self.gate.snapshots) >= SNAPSHOTS_MAX:
            self._forget_idle()
        self.gate.snapshots[digest] = snapshot
        self._digests.setdefault(customer_id, set()).add(digest)
        return snapshot

    async def read(self, authorization: str, now: datetime) -> Snapshot:
        """Read what a key may do now, and keep nothing of it.

        Raises: ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown.
        """
        began_ns = self._clock_ns()
        async with self.database.transaction() as tx:
            seen_in = await change_store.get_oldest_open_transaction(tx)
            api_key = await keys.recognise(tx, authorization)
            standing = await keys.get_standing(tx, api_key, now)
            recognised = await recognised_of(tx, api_key, standing, "")
            mine = (api_key.customer_id, api_key.product, now)
            entitlement = await plans.find_entitlement(tx, *mine)
            changes_at = await plans.find_next_change(tx, *mine)
            quota = await self._quota_of(tx, api_key, entitlement, now)
        return Snapshot(
            recognised,
            entitlement,
            self._buckets_of(recognised, entitlement),
            self._account_of(recognised, entitlement),
            quota=quota,
            durable=entitlement is not None and entitlement.plan.durable_usage,
            seen_in=seen_in,
            loaded_ns=began_ns,
            ends_ns=began_ns + _lasts_ns(api_key, entitlement, changes_at, now),
        )

    async def _quota_of(
        self, tx: Transaction, api_key: ApiKey, entitlement: Entitlement | None, now: datetime
    ) -> Quota | None:
        if entitlement is None or entitlement.read_only:
            return None
        return await plans.get_quota(tx, entitlement, api_key.mode, now)

    def _buckets_of(self, recognised: RecognisedKey, entitlement: Entitlement | None) -> tuple[Bucket, ...]:
        """Find the limits a minute of a key and of its customer; a customer's is one for all of its keys (X11)."""
        api_key, found = recognised.api_key, []
        if api_key.requests_per_minute_max is not None:
            limit = RateLimit(LIMIT_PER_KEY, api_key.requests_per_minute_max)
            found.append(self.limiter.bucket(f"api_key:{api_key.id}", limit))
        if entitlement is not None and entitlement.limits.requests_per_minute_max is not None:
            limit = RateLimit(LIMIT_PER_CUSTOMER, entitlement.limits.requests_per_minute_max)
            subject = f"customer:{api_key.customer_id}:{api_key.product}:{api_key.mode}"
            allowance = entitlement.plan.calls_without_centre
            found.append(self.limiter.bucket(subject, limit, centre_gone_allowance=allowance))
        return tuple(found)

    def _account_of(self, recognised: RecognisedKey, entitlement: Entitlement | None) -> Account | None:
        leases = self._quota_leases()
        if leases is None or entitlement is None or entitlement.read_only:
            return None
        return leases.account(entitlement, recognised.api_key.mode)

    # --- strangers and second looks --------------------------------------------------------------------

    def _remember_stranger(self, digest: bytes, now_ns: int, stranger: ApiKeyUnknown) -> None:
        while len(self._strangers) >= STRANGERS_MAX:
            self._strangers.popitem(last=False)
        # Its texts alone: an exception holds on to everything that its trace went through.
        self._strangers[digest] = (now_ns + CONFIRMED_FOR_NS, stranger.message, stranger.log_message)

    def _refuse_stranger(self, digest: bytes) -> None:
        known = self._strangers.get(digest)
        if known is None:
            return
        until_ns, message, log_message = known
        if self._clock_ns() < until_ns:
            raise ApiKeyUnknown(message, log_message=log_message)
        del self._strangers[digest]

    def may_recheck(self, snapshot: Snapshot) -> bool:
        """Whether a refusal may be checked against the database itself; so often a second for each key."""
        subject = f"recheck:{snapshot.recognised.api_key.id}"
        return self._rechecks.bucket(subject, RECHECKS).take(1, self._clock_ns())

    # --- forgetting ------------------------------------------------------------------------------------

    def forget(self, customer_id: int) -> None:
        """Believe nothing of what was read about a customer so far."""
        self._heard_count += 1
        self._heard[customer_id] = self._heard_count
        # A key that is new is a stranger no longer.
        self._strangers.clear()
        for digest in self._digests.pop(customer_id, ()):
            self.gate.snapshots.pop(digest, None)
        leases = self._quota_leases()
        if leases is not None:
            leases.give_up(customer_id)

    def forget_all(self) -> None:
        """Believe nothing at all, neither what is being read: changes may have been missed."""
        self._heard_count += 1
        self._heard_all = self._heard_count
        for customer_id in list(self._digests):
            self.forget(customer_id)
        self._strangers.clear()

    def _forget_idle(self) -> None:
        """Let go of snapshots that were not used since the last time."""
        for digest, snapshot in list(self.gate.snapshots.items()):
            if snapshot.in_use:
                snapshot.in_use = False
                continue
            del self.gate.snapshots[digest]
            customer_id = snapshot.recognised.api_key.customer_id
            digests = self._digests.get(customer_id)
            if digests is not None:
                digests.discard(digest)
                if not digests:
                    del self._digests[customer_id]
        if not self._loading:
            self._heard.clear()

    # --- hearing of changes ----------------------------------------------------------------------------

    async def start(self, *, listens: bool = True, polls: bool = True) -> None:
        """Begin to hear of changes; a snapshot lapses by itself without either."""
        if listens:
            self._tasks.append(asyncio.create_task(self._listen(), name="admission listens"))
        if polls:
            self._tasks.append(asyncio.create_task(self._poll(), name="admission polls"))
        self._tasks.append(asyncio.create_task(self._sweep(), name="admission sweeps"))

    async def close(self) -> None:
        """Stop hearing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        if self._looked_at is not self.database:
            await self._looked_at.close()
            self._looked_at = self.database

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(psycopg.OperationalError):
                async with await self.database.connect() as connection:
                    await connection.execute("LISTEN admission")
                    # What was told before anybody listened is found by the next look.
                    async for told in connection.notifies():
                        self.forget(int(told.payload))
            log.warning("admission hears no notifications, and connects again")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _poll(self) -> None:
        self._looked_at = Database(self.database.url, connections_max=1)
        with contextlib.suppress(psycopg_pool.PoolTimeout):
            # It goes on trying where the database is not there yet.
            await self._looked_at.open()
        while True:
            try:
                await self.look()
            except (psycopg.OperationalError, psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as failure:
                # Nothing is confirmed meanwhile, so what is known lapses.
                log.warning("admission cannot look for changes", reason=type(failure).__name__)
            await asyncio.sleep(POLL_SECONDS)

    async def look(self) -> None:
        """Find every change since the last look, and vouch for whatever did not change.

        INVARIANT: no order of commits hides a change: what was not over at the last look is looked at again
        (tests/admission/test_directory.py::test_a_change_that_commits_late_is_seen).
        """
        began_ns = self._clock_ns()
        async with self._looked_at.transaction() as tx:
            seen_in, changes = await change_store.list_changes(tx, self._seen_in)
        if not self._seen_in or seen_in < self._seen_in or len(changes) == change_store.CHANGES_READ_MAX:
            # The first look, or a database that was put back to an earlier state, or more changes than one look reads.
            self.forget_all()
        else:
            for customer_id, seen in changes.items():
                if self._told.get(customer_id) != seen:
                    self.forget(customer_id)
        self._seen_in, self._told = seen_in, changes
        self.gate.confirmed_until_ns = began_ns + CONFIRMED_FOR_NS

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._forget_idle()


def _lasts_ns(
    api_key: ApiKey, entitlement: Entitlement | None, changes_at: datetime | None, now: datetime
) -> int:
    """Return how long it is until something changes by itself, in nanoseconds."""
    moments = [api_key.expires_at, api_key.grace_until, changes_at]
    if entitlement is not None:
        moments += [entitlement.subscription.trial_end, entitlement.period_end]
    ahead = [(moment - now).total_seconds() for moment in moments if moment is not None and moment > now]
    return int(min(ahead) * 1e9) if ahead else FOR_EVER_NS // 2
