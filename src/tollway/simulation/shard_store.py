"""SQL over run_shards and customer_turns: who computes what next."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, LiteralString

from tollway.kit.db import Transaction
from tollway.simulation import file_store
from tollway.simulation.entities import ClaimedShard, Cut


async def insert_shards(tx: Transaction, run_id: int, cuts: Sequence[Cut]) -> None:
    """Write the shards of a run, waiting."""
    await tx.execute(
        """
        INSERT INTO run_shards (run_id, shard_index, first_iteration, iteration_count, status)
        SELECT %(run_id)s, (position - 1)::int, first_iteration, iteration_count, 'waiting'
        FROM unnest(%(firsts)s::bigint[], %(counts)s::int[])
            WITH ORDINALITY AS cuts (first_iteration, iteration_count, position)
        """,
        {
            "run_id": run_id,
            "firsts": [one.first_iteration for one in cuts],
            "counts": [one.iteration_count for one in cuts],
        },
    )


async def list_runs_in_turn(
    tx: Transaction, now: datetime, limit: int, *, reserved: bool
) -> list[dict[str, Any]]:
    """List runs that have a shard to claim: of the customer who took least of their share, then the oldest.

    Each is {id, seconds_per_iteration}. `reserved`: only those that reserved workers may compute.
    """
    return await tx.list_rows(
        """
        SELECT r.id, r.seconds_per_iteration FROM runs r
        LEFT JOIN customer_turns t ON t.customer_id = r.customer_id AND t.reserved = %(reserved)s
        WHERE r.status IN ('queued', 'running') AND (r.reserved_workers OR NOT %(reserved)s) AND EXISTS (
            SELECT 1 FROM run_shards s WHERE s.run_id = r.id
                AND (s.status = 'waiting' OR s.status = 'claimed' AND s.claimed_until < %(now)s))
        ORDER BY t.virtual_seconds NULLS FIRST, r.id LIMIT %(limit)s
        """,
        {"now": now, "limit": limit, "reserved": reserved},
    )


async def start_run(tx: Transaction, run_id: int, now: datetime) -> bool:
    """Turn a queued run into a running one; return whether this call did it."""
    touched = await tx.execute(
        "UPDATE runs SET status = 'running', started_at = %(now)s WHERE id = %(id)s AND status = 'queued'",
        {"id": run_id, "now": now},
    )
    return touched == 1


async def claim_shard(
    tx: Transaction, run_id: int, now: datetime, lease: timedelta, attempts_max: int
) -> ClaimedShard | None:
    """Take the first shard of a run that is waiting or whose lease ran out; None where others took them all.

    The file it will be written to is listed as discarded until the shard is done, so that a crash
    leaves no file behind.
    """
    claimed = await tx.find_one(
        ClaimedShard,
        """
        UPDATE run_shards SET status = 'claimed', claimed_until = %(until)s, attempt_count = attempt_count + 1,
            result_blob = 'shards/' || run_id || '/' || shard_index || '-' || (attempt_count + 1)
        WHERE (run_id, shard_index) = (
            SELECT run_id, shard_index FROM run_shards
            WHERE run_id = %(run_id)s AND attempt_count < %(attempts_max)s
                AND (status = 'waiting' OR status = 'claimed' AND claimed_until < %(now)s)
            ORDER BY shard_index LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING run_id, shard_index, first_iteration, iteration_count, attempt_count, result_blob AS blob
        """,
        {"run_id": run_id, "now": now, "until": now + lease, "attempts_max": attempts_max},
    )
    if claimed is not None:
        await file_store.discard_blobs(tx, [claimed.blob], now)
    return claimed


async def join_turns(tx: Transaction, customer_id: int, attempts_max: int) -> None:
    """Let a customer with nothing that waits begin where those stand who wait now, with no credit for the pause.

    Where nobody waits, that is where whoever took most stands. Changes nothing while a shard or a goal seek of theirs
    waits.
    """
    await tx.execute(
        """
        WITH waiting AS (
            SELECT r.customer_id, r.reserved_workers FROM runs r
            WHERE r.status IN ('queued', 'running') AND EXISTS (
                SELECT 1 FROM run_shards s
                WHERE s.run_id = r.id AND s.status = 'waiting' AND s.attempt_count < %(attempts_max)s)
            UNION ALL
            -- No reserved worker computes them.
            SELECT g.customer_id, false FROM goal_seeks g WHERE g.status = 'queued'
        )
        INSERT INTO customer_turns (customer_id, reserved, virtual_seconds)
        SELECT %(id)s, lanes.reserved, COALESCE(
            (SELECT min(t.virtual_seconds) FROM waiting w JOIN customer_turns t USING (customer_id)
                WHERE t.reserved = lanes.reserved AND (w.reserved_workers OR NOT lanes.reserved)),
            (SELECT max(t.virtual_seconds) FROM customer_turns t WHERE t.reserved = lanes.reserved),
            0)
        FROM (VALUES (false), (true)) AS lanes (reserved)
        WHERE NOT EXISTS (
            SELECT 1 FROM waiting w WHERE w.customer_id = %(id)s AND (w.reserved_workers OR NOT lanes.reserved))
        ON CONFLICT (customer_id, reserved) DO UPDATE
            SET virtual_seconds = GREATEST(customer_turns.virtual_seconds, EXCLUDED.virtual_seconds)
        """,
        {"id": customer_id, "attempts_max": attempts_max},
    )


async def advance_turn(tx: Transaction, run_id: int, seconds: float, *, reserved: bool) -> None:
    """Count seconds that were computed for a run, or fewer than were counted before, divided by its weight."""
    await _advance(tx, "runs", run_id, seconds, reserved=reserved)


async def advance_turn_of_seek(tx: Transaction, goal_seek_id: int, seconds: float) -> None:
    """Count seconds that were computed for a goal seek, divided by its weight; no reserved worker computes one."""
    await _advance(tx, "goal_seeks", goal_seek_id, seconds, reserved=False)


async def _advance(
    tx: Transaction, table: LiteralString, row_id: int, seconds: float, *, reserved: bool
) -> None:
    await tx.execute(
        """
        INSERT INTO customer_turns (customer_id, reserved, virtual_seconds)
        SELECT customer_id, %(reserved)s, %(seconds)s::float8 / processing_weight FROM """
        + table
        + """ WHERE id = %(id)s
        ON CONFLICT (customer_id, reserved) DO UPDATE
            SET virtual_seconds = customer_turns.virtual_seconds + EXCLUDED.virtual_seconds
        """,
        {"id": row_id, "seconds": seconds, "reserved": reserved},
    )


async def renew_claim(tx: Transaction, shard: ClaimedShard, until: datetime) -> bool:
    """Extend a lease; False where the shard is no longer this claim's."""
    touched = await tx.execute(
        """
        UPDATE run_shards SET claimed_until = %(until)s
        WHERE run_id = %(run_id)s AND shard_index = %(shard_index)s AND status = 'claimed'
            AND attempt_count = %(attempt_count)s
        """,
        asdict(shard) | {"until": until},
    )
    return touched == 1


async def release_shard(tx: Transaction, shard: ClaimedShard) -> bool:
    """Give a claim up, so that the shard waits again; False where it is no longer this claim's."""
    touched = await tx.execute(
        """
        UPDATE run_shards SET status = 'waiting', claimed_until = NULL
        WHERE run_id = %(run_id)s AND shard_index = %(shard_index)s AND status = 'claimed'
            AND attempt_count = %(attempt_count)s
        """,
        asdict(shard),
    )
    return touched == 1


async def finish_shard(tx: Transaction, shard: ClaimedShard, now: datetime) -> bool:
    """Mark a shard as done and keep its file; False where it is no longer this claim's."""
    touched = await tx.execute(
        """
        UPDATE run_shards SET status = 'done', finished_at = %(now)s, claimed_until = NULL
        WHERE run_id = %(run_id)s AND shard_index = %(shard_index)s AND status = 'claimed'
            AND attempt_count = %(attempt_count)s
        """,
        asdict(shard) | {"now": now},
    )
    if touched:
        await file_store.keep_blob(tx, shard.blob)
    return touched == 1


async def has_unfinished_shards(tx: Transaction, run_id: int) -> bool:
    """Say whether a run has shards that are not done."""
    found = await tx.find_value(
        "SELECT 1 FROM run_shards WHERE run_id = %(id)s AND status <> 'done' LIMIT 1", {"id": run_id}
    )
    return found is not None


async def list_shard_blobs(tx: Transaction, run_id: int) -> list[str]:
    """List the files of the shards that are done, in the order of their iterations."""
    rows = await tx.list_rows(
        """
        SELECT result_blob FROM run_shards WHERE run_id = %(id)s AND status = 'done' ORDER BY shard_index
        """,
        {"id": run_id},
    )
    return [str(row["result_blob"]) for row in rows]


async def count_claimable_shards(tx: Transaction, now: datetime) -> int:
    """Count the shards of every customer that wait or whose lease ran out."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM run_shards s JOIN runs r ON r.id = s.run_id
        WHERE r.status IN ('queued', 'running')
            AND (s.status = 'waiting' OR s.status = 'claimed' AND s.claimed_until < %(now)s)
        """,
        {"now": now},
    )
    return int(found)


