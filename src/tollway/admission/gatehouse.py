"""What one process needs to admit calls and to record them: the core, and those who bring it what it asks for."""

import asyncio
import os
import socket
import time
from datetime import datetime
from hashlib import sha256 as _sha256
from pathlib import Path

from tollway.admission import change_store
from tollway.admission.buckets import Bucket
from tollway.admission.centre import CentreGone
from tollway.admission.core import Decision, Gate, Snapshot, Verdict, address_not_allowed
from tollway.admission.directory import SNAPSHOTS_MAX, Directory
from tollway.admission.entities import (
    LIMIT_AT_ONCE,
    LIMIT_PER_CUSTOMER,
    LIMIT_PER_KEY,
    ApiKeyTooFast,
    Cost,
    CustomerTooFast,
    JournalFull,
    TooManyAtOnce,
)
from tollway.admission.journal import SEGMENT_RECORDS, Journal
from tollway.admission.leases import RateLimiter
from tollway.admission.quota_leases import QuotaLeases
from tollway.admission.recognition import may_repeat, recognised_of, refusal_of_state
from tollway.admission.records import Letterhead, letterhead, method_code, remarks
from tollway.admission.slots import Slot
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.db import Database, Transaction
from tollway.kit.problems import Problem, Unavailable
from tollway.metering import operations as metering
from tollway.metering import usage_operations

# A decision needs at most one load, one renewal for each limit, one of the quota, and a second look.
QUESTIONS_MAX = 8
USER_AGENT_LENGTH_MAX = 500
LETTERHEADS_MAX = 10_000
# Of a header whose hash is remembered: spaces around a key that is good may make it as long as a server takes headers.
AUTHORIZATION_LENGTH_MAX = 200


class Called:
    """What was called, as the core and the usage log need it; one for each method and path that come often."""

    __slots__ = ("cost", "endpoint", "method", "method_code", "path")

    def __init__(self, method: str, endpoint: str, path: str, cost: Cost) -> None:
        self.method = method
        self.method_code = method_code(method)
        self.endpoint = endpoint
        # Nothing where it says no more than the endpoint's pattern.
        self.path = path if path != endpoint else ""
        self.cost = cost


