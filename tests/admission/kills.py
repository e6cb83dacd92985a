"""What must hold after every part was killed under load: run by the short test and by the long one.

Four customers call at once: one without a bound near, one always near the end of its quota, and two faster than their
limits a minute, of which one is asked for call by call and one is leased. The last one may do one thing at a time.
"""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
from psycopg.rows import dict_row
from tests.admission.counted_load import THINGS, Load, Sent, fullest_window
from tests.admission.killed_parts import Installation, installed
from tests.admission.lease_workers import PRODUCT, make_holder, override
from tests.installed import WAIT_SECONDS_MAX
from tests.parties import Party

from tollway.admission.rates import RateLimit
from tollway.kit.db import Database, Transaction
from tollway.plans import operations as plans

SERVERS = 2
MANY, QUOTA, SLOW, FAST = "many", "quota", "slow", "fast"
# The centre gives each unit of the first by itself, and leases of the second one.
LIMITS = {
    SLOW: RateLimit("requests_per_minute", 600),
    FAST: RateLimit("requests_per_minute", 3_000),
}
PLENTY = 1_000_000
# A lost Redis leaves every bucket empty: this one is filled again at 10,000 calls a second.
PLENTY_PER_MINUTE = 600_000
QUOTA_STEP = 40
CLIENTS = {MANY: 4, QUOTA: 2, SLOW: 1, FAST: 2}
# Between two kills so many calls are served, at most; sometimes none.
CALLS_BETWEEN_KILLS_MAX = 100
# Redis counts by the machine's wall clock, which NTP may let run so much faster than the monotonic one.
SLEW = 0.0005
LOOK_SECONDS = 0.05
SUMS = """
    SELECT sum(units)::bigint AS units, sum(succeeded + limited + refused + failed)::bigint AS calls,
        sum(succeeded)::bigint AS succeeded, sum(credits)::bigint AS credits
"""


@dataclass
class Watch:
    """Looks at every quota again and again, also while everything is killed, and for writers who waited in a circle."""

    url: str
    looks: int = 0
    deadlocks: int = 0
    above: list[Any] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._look_on)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()

    def _look_on(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url) as connection:
                while not self._ending.wait(LOOK_SECONDS):
                    self.above += connection.execute(
                        "SELECT * FROM usage_quotas WHERE requests_used + requests_leased > requests_max"
                    ).fetchall()
                    (found,) = connection.execute(
                        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
                    ).fetchall()
                    connection.rollback()
                    # A server that was killed forgets what it counted.
                    self.deadlocks = max(self.deadlocks, found[0])
                    self.looks += 1