async def find_first_lease_end(tx: Transaction) -> datetime | None:
    """Return when the first of the leases held now runs out; None where no shard is held."""
    found = await tx.find_value(
        """
        SELECT min(s.claimed_until) FROM run_shards s JOIN runs r ON r.id = s.run_id
        WHERE r.status IN ('queued', 'running') AND s.status = 'claimed'
        """
    )
    return found if isinstance(found, datetime) else None


async def list_worn_out_runs(tx: Transaction, now: datetime, attempts_max: int) -> list[int]:
    """List the runs with a shard that was tried as often as one may be, and is not done."""
    rows = await tx.list_rows(
        """
        SELECT DISTINCT r.id FROM run_shards s JOIN runs r ON r.id = s.run_id
        WHERE r.status IN ('queued', 'running') AND s.attempt_count >= %(attempts_max)s
            AND (s.status = 'waiting' OR s.status = 'claimed' AND s.claimed_until < %(now)s)
        """,
        {"now": now, "attempts_max": attempts_max},
    )
    return [int(row["id"]) for row in rows]


async def list_unsummarized_runs(tx: Transaction, idle_since: datetime) -> list[int]:
    """List runs of which nothing is left to compute and whose summary is overdue."""
    rows = await tx.list_rows(
        """
        SELECT r.id FROM runs r
        WHERE r.summarized_at IS NULL AND r.results_deleted_at IS NULL
            AND (r.status = 'cancelled' AND r.finished_at < %(since)s
                OR r.status = 'running' AND NOT EXISTS (
                    SELECT 1 FROM run_shards s
                    WHERE s.run_id = r.id AND (s.status <> 'done' OR s.finished_at >= %(since)s)))
        LIMIT 1000
        """,
        {"since": idle_since},
    )
    return [int(row["id"]) for row in rows]