class Gatehouse:
    """Admits calls of every kind, and appends what came of them to the journal of this process."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        limiter: RateLimiter,
        *,
        segment_records: int = SEGMENT_RECORDS,
    ) -> None:
        self.database = database
        self._segment_records = segment_records
        self.folder = folder
        self.limiter = limiter
        self.gate = Gate()
        self.directory = Directory(database, self.gate, limiter, lambda: self.quota_leases)
        self.quota_leases: QuotaLeases | None = None
        # Of this process; not there before `open`.
        self.journal: Journal
        self._is_open = False
        # The hashes of keys that were let in, by the headers that brought them. What a key is worth says its snapshot.
        self.digests: dict[bytes, bytes] = {}
        # What stands the same in many records, by key, method, endpoint, user agent and address.
        self.letterheads: dict[tuple[int, int, str, bytes, str], Letterhead] = {}
        self._opening = asyncio.Lock()

    # --- beginning and end -----------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, and begin to renew budget and to hear of changes."""
        await self.open()
        self.journal.start()
        await self.limiter.start()
        assert self.quota_leases is not None
        self.quota_leases.start()
        await self.directory.start()

    async def open(self) -> None:
        """Open the journal of this process, which takes a row of its own in `usage_sources`."""
        async with self._opening:
            if self._is_open:
                return
            name = f"{socket.gethostname()}:{os.getpid()}:{time.time_ns()}"
            async with self.database.transaction() as tx:
                source_id = await metering.begin_source(tx, name, read_now())
            try:
                journal = Journal.open(self.folder, source_id, segment_records=self._segment_records)
            except JournalFull:
                # Each try has a source of its own, and this one's journal will never be.
                async with self.database.transaction() as tx:
                    await usage_operations.end_source(tx, source_id, read_now())
                raise
            self.quota_leases = QuotaLeases(self.database, source_id, journal.append_lease_end)
            self.journal = journal
            # Numbers are those of one journal.
            self.letterheads.clear()
            self._is_open = True

    async def close(self) -> None:
        """Give budget back and end the journal; the shipper carries the rest."""
        await self.directory.close()
        if self.quota_leases is not None:
            await self.quota_leases.close()
        await self.limiter.close()
        if self._is_open:
            self.journal.close()
            self._is_open = False
        self.digests.clear()
        # Whoever calls after this is told anew, with a journal to write to.
        self.directory.forget_all()

    async def ship(self) -> int:
        """Carry everything that is in the journals here to PostgreSQL now; return how many records that were."""
        from tollway.admission.shipper import Shipper

        return await Shipper(self.database, self.folder).ship_once()

    def assert_room(self) -> None:
        """Raise JournalFull where the usage of one more call might find no room. Asked before the call is admitted."""
        if self._is_open:
            self.journal.assert_room()

    # --- admitting -------------------------------------------------------------------------------------

    async def admit(self, authorization: bytes, cost: Cost, address: str, now: datetime) -> Decision:
        """Decide about a call, with whatever has to be fetched for it.

        Raises: Unauthenticated where the key is nobody's, Unavailable where budget cannot be asked for, JournalFull.
        """
        self.assert_room()
        digest = digest_of(authorization)
        renewed: set[str] = set()
        for _ in range(QUESTIONS_MAX):
            decision = self.gate.admit(digest, cost, address, time.monotonic_ns(), time.time())
            if decision.verdict is Verdict.ADMITTED:
                self._remember_digest(authorization, digest)
                return decision
            if decision.snapshot is None:
                await self.open()
                await self.directory.load(authorization.decode("latin-1"), digest, now)
            elif decision.verdict is Verdict.QUOTA_SPENT:
                refusal = await self._renew_quota(decision.snapshot, cost, now)
                if refusal is not None:
                    return decision._replace(verdict=Verdict.REFUSED, refusal=refusal)
            elif decision.spent is not None:
                if decision.verdict is Verdict.REFUSED or decision.spent.key in renewed:
                    return self._over_limit(decision, decision.spent, cost)
                renewed.add(decision.spent.key)
                try:
                    await self.limiter.renew(decision.spent, cost.weight)
                except CentreGone as gone:
                    # Not raised: whose call it is is known, so it stands on record as refused.
                    return decision._replace(verdict=Verdict.REFUSED, refusal=gone)
            elif not await self._is_outdated(decision.snapshot):
                return decision
        raise Unavailable(
            "Too many calls ask for the same budget at once. Send this one again.", retry_after_seconds=1
        )

    def _remember_digest(self, authorization: bytes, digest: bytes) -> None:
        """Keep the hash of a key that was let in, so that its next call needs none."""
        if len(self.digests) >= SNAPSHOTS_MAX:
            self.digests.clear()
        if len(authorization) <= AUTHORIZATION_LENGTH_MAX:
            self.digests[authorization] = digest

    async def _is_outdated(self, snapshot: Snapshot) -> bool:
        """Look whether what refuses a call may stand no longer, so that what was mended works at once."""
        if not self.directory.may_recheck(snapshot):
            return False
        customer_id = snapshot.recognised.api_key.customer_id
        async with self.database.transaction() as tx:
            changed = await change_store.has_changed(tx, customer_id, snapshot.seen_in)
        if changed:
            self.directory.forget(customer_id)
        return changed

    async def _renew_quota(self, snapshot: Snapshot, cost: Cost, now: datetime) -> Problem | None:
        account, leases = snapshot.account, self.quota_leases
        assert account is not None
        assert leases is not None
        await leases.renew(account, cost.units, now)
        return account.refusal

    def _over_limit(self, decision: Decision, spent: Bucket, cost: Cost) -> Decision:
        refusal = over_limit(spent, cost.weight, time.monotonic_ns())
        return decision._replace(verdict=Verdict.REFUSED, refusal=refusal)

    async def take(self, buckets: tuple[Bucket, ...], weight: int) -> Problem | None:
        """Count a call against limits a minute, for calls that something else admitted; the refusal, or None."""
        for place, bucket in enumerate(buckets):
            refusal = await self._take(bucket, weight)
            if refusal is not None:
                for taken in buckets[:place]:
                    taken.give_back(weight)
                return refusal
        return None

    async def _take(self, bucket: Bucket, weight: int) -> Problem | None:
        if bucket.take(weight, time.monotonic_ns()):
            return None
        if bucket.needs_renewal():
            try:
                await self.limiter.renew(bucket, weight)
            except CentreGone as gone:
                return gone
            if bucket.take(weight, time.monotonic_ns()):
                return None
        return over_limit(bucket, weight, time.monotonic_ns())

    async def hold(self, snapshot: Snapshot) -> Slot:
        """Let one more call that makes or changes something be under way; `limiter.release` it when it is over.

        Raises: TooManyAtOnce, CentreGone.
        """
        api_key, most = snapshot.recognised.api_key, snapshot.at_once_max
        assert most is not None, "nothing bounds it"
        subject = f"customer:{api_key.customer_id}:{api_key.product}:{api_key.mode}"
        slot = await self.limiter.hold(subject, LIMIT_AT_ONCE, most)
        if slot is None:
            raise TooManyAtOnce(
                f"{most:,} requests of yours that make or change something are under way, which is the limit of your "
                "plan, all keys together. Wait for one of them to be answered, and send this one again.",
                retry_after_seconds=1,
                members={"limit": LIMIT_AT_ONCE, "limit_value": most},
            )
        return slot

    async def assert_current(
        self, tx: Transaction, snapshot: Snapshot, cost: Cost, address: str, now: datetime
    ) -> None:
        """Raise what refuses a call by now, where something changed since its key was read.

        Asked inside the transaction of the call's effect: what was revoked before it began has no effect.
        """
        api_key = snapshot.recognised.api_key
        if not await change_store.has_changed(tx, api_key.customer_id, snapshot.seen_in):
            return
        self.directory.forget(api_key.customer_id)
        api_key = await keys.find_own_api_key(tx, api_key.customer_id, api_key.id) or api_key
        recognised = await recognised_of(tx, api_key, await keys.get_standing(tx, api_key, now), "")
        refusal = refusal_of_state(recognised, cost.product, reads=cost.reads)
        if refusal is not None and not may_repeat(recognised, cost):
            raise refusal
        if not api_key.takes_calls_from(address):
            raise address_not_allowed(address)

    # --- recording -------------------------------------------------------------------------------------

    def letterhead_of(
        self, snapshot: Snapshot, called: Called, user_agent: bytes, address: str
    ) -> Letterhead:
        """Write what stands the same in every record of a key at an endpoint, and keep it for the next ones."""
        api_key, intern = snapshot.recognised.api_key, self.journal.intern
        made = letterhead(
            customer_id=api_key.customer_id,
            api_key_id=api_key.id,
            endpoint=intern(called.endpoint),
            method_code=called.method_code,
            product=intern(api_key.product),
            live=snapshot.is_live,
            user_agent=intern(user_agent.decode("latin-1")[:USER_AGENT_LENGTH_MAX]),
            address=packed_address(address),
        )
        if len(self.letterheads) >= LETTERHEADS_MAX:
            self.letterheads.clear()
        # Whole user agents may be as long as a server takes headers; ten thousand of those are too many.
        if len(user_agent) <= USER_AGENT_LENGTH_MAX:
            key = (api_key.id, called.method_code, called.endpoint, user_agent, address)
            self.letterheads[key] = made
        return made

    def remarks_of(self, problem: Problem) -> bytes:
        """Write why a call was refused as its record tells it."""
        name = problem.members.get("limit")
        return remarks(
            problem=self.journal.intern(problem.code),
            limit_name=0 if name is None else self.journal.intern(str(name)),
            limit_value=0 if name is None else int(problem.members.get("limit_value") or 0),
        )


