"""A worker computes runs to the right numbers, and what crashes leave is put right."""

import asyncio
import math
import os
import signal
import sys
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party
from tests.simulation import workbooks
from tests.simulation.conftest import (
    API,
    Rows,
    caller_of,
    results_of,
    run_body,
    started_id,
    uploaded_id,
    wait_until,
    working,
)

from tollway.app import Parts, build_registry
from tollway.kit.blobs import BlobMissing
from tollway.kit.clock import read_now
from tollway.kit.jobs import JobRegistry, count_waiting_jobs, run_worker
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import operations, shards, store
from tollway.simulation.entities import Cut, RunStatus


async def progress_of(client: httpx.AsyncClient, party: Party, run_id: str) -> dict[str, Any]:
    response = await client.get(f"{API}/simulations/{run_id}/progress", headers=party.headers)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def is_over(client: httpx.AsyncClient, party: Party, run_id: str) -> bool:
    return (await progress_of(client, party, run_id))["status"] not in ("queued", "running")


async def scheduled(registry: JobRegistry, name: str) -> None:
    """Run a job that the clock would run."""
    await registry.schedules[name][1]({})


async def test_the_sample_has_the_mean_and_deviation_of_its_closed_form(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    """Faults 1 and 2: every distribution ran as triangular, and both var_95 and var_99 were the 95th percentile."""
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model, iterations=100_000, confidence_levels=[0.9, 0.95, 0.99])
        body = await results_of(client, party, run)
    assert body["status"] == "completed"
    assert body["iterations_completed"] == 100_000
    final = body["results"]["B16"]
    assert final["cell_name"] == "Final value"
    assert final["cell"] == "Risk!B16"
    found = final["statistics"]
    deviation = 1e6 * math.sqrt(0.02**2 + 0.04**2 / 24)
    # Five standard errors: a correct engine fails this once in millions of seeds, and the seed is fixed.
    assert found["mean"] == pytest.approx(1_050_000, abs=5 * deviation / math.sqrt(100_000))
    assert found["std"] == pytest.approx(deviation, rel=5 / math.sqrt(2 * 100_000))
    assert found["mean_standard_error"] == pytest.approx(deviation / math.sqrt(100_000), rel=0.05)
    percentiles = found["percentiles"]
    assert found["var_95"] == percentiles["5"]
    assert found["var_99"] == percentiles["1"]
    assert found["var_90"] == percentiles["10"]
    assert found["var_99"] < found["var_95"] < found["var_90"] < found["mean"]
    assert found["cvar_95"] < found["var_95"]
    # A normal return reaches below its mean as often as above; triangular(0, 0.5, 1) would be far away.
    assert percentiles["50"] == pytest.approx(1_050_000, abs=1_000)
    histogram = final["distribution_data"]["histogram"]
    assert len(histogram["bins"]) == len(histogram["frequencies"]) == 50
    assert sum(histogram["frequencies"]) == 100_000
    assert len(final["distribution_data"]["bin_edges"]) == 51
    assert {one["cell"] for one in final["sensitivities"]} == {"Risk!B4", "Risk!B5", "Risk!B6"}


