"""No quota, burst or spending cap is ever passed, however leases and calls with an effect share it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from tests.admission.lease_workers import (
    PRODUCT,
    Clock,
    Worker,
    held,
    ledger,
    make_holder,
    override,
    quota_of,
    returned,
    set_cap,
    use,
)
from tests.parties import Party

from tollway.customers.entities import Mode
from tollway.kit.db import Database
from tollway.kit.problems import Problem, TooMany, Unavailable
from tollway.metering import operations as metering
from tollway.metering.entities import DailyLimitReached, QuotaUsedUp, SpendingCapReached, day_of
from tollway.plans import operations as plans

BEGIN = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
WORKERS = 3


class _Rollback(Exception):
    """Ends a transaction without a trace."""


# Every order of events --------------------------------------------------------------------------


NUMBERS = st.integers(0, WORKERS - 1)
CALLS = st.lists(st.integers(1, 3), min_size=1, max_size=6)
STEPS = st.sampled_from(
    [timedelta(seconds=1), timedelta(hours=7), timedelta(hours=-1), timedelta(days=1), timedelta(days=31)]
)
CAPS = st.one_of(st.none(), st.sampled_from(["0", "0.04", "0.20", "1.50", "3.00"]))
EVENTS = st.one_of(
    *(
        st.tuples(st.just(name), st.tuples(*values))
        for name, values in (
            ("reserve_and_spend", (NUMBERS, CALLS)),
            ("reserve_and_spend", (NUMBERS, CALLS)),
            ("answer", (st.integers(1, 8),)),
            ("refund", (st.integers(1, 3),)),
            ("call_with_an_effect", (CALLS, st.booleans())),
            ("give_back", (st.integers(0, 50),)),
            ("expire", (NUMBERS, st.integers(1, 3))),
            ("time_passes", (STEPS,)),
            ("kill", (NUMBERS,)),
            ("ship", (st.integers(0, 50), st.integers(1, 6))),
            ("bury", ()),
            ("set_cap", (CAPS,)),
            ("hear_of_a_change", (NUMBERS,)),
        )
    )
)


class Ledger(RuleBasedStateMachine):
    """Three processes, calls with an effect, and an owner who moves the bounds, against the real tables.

    `served` is the model: units of calls that were answered, by period and by day.
    """

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGIN
        self.clock = Clock()
        self.served: Counter[Any] = Counter()
        self.in_flight: list[tuple[Worker, Any, int, int, datetime]] = []
        self.effects: list[tuple[int, int, datetime]] = []
        self.dead: list[Worker] = []
        self.started = 0
        self.taken: dict[Any, int] = {}
        self.day_max: int | None = None

    # Small bounds are leased unit by unit; where there is none, blocks outlive days and processes.
    @initialize(
        included=st.sampled_from([0, 3, 12, 40]),
        cap=st.sampled_from([None, "0.50", "1.50"]),
        day_max=st.sampled_from([None, None, 5, 30]),
    )
    def begin(self, included: int, cap: str | None, day_max: int | None) -> None:
        self.day_max = day_max
        # Long enough ago that no clock which is set back comes before it.
        signed_up = self.now - timedelta(days=7)
        self.party: Party = self.run(
            make_holder(self.database, signed_up, included=included, day_max=day_max, cap=cap)
        )
        self.workers = [self._worker() for _ in range(WORKERS)]

    def _worker(self) -> Worker:
        self.started += 1
        name = f"{self.party.subscription.public_id}-{self.started}"
        return self.run(Worker.start(self.database, name, self.now, clock_ns=self.clock))  # type: ignore[no-any-return]

    def _count(self, units: int, at: datetime) -> None:
        entitlement = self.run(held(self.database, self.party, at))
        self.served["month", entitlement.period_start] += units
        self.served["day", day_of(at)] += units

    # One rule for all: Hypothesis leaves whole rules out of an example, and here it is their mixture that tells.
    @rule(events=st.lists(EVENTS, min_size=8, max_size=8))
    def happen(self, events: list[tuple[str, Any]]) -> None:
        for name, values in events:
            getattr(self, name)(*values)
            self.nothing_grows_over_its_bound()

    def reserve_and_spend(self, number: int, calls: list[int]) -> None:
        worker = self.workers[number]
        account = worker.leases.account(self.run(held(self.database, self.party, self.now)), Mode.LIVE)
        for units in calls:
            lease_id = self.run(worker.admit(account, units, self.now))
            if lease_id:
                self.in_flight.append((worker, account, lease_id, units, self.now))

    def answer(self, count: int) -> None:
        for _ in self.in_flight[:count]:
            worker, account, lease_id, units, at = self.in_flight.pop(0)
            worker.serve(account, lease_id, units)
            self._count(units, at)

    def refund(self, count: int) -> None:
        for _ in self.in_flight[:count]:
            _, account, lease_id, units, _ = self.in_flight.pop()
            account.refund(lease_id, units)

    def call_with_an_effect(self, calls: list[int], breaks: bool) -> None:
        async def work(units: int) -> int:
            async with self.database.transaction() as tx:
                entitlement = await plans.get_entitlement(tx, self.party.customer_id, PRODUCT, self.now)
                quota = await plans.get_quota(tx, entitlement, Mode.LIVE, self.now)
                await metering.use_units(tx, quota, units, now=self.now)
                if breaks:
                    raise _Rollback
                return quota.id

        for units in calls:
            try:
                quota_id = self.run(work(units))
            except (TooMany, _Rollback):
                continue
            self.effects.append((quota_id, units, self.now))
            self._count(units, self.now)

    def give_back(self, chosen: int) -> None:
        if not self.effects:
            return
        quota_id, units, at = self.effects.pop(chosen % len(self.effects))

        async def work() -> None:
            async with self.database.transaction() as tx:
                event = returned(self.party, units, self.now)
                await metering.give_back(tx, quota_id, event, counted_at=at)

        self.run(work())
        self._count(-units, at)

    def expire(self, number: int, times: int) -> None:
        self.clock.advance(times)
        for _ in range(times):
            self.workers[number].leases.tick(self.now)

    def time_passes(self, step: timedelta) -> None:
        """Days and periods roll over; a clock that is set back makes no units either."""
        self.now += step
        self.clock.advance(max(0.0, step.total_seconds()))

    def kill(self, number: int) -> None:
        """What was under way is answered to nobody; what was written stays in the journal."""
        victim = self.workers[number]
        self.in_flight = [one for one in self.in_flight if one[0] is not victim]
        self.dead.append(victim)
        self.workers[number] = self._worker()

    def ship(self, chosen: int, count: int) -> None:
        everyone = self.workers + self.dead
        self.run(everyone[chosen % len(everyone)].ship(count))

    def bury(self) -> None:
        if self.dead:
            self.run(self.dead.pop().bury())

    def set_cap(self, cap: str | None) -> None:
        self.run(set_cap(self.database, self.party, cap, self.now))

    def hear_of_a_change(self, number: int) -> None:
        self.workers[number].leases.give_up(self.party.customer_id)

    def nothing_grows_over_its_bound(self) -> None:
        months, days = self.run(ledger(self.database, self.party))
        bounds = {("month", start): bound for start, (_, _, bound) in months.items()}
        found = {("month", start): used + leased for start, (used, leased, _) in months.items()}
        found |= {("day", day): used + leased for day, (used, leased) in days.items()}
        for key, taken in found.items():
            bound = bounds.get(key, self.day_max if key[0] == "day" else None)
            # A bound that was lowered below what is taken already lets nothing grow.
            assert bound is None or taken <= max(bound, self.taken.get(key, 0)), (key, taken, bound)
            assert self.served[key] <= taken, "what was answered is taken, whatever was shipped"
        self.taken = found

    def teardown(self) -> None:
        if not hasattr(self, "party"):
            return
        for worker, account, lease_id, units, at in self.in_flight:
            worker.serve(account, lease_id, units)
            self._count(units, at)
        for worker in self.workers:
            self.run(worker.leases.close())
            self.run(worker.ship())
        for worker in self.dead:
            self.run(worker.bury())
        months, days = self.run(ledger(self.database, self.party))
        assert {start: (used, leased) for start, (used, leased, _) in months.items()} == {
            start: (self.served["month", start], 0) for start in months
        }
        assert days == {day: (self.served["day", day], 0) for day in days}
        assert sum(self.served.values()) == 2 * sum(used for used, _, _ in months.values())
        assert self.run(_count_leases(self.database, self.party)) == 0, (
            "a process that closes ends its leases"
        )


async def _count_leases(database: Database, party: Party) -> int:
    async with database.transaction() as tx:
        return int(
            await tx.find_value(
                """
                SELECT count(*) FROM usage_leases l JOIN usage_quotas q ON q.id = l.quota_id
                WHERE q.subscription_id = %(id)s
                """,
                {"id": party.subscription.id},
            )
        )


@pytest.mark.promise("X11", "B13")
def test_reserve_spend_expire_refund(database_url: str) -> None:
    with asyncio.Runner() as runner:

        async def opened() -> Database:
            database = Database(database_url, connections_max=4)
            await database.open()
            return database

        database = runner.run(opened())
        machine = type("BoundLedger", (Ledger,), {"run": staticmethod(runner.run), "database": database})
        try:
            run_state_machine_as_test(
                machine,
                settings=settings(
                    max_examples=12,
                    stateful_step_count=8,
                    deadline=None,
                    database=None,
                    # What fails is told as it was found: to shorten it takes longer than a test may.
                    phases=(Phase.generate,),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(database.close())


# One thing at a time ------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[list[Database]]:
    """A pool of connections for each of several processes."""
    opened = [Database(database_url, connections_max=4) for _ in range(WORKERS)]
    for database in opened:
        await database.open()
    yield opened
    for database in opened:
        await database.close()


async def figures(database: Database, party: Party, now: datetime) -> tuple[int, int]:
    quota = await quota_of(database, party, now)
    return quota.requests_used, quota.requests_leased


async def test_processes_and_calls_with_an_effect_share_the_last_units_of_a_quota(
    pools: list[Database], now: datetime
) -> None:
    """Thrice what is left is asked for at once; all of it is used, and not one unit more."""
    party = await make_holder(pools[0], now, included=120, cap="0")
    workers = [await Worker.start(pool, str(number), now) for number, pool in enumerate(pools)]
    entitlement = await held(pools[0], party, now)

    async def leased(worker: Worker) -> int:
        account = worker.leases.account(entitlement, Mode.LIVE)
        lease_id = await worker.admit(account, 1, now)
        if lease_id:
            worker.serve(account, lease_id, 1)
        return int(lease_id > 0)

    async def with_effect(database: Database) -> int:
        try:
            await use(database, party, 1, now)
        except SpendingCapReached:
            return 0
        return 1

    calls = [leased(worker) for worker in workers for _ in range(90)]
    calls += [with_effect(pool) for pool in pools for _ in range(30)]
    served = sum(await asyncio.gather(*calls))
    assert served <= 120
    for worker in workers:
        await worker.leases.close()
        await worker.ship()
    assert await figures(pools[0], party, now) == (served, 0)
    for _ in range(120 - served):
        await use(pools[0], party, 1, now)
    with pytest.raises(SpendingCapReached):
        await use(pools[0], party, 1, now)


async def test_who_asks_together_shares_one_transaction(database: Database, now: datetime) -> None:
    party = await make_holder(database, now, included=1_000)
    worker = await Worker.start(database, "one", now)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    assert worker.leases.account(await held(database, party, now), Mode.LIVE) is account
    admitted = await asyncio.gather(*(worker.admit(account, 2, now) for _ in range(50)))
    assert len(set(admitted)) == 1
    assert await figures(database, party, now) == (0, 100)


async def test_leases_grow_with_demand_and_shrink_near_the_end(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100, cap="0")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    spent: list[int] = []
    while lease_id := await worker.admit(account, 1, now):
        spent.append(lease_id)
    sizes = list(Counter(spent).values())
    assert sizes == [1, 2, 4, 8, 10, 9, 8, 7, 6, 5, 5, 4, 3, 3, 3, 2, 2, 2, 2, 1, 1] + [1] * 12
    assert sum(sizes) == 100


async def test_a_kept_refusal_spares_the_database_and_is_asked_for_again(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=3, cap="0")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    await use(database, party, 3, now)
    assert not await worker.admit(account, 1, now)
    refusal = account.refusal
    assert isinstance(refusal, SpendingCapReached)
    assert (refusal.members["limit_value"], refusal.members["used"]) == (3, 3)
    await set_cap(database, party, "0.05", now)
    assert not await worker.admit(account, 1, now)
    assert account.refusal is refusal, "within half a second nobody asks again"
    clock.advance(0.5)
    assert await worker.admit(account, 1, now)
    assert account.refusal is None


@pytest.mark.parametrize(
    ("subject", "kind"),
    [("requests_included", SpendingCapReached), ("requests_per_day_max", DailyLimitReached)],
)
async def test_an_upgrade_in_the_middle_of_a_lease_counts_from_the_next_call_on(
    database: Database, clock: Clock, now: datetime, subject: str, kind: type[Problem]
) -> None:
    amounts = {"included": 50, "day_max": 50} | {
        "included" if subject == "requests_included" else "day_max": 2
    }
    party = await make_holder(database, now, **amounts, cap="0")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    first = await worker.admit(account, 2, now)
    assert not await worker.admit(account, 1, now)
    assert isinstance(account.refusal, kind)
    await override(database, party, subject, 3, now)
    worker.leases.give_up(party.customer_id)
    second = await worker.admit(account, 1, now)
    assert second not in (0, first)
    worker.serve(account, first, 2)
    worker.serve(account, second, 1)
    await worker.ship()
    assert await figures(database, party, now) == (3, 0)


async def test_a_cap_lowered_in_the_middle_of_a_lease_stops_everything_but_what_is_held(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=0, cap="5.00")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    for _ in range(4):
        worker.serve(account, await worker.admit(account, 1, now), 1)
    # Leases of 1, 2 and 4 units; 3 of the last are not spent.
    assert await figures(database, party, now) == (0, 7)
    await set_cap(database, party, "0.20", now)
    with pytest.raises(SpendingCapReached) as refused:
        await use(database, party, 1, now)
    assert refused.value.members["limit_value"] == 4
    assert "7 are held for calls under way" in refused.value.message
    assert refused.value.retry_after_seconds == 3, "what is held may come back"
    assert await worker.admit(account, 1, now), "what is held may still be spent"
    worker.leases.give_up(party.customer_id)
    assert not await worker.admit(account, 1, now), "until the process hears of the change"
    worker.serve(account, account.lease_ids[0], 1)
    await worker.ship()
    assert await figures(database, party, now) == (5, 0)


async def test_what_was_being_leased_when_the_plan_changed_is_not_spent(
    database: Database, clock: Clock, now: datetime
) -> None:
    """It was asked for under the former plan; what is spent was granted by whatever holds now."""
    party = await make_holder(database, now, included=0, cap="5.00")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    worker.serve(account, await worker.admit(account, 1, now), 1)
    async with database.transaction() as tx:
        await tx.execute("SELECT 1 FROM usage_quotas FOR UPDATE")
        asking = asyncio.create_task(worker.admit(account, 1, now))
        async with asyncio.timeout(10):
            while not await tx.find_value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
        # As the directory does when it hears of the change.
        worker.leases.give_up(party.customer_id)
    granted = await asking
    ended = [lease_id for lease_id, units in worker.records if units is None]
    assert len(ended) == 1
    assert account.lease_ids == [granted]
    assert granted > ended[0]
    worker.serve(account, granted, 1)
    worker.leases.give_up(party.customer_id)
    await worker.ship()
    assert await figures(database, party, now) == (2, 0)


async def test_a_call_that_read_the_plan_before_a_change_does_not_undo_it(
    database: Database, now: datetime
) -> None:
    party = await make_holder(database, now, included=0, cap="5.00")
    async with database.transaction() as tx:
        stale = await plans.get_entitlement(tx, party.customer_id, PRODUCT, now)
        await set_cap(database, party, "0.10", now)
        quota = await plans.get_quota(tx, stale, Mode.LIVE, now)
        assert (quota.requests_max, quota.spending_cap) == (2, Decimal("0.10"))
        with pytest.raises(SpendingCapReached):
            await metering.use_units(tx, quota, 3, now=now)
    assert (await quota_of(database, party, now)).requests_max == 2


async def test_a_lease_is_void_on_the_next_day_and_comes_back(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100, day_max=10)
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    midnight = now.replace(hour=0) + timedelta(days=1)
    await asyncio.gather(*(worker.admit(account, 1, now) for _ in range(2)))
    before = midnight - timedelta(microseconds=1)
    for lease_id in list(account.lease_ids):
        account.refund(lease_id, 2)
        assert account.spend(1, before.timestamp()) == lease_id
        worker.serve(account, lease_id, 1)
    assert account.spend(1, midnight.timestamp()) == 0
    worker.leases.tick(midnight)
    assert not account.has_leases
    await worker.ship()
    assert (await ledger(database, party))[1] == {now.date(): (1, 0)}


async def test_an_idle_lease_ends_and_one_with_a_call_under_way_waits_for_its_record(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100, cap="0")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    admitted = await asyncio.gather(*(worker.admit(account, 1, now) for _ in range(3)))
    account.refund(admitted[0], 1)
    for _ in range(3):
        worker.leases.tick(now)
    assert worker.records == [], "two calls are under way"
    assert account.spend(1, now.timestamp()) == 0, "but nothing more is spent"
    worker.serve(account, admitted[1], 1)
    worker.serve(account, admitted[2], 1)
    assert worker.records == [(admitted[0], 1), (admitted[0], 1), (admitted[0], None)]
    await worker.ship()
    assert await figures(database, party, now) == (2, 0)


async def test_an_end_that_the_journal_has_no_room_for_is_written_later(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100)
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    room = False

    def journal_lease_end(lease_id: int) -> None:
        if not room:
            raise Unavailable("The disk is full.")
        worker.records.append((lease_id, None))

    worker.leases = type(worker.leases)(database, worker.leases.source_id, journal_lease_end, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    account.refund(await worker.admit(account, 1, now), 1)
    for _ in range(4):
        worker.leases.tick(now)
    assert account.has_leases
    room = True
    worker.leases.tick(now)
    assert not account.has_leases
    await worker.ship()
    assert await figures(database, party, now) == (0, 0)


async def test_a_lease_whose_grant_was_not_heard_of_is_given_back(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100)
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    known = await worker.admit(account, 1, now)
    quota = await quota_of(database, party, now)
    async with database.transaction() as tx:
        lost = await metering.lease_units(
            tx, worker.leases.source_id, quota.id, 7, day=day_of(now), day_max=None, now=now
        )
    assert lost is not None
    await worker.leases.reconcile()
    assert worker.records == [(lost.id, None)]
    worker.serve(account, known, 1)
    await worker.ship()
    assert await figures(database, party, now) == (1, 0)


async def test_after_the_plan_ended_the_reason_is_the_refusal(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=100)
    entitlement = await held(database, party, now)
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_subscriptions SET status = 'cancelled'")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(entitlement, Mode.LIVE)
    assert not await worker.admit(account, 1, now)
    assert account.refusal is not None
    assert account.refusal.code == "subscription-ended"


async def test_a_dead_database_is_told_to_everybody_who_waits(database_url: str, now: datetime) -> None:
    database = Database(database_url, connections_max=4)
    await database.open()
    party = await make_holder(database, now, included=100)
    worker = await Worker.start(database, "one", now)
    account = worker.leases.account(await held(database, party, now), Mode.LIVE)
    await database.close()
    answers = await asyncio.gather(*(worker.admit(account, 1, now) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(answer, Exception) for answer in answers)
    assert not account.has_leases


# What the shipper relies on -----------------------------------------------------------------------


async def test_no_more_is_settled_than_was_granted_and_nothing_of_what_is_over(
    database: Database, now: datetime
) -> None:
    party = await make_holder(database, now, included=100, day_max=50)
    worker = await Worker.start(database, "one", now)
    quota = await quota_of(database, party, now)
    async with database.transaction() as tx:
        lease = await metering.lease_units(
            tx, worker.leases.source_id, quota.id, 5, day=day_of(now), day_max=50, now=now
        )
        assert lease is not None
        assert (lease.units_granted, lease.units_left) == (5, 45)
        await metering.settle_leases(tx, {lease.id: 3, 999: 4})
        await metering.settle_leases(tx, {lease.id: 3})
        await metering.settle_leases(tx, {lease.id: 1})
        await metering.end_lease(tx, lease.id)
        assert await metering.end_leases_of_source(tx, worker.leases.source_id) == 0
    assert await ledger(database, party) == (
        {quota.period_start: (5, 0, None)},
        {now.date(): (5, 0)},
    )


async def test_nothing_is_leased_where_less_is_left_than_a_call_needs(
    database: Database, now: datetime
) -> None:
    party = await make_holder(database, now, included=4, cap="0")
    worker = await Worker.start(database, "one", now)
    quota = await quota_of(database, party, now)
    async with database.transaction() as tx:
        for needed, granted in ((5, None), (3, 3), (2, None), (1, 1), (1, None)):
            lease = await metering.lease_units(
                tx,
                worker.leases.source_id,
                quota.id,
                9,
                needed=needed,
                day=day_of(now),
                day_max=None,
                now=now,
            )
            assert (lease and lease.units_granted) == granted
        assert await metering.end_leases_of_source(tx, worker.leases.source_id) == 4
    assert await figures(database, party, now) == (0, 0)


async def test_test_mode_stops_at_what_is_included_and_no_cap_is_asked(
    database: Database, clock: Clock, now: datetime
) -> None:
    party = await make_holder(database, now, included=2, cap="9.00")
    worker = await Worker.start(database, "one", now, clock_ns=clock)
    account = worker.leases.account(await held(database, party, now), Mode.TEST)
    assert await worker.admit(account, 2, now)
    assert not await worker.admit(account, 1, now)
    assert isinstance(account.refusal, QuotaUsedUp)