def digest_of(authorization: bytes) -> bytes:
    """Return the SHA-256 of a whole `Authorization` header, under which what its key may do is known here."""
    return _sha256(authorization).digest()


def packed_address(address: str) -> bytes:
    """Write an address as its 4 or 16 bytes; nothing where it is none."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.inet_pton(family, address)
    except OSError:
        return b""


def over_limit(bucket: Bucket, weight: int, now_ns: int) -> Problem:
    """Say which limit a minute was reached, and when it frees."""
    limit = bucket.limit
    wait = bucket.retry_after_seconds(weight, now_ns)
    members = {"limit": limit.name, "limit_value": limit.count}
    again = f"Try again in {wait} second{'s' * (wait != 1)}."
    if limit.name == LIMIT_PER_KEY:
        return ApiKeyTooFast(
            f"More than {limit.count:,} requests came with this API key within a minute, which is the limit that its "
            f"owner set. {again}",
            retry_after_seconds=wait,
            members=members,
        )
    assert limit.name == LIMIT_PER_CUSTOMER, limit.name
    return CustomerTooFast(
        f"More than {limit.count:,} requests came with your API keys within a minute, which is the limit of your plan. "
        f"{again} A larger plan lifts it now.",
        retry_after_seconds=wait,
        members=members,
    )
