"""What was revoked stops within a second by each of three ways alone, and what was mended works at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.parties import Party, make_party

from tollway.admission.core import CONFIRMED_FOR_NS, Decision, Gate, Snapshot, Verdict
from tollway.admission.directory import LOADS_AT_ONCE_MAX, POLL_SECONDS, Directory
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import digest_of
from tollway.admission.leases import RateLimiter
from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKeyUnknown, checksum
from tollway.kit.db import POOL_CONNECTIONS_MAX, Database
from tollway.plans.entities import SubscriptionStatus

READING = Cost("montecarlo", reads=True)
# A moment of the monotonic clock at which nothing has lapsed, whatever the machine says.
STOPPED_NS = 10**15
WRITING = Cost("montecarlo", reads=False)
SECOND = 1.0
# A busy machine may stop everything for a while; what is promised is told by the constants.
PATIENCE_SECONDS = 10.0


class Watch:
    """A directory with its gate, on a clock that the test moves."""

    def __init__(self, database: Database, party: Party, now: datetime) -> None:
        self.now_ns = STOPPED_NS
        self.gate = Gate()
        self.now = now
        self.party = party
        limiter = RateLimiter(None, clock_ns=lambda: self.now_ns)
        self.directory = Directory(database, self.gate, limiter, lambda: None, clock_ns=lambda: self.now_ns)

    @property
    def authorization(self) -> str:
        return self.party.headers["Authorization"]

    async def load(self) -> None:
        await self.directory.load(self.authorization, digest_of(self.authorization.encode()), self.now)

    def ask(self, cost: Cost = READING) -> Decision:
        digest = digest_of(self.authorization.encode())
        return self.gate.admit(digest, cost, "203.0.113.9", self.now_ns, self.now.timestamp())


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what must become so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not is_so():
            await asyncio.sleep(0.005)


@pytest.fixture
async def party(database: Database, now: datetime) -> Party:
    return await make_party(database, now, tier="professional", status=SubscriptionStatus.ACTIVE)


@pytest.fixture
async def watch(database: Database, party: Party, now: datetime) -> AsyncIterator[Watch]:
    made = Watch(database, party, now)
    yield made
    await made.directory.close()


@pytest.fixture
async def elsewhere(database_url: str) -> AsyncIterator[Database]:
    """Another process's connections."""
    opened = Database(database_url, connections_max=4)
    await opened.open()
    yield opened
    await opened.close()


REVOKE = "UPDATE api_keys SET status = 'revoked', revoked_at = now()"
CHANGES = {
    "the key is revoked": REVOKE,
    "the key is suspended": "UPDATE api_keys SET status = 'suspended'",
    "the customer is suspended": "UPDATE api_customers SET suspended_at = now()",
    "the plan changes": "UPDATE api_subscriptions SET status = 'cancelled'",
    "a scope is taken": "UPDATE api_keys SET scopes = '{write}'",
}


def refuses(watch: Watch) -> bool:
    """Whether writing or reading is refused by now; a plan that ended still lets read."""
    return Verdict.REFUSED in (watch.ask(READING).verdict, watch.ask(WRITING).verdict)


