"""One process's buckets: leases that end by themselves, what passes without a centre, and what a restart keeps."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tollway.admission.buckets import LEASE_NS, PAUSE_NS, SECOND_NS, Bucket, LeasedBucket
from tollway.admission.centre import (
    Answer,
    CentreGone,
    Hold,
    InProcessCentre,
    Lease,
    Level,
    Levels,
    Question,
    Renew,
    Sweep,
)
from tollway.admission.leases import RateLimiter, open_limiter
from tollway.admission.rate_file import RateFile, RatesInUse
from tollway.admission.rates import RateLimit

SLOW = RateLimit("requests_per_minute", 10)
FAST = RateLimit("requests_per_minute", 60_000)


class Clock:
    """Time as a test wants it, in nanoseconds."""

    def __init__(self) -> None:
        self.now_ns = 10**15

    def __call__(self) -> int:
        return self.now_ns

    def advance(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND_NS)


class Line:
    """A centre at the end of a line that can be cut, and that takes its time where a test says so."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.centre = InProcessCentre(clock_ns=clock)
        self.is_cut = False
        self.way_back_seconds = 0.0
        self.asked: list[Question] = []

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        if self.is_cut:
            raise CentreGone("the line is cut")
        self.asked += questions
        answers = await self.centre.ask(questions)
        self.clock.advance(self.way_back_seconds)
        return answers

    async def close(self) -> None:
        self.asked.clear()

    @property
    def leases(self) -> list[Lease]:
        return [question for question in self.asked if isinstance(question, Lease)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(clock: Clock) -> Line:
    return Line(clock)


@pytest.fixture
async def limiter(line: Line, clock: Clock) -> AsyncIterator[RateLimiter]:
    opened = RateLimiter(line, clock_ns=clock)
    await opened.start()
    yield opened
    await opened.close()


async def leased(limiter: RateLimiter, units: int, limit: RateLimit = FAST) -> LeasedBucket:
    """A bucket that has just been given so many units."""
    bucket = limiter.bucket("c:1", limit)
    assert isinstance(bucket, LeasedBucket)
    await limiter.renew(bucket, units)
    return bucket


# leases -----------------------------------------------------------------------------------------------


async def test_a_lease_ends_250_ms_after_it_was_asked_for(limiter: RateLimiter, clock: Clock) -> None:
    bucket = await leased(limiter, 100)
    assert bucket.take(1, clock.now_ns + LEASE_NS - 1)
    assert not bucket.take(1, clock.now_ns + LEASE_NS)
    assert bucket.needs_renewal()


async def test_a_slow_answer_makes_no_lease_longer(limiter: RateLimiter, line: Line, clock: Clock) -> None:
    line.way_back_seconds = 0.2
    asked_ns = clock.now_ns
    bucket = await leased(limiter, 100)
    assert clock.now_ns >= asked_ns + SECOND_NS // 5
    assert bucket.take(1, asked_ns + LEASE_NS - 1)
    assert not bucket.take(1, asked_ns + LEASE_NS)
    line.way_back_seconds = 0.3
    late = await leased(limiter, 100)
    assert not late.take(1, clock.now_ns), "it was over before it arrived"


async def test_more_is_fetched_when_half_is_spent(limiter: RateLimiter, line: Line, clock: Clock) -> None:
    bucket = await leased(limiter, 100)
    for _ in range(50):
        assert bucket.take(1, clock.now_ns)
    assert len(line.leases) == 1
    assert bucket.take(1, clock.now_ns)
    assert await limiter.is_answering()
    assert len(line.leases) == 2
    assert not bucket.is_asked_for
    # Nothing of either lease is lost where one ends and the other goes on, also for a call that needs both.
    assert bucket.take(60, clock.now_ns)


async def test_leases_follow_what_is_spent(limiter: RateLimiter, line: Line, clock: Clock) -> None:
    bucket = await leased(limiter, 1)

    async def call(per_second: int) -> int:
        """Half a second of calls; how many units are asked for at its end."""
        for _ in range(per_second // 2):
            clock.advance(1 / per_second)
            if not bucket.take(1, clock.now_ns):
                await limiter.renew(bucket, 1)
                assert bucket.take(1, clock.now_ns)
            if bucket.is_asked_for:
                await limiter.is_answering()
        return line.leases[-1].wanted

    sizes = [await call(per_second) for per_second in (100, 800, 100, 20)]
    assert [3 <= sizes[0] <= 8, 25 <= sizes[1] <= 60, 3 <= sizes[2] <= 8, sizes[3] == 1] == [True] * 4, sizes


async def test_a_spent_limit_is_not_asked_for_at_every_call(
    limiter: RateLimiter, line: Line, clock: Clock
) -> None:
    bucket = await leased(limiter, 10, SLOW)
    assert bucket.take(10, clock.now_ns)
    await limiter.renew(bucket, 1)
    assert not bucket.take(1, clock.now_ns)
    assert not bucket.needs_renewal()
    assert bucket.retry_after_seconds(1, clock.now_ns) == 6
    clock.advance(6)
    assert bucket.needs_renewal()
    await limiter.renew(bucket, 1)
    assert bucket.take(1, clock.now_ns)

    fast = limiter.bucket("c:2", FAST)
    await limiter.renew(fast, FAST.count)
    assert fast.take(FAST.count, clock.now_ns)
    await limiter.renew(fast, 1)
    assert not fast.needs_renewal()
    clock.now_ns += PAUSE_NS
    assert fast.needs_renewal()


async def test_what_the_headers_tell_of_a_leased_bucket(limiter: RateLimiter, clock: Clock) -> None:
    bucket = await leased(limiter, 4, SLOW)
    assert bucket.remaining(clock.now_ns) == 10
    assert bucket.take(4, clock.now_ns)
    assert (bucket.remaining(clock.now_ns), bucket.reset_seconds(clock.now_ns)) == (6, 24)
    bucket.give_back(1)
    assert bucket.remaining(clock.now_ns) == 7
    clock.advance(6)
    assert bucket.remaining(clock.now_ns) == 7, "one came in, and the one that was given back is void"


async def test_a_bucket_is_one_object_until_nobody_uses_it(clock: Clock) -> None:
    limiter = RateLimiter(None, clock_ns=clock, buckets_max=50)
    bucket = limiter.bucket("c:1", SLOW)
    assert limiter.bucket("c:1", SLOW) is bucket
    changed = RateLimit(SLOW.name, 20)
    assert limiter.bucket("c:1", changed) is bucket
    assert bucket.limit == changed
    for number in range(200):
        clock.advance(1)
        limiter.bucket(f"c:{number}", SLOW)
    assert limiter.bucket("c:1", changed) is bucket, "somebody holds it, and may spend from it"


async def test_a_flood_of_subjects_makes_nobody_forget_what_was_spent(clock: Clock) -> None:
    limiter = RateLimiter(None, clock_ns=clock, buckets_max=50)
    for number in range(100):
        limiter.bucket(f"c:{number}", SLOW).take(1, clock.now_ns)
    first = limiter.bucket("c:0", SLOW)
    assert first.remaining(clock.now_ns) == 9
    assert limiter.bucket("c:98", SLOW) is limiter.bucket("c:99", SLOW), "the last ones share what is left"
    clock.advance(60)
    for number in range(100, 160):
        limiter.bucket(f"c:{number}", SLOW)
    assert limiter.bucket("c:158", SLOW) is not limiter.bucket("c:159", SLOW), "those who went made room"


# without a centre --------------------------------------------------------------------------------------


async def test_alone_nothing_is_asked_and_nothing_waits(clock: Clock) -> None:
    limiter = open_limiter(None)
    await limiter.start()
    bucket = limiter.bucket("c:1", SLOW)
    assert type(bucket) is Bucket
    assert not bucket.needs_renewal()
    await limiter.renew(bucket, 1)
    held = [await limiter.hold("c:1", "runs", 2) for _ in range(3)]
    assert [slot is not None for slot in held] == [True, True, False]
    assert held[0] is not None
    await limiter.release(held[0])
    assert await limiter.hold("c:1", "runs", 2)
    assert await limiter.is_answering()
    await limiter.close()


async def test_without_its_centre_a_call_is_refused_with_the_reason(
    limiter: RateLimiter, line: Line, clock: Clock
) -> None:
    bucket = await leased(limiter, 5, SLOW)
    line.is_cut = True
    assert bucket.take(5, clock.now_ns), "what was leased may be spent"
    with pytest.raises(CentreGone, match="does not answer") as refused:
        await limiter.renew(bucket, 1)
    assert (refused.value.status, refused.value.retry_after_seconds) == (503, 1)
    assert limiter.is_centre_gone
    with pytest.raises(CentreGone):
        await limiter.hold("c:1", "runs", 2)
    line.is_cut = False
    while limiter.is_centre_gone:
        await asyncio.sleep(0)
    await limiter.renew(bucket, 5)
    assert bucket.take(5, clock.now_ns)


async def test_a_plan_may_let_some_calls_pass_without_the_centre(
    limiter: RateLimiter, line: Line, clock: Clock
) -> None:
    bucket = limiter.bucket("c:1", SLOW, centre_gone_allowance=3)
    for _outage in range(2):
        line.is_cut = True
        for _ in range(3):
            await limiter.renew(bucket, 1)
            assert bucket.take(1, clock.now_ns)
        with pytest.raises(CentreGone):
            await limiter.renew(bucket, 1)
        line.is_cut = False
        while limiter.is_centre_gone:
            await asyncio.sleep(0)
        await limiter.renew(bucket, 1)
        assert bucket.take(1, clock.now_ns)


async def test_who_asks_after_the_end_is_refused(limiter: RateLimiter, line: Line) -> None:
    bucket = limiter.bucket("c:1", SLOW)
    await limiter.close()
    await limiter.close()
    with pytest.raises(CentreGone):
        await limiter.renew(bucket, 1)


async def test_a_caller_who_gave_up_leaves_the_units_to_others(limiter: RateLimiter, clock: Clock) -> None:
    bucket = limiter.bucket("c:1", SLOW)
    impatient = asyncio.create_task(limiter.renew(bucket, 3))
    patient = asyncio.create_task(limiter.renew(bucket, 2))
    await asyncio.sleep(0)
    impatient.cancel()
    await patient
    assert bucket.take(5, clock.now_ns)


# things at once ----------------------------------------------------------------------------------------


async def test_what_runs_is_renewed_and_what_a_killed_worker_ran_ends(line: Line, clock: Clock) -> None:
    other = Line(clock)
    other.centre = line.centre
    living, killed = RateLimiter(line, clock_ns=clock), RateLimiter(other, clock_ns=clock)
    assert await living.hold("c:1", "runs", 2)
    assert await killed.hold("c:1", "runs", 2)
    # The second one says nothing more; its slot ends after 10 seconds, that of the first one does not.
    other.is_cut = True
    for _ in range(5):
        clock.advance(2.1)
        assert await living.is_answering()
    third = await living.hold("c:1", "runs", 2)
    assert third is not None
    assert await living.hold("c:1", "runs", 2) is None
    await living.close()
    await killed.close()


async def test_after_a_loss_nothing_new_runs_until_workers_said_what_does(clock: Clock) -> None:
    until_us = clock.now_ns // 1000 + 10_000_000
    centre = InProcessCentre(held_after_us=until_us, clock_ns=clock)
    # Until when it is not known is told, so that nobody takes it for a limit that was reached.
    assert centre.answer([Hold("x", "new", 2), Renew("x", "old")]) == [(0, 10_000_000), (1,)]
    assert centre.answer([Hold("x", "new", 1)]) == [(0,)], "as many as may are known to run"
    clock.advance(5)
    assert centre.answer([Renew("x", "old"), Hold("x", "new", 2)]) == [(1,), (0, 5_000_000)]
    clock.advance(5)
    assert centre.answer([Hold("x", "new", 2), Hold("x", "newer", 2)]) == [(1,), (0,)]
    clock.advance(11)
    centre.answer([Sweep(100)])
    assert centre.slots == {}


# a restart ---------------------------------------------------------------------------------------------


async def started(folder: Path, clock: Clock) -> RateLimiter:
    limiter = RateLimiter(None, clock_ns=clock, file=RateFile(folder, clock_ns=clock))
    await limiter.start()
    return limiter


async def test_a_restart_in_order_keeps_what_was_spent(tmp_path: Path, clock: Clock) -> None:
    first = await started(tmp_path, clock)
    assert first.bucket("c:1", SLOW).take(8, clock.now_ns), "a first start begins with full buckets"
    await first.close()
    assert stat.S_IMODE((tmp_path / "rates.json").stat().st_mode) == 0o600
    second = await started(tmp_path, clock)
    await second.close()
    clock.advance(6)
    third = await started(tmp_path, clock)
    assert third.bucket("c:1", SLOW).remaining(clock.now_ns) == 3
    assert third.bucket("c:2", SLOW).remaining(clock.now_ns) == 10
    await third.close()
    assert [path.name for path in tmp_path.glob("rates.*")].count("rates.json") == 1


async def test_after_a_kill_buckets_begin_empty(tmp_path: Path, clock: Clock) -> None:
    killed = RateFile(tmp_path, clock_ns=clock)
    killed.open()
    killed.release()
    limiter = await started(tmp_path, clock)
    assert not limiter.bucket("c:1", SLOW).take(1, clock.now_ns)
    clock.advance(6)
    assert limiter.bucket("c:2", SLOW).remaining(clock.now_ns) == 1
    await limiter.close()
    again = await started(tmp_path, clock)
    assert again.bucket("c:3", SLOW).remaining(clock.now_ns) == 1, "a restart in order does not make it full"
    clock.advance(60)
    assert again.bucket("c:4", SLOW).remaining(clock.now_ns) == 10
    await again.close()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"is_whole": true}', '{"is_whole": true, "boot": 1}'])
async def test_a_damaged_file_refills_nothing(tmp_path: Path, clock: Clock, content: str) -> None:
    (tmp_path / "rates.json").write_text(content)
    limiter = await started(tmp_path, clock)
    assert limiter.bucket("c:1", SLOW).remaining(clock.now_ns) == 0
    await limiter.close()


async def test_after_the_machine_started_again_the_time_between_counts_as_none(
    tmp_path: Path, clock: Clock
) -> None:
    first = await started(tmp_path, clock)
    assert first.bucket("c:1", SLOW).take(8, clock.now_ns)
    await first.close()
    file = tmp_path / "rates.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"boot": "another"}))
    clock.now_ns = 5 * SECOND_NS
    second = await started(tmp_path, clock)
    assert second.bucket("c:1", SLOW).remaining(clock.now_ns) == 2
    await second.close()


async def test_a_second_process_of_a_data_folder_is_refused_in_one_sentence(
    tmp_path: Path, clock: Clock
) -> None:
    first = await started(tmp_path, clock)
    with pytest.raises(RatesInUse, match="SERVER_PROCESSES"):
        await started(tmp_path, clock)
    await first.close()


def test_levels_are_forgotten_when_they_say_nothing() -> None:
    levels = Levels({"a": Level(60_000_000, 0, 60, 10), "b": Level(600_000_000, 0, 60, 10)})
    levels.sweep(6_000_000, 1)
    levels.sweep(6_000_000, 1)
    assert list(levels.kept) == ["b"]
    # After a loss one that is forgotten would begin empty again.
    lost = Levels({"a": Level(60_000_000, 0, 60, 10)}, empty_since_us=0)
    lost.sweep(6_000_000, 10)
    assert lost.kept
    lost.sweep(60_000_000, 10)
    assert not lost.kept
