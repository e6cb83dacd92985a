"""Customers share the workers by weight: who gets how much, how long anybody waits, and what is reserved."""

import math
from collections import Counter
from datetime import datetime, timedelta

import pytest
from tests.parties import Party, make_party
from tests.simulation.conftest import Rows, started_id, uploaded_id, wait_until, working
from tests.simulation.workbooks import chain
from tests.web.conftest import visiting

from tollway.app import open_parts
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.plans import operations as plans
from tollway.plans.entities import PRIORITY_WEIGHT, STANDARD_WEIGHT, EntitlementState, SubscriptionStatus
from tollway.settings import Settings
from tollway.simulation import operations, shards, store
from tollway.simulation.entities import ClaimedShard, Run

LIVE = [{"count": 10, "error_count": 0, "mean": 1.0, "squares": 0.5, "frequencies": [10]}]
# Shards of 4,096 iterations, each of about 0.2 seconds.
SECONDS_PER_ITERATION = 5e-5
SHARD_SECONDS = shards.BLOCK_ITERATIONS * SECONDS_PER_ITERATION
CHAIN_VARIABLES = [{"cell": "B1", "distribution": {"type": "uniform", "min": 0.5, "max": 1.5}}]
LONG = 1_000_000
SHORT = 8 * shards.BLOCK_ITERATIONS


async def customer(database: Database, now: datetime, tier: str) -> Party:
    status = SubscriptionStatus.TRIALING if tier == "trial" else SubscriptionStatus.ACTIVE
    return await make_party(database, now, tier=tier, status=status)


async def queued(rows: Rows, party: Party, now: datetime, iterations: int = LONG) -> Run:
    model = await rows.model(party, now)
    return await rows.run(
        party, model, now, iterations=iterations, seconds_per_iteration=SECONDS_PER_ITERATION
    )


class Workers:
    """So many computing processes, whose shards take as long as `factor` times the estimate of their customer."""

    def __init__(self, database: Database, now: datetime, count: int = 2) -> None:
        self.database = database
        self.now = now
        self.count = count
        self.factors: dict[int, float] = {}
        self.seconds: Counter[int] = Counter()
        self.served: list[int] = []
        self._busy: list[tuple[float, int, Run, ClaimedShard, float]] = []
        self._time = 0.0

    async def claim(self, *, reserved: bool = False) -> tuple[Run, ClaimedShard] | None:
        async with self.database.transaction() as tx:
            return await shards.claim_next_shard(tx, self.now, reserved=reserved)

    async def step(self) -> bool:
        """Give every free process a shard, then end the one that is done first; False where nothing is left."""
        while len(self._busy) < self.count:
            claimed = await self.claim()
            if claimed is None:
                break
            run, shard = claimed
            self.served.append(run.customer_id)
            seconds = (
                shard.iteration_count * run.seconds_per_iteration * self.factors.get(run.customer_id, 1.0)
            )
            self._busy.append((self._time + seconds, len(self.served), run, shard, seconds))
        if not self._busy:
            return False
        first = min(self._busy)
        self._busy.remove(first)
        self._time, _, run, shard, seconds = first
        async with self.database.transaction() as tx:
            await shards.complete_shard(tx, shard, LIVE, self.now, seconds=seconds)
        self.seconds[run.customer_id] += seconds
        return True

    async def steps(self, count: int) -> None:
        for _ in range(count):
            assert await self.step()


@pytest.mark.promise("B16", "B54")
async def test_a_professionals_run_gets_at_least_twice_the_processing_of_a_starters(
    database: Database, rows: Rows, now: datetime
) -> None:
    starter = await customer(database, now, "starter")
    professional = await customer(database, now, "professional")
    # The Starter's was queued first, and both are as long.
    await queued(rows, starter, now)
    await queued(rows, professional, now)
    workers = Workers(database, now)
    await workers.steps(120)
    ratio = workers.seconds[professional.customer_id] / workers.seconds[starter.customer_id]
    assert ratio == pytest.approx(PRIORITY_WEIGHT / STANDARD_WEIGHT, rel=0.1)