async def test_results_do_not_depend_on_the_sharding(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    whole = await started_id(client, party, model, iterations=50_000)
    pieces = await started_id(client, party, model, iterations=50_000)
    async with parts.database.transaction() as tx:
        # The same iterations as one shard.
        run_id = await tx.find_value("SELECT id FROM runs WHERE public_id = %(id)s", {"id": whole})
        await tx.execute("DELETE FROM run_shards WHERE run_id = %(id)s", {"id": run_id})
        from tollway.simulation import shard_store

        await shard_store.insert_shards(tx, run_id, [Cut(0, 50_000)])
        count = await tx.find_value(
            "SELECT count(*) FROM run_shards s JOIN runs r ON r.id = s.run_id WHERE r.public_id = %(id)s",
            {"id": pieces},
        )
        assert count > 3
    async with working(parts):
        first = await results_of(client, party, whole)
        second = await results_of(client, party, pieces)
    assert first["results"] == second["results"]


async def test_a_completed_run_counts_once_in_the_funnel_and_leaves_no_files_of_nobody(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    async with working(parts):
        for _ in range(2):
            await results_of(client, party, await started_id(client, party, model))
    async with parts.database.transaction() as tx:
        names = await tx.list_rows("SELECT name FROM analytics_events ORDER BY name")
        # What shards left goes once it is summed up.
        discarded = await tx.find_value("SELECT count(*) FROM discarded_blobs WHERE name NOT LIKE 'shards/%'")
        used = await tx.find_value("SELECT requests_used FROM usage_quotas")
        logged = await tx.find_value("SELECT sum(units) FROM api_usage_logs")
    assert [one["name"] for one in names] == ["first_call", "first_result"]
    assert discarded == 0
    # One upload and two runs; progress and results are free.
    assert used == logged == 3


@pytest.mark.promise("X11")
async def test_a_short_run_finishes_while_another_customers_long_one_has_far_to_go(
    parts: Parts, client: httpx.AsyncClient, other: Party
) -> None:
    large = await make_party(parts.database, read_now(), tier="enterprise", status=SubscriptionStatus.ACTIVE)
    long_model = await uploaded_id(client, large, workbooks.chain(300))
    short_model = await uploaded_id(client, other)
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    async with working(parts):
        long_run = await started_id(
            client,
            large,
            long_model,
            iterations=20_000_000,
            variables=variables,
            output_cells=["C300"],
        )

        async def begun() -> bool:
            return (await progress_of(client, large, long_run))["status"] == "running"

        await wait_until(begun)
        short_run = await started_id(client, other, short_model, iterations=10_000)
        assert (await results_of(client, other, short_run))["status"] == "completed"
        standing = await progress_of(client, large, long_run)
        assert standing["status"] == "running"
        assert standing["progress"]["percentage"] < 50
        await client.delete(f"{API}/simulations/{long_run}", headers=large.headers)


async def test_a_cancel_takes_effect_within_a_second_and_keeps_partial_results(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    """Fault 8: a cancel changed a label only."""
    large = await make_party(parts.database, read_now(), tier="enterprise", status=SubscriptionStatus.ACTIVE)
    model = await uploaded_id(client, large, workbooks.chain(300))
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    async with working(parts):
        run = await started_id(
            client, large, model, iterations=20_000_000, variables=variables, output_cells=["C300"]
        )

        async def some_done() -> bool:
            return (await progress_of(client, large, run))["progress"]["iterations_completed"] > 0

        await wait_until(some_done)
        cancelled_at = read_now()
        response = await client.delete(f"{API}/simulations/{run}", headers=large.headers)
        assert response.json() == {"message": "Simulation cancelled successfully"}
        body = await results_of(client, large, run)
    assert body["status"] == "cancelled"
    done = body["iterations_completed"]
    assert 0 < done < 20_000_000
    assert body["results"]["C300"]["statistics"]["count"] == done
    async with parts.database.transaction() as tx:
        late = await tx.find_value(
            "SELECT count(*) FROM run_shards WHERE finished_at > %(late)s",
            {"late": cancelled_at + timedelta(seconds=1)},
        )
        left = await tx.find_value("SELECT count(*) FROM run_shards WHERE status <> 'done'")
    assert late == left == 0


async def test_a_killed_process_is_replaced_and_its_shard_computed_again(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, workbooks.chain(300))
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    async with working(parts):
        run = await started_id(
            client, party, model, iterations=100_000, variables=variables, output_cells=["C300"]
        )

        async def some_done() -> bool:
            return (await progress_of(client, party, run))["progress"]["iterations_completed"] > 0

        await wait_until(some_done)
        for pid in parts.processes.process_ids:
            os.kill(pid, signal.SIGKILL)
        body = await results_of(client, party, run)
    assert body["iterations_completed"] == 100_000
    assert body["results"]["C300"]["statistics"]["count"] == 100_000


async def test_a_run_is_failed_after_three_tries_and_gives_its_request_back(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    """Fault 9: quotas never counted; here they count, and only what was served."""
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model, iterations=2_000)
    # The workbook is lost on our side.
    async with parts.database.transaction() as tx:
        blob = await tx.find_value("SELECT workbook_blob FROM models")
    await parts.blobs.delete(blob)
    parts.workshop.copies._paths.clear()
    async with working(parts):

        async def over() -> bool:
            return await is_over(client, party, run)

        await wait_until(over)
    standing = await progress_of(client, party, run)
    assert standing["status"] == "failed"
    assert "given back" in standing["failure"]["message"]
    response = await client.get(f"{API}/simulations/{run}/results", headers=party.headers)
    assert response.status_code == 409
    assert response.json()["code"] == "run-failed"
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 1
        assert await tx.find_value("SELECT sum(units) FROM api_usage_logs") == 1


async def test_a_run_whose_worker_was_killed_is_finished_by_the_sweep(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model, iterations=20_000)
    long_ago = read_now() - shards.LEASE * 2
    async with parts.database.transaction() as tx:
        # As kill -9 leaves it: a shard is held, and every job is gone with the one who had it.
        assert await shards.claim_next_shard(tx, long_ago) is not None
        await tx.execute("DELETE FROM pgqueuer")
    await scheduled(build_registry(parts), "simulation.sweep")
    async with working(parts):
        body = await results_of(client, party, run)
    assert body["iterations_completed"] == 20_000


async def test_a_job_that_finds_every_shard_held_looks_again_after_the_lease(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model, iterations=4_000)
    # A worker that died almost a lease ago holds the only shard; its job runs again.
    async with parts.database.transaction() as tx:
        held_since = read_now() - shards.LEASE + timedelta(seconds=1)
        assert await shards.claim_next_shard(tx, held_since) is not None
    async with working(parts):
        body = await results_of(client, party, run)
    assert body["iterations_completed"] == 4_000


async def test_a_shard_that_nobody_can_finish_fails_its_run_in_the_sweep(
    parts: Parts, rows: Rows, party: Party
) -> None:
    moment = read_now() - shards.LEASE * 10
    run = await rows.run(party, await rows.model(party, moment), moment, iterations=2_000)
    for _ in range(shards.ATTEMPTS_MAX):
        async with parts.database.transaction() as tx:
            assert await shards.claim_next_shard(tx, moment) is not None
        moment += shards.LEASE * 2
    await scheduled(build_registry(parts), "simulation.sweep")
    async with parts.database.transaction() as tx:
        found = await store.find_run_by_id(tx, run.id)
    assert found is not None
    assert found.status is RunStatus.FAILED


async def test_a_lost_summary_is_sent_for_again_and_of_two_at_once_one_counts(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    run = await started_id(client, party, model, iterations=5_000)
    registry = build_registry(parts)
    for _ in range(2):
        await registry.runners[shards.NEXT_SHARD_JOB][0]({})
    async with parts.database.transaction() as tx:
        run_id = await tx.find_value("SELECT id FROM runs")
        assert await tx.execute("DELETE FROM pgqueuer WHERE entrypoint = 'simulation.summarize'") == 1
        await tx.execute("UPDATE run_shards SET finished_at = finished_at - interval '1 hour'")
    await scheduled(registry, "simulation.sweep")
    async with parts.database.transaction() as tx:
        assert await count_waiting_jobs(tx, shards.SUMMARIZE_JOB) == 1
    summarize = registry.runners[shards.SUMMARIZE_JOB][0]
    await asyncio.gather(*(summarize({"run_id": run_id}) for _ in range(2)))
    assert (await results_of(client, party, run))["results"]["B16"]["statistics"]["count"] == 5_000
    async with parts.database.transaction() as tx:
        kept = await tx.find_value("SELECT points_blob FROM runs")
        discarded = await tx.list_rows("SELECT name FROM discarded_blobs WHERE name LIKE 'points/%'")
        finished = await tx.find_value("SELECT count(*) FROM analytics_events WHERE name = 'first_result'")
    assert finished == 1
    # Whoever came second leaves its points to the sweep.
    assert kept not in {one["name"] for one in discarded}
    assert len(discarded) <= 1
    assert await parts.blobs.get(kept)


@pytest.mark.parametrize("status", ["queued", "picked"])
async def test_a_summary_that_takes_long_is_not_sent_for_a_second_time(
    parts: Parts, rows: Rows, party: Party, status: str
) -> None:
    """Else each minute adds one more that copies every shard, and a long one takes all workers."""
    long_ago = read_now() - timedelta(minutes=5)
    run = await rows.run(party, await rows.model(party, long_ago), long_ago, iterations=2_000)
    async with parts.database.transaction() as tx:
        await operations.cancel_run(tx, caller_of(party), run.public_id, long_ago)
        jobs = {"name": shards.SUMMARIZE_JOB, "status": status}
        await tx.execute(
            "UPDATE pgqueuer SET status = %(status)s::pgqueuer_status WHERE entrypoint = %(name)s", jobs
        )
    registry = build_registry(parts)
    await scheduled(registry, "simulation.sweep")
    count = "SELECT count(*) FROM pgqueuer WHERE entrypoint = %(name)s"
    async with parts.database.transaction() as tx:
        assert await tx.find_value(count, jobs) == 1
        await tx.execute("DELETE FROM pgqueuer")
    await scheduled(registry, "simulation.sweep")
    async with parts.database.transaction() as tx:
        assert await tx.find_value(count, jobs) == 1, "one that was lost is"


async def test_files_of_nobody_are_swept_after_an_hour(parts: Parts) -> None:
    now = read_now()
    async with parts.database.transaction() as tx:
        from tollway.simulation import file_store

        await file_store.discard_blobs(tx, ["workbooks/0/old"], now - timedelta(hours=2))
        await file_store.discard_blobs(tx, ["workbooks/0/new"], now)
    for name in ("workbooks/0/old", "workbooks/0/new"):
        await parts.blobs.put(name, b"content")
    await scheduled(build_registry(parts), "simulation.sweep")
    with pytest.raises(BlobMissing):
        await parts.blobs.get("workbooks/0/old")
    assert await parts.blobs.get("workbooks/0/new") == b"content"
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT name FROM discarded_blobs") == "workbooks/0/new"


async def test_workers_stop_within_seconds_in_the_middle_of_a_run(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party, workbooks.chain(300))
    body = run_body(
        model,
        iterations=100_000,
        variables=[{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}],
        output_cells=["C300"],
    )
    await client.post(f"{API}/simulations", headers=party.headers, json=body)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(parts.database, build_registry(parts), stop, at_once_max=2))

    async def begun() -> bool:
        async with parts.database.transaction() as tx:
            return await tx.find_value("SELECT count(*) FROM run_shards WHERE status = 'done'") > 0

    await wait_until(begun)
    stop.set()
    async with asyncio.timeout(10):
        await worker


@pytest.mark.soak
async def test_a_run_outlives_a_worker_that_was_killed(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    """The worker is a real process, killed with -9 in the middle; the next one finishes the run."""
    model = await uploaded_id(client, party, workbooks.chain(300))
    variables = [{"cell": "B1", "distribution": {"type": "normal", "mean": 1, "std": 0.1}}]
    run = await started_id(
        client, party, model, iterations=100_000, variables=variables, output_cells=["C300"]
    )
    whole = await started_id(
        client, party, model, iterations=100_000, variables=variables, output_cells=["C300"]
    )

    async def some_done() -> bool:
        return (await progress_of(client, party, run))["progress"]["iterations_completed"] > 0

    killed = await worker_process(parts)
    await wait_until(some_done)
    killed.kill()
    await killed.wait()
    assert not await is_over(client, party, run)
    successor = await worker_process(parts)
    try:
        body = await results_of(client, party, run)
        assert body["iterations_completed"] == 100_000
        # Nothing was lost and nothing counted twice: the same seed undisturbed gives the same.
        assert body["results"] == (await results_of(client, party, whole))["results"]
    finally:
        successor.terminate()
        await successor.wait()
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT sum(units) FROM api_usage_logs") == 3


async def worker_process(parts: Parts) -> asyncio.subprocess.Process:
    settings = parts.settings
    environment = os.environ | {
        "ENVIRONMENT": "test",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "TOLLWAY_DATA": str(settings.tollway_data),
        "JWT_SECRET": settings.jwt_secret.get_secret_value(),
        "ENCRYPTION_KEY": settings.encryption_key.get_secret_value(),
        "WORKER_PROCESSES": "1",
    }
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "tollway", "work", env=environment)