@dataclass
class Scene:
    """The installation under load, and what its customers may."""

    installation: Installation
    chance: Random
    load: Load
    parties: dict[str, Party]
    quota_max: int = QUOTA_STEP

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    async def kill_everything(self, rounds: int) -> None:
        """Kill each part `SERVERS * rounds` times, the servers together, in a random order with calls in between."""
        installation = self.installation
        order = [*installation.servers, *(installation.others * SERVERS)] * rounds
        self.chance.shuffle(order)
        for part in order:
            # Some at once after the one before, when that is not back yet.
            count = self.chance.choice((0, 1, self.chance.randint(2, CALLS_BETWEEN_KILLS_MAX)))
            await self.load.served_more(MANY, count)
            await asyncio.to_thread(part.kill)
            self.quota_max += QUOTA_STEP
            await self.raise_quota()
        await self.load.served_more(MANY, CALLS_BETWEEN_KILLS_MAX)

    async def raise_quota(self) -> None:
        """Let the customer who is near the end go a little further."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                await self._raise_quota()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self.installation.told()
                await asyncio.sleep(LOOK_SECONDS)
            else:
                return

    async def _raise_quota(self) -> None:
        # Not a pool's connection: after an outage a pool waits longer and longer before it tries again.
        url, party, now = self.installation.database_url, self.parties[QUOTA], self.now
        async with (
            await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
            connection.transaction(),
        ):
            await plans.override(
                Transaction(connection), party.customer_id, PRODUCT, "requests_included", self.quota_max,
                ends_at=now + timedelta(days=3_000), reason="a test", created_by="user:usr_1", now=now,
            )  # fmt: skip

    def query(self, statement: str) -> list[dict[str, Any]]:
        url = self.installation.database_url
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[call-overload,no-any-return]  # a test's own text

    def value(self, statement: str) -> Any:
        (row,) = self.query(statement)
        (found,) = row.values()
        return found

    async def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something that the installation does by itself."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not await asyncio.to_thread(condition):
            assert time.monotonic() < deadline, f"{what}\n{self.installation.told()}"
            await asyncio.sleep(LOOK_SECONDS)

    def spent_of_quota(self) -> int:
        customer_id = self.parties[QUOTA].customer_id
        return int(
            self.value(
                f"""
                SELECT COALESCE(max(requests_used), 0) FROM usage_quotas q JOIN api_subscriptions s
                ON s.id = q.subscription_id WHERE s.customer_id = {customer_id}
                """
            )
        )

    def leased(self) -> int:
        return int(
            self.value(
                """
                SELECT (SELECT count(*) FROM usage_leases) + (SELECT sum(requests_leased) FROM usage_quotas)
                    + (SELECT sum(requests_leased) FROM usage_quota_days)
                """
            )
        )

    def waiting_journals(self) -> list[str]:
        return [path.name for path in self.installation.journals.iterdir()]


async def kill_and_check(seed: int, *, rounds: int, pause_seconds: float) -> None:
    """Kill servers, shipper, PostgreSQL and Redis under load, and compare all accounts.

    Args:
        rounds: each of the four kinds is killed twice as often.
        pause_seconds: of a client after each call, which leaves room for whatever else the machine does.
    """
    print(f"seed {seed}")
    chance = Random(seed)
    with installed(chance) as installation:
        parties = await make_customers(installation.database_url)
        load = Load(installation.port, chance, pause_seconds)
        scene = Scene(installation, chance, load, parties)
        watch = Watch(installation.database_url)
        began = time.monotonic()
        try:
            installation.serve(servers=SERVERS)
            watch.start()
            for holder, party in parties.items():
                load.start(holder, party, clients=CLIENTS[holder])
            await load.served_more(MANY, CALLS_BETWEEN_KILLS_MAX)
            await scene.kill_everything(rounds)
            # What killed servers held comes back, and can be spent to the last unit.
            await scene.wait_until(
                lambda: scene.spent_of_quota() == scene.quota_max, "not all of the quota could be used"
            )
            await load.finish()
            seconds = time.monotonic() - began
            # Servers that live give back what they do not need, without their end.
            await scene.wait_until(lambda: scene.leased() == 0, "leases did not come back")
            await asyncio.to_thread(end_servers, installation)
            await scene.wait_until(lambda: not scene.waiting_journals(), "journals were not carried over")
        finally:
            load.cancel()
            watch.stop()
        assert installation.shipper is not None
        await asyncio.to_thread(installation.shipper.stop)
        tell(scene, watch, seconds)
        check_accounts(scene)
        check_bounds(scene, watch)


async def make_customers(url: str) -> dict[str, Party]:
    now = datetime.now(UTC)
    database = Database(url)
    await database.open()
    parties = {}
    for holder in (MANY, QUOTA, SLOW, FAST):
        included = QUOTA_STEP if holder == QUOTA else PLENTY
        party = parties[holder] = await make_holder(database, now, included=included, cap="0")
        count = LIMITS[holder].count if holder in LIMITS else PLENTY_PER_MINUTE
        await override(database, party, "requests_per_minute_max", count, now)
        await override(database, party, "writes_at_once_max", 1 if holder == FAST else None, now)
    await database.close()
    return parties


def end_servers(installation: Installation) -> None:
    """End them for good: one as it should be, the others without a word."""
    first, *others = installation.servers
    first.stop()
    for server in others:
        server.leave()
        server.part.kill()


def tell(scene: Scene, watch: Watch, seconds: float) -> None:
    kills = ", ".join(
        f"{part.name} {part.kills}" for part in [*scene.installation.servers, *scene.installation.others]
    )
    answers = Counter(one.status for one in scene.load.sent.values())
    print(f"killed: {kills}; {seconds:.0f} s under load, {watch.looks} looks at the quotas")
    print(f"{len(scene.load.sent)} calls by answer (0: cut off): {dict(sorted(answers.items()))}")


def check_accounts(scene: Scene) -> None:
    """What clients received, what the log says, what quotas and sums count, and what was made are one and the same."""
    sent, served = scene.load.sent, scene.load.served()
    rows = scene.query("SELECT * FROM api_usage_logs")
    of_served = {row["request_id"]: row for row in rows if row["status_code"] < 400}
    times = Counter(row["request_id"] for row in rows)
    assert not set(times) - set(sent), "a row of a call that nobody sent"

    # Everybody who was served is in the log, once, with what the call counts.
    assert len(of_served) == sum(row["status_code"] < 400 for row in rows), "a call was served twice"
    assert not set(served) - set(of_served), "a served call is missing"
    for name, row in of_served.items():
        one = sent[name]
        assert (row["endpoint"], row["method"], row["units"]) == (one.path, "POST", 1)
        assert row["customer_id"] == scene.parties[one.holder].customer_id
        assert row["credits_consumed"] == (3 if one.path == THINGS else 0)
    # Beyond them, only those whose answer was cut off, or whose commit nobody could confirm.
    for name in set(of_served) - set(served):
        one = sent[name]
        assert one.status == 0 or (one.status == 503 and one.path == THINGS), (name, one)
    # A commit that nobody could confirm stands beside its 503, which counts nothing; nothing else stands twice.
    for name, count in times.items():
        assert count == 1 or (count == 2 and name in of_served and not sent[name].is_served), (name, count)
    # What was refused by a limit of a customer is in the log as well, and counts nothing.
    refused = {row["request_id"] for row in rows if row["status_code"] == 429}
    told = {name for name, one in scene.load.with_status(429).items() if one.code != "address-limit-reached"}
    assert told <= refused
    assert all(row["units"] == 0 for row in rows if row["status_code"] >= 400)
    # Nobody is told anything else than these.
    assert {one.status for one in sent.values()} <= {0, 200, 201, 429, 503}, Counter(
        (one.status, one.code) for one in sent.values()
    )

    # Journals and the table agree: the rest was written in the transactions of effects.
    with_effect = sum(row["endpoint"] == THINGS and row["status_code"] == 201 for row in rows)
    shipped = scene.value("SELECT sum(records_shipped)::bigint FROM usage_sources")
    assert shipped == len(rows) - with_effect
    # What was made, once each: a thing bears the name of its call.
    made = [row["name"] for row in scene.query("SELECT name FROM things")]
    assert sorted(made) == sorted(name for name, row in of_served.items() if row["endpoint"] == THINGS)

    # One number, however it is asked for.
    units = sum(row["units"] for row in rows)
    assert units == len(of_served)
    assert units == scene.value("SELECT sum(requests_used)::bigint FROM usage_quotas")
    assert units == scene.value("SELECT sum(requests_used)::bigint FROM usage_quota_days")
    expected = {
        "units": units,
        "calls": len(rows),
        "succeeded": len(of_served),
        "credits": 3 * len(made),
    }
    assert scene.query(f"{SUMS} FROM usage_hours") == [expected]
    assert scene.query(f"{SUMS} FROM usage_days") == [expected]
    assert scene.value("SELECT sum(calls)::bigint FROM usage_totals") == len(rows)
    assert scene.value("SELECT sum(calls)::bigint FROM usage_totals WHERE status_code < 400") == len(
        of_served
    )
    for holder, party in scene.parties.items():
        used = scene.value(
            f"""
            SELECT sum(requests_used)::bigint FROM usage_quotas q JOIN api_subscriptions s ON s.id = q.subscription_id
            WHERE s.customer_id = {party.customer_id}
            """
        )
        assert used == sum(sent[name].holder == holder for name in of_served)


def check_bounds(scene: Scene, watch: Watch) -> None:
    """Nobody got more than they may, and those who called too fast or too often were told."""
    assert watch.looks > 0
    assert watch.above == [], watch.above[:3]
    assert watch.deadlocks == 0, "calls, leases and shipper lock in different orders"
    assert scene.spent_of_quota() == scene.quota_max
    rows = scene.query("SELECT request_id, status_code, limit_name FROM api_usage_logs")
    refused = Counter(
        (scene.load.sent[row["request_id"]].holder, row["limit_name"])
        for row in rows
        if row["status_code"] == 429
    )
    assert refused[QUOTA, "spending_cap"] > 0, refused
    assert refused[FAST, "writes_at_once"] > 0, refused
    for holder, limit in LIMITS.items():
        assert refused[holder, limit.name] > 0, refused
        calls = [
            scene.load.sent[row["request_id"]]
            for row in rows
            if row["status_code"] < 400 and scene.load.sent[row["request_id"]].holder == holder
        ]
        worst = fullest_window(calls, limit.count, limit.seconds)
        print(f"{holder}: {len(calls)} served, {worst:.1f} of {limit.count} in the fullest window")
        assert worst <= limit.count + _slack(calls, limit)


def _slack(calls: list[Sent], limit: RateLimit) -> float:
    seconds = (max(one.done_ns for one in calls) - min(one.sent_ns for one in calls)) / 1e9
    return SLEW * seconds * limit.count / limit.seconds