@pytest.mark.promise("B3", "B16", "B54")
async def test_each_plan_gets_its_share_and_equal_plans_equal_ones(
    database: Database, rows: Rows, now: datetime
) -> None:
    tiers = {"trial": 1, "starter": 1, "professional": 3, "enterprise": 4}
    parties = {}
    for tier in tiers:
        for number in range(2):
            parties[tier, number] = await customer(database, now, tier)
            # More runs give nobody more.
            for _ in range(1 + number):
                await queued(rows, parties[tier, number], now)
    workers = Workers(database, now, count=4)
    await workers.steps(360)
    whole = sum(workers.seconds.values())
    for (tier, _), party in parties.items():
        share = workers.seconds[party.customer_id] / whole
        assert share == pytest.approx(tiers[tier] / (2 * sum(tiers.values())), rel=0.15), tier


async def test_shares_are_of_what_was_computed_not_of_what_was_estimated(
    database: Database, rows: Rows, now: datetime
) -> None:
    one, other = await customer(database, now, "starter"), await customer(database, now, "starter")
    await queued(rows, one, now)
    await queued(rows, other, now)
    workers = Workers(database, now)
    workers.factors = {one.customer_id: 4.0, other.customer_id: 0.5}
    await workers.steps(160)
    # The first one's shards take eight times as long, so the other has eight times as many.
    assert Counter(workers.served)[other.customer_id] > 6 * Counter(workers.served)[one.customer_id]
    ratio = workers.seconds[one.customer_id] / workers.seconds[other.customer_id]
    assert ratio == pytest.approx(1.0, rel=0.15)


async def test_nobody_starves(database: Database, rows: Rows, now: datetime) -> None:
    waiting = await customer(database, now, "starter")
    others = {}
    for tier, weight in (("enterprise", 4), ("professional", 3), ("starter", 1), ("enterprise", 4)):
        party = await customer(database, now, tier)
        others[party.customer_id] = weight
        for _ in range(3):
            await queued(rows, party, now)
    await queued(rows, waiting, now)
    workers = Workers(database, now)
    await workers.steps(150)
    turns = [index for index, one in enumerate(workers.served) if one == waiting.customer_id]
    assert len(turns) > 5
    gaps = [
        Counter(workers.served[before + 1 : after])
        for before, after in zip(turns, [*turns[1:], len(workers.served)], strict=True)
    ]
    for gap in [Counter(workers.served[: turns[0]]), *gaps]:
        for customer_id, weight in others.items():
            # Shards are equally long, so the bound of `claim_next_shard` is a number of shards.
            assert gap[customer_id] <= weight + 1


async def test_who_was_idle_hoards_no_credit(database: Database, rows: Rows, now: datetime) -> None:
    busy, late = await customer(database, now, "starter"), await customer(database, now, "starter")
    await queued(rows, late, now, SHORT)
    workers = Workers(database, now)
    while await workers.step():
        pass
    await queued(rows, busy, now)
    await workers.steps(60)
    # A minute of computing later the other comes back: it gets its half from now on, and nothing for the past.
    workers.served.clear()
    await queued(rows, late, now)
    await workers.steps(40)
    shares = Counter(workers.served)
    assert abs(shares[late.customer_id] - shares[busy.customer_id]) <= 2 * workers.count


async def test_who_comes_for_the_first_time_is_not_kept_waiting(
    database: Database, rows: Rows, now: datetime
) -> None:
    old = await customer(database, now, "enterprise")
    await queued(rows, old, now)
    workers = Workers(database, now)
    await workers.steps(50)
    new = await customer(database, now, "trial")
    await queued(rows, new, now, SHORT)
    workers.served.clear()
    await workers.steps(6)
    assert new.customer_id in workers.served[:3]


