"""What the worker does for runs: computes shards, summarises, puts right what crashes left, ends what is over."""

import asyncio
import tempfile
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from tollway.kit.blobs import Blobs
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry, enqueue_job, list_unfinished_payloads
from tollway.kit.log import log
from tollway.simulation import (
    download_operations,
    ending_operations,
    file_store,
    retention,
    shard_store,
    shards,
    store,
)
from tollway.simulation.copies import LocalCopies
from tollway.simulation.entities import ClaimedShard, Run, RunStatus
from tollway.simulation.execution import DrawsTask, ShardTask, SummaryTask, WorkerDied, Workers, program_key
from tollway.simulation.goal_seek_jobs import GoalSeeker
from tollway.simulation.holding import hold_while
from tollway.simulation.places import Places
from tollway.simulation.sample_files import SamplesTask, write_samples

# No shard takes as long; one that does is tried again, and in the end its run fails.
SHARD_SECONDS_MAX = 300.0
# A job that waits for a place looks so often for workers that joined, and for a run that may use a reserved one.
LOOK_SECONDS = 0.5
# While no worker can be reached, a shard's job goes back to the table for so long, and other jobs have its turn.
NOBODY_DELAY = timedelta(seconds=2)
SUMMARY_ATTEMPTS_MAX = 3
SUMMARY_OVERDUE = timedelta(seconds=60)
# Longer than any upload or shard takes between listing its file and keeping it.
DISCARDED_KEPT = timedelta(hours=1)
FILES_PER_SWEEP_MAX = 1_000
FAILED_MESSAGE = (
    "Computing it failed three times on our side. Its request was given back; start it again, and tell "
    "support the id of the run if it fails again."
)


def register(
    registry: JobRegistry,
    database: Database,
    blobs: Blobs,
    workers: Workers,
    copies: LocalCopies,
    base_url: str,
    stopping: asyncio.Event,
    reserved_workers: int,
) -> None:
    """Add the jobs of this domain. Whoever calls this closes `workers` and `copies` at the end.

    `reserved_workers`: so many of the workers compute only runs of plans with that feature; one is always left
    for everybody.
    """
    runner = _Runner(database, blobs, workers, copies, base_url, stopping, reserved_workers)
    registry.add(shards.NEXT_SHARD_JOB, runner.run_next_shard)
    registry.add(shards.RECLAIM_JOB, runner.reclaim)
    registry.add(shards.SUMMARIZE_JOB, runner.summarize)
    runner.goal_seeker.register(registry)
    registry.add_schedule("simulation.sweep", "* * * * *", runner.sweep)
    registry.add_schedule("simulation.retain", "17 3 * * *", runner.retain)


