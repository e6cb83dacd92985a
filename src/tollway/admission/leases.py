"""Rate limits of one process: its buckets, and the leases that fill them where several processes share a limit."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tollway.admission.buckets import Bucket, LeasedBucket
from tollway.admission.centre import (
    QUESTIONS_MAX,
    Answer,
    Centre,
    CentreGone,
    GiveBack,
    Lease,
    Leased,
    Level,
    Levels,
    Question,
    Sweep,
)
from tollway.admission.rate_file import RateFile
from tollway.admission.rates import RateLimit
from tollway.admission.shelf import BUCKETS_MAX, Shelf
from tollway.admission.slots import Slot, Slots
from tollway.kit.db import Database
from tollway.kit.log import log

__all__ = ["Bucket", "LeasedBucket", "LimiterCounts", "RateLimiter", "Slot", "open_limiter"]

TICK_SECONDS = 0.5
RECONNECT_SECONDS = 0.1
CLOSE_SECONDS_MAX = 0.5
SWEEP_COUNT = 500


@dataclass(slots=True)
class LimiterCounts:
    """What this process asked of the centre since its start, for metrics."""

    round_trips: int = 0
    leases_asked: int = 0
    leases_refused: int = 0
    # Calls that were refused because nobody could be asked.
    refused_without_centre: int = 0


@dataclass(slots=True)
class _Asking:
    """Everybody who waits for budget of one bucket; `weights` is empty where it is fetched ahead."""

    weights: list[int] = field(default_factory=list)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)


class RateLimiter:
    """The buckets of this process.

    Args:
        centre: what knows the limits of all processes, or None where this one is alone.
        clock_ns: a clock that never jumps.
        file: where a process that is alone keeps what was spent from its end to its next start.
    """

    def __init__(
        self,
        centre: Centre | None,
        *,
        clock_ns: Callable[[], int] = time.monotonic_ns,
        file: RateFile | None = None,
        buckets_max: int = BUCKETS_MAX,
    ) -> None:
        self.clock_ns = clock_ns
        self._centre = centre
        self._file = file
        self._is_file_open = False
        # What the last process left, of subjects that did not call yet.
        self._alone = Levels()
        self._shelf = Shelf(self._make_bucket, buckets_max)
        self._asking: dict[LeasedBucket, _Asking] = {}
        self._questions: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._slots = Slots(None if centre is None else self._ask, clock_ns)
        self._swept_ns = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_gone = False
        self._is_closed = False
        self.counts = LimiterCounts()

    async def start(self) -> None:
        """Begin: alone, with what the last process left; else by asking the centre for a sign of life.

        Raises:
            RatesInUse: another process of this data folder is alone with it, too.
        """
        if self._file is not None:
            self._alone = self._file.open().levels
            self._is_file_open = True
        if self._centre is not None:
            self._run_in_background()
            self._wake.set()

    async def close(self) -> None:
        """Give back what was not spent, and keep what was."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._task is not None:
            # What is just being asked for comes back with the rest, unless the centre is slow.
            self._wake.set()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS_MAX)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECONDS_MAX)
        if self._centre is not None:
            self._lose(self._asking, self._questions, CentreGone("this process ends"))
            await self._give_back(self._centre)
            await self._centre.close()
        if self._file is not None and self._is_file_open:
            self._file.close(self._levels(), {})

    async def is_answering(self) -> bool:
        """Ask the centre for a sign of life; True where there is none."""
        if self._centre is None:
            return True
        try:
            await self._ask(Sweep(1))
        except CentreGone:
            return False
        return True

    @property
    def is_shared(self) -> bool:
        """Whether other processes share these limits."""
        return self._centre is not None

    @property
    def is_centre_gone(self) -> bool:
        """Whether the centre did not answer when it was last asked."""
        return self._is_gone

    # budget -------------------------------------------------------------------------------------------

    def bucket(self, subject: str, limit: RateLimit, *, centre_gone_allowance: int = 0) -> Bucket:
        """Return the bucket of one subject and one limit, the same one each time; where the limit changed, what was
        spent stays spent.

        Args:
            subject: whose limit it is, `customer:17` for instance.
            centre_gone_allowance: how many units may pass in this process while the centre cannot be asked, each
                time that it is gone.
        """
        found = self._shelf.find(subject, limit)
        if found is None:
            found = self._shelf.add(subject, limit, self.clock_ns())
        if found.limit is not limit and found.limit != limit:
            found.change(limit, self.clock_ns())
        if isinstance(found, LeasedBucket):
            found.allow(centre_gone_allowance)
        return found

    async def renew(self, bucket: Bucket, weight: int) -> None:
        """Ask the centre for budget; then `take` again. Callers who ask for one bucket at once share one question.

        Without a centre this returns at once: what is not in the bucket cannot be had anywhere.

        Raises:
            CentreGone: it cannot be asked, and what may pass without it is spent.
        """
        if not isinstance(bucket, LeasedBucket):
            return
        if self._is_closed:
            raise CentreGone("this process ends")
        if self._is_gone:
            if not bucket.allow_without(weight, self.clock_ns()):
                self.counts.refused_without_centre += 1
                raise CentreGone("it did not answer when it was last asked")
            return
        self._run_in_background()
        asking = self._asking.setdefault(bucket, _Asking())
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asking.weights.append(min(weight, bucket.limit.burst))
        asking.waiters.append(waiter)
        self._wake.set()
        await waiter

    def refill(self, bucket: LeasedBucket) -> None:
        """Ask the centre soon, without anybody waiting for it."""
        if self._task is None or self._is_gone or bucket in self._asking or not bucket.needs_renewal():
            return
        bucket.is_asked_for = True
        self._asking[bucket] = _Asking()
        self._wake.set()

    # things at once -----------------------------------------------------------------------------------

    async def hold(self, subject: str, name: str, at_once_max: int) -> Slot | None:
        """Let one more thing run, or return None where as many run as may; `release` it when it is over.

        It counts until then, and no longer than 10 seconds after this process was killed.

        Args:
            subject: whose things they are, `customer:17` for instance.
            name: which things.

        Raises:
            CentreGone: it cannot be asked.
        """
        return await self._slots.hold(subject, name, at_once_max)

    async def release(self, slot: Slot) -> None:
        """Let another thing run. Where the centre cannot be asked, it ends there by itself."""
        await self._slots.release(slot)

    # buckets ------------------------------------------------------------------------------------------

    def _make_bucket(self, key: str, limit: RateLimit, now_ns: int) -> Bucket:
        if self._centre is not None:
            return LeasedBucket(key, limit, self)
        bucket = Bucket(key, limit)
        bucket.owe(self._alone.debt(key, limit.count, limit.seconds, now_ns // 1000), now_ns)
        self._alone.kept.pop(key, None)
        return bucket

    def _levels(self) -> Levels:
        """Write what is spent of every bucket, and of those that nobody asked for since the start."""
        now_ns = self.clock_ns()
        levels = self._alone
        for bucket in self._shelf:
            if not bucket.is_idle(now_ns):
                limit = bucket.limit
                debt = bucket.debt(now_ns)
                levels.kept[bucket.key] = Level(debt, now_ns // 1000, limit.seconds, limit.count)
        return levels

    # asking -------------------------------------------------------------------------------------------

    def _run_in_background(self) -> None:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._ask_on(), name="rate limits")

    async def _ask(self, question: Question) -> Answer:
        if self._is_closed or self._is_gone:
            raise CentreGone("it did not answer when it was last asked")
        self._run_in_background()
        waiter: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._questions.append((question, waiter))
        self._wake.set()
        return await waiter

    async def _ask_on(self) -> None:
        """Ask what was gathered in one turn of the loop in one round trip; twice a second in any case."""
        assert self._centre is not None
        while not self._is_closed:
            if not self._asking and not self._questions:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(RECONNECT_SECONDS if self._is_gone else TICK_SECONDS):
                        await self._wake.wait()
            self._wake.clear()
            await self._ask_once(self._centre)

    async def _ask_once(self, centre: Centre) -> None:
        asking = {bucket: self._asking.pop(bucket) for bucket in list(self._asking)[:QUESTIONS_MAX]}
        room = QUESTIONS_MAX - len(asking)
        asked, self._questions = self._questions[:room], self._questions[room:]
        asked_at_ns = self.clock_ns()
        questions: list[Question] = [_lease(bucket, one, asked_at_ns) for bucket, one in asking.items()]
        questions += [question for question, _ in asked]
        questions += self._upkeep(asked_at_ns, room - len(asked))
        self.counts.round_trips += 1
        try:
            answers = await centre.ask(questions)
        except CentreGone as gone:
            if not self._is_gone:
                log.error("the centre of rate limits is gone", reason=gone.log_message)
            self._is_gone = True
            self._slots.tell_all_again()
            self._lose(asking, asked, gone)
            # Who came to ask meanwhile waits for nothing.
            self._lose(self._asking, self._questions, gone)
            return
        except asyncio.CancelledError:
            self._lose(asking, asked, CentreGone("this process ends"))
            raise
        if self._is_gone:
            log.warning("the centre of rate limits answers again")
        self._is_gone = False
        now_ns = self.clock_ns()
        for (bucket, one), answer in zip(asking.items(), answers, strict=False):
            leased = Leased(*answer)
            self.counts.leases_asked += 1
            self.counts.leases_refused += not leased.units
            bucket.receive(*leased, asked_at_ns=asked_at_ns, now_ns=now_ns)
            for waiter in one.waiters:
                if not waiter.done():
                    waiter.set_result(None)
        for (_, asker), answer in zip(asked, answers[len(asking) :], strict=False):
            if not asker.done():
                asker.set_result(answer)

    def _upkeep(self, now_ns: int, room: int) -> list[Question]:
        """Say which things still run, and let the centre forget what it need not know: both when they are due."""
        questions = self._slots.renewals(now_ns, room)
        if now_ns - self._swept_ns >= TICK_SECONDS * 1e9 and len(questions) < room:
            questions.append(Sweep(SWEEP_COUNT))
            self._swept_ns = now_ns
        return questions

    def _lose(
        self,
        asking: dict[LeasedBucket, _Asking],
        asked: list[tuple[Question, asyncio.Future[Answer]]],
        gone: CentreGone,
    ) -> None:
        """Tell everybody who waits that there is no answer, unless what is allowed without one suffices."""
        now_ns = self.clock_ns()
        for bucket, one in asking.items():
            bucket.is_asked_for = False
            for weight, waiter in zip(one.weights, one.waiters, strict=True):
                if waiter.done():
                    continue
                if bucket.allow_without(weight, now_ns):
                    waiter.set_result(None)
                else:
                    self.counts.refused_without_centre += 1
                    waiter.set_exception(CentreGone(gone.log_message))
        for _, asker in asked:
            if not asker.done():
                asker.set_exception(CentreGone(gone.log_message))
        asking.clear()
        asked.clear()

    async def _give_back(self, centre: Centre) -> None:
        now_ns = self.clock_ns()
        questions = self._slots.releases()
        for bucket in self._shelf:
            units = bucket.drop(now_ns) if isinstance(bucket, LeasedBucket) else 0
            if units:
                limit = bucket.limit
                questions += [GiveBack(bucket.key, limit.count, limit.seconds, units)]
        with contextlib.suppress(CentreGone):
            for first in range(0, len(questions), QUESTIONS_MAX):
                await centre.ask(questions[first : first + QUESTIONS_MAX])


def open_limiter(
    folder: Path | None,
    *,
    redis_url: str = "",
    server_processes: int = 1,
    database: Database | None = None,
) -> RateLimiter:
    """Make the limiter of one process; `start` begins it.

    Args:
        folder: the data folder; what is spent is kept there, or the socket of the machine's own centre lies there.
            None: a process that is alone, and forgets everything.
        redis_url: where the centre is, for processes on several machines; needs `database`, which knows its state.
        server_processes: how many serve on this machine; with one, and without Redis, there is no centre.
    """
    if redis_url and database is not None:
        # Late: redis-py is not loaded where nobody uses it.
        from tollway.admission.centre_redis import Epochs, RedisCentre

        return RateLimiter(RedisCentre(redis_url, Epochs(database)))
    if folder is None:
        return RateLimiter(None)
    if server_processes > 1:
        from tollway.admission.centre_socket import SocketCentre, socket_path

        return RateLimiter(SocketCentre(socket_path(rates_folder(folder))))
    return RateLimiter(None, file=RateFile(rates_folder(folder)))


def rates_folder(folder: Path) -> Path:
    """Return where below the data folder rate limits are kept."""
    return folder / "admission"


def _lease(bucket: LeasedBucket, asking: _Asking, now_ns: int) -> Lease:
    limit = bucket.limit
    size = bucket.wanted(now_ns)
    needed = min(asking.weights, default=1)
    wanted = sum(asking.weights) if limit.is_exact else max(size, sum(asking.weights))
    return Lease(bucket.key, limit.count, limit.seconds, limit.burst, min(wanted, limit.burst), needed)