async def test_a_large_debt_is_paid_only_to_those_who_wait(
    database: Database, rows: Rows, now: datetime
) -> None:
    greedy, other = await customer(database, now, "starter"), await customer(database, now, "starter")
    await queued(rows, greedy, now)
    workers = Workers(database, now)
    workers.factors = {greedy.customer_id: 100.0}
    # Alone: whatever it takes is taken from nobody.
    await workers.steps(10)
    workers.factors = {}
    await queued(rows, other, now)
    workers.served.clear()
    # Two shards of a hundred estimates each are still under way; after them both are served alike.
    await workers.steps(2)
    await workers.steps(2 * 100)
    workers.served.clear()
    await workers.steps(40)
    shares = Counter(workers.served)
    assert abs(shares[greedy.customer_id] - shares[other.customer_id]) <= 2 * workers.count


async def test_killing_workers_changes_no_shares(database: Database, rows: Rows, now: datetime) -> None:
    starter = await customer(database, now, "starter")
    professional = await customer(database, now, "professional")
    await queued(rows, starter, now)
    await queued(rows, professional, now)
    workers = Workers(database, now)
    for _ in range(12):
        await workers.steps(9)
        # Killed: what it claimed is nobody's once its lease has run out, and is computed again.
        killed = await workers.claim()
        assert killed is not None
        workers.now += shards.LEASE + timedelta(seconds=1)
        workers._busy.clear()
    ratio = workers.seconds[professional.customer_id] / workers.seconds[starter.customer_id]
    assert ratio == pytest.approx(PRIORITY_WEIGHT / STANDARD_WEIGHT, rel=0.15)


