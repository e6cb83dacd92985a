"""What the worker does for goal seeks: a few trials at a time, until there is an answer."""

import asyncio
from datetime import datetime
from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.simulation import goal_seek_operations, store
from tollway.simulation.copies import LocalCopies
from tollway.simulation.execution import Workers
from tollway.simulation.goal_seek_operations import SEEK_JOB
from tollway.simulation.holding import hold_while
from tollway.simulation.seeking import SeekProgress, make_trials, seek_task
from tollway.simulation.studies import GoalSeekRecord

# Searches of one worker at the same time; what they compute stands in line with everybody's shards.
SEEKS_AT_ONCE_MAX = 2
# No slice of a search takes as long; one that does is tried again, and in the end the search fails.
SLICE_SECONDS_MAX = 300.0


class GoalSeeker:
    """Computes searches in the processes of this machine."""

    def __init__(
        self, database: Database, workers: Workers, copies: LocalCopies, stopping: asyncio.Event
    ) -> None:
        self.database = database
        self.workers = workers
        self.copies = copies
        self.stopping = stopping

    def register(self, registry: JobRegistry) -> None:
        """Add the job."""
        registry.add(SEEK_JOB, self.seek, at_once_max=SEEKS_AT_ONCE_MAX)

    async def seek(self, _payload: dict[str, Any]) -> None:
        """Compute the search that is due, whosever it is; a failed attempt is made again, three times in all."""
        async with self.database.transaction() as tx:
            record = await goal_seek_operations.claim_next(tx, read_now())
        if record is None:
            return
        answer, has_failed = None, False
        try:
            answer = await self._answer(record)
        except Exception as failure:  # noqa: BLE001 - whatever went wrong is tried again, then told
            log.warning("goal seek failed", goal_seek=record.public_id, exc_info=failure)
            has_failed = True
        async with self.database.transaction() as tx:
            if has_failed:
                await goal_seek_operations.give_up_attempt(tx, record, read_now())
            elif answer is None:
                await goal_seek_operations.put_off_attempt(tx, record)
            else:
                await goal_seek_operations.finish_goal_seek(tx, record.id, answer, read_now())
            await goal_seek_operations.enqueue_next(tx, record.customer_id)

    async def _answer(self, record: GoalSeekRecord) -> dict[str, Any] | None:
        """Make trials until there is an answer; None where the worker stops before that, or the search is gone."""
        async with self.database.transaction() as tx:
            blob, sha256 = await store.get_workbook(tx, record.model_id)
        workbook = await self.copies.get(blob, sha256)
        progress = SeekProgress([], None)
        while progress.answer is None:
            if self.stopping.is_set():
                return None
            task = seek_task(workbook, sha256, record, progress.trials)
            computing = asyncio.ensure_future(self.workers.run(make_trials, task))
            held = await hold_while(
                computing, lambda: self._renew(record), SLICE_SECONDS_MAX, "a slice of a search"
            )
            # Also at the end: what was computed for one that is another's by now counts nowhere.
            if not held or not await self._renew(record):
                return None
            progress = computing.result()
            async with self.database.transaction() as tx:
                await goal_seek_operations.count_seconds(tx, record, progress.seconds)
        return progress.answer

    async def _renew(self, record: GoalSeekRecord) -> bool:
        async with self.database.transaction() as tx:
            return await goal_seek_operations.renew_claim(tx, record, read_now())

    async def sweep(self, now: datetime) -> None:
        """Send for searches whose worker or whose job was lost."""
        async with self.database.transaction() as tx:
            await goal_seek_operations.enqueue_lost(tx, now)