async def change(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(statement)  # type: ignore[arg-type]  # a constant of this file


@pytest.mark.promise("B64")
@pytest.mark.parametrize("what", CHANGES)
async def test_a_notification_alone_tells_of_a_change_within_a_second(
    watch: Watch, elsewhere: Database, what: str
) -> None:
    await watch.directory.start(listens=True, polls=False)
    await watch.load()
    assert watch.ask().verdict is Verdict.ADMITTED
    # Whether it listens by now shows at a change that means nothing.
    async with asyncio.timeout(PATIENCE_SECONDS):
        while watch.ask().verdict is Verdict.ADMITTED:
            await change(elsewhere, "UPDATE api_keys SET name = name || 'x'")
            await asyncio.sleep(0.005)
    await watch.load()
    await change(elsewhere, CHANGES[what])
    await until(lambda: watch.ask().verdict is Verdict.UNKNOWN)
    await watch.load()
    assert refuses(watch)


@pytest.mark.promise("B64")
@pytest.mark.parametrize("what", CHANGES)
async def test_a_look_alone_finds_a_change_within_a_second(
    watch: Watch, elsewhere: Database, what: str
) -> None:
    assert POLL_SECONDS < SECOND / 2
    await watch.directory.start(listens=False, polls=True)
    await until(lambda: watch.gate.confirmed_until_ns > 0)
    await watch.load()
    assert watch.ask().verdict is Verdict.ADMITTED
    await change(elsewhere, CHANGES[what])
    await until(lambda: watch.ask().verdict is Verdict.UNKNOWN)
    await watch.load()
    assert refuses(watch)


@pytest.mark.promise("B64")
@pytest.mark.parametrize("what", CHANGES)
async def test_without_either_what_is_known_lapses_within_a_second(
    watch: Watch, elsewhere: Database, what: str
) -> None:
    assert CONFIRMED_FOR_NS < SECOND * 1e9
    await watch.load()
    await change(elsewhere, CHANGES[what])
    watch.now_ns += CONFIRMED_FOR_NS - 1
    assert watch.ask().verdict is Verdict.ADMITTED, "nobody told it"
    watch.now_ns += 1
    assert watch.ask().verdict is Verdict.UNKNOWN
    await watch.load()
    assert refuses(watch)


async def test_a_look_vouches_for_what_did_not_change(watch: Watch) -> None:
    await watch.directory.look()
    await watch.load()
    for _ in range(5):
        watch.now_ns += CONFIRMED_FOR_NS - 1
        await watch.directory.look()
        assert watch.ask().verdict is Verdict.ADMITTED
    watch.now_ns += CONFIRMED_FOR_NS
    assert watch.ask().verdict is Verdict.UNKNOWN, "no look has confirmed it for too long"


async def test_a_change_that_commits_late_is_seen(watch: Watch, elsewhere: Database) -> None:
    """Its row has a lower number than rows that were seen before it committed."""
    await watch.directory.look()
    async with elsewhere.transaction() as late:
        await late.execute(REVOKE)
        async with watch.directory.database.transaction() as tx:
            await tx.execute("INSERT INTO admission_changes (customer_id) VALUES (%(id)s)",
                             {"id": watch.party.customer_id})  # fmt: skip
        await watch.directory.look()
        await watch.load()
        await watch.directory.look()
        assert watch.ask().verdict is Verdict.ADMITTED
    await watch.directory.look()
    assert watch.ask().verdict is Verdict.UNKNOWN


async def test_a_change_while_a_key_is_read_is_not_missed(watch: Watch, elsewhere: Database) -> None:
    """The reader has its row already, the change commits and is heard of, and only then the reader is done."""
    await watch.directory.look()
    async with elsewhere.transaction() as tx:
        # The customer's row is read after the key's: whoever waits there has read the key.
        await tx.execute("LOCK TABLE api_subscriptions IN ACCESS EXCLUSIVE MODE")
        reading = asyncio.create_task(watch.load())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await tx.find_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
        await change(watch.directory.database, REVOKE)
        await watch.directory.look()
        assert not reading.done()
    await reading
    assert watch.ask().verdict is Verdict.REFUSED


class Hesitant(Directory):
    """Reads, and then takes its time before it believes what it read."""

    def __init__(self, *values: Any, **more: Any) -> None:
        super().__init__(*values, **more)
        self.has_read, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def read(self, authorization: str, now: datetime) -> Snapshot:
        snapshot = await super().read(authorization, now)
        self.has_read.set()
        await self.may_go_on.wait()
        return snapshot


async def test_a_look_that_may_have_missed_changes_doubts_what_is_being_read(
    watch: Watch, elsewhere: Database
) -> None:
    """The first look cannot tell what is new: a key that was read before it and is kept after it was not seen by it."""
    limiter = RateLimiter(None, clock_ns=lambda: watch.now_ns)
    hesitant = Hesitant(
        watch.directory.database, watch.gate, limiter, lambda: None, clock_ns=lambda: watch.now_ns
    )
    watch.directory = hesitant
    reading = asyncio.create_task(watch.load())
    await hesitant.has_read.wait()
    await change(elsewhere, REVOKE)
    await hesitant.look()
    hesitant.may_go_on.set()
    await reading
    await hesitant.look()
    assert watch.ask().verdict is Verdict.REFUSED


async def test_looks_do_not_wait_behind_calls(database_url: str, party: Party, now: datetime) -> None:
    """Else everything would lapse while all connections are busy, and be read anew by still more who wait."""
    crowded = Database(database_url, connections_max=1)
    await crowded.open()
    watch = Watch(crowded, party, now)
    await watch.directory.start(listens=False, polls=True)
    await until(lambda: watch.gate.confirmed_until_ns > 0)
    await watch.load()
    async with crowded.transaction():
        watch.now_ns += CONFIRMED_FOR_NS - 1
        before = watch.gate.confirmed_until_ns
        await until(lambda: watch.gate.confirmed_until_ns > before)
        watch.now_ns += CONFIRMED_FOR_NS - 1
        assert watch.ask().verdict is Verdict.ADMITTED
    await watch.directory.close()
    await crowded.close()


async def test_strangers_leave_connections_to_calls(
    database_url: str, party: Party, now: datetime, elsewhere: Database
) -> None:
    """However many keys are asked for that nobody has."""
    database = Database(database_url)
    await database.open()
    watch = Watch(database, party, now)

    async def load(number: int) -> None:
        body = f"mc_test_{number:026d}"
        authorization = f"Bearer {body}{checksum(body)}"
        with pytest.raises(ApiKeyUnknown):
            await watch.directory.load(authorization, digest_of(authorization.encode()), watch.now)

    async with elsewhere.transaction() as tx:
        await tx.execute("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE")
        loads = [asyncio.create_task(load(number)) for number in range(2 * POOL_CONNECTIONS_MAX)]
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await tx.find_value(waiting) < LOADS_AT_ONCE_MAX:
                await asyncio.sleep(0.005)
            async with database.transaction() as call:
                assert await call.find_value(waiting) == LOADS_AT_ONCE_MAX
    await asyncio.gather(*loads)
    await database.close()


async def test_that_a_key_was_used_is_no_change(watch: Watch, elsewhere: Database) -> None:
    await watch.directory.look()
    await watch.load()
    async with elsewhere.transaction() as tx:
        await keys.note_use(tx, watch.party.api_key.id, watch.now + timedelta(hours=1))
    await watch.directory.look()
    assert watch.ask().verdict is Verdict.ADMITTED


@pytest.mark.promise("B64")
async def test_what_changes_by_itself_is_read_again_then(watch: Watch, elsewhere: Database) -> None:
    expires_at = watch.now + timedelta(seconds=30)
    async with elsewhere.transaction() as tx:
        await tx.execute("UPDATE api_keys SET expires_at = %(at)s", {"at": expires_at})
    await watch.directory.look()
    await watch.load()
    for second in range(30):
        watch.now_ns = STOPPED_NS + second * 10**9
        await watch.directory.look()
        assert watch.ask().verdict is Verdict.ADMITTED
    watch.now_ns = STOPPED_NS + 30 * 10**9
    await watch.directory.look()
    assert watch.ask().verdict is Verdict.UNKNOWN
    watch.now = expires_at
    await watch.load()
    assert watch.ask().verdict is Verdict.REFUSED


async def test_a_stranger_is_remembered_and_forgotten_when_keys_change(
    watch: Watch, elsewhere: Database
) -> None:
    await watch.directory.look()
    async with elsewhere.transaction() as tx:
        hidden = await tx.find_value("SELECT key_hash FROM api_keys")
        await tx.execute("UPDATE api_keys SET key_hash = 'hidden'")
    await watch.directory.look()
    for _ in range(2):
        with pytest.raises(ApiKeyUnknown):
            await watch.load()
    async with elsewhere.transaction() as tx:
        await tx.execute("UPDATE api_keys SET key_hash = %(hash)s", {"hash": hidden})
    with pytest.raises(ApiKeyUnknown):
        await watch.load()
    await watch.directory.look()
    await watch.load()
    assert watch.ask().verdict is Verdict.ADMITTED


async def test_many_who_ask_at_once_read_a_key_once(watch: Watch) -> None:
    digest = digest_of(watch.authorization.encode())
    loaded = await asyncio.gather(
        *(watch.directory.load(watch.authorization, digest, watch.now) for _ in range(20))
    )
    assert len({id(one) for one in loaded}) == 1


async def test_keys_of_one_customer_share_its_limit_and_its_account(
    database: Database, now: datetime
) -> None:
    party = await make_party(database, now)
    watch = Watch(database, party, now)
    async with database.transaction() as tx:
        second = await keys.issue_api_key(
            tx, None, party.customer_id, product="agents", mode=Mode.LIVE, name="b", tier="free", now=now
        )  # type: ignore[arg-type]  # a key that is shown once is not sealed
    authorization = f"Bearer {second.secret}"
    snapshot = await watch.directory.load(authorization, digest_of(authorization.encode()), now)
    assert snapshot.entitlement is None, "never subscribed to that product"
    assert (
        watch.gate.admit(
            digest_of(authorization.encode()),
            Cost("agents", reads=False),
            "203.0.113.9",
            watch.now_ns,
            time.time(),
        ).verdict
        is Verdict.REFUSED
    )