async def test_a_shard_is_counted_once_however_often_it_is_computed(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await customer(database, now, "professional")
    run = await queued(rows, party, now, SHORT)
    first = await Workers(database, now).claim()
    again = await Workers(database, now + shards.LEASE + timedelta(seconds=1)).claim()
    assert first is not None
    assert again is not None
    assert first[1].shard_index == again[1].shard_index
    async with database.transaction() as tx:
        assert not await shards.complete_shard(tx, first[1], LIVE, now, seconds=50.0)
        assert await shards.complete_shard(tx, again[1], LIVE, now, seconds=0.6)
        taken = await tx.find_value(
            "SELECT virtual_seconds FROM customer_turns WHERE customer_id = %(id)s AND NOT reserved",
            {"id": party.customer_id},
        )
        found = await store.find_run_by_id(tx, run.id)
    assert taken == pytest.approx(0.6 / PRIORITY_WEIGHT)
    assert found is not None
    assert found.processing_seconds == pytest.approx(0.6)


# --- weights -------------------------------------------------------------------------------------------


async def weight_of(database: Database, run: Run) -> tuple[int, bool]:
    async with database.transaction() as tx:
        (row,) = await tx.list_rows(
            "SELECT processing_weight, reserved_workers FROM runs WHERE id = %(id)s", {"id": run.id}
        )
    return row["processing_weight"], row["reserved_workers"]


@pytest.mark.parametrize(
    ("tier", "expected"),
    [("trial", (1, False)), ("starter", (1, False)), ("professional", (3, False)), ("enterprise", (4, True))],
)
async def test_a_run_has_the_weight_of_its_plan(
    database: Database, rows: Rows, now: datetime, tier: str, expected: tuple[int, bool]
) -> None:
    run = await queued(rows, await customer(database, now, tier), now)
    assert await weight_of(database, run) == expected


@pytest.mark.promise("X9")
async def test_whoever_is_past_due_weighs_what_a_free_plan_does_and_a_run_keeps_its_weight(
    database: Database, rows: Rows, now: datetime
) -> None:
    party = await customer(database, now, "enterprise")
    before = await queued(rows, party, now)
    async with database.transaction() as tx:
        await tx.execute("UPDATE api_subscriptions SET status = 'past_due'")
        held = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
    assert held.state is EntitlementState.PAST_DUE
    # Free-tier size, as the plan allows now.
    after = await queued(rows, party, now, 100_000)
    assert await weight_of(database, before) == (4, True)
    assert await weight_of(database, after) == (1, False)


# --- reserved workers ----------------------------------------------------------------------------------


@pytest.mark.promise("B3")
async def test_a_reserved_worker_computes_nobody_elses_runs(
    database: Database, rows: Rows, now: datetime
) -> None:
    professional = await customer(database, now, "professional")
    enterprise = await customer(database, now, "enterprise")
    await queued(rows, professional, now)
    workers = Workers(database, now)
    assert await workers.claim(reserved=True) is None
    run = await queued(rows, enterprise, now)
    claimed = await workers.claim(reserved=True)
    assert claimed is not None
    assert claimed[0].id == run.id


@pytest.mark.promise("B3")
async def test_reserved_workers_take_nothing_of_the_share_of_the_others(
    database: Database, rows: Rows, now: datetime
) -> None:
    professional = await customer(database, now, "professional")
    enterprise, second = (
        await customer(database, now, "enterprise"),
        await customer(database, now, "enterprise"),
    )
    for party in (professional, enterprise, second):
        await queued(rows, party, now)
    workers = Workers(database, now)
    reserved: Counter[int] = Counter()
    for _ in range(60):
        await workers.step()
        claimed = await workers.claim(reserved=True)
        assert claimed is not None
        run, shard = claimed
        reserved[run.customer_id] += 1
        async with database.transaction() as tx:
            await shards.complete_shard(tx, shard, LIVE, now, reserved=True)
    # Among themselves they share what is reserved; what is everybody's is shared 3 : 4 : 4 as if nothing were.
    assert abs(reserved[enterprise.customer_id] - reserved[second.customer_id]) <= 1
    shared = Counter(workers.served)
    assert math.isclose(shared[professional.customer_id], 3 / 11 * shared.total(), abs_tol=3)


# --- what is promised ----------------------------------------------------------------------------------


async def test_the_estimate_counts_what_others_get_meanwhile(
    database: Database, rows: Rows, now: datetime
) -> None:
    starter = await customer(database, now, "starter")
    professional = await customer(database, now, "professional")
    await queued(rows, starter, now)
    await queued(rows, professional, now)
    whole = LONG * SECONDS_PER_ITERATION
    async with database.transaction() as tx:
        # While the Professional's is computed, a third of that goes to the Starter's, which then has the rest.
        assert await operations.seconds_ahead(tx, professional.customer_id) == pytest.approx(whole * 4 / 3)
        assert await operations.seconds_ahead(tx, starter.customer_id) == pytest.approx(whole * 2)


@pytest.mark.promise("B3")
async def test_a_worker_leaves_its_reserved_processes_to_runs_that_may_use_them(settings: Settings) -> None:
    parts = await open_parts(settings.model_copy(update={"worker_processes": 2, "reserved_workers": 1}))
    now = read_now()
    professional = await customer(parts.database, now, "professional")
    enterprise = await customer(parts.database, now, "enterprise")
    held_most = 0

    async def look(run_id: str) -> bool:
        nonlocal held_most
        async with parts.database.transaction() as tx:
            held = await tx.find_value(
                """
                SELECT count(*) FROM run_shards s JOIN runs r ON r.id = s.run_id
                WHERE s.status = 'claimed' AND r.customer_id = %(id)s
                """,
                {"id": professional.customer_id},
            )
            done = await tx.find_value(
                "SELECT results IS NOT NULL FROM runs WHERE public_id = %(id)s", {"id": run_id}
            )
        held_most = max(held_most, int(held))
        return bool(done)

    try:
        async with visiting(parts) as visitor:
            long = await uploaded_id(visitor.client, professional, chain(300))
            mine = await uploaded_id(visitor.client, enterprise)
            await started_id(
                visitor.client,
                professional,
                long,
                iterations=1_000_000,
                variables=CHAIN_VARIABLES,
                output_cells=["C300"],
            )
            async with working(parts):
                short = await started_id(visitor.client, enterprise, mine, iterations=20_000)

                async def finished() -> bool:
                    return await look(short)

                await wait_until(finished)
    finally:
        await parts.close()
    # The long run never held the process that is not for it.
    assert held_most == 1