class _Runner:
    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        workers: Workers,
        copies: LocalCopies,
        base_url: str,
        stopping: asyncio.Event,
        reserved_workers: int,
    ) -> None:
        self.database = database
        self.blobs = blobs
        self.workers = workers
        self.base_url = base_url
        self.stopping = stopping
        self.copies = copies
        self.goal_seeker = GoalSeeker(database, workers, copies, stopping)
        # A shard is claimed when a worker is free for it: no lease runs while it waits.
        self.places = Places(workers, reserved_workers)
        self.reserved_looked_at = 0.0

    # --- shards ----------------------------------------------------------------------------------------

    async def run_next_shard(self, _payload: dict[str, Any]) -> None:
        """Compute the shard that is due, whosever it is: by a reserved worker if it may and one is free."""
        may_look = True
        while not self.stopping.is_set():
            if may_look and await self._run_reserved_shard():
                return
            if await self.places.take(reserved=False):
                try:
                    await self._run_shard()
                finally:
                    self.places.give_back(reserved=False)
                return
            if not await self.workers.count_places():
                async with self.database.transaction() as tx:
                    await shards.enqueue_shards(tx, 1, delay=NOBODY_DELAY)
                return
            await self.places.wait(LOOK_SECONDS)
            # One of those that wait looks for all of them.
            may_look = asyncio.get_running_loop().time() - self.reserved_looked_at >= LOOK_SECONDS
        # Jobs that queued up here go back to the table, for the next worker.
        async with self.database.transaction() as tx:
            await shards.enqueue_shards(tx, 1)

    async def _run_shard(self) -> None:
        async with self.database.transaction() as tx:
            claimed = await shards.claim_next_shard(tx, read_now())
            if claimed is None:
                await shards.reclaim_after_lease(tx, read_now())
                return
        await self._attempt(*claimed, reserved=False)

    async def _run_reserved_shard(self) -> bool:
        """Compute a shard by a reserved worker; False where none is free, or no run that may use it waits."""
        if not await self.places.take(reserved=True):
            return False
        self.reserved_looked_at = asyncio.get_running_loop().time()
        claimed = None
        try:
            async with self.database.transaction() as tx:
                claimed = await shards.claim_next_shard(tx, read_now(), reserved=True)
            if claimed is None:
                return False
            await self._attempt(*claimed, reserved=True)
            return True
        finally:
            self.places.give_back(reserved=True, is_news=claimed is not None)

    async def _attempt(self, run: Run, shard: ClaimedShard, *, reserved: bool) -> None:
        try:
            await self._compute(run, shard, reserved=reserved)
        except Exception as failure:  # noqa: BLE001 - whatever went wrong, the shard must not be lost
            log.warning("shard failed", run=run.public_id, shard=shard.shard_index, exc_info=failure)
            await self._give_up(shard)

    async def reclaim(self, _payload: dict[str, Any]) -> None:
        """Send for the shards of workers that died."""
        async with self.database.transaction() as tx:
            await shards.enqueue_missing_jobs(tx, read_now())

    async def _compute(self, run: Run, shard: ClaimedShard, *, reserved: bool) -> None:
        async with self.database.transaction() as tx:
            blob, sha256 = await store.get_workbook(tx, run.model_id)
        workbook = await self.copies.get(blob, sha256)
        task = _shard_task(run, workbook, sha256, shard.first_iteration, shard.iteration_count)
        computing = asyncio.ensure_future(self.workers.compute(task))
        if not await hold_while(computing, lambda: self._renew(shard), SHARD_SECONDS_MAX, "a shard"):
            return
        if computing.cancelled():
            # Not by us: a library gave up below, and the shard must not be lost with this job.
            raise WorkerDied("computing was cut off")
        answer = computing.result()
        await self.blobs.put(shard.blob, answer.content)
        async with self.database.transaction() as tx:
            await shards.complete_shard(
                tx, shard, answer.live, read_now(), seconds=answer.processing_seconds, reserved=reserved
            )

    async def _renew(self, shard: ClaimedShard) -> bool:
        async with self.database.transaction() as tx:
            return await shards.renew_claim(tx, shard, read_now())

    async def _give_up(self, shard: ClaimedShard) -> None:
        async with self.database.transaction() as tx:
            if shard.attempt_count >= shards.ATTEMPTS_MAX:
                await ending_operations.fail_run(tx, shard.run_id, FAILED_MESSAGE, read_now())
            else:
                await shards.release_shard(tx, shard)

    # --- summaries -------------------------------------------------------------------------------------

    async def summarize(self, payload: dict[str, Any]) -> None:
        """Make the results of a run whose shards are done, or that was cancelled."""
        run_id, attempt = int(payload["run_id"]), int(payload.get("attempt", 1))
        async with self.database.transaction() as tx:
            run = await store.find_run_by_id(tx, run_id)
            if run is None or run.summarized_at is not None or run.status is RunStatus.FAILED:
                return
            if not run.status.over and await shard_store.has_unfinished_shards(tx, run_id):
                return
            blobs = await shard_store.list_shard_blobs(tx, run_id)
        try:
            results, points_blob, samples_blob = await self._results(run, blobs)
        except Exception as failure:  # noqa: BLE001 - whatever went wrong is tried again, then told
            log.warning("summary failed", run=run.public_id, attempt=attempt, exc_info=failure)
            await self._retry_summary(run_id, attempt)
            return
        async with self.database.transaction() as tx:
            await ending_operations.finish_run(
                tx, run_id, results, read_now(), points_blob=points_blob, samples_blob=samples_blob
            )

    async def _results(
        self, run: Run, blobs: list[str]
    ) -> tuple[list[dict[str, Any]], str | None, str | None]:
        """Return the summaries of a run, and the names of the files with its points and, where kept, its samples."""
        with tempfile.TemporaryDirectory(prefix="tollway-shards-") as folder:
            paths = []
            for index, blob in enumerate(blobs):
                path = Path(folder) / f"{index}.npz"
                await asyncio.to_thread(path.write_bytes, await self.blobs.get(blob))
                paths.append(path)
            task = SummaryTask(
                inputs=[(one["cell"], one["name"]) for one in run.inputs],
                outputs=[(one["cell"], one["name"]) for one in run.outputs],
                shards=paths,
                confidence_levels=run.confidence_levels,
                targets=run.targets,
                tolerance=run.tolerance,
                draws=DrawsTask(
                    distributions=[one["distribution"] for one in run.inputs],
                    seed=run.seed,
                    sampling=run.sampling,
                    correlations=run.correlations,
                    run_iterations=run.iterations,
                    stress=run.stress,
                ),
            )
            answer = await self.workers.summarize(task)
            points_blob = await self._store_points(run, answer.points) if paths and answer.points else None
            kept = run.keeps_samples and paths
            samples_blob = await self._store_samples(run, paths, Path(folder)) if kept else None
            return answer.results, points_blob, samples_blob

    async def _store_points(self, run: Run, content: bytes) -> str:
        """Store the first iterations of a run, listed as discarded until the run names their file."""
        # A name of this attempt alone, as for samples.
        name = f"points/{run.customer_id}/{run.public_id}-{uuid.uuid4().hex}"
        async with self.database.transaction() as tx:
            await file_store.discard_blobs(tx, [name], read_now())
        await self.blobs.put(name, content)
        return name

    async def _store_samples(self, run: Run, shard_files: list[Path], folder: Path) -> str:
        """Write the samples of a run and store their file, listed as discarded until the run names it."""
        async with self.database.transaction() as tx:
            blob, sha256 = await store.get_workbook(tx, run.model_id)
        task = SamplesTask(
            whole=_shard_task(run, await self.copies.get(blob, sha256), sha256, 0, run.iterations),
            shards=shard_files,
            facts={
                "simulation_id": run.public_id,
                "model_id": run.model_public_id,
                "iterations": run.iterations,
                "engine_version": run.engine_version,
            },
            target=folder / "samples.parquet",
        )
        await self.workers.run(write_samples, task)
        # A name of this attempt alone: of two that summarise at once, the sweep takes the file that no run names.
        name = f"samples/{run.customer_id}/{run.public_id}-{uuid.uuid4().hex}"
        async with self.database.transaction() as tx:
            await file_store.discard_blobs(tx, [name], read_now())
        await self.blobs.put_file(name, task.target)
        return name

    async def _retry_summary(self, run_id: int, attempt: int) -> None:
        async with self.database.transaction() as tx:
            if attempt < SUMMARY_ATTEMPTS_MAX:
                payload = {"run_id": run_id, "attempt": attempt + 1}
                await enqueue_job(tx, shards.SUMMARIZE_JOB, payload, delay=timedelta(seconds=attempt))
            elif not await ending_operations.fail_run(tx, run_id, FAILED_MESSAGE, read_now()):
                # A cancelled run stays cancelled; without its samples it has no results.
                await ending_operations.finish_run(tx, run_id, [], read_now())

    # --- by the clock ----------------------------------------------------------------------------------

    async def sweep(self, _payload: dict[str, Any]) -> None:
        """Put right what killed workers left: shards nobody takes, overdue summaries, files of nobody."""
        now = read_now()
        async with self.database.transaction() as tx:
            for run_id in await shard_store.list_worn_out_runs(tx, now, shards.ATTEMPTS_MAX):
                await ending_operations.fail_run(tx, run_id, FAILED_MESSAGE, now)
            await shards.enqueue_missing_jobs(tx, now)
            # A long run is summarised for longer than that.
            asked = {one["run_id"] for one in await list_unfinished_payloads(tx, shards.SUMMARIZE_JOB)}
            for run_id in await shard_store.list_unsummarized_runs(tx, now - SUMMARY_OVERDUE):
                if run_id not in asked:
                    await enqueue_job(tx, shards.SUMMARIZE_JOB, {"run_id": run_id})
            await download_operations.sweep_download_tokens(tx, now)
            names = await file_store.list_discarded_blobs(tx, now - DISCARDED_KEPT, FILES_PER_SWEEP_MAX)
        await self.goal_seeker.sweep(now)
        for name in names:
            await self.blobs.delete(name)
        async with self.database.transaction() as tx:
            await file_store.forget_blobs(tx, names)

    async def retain(self, _payload: dict[str, Any]) -> None:
        """Warn of what will be deleted, and delete what is over."""
        now = read_now()
        for step in (retention.warn, retention.end):
            touched = 1
            while touched:
                async with self.database.transaction() as tx:
                    touched = await step(tx, self.base_url, now)
        async with self.database.transaction() as tx:
            await retention.delete_tombstones(tx, now)


def _shard_task(
    run: Run, workbook: Path, sha256: bytes, first_iteration: int, iteration_count: int
) -> ShardTask:
    return ShardTask(
        program=program_key(workbook, sha256, run),
        seed=run.seed,
        sampling=run.sampling,
        correlations=run.correlations,
        run_iterations=run.iterations,
        first_iteration=first_iteration,
        iteration_count=iteration_count,
        bin_edges=run.bin_edges,
    )
