"""What the worker does for goal seeks: a few trials at a time, until there is an answer."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry, enqueue_job, list_unfinished_payloads
from tollway.kit.log import log
from tollway.simulation import goal_seek_operations, goal_seek_store, store
from tollway.simulation.copies import LocalCopies
from tollway.simulation.execution import Workers
from tollway.simulation.goal_seek_operations import SEEK_JOB
from tollway.simulation.seeking import SeekProgress, make_trials, seek_task
from tollway.simulation.studies import GoalSeekRecord

# Searches of one worker at the same time; what they compute stands in line with everybody's shards.
SEEKS_AT_ONCE_MAX = 2
# No slice of a search takes as long; one that does is tried again, and in the end the search fails.
SLICE_SECONDS_MAX = 300.0
# Longer than a slice takes: a search of which nothing was heard for so long has lost its job.
OVERDUE = timedelta(minutes=10)


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

    async def seek(self, payload: dict[str, Any]) -> None:
        """Compute a search that is not over; an attempt that fails is made again, three times in all."""
        goal_seek_id = int(payload["goal_seek_id"])
        async with self.database.transaction() as tx:
            record = await goal_seek_operations.begin_attempt(tx, goal_seek_id, read_now())
        if record is None:
            return
        try:
            answer = await self._answer(record)
        except Exception as failure:  # noqa: BLE001 - whatever went wrong is tried again, then told
            log.warning("goal seek failed", goal_seek=record.public_id, exc_info=failure)
            async with self.database.transaction() as tx:
                await goal_seek_operations.give_up_attempt(tx, record, read_now())
            return
        async with self.database.transaction() as tx:
            if answer is None:
                await goal_seek_operations.put_off_attempt(tx, record)
            else:
                await goal_seek_operations.finish_goal_seek(tx, record.id, answer, read_now())

    async def _answer(self, record: GoalSeekRecord) -> dict[str, Any] | None:
        """Make trials until there is an answer; None where the worker stops before that."""
        async with self.database.transaction() as tx:
            blob, sha256 = await store.get_workbook(tx, record.model_id)
        workbook = await self.copies.get(blob, sha256)
        progress = SeekProgress([], None)
        while progress.answer is None:
            if self.stopping.is_set():
                return None
            task = seek_task(workbook, sha256, record, progress.trials)
            computing = asyncio.ensure_future(self.workers.run(make_trials, task))
            done, _ = await asyncio.wait({computing}, timeout=SLICE_SECONDS_MAX)
            if not done:
                computing.cancel()
                raise TimeoutError(f"a slice of a search took longer than {SLICE_SECONDS_MAX:.0f} s")
            progress = computing.result()
            async with self.database.transaction() as tx:
                await goal_seek_store.note_progress(tx, record.id, read_now())
        return progress.answer

    async def sweep(self, now: datetime) -> None:
        """Send for searches whose job was lost."""
        async with self.database.transaction() as tx:
            asked = {one["goal_seek_id"] for one in await list_unfinished_payloads(tx, SEEK_JOB)}
            for goal_seek_id in await goal_seek_store.list_overdue(tx, now - OVERDUE):
                if goal_seek_id not in asked:
                    await enqueue_job(tx, SEEK_JOB, {"goal_seek_id": goal_seek_id})
