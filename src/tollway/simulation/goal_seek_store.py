"""SQL over goal_seeks."""

import json
from datetime import datetime
from typing import Any

from tollway.customers.entities import Mode
from tollway.kit.db import Transaction
from tollway.simulation.entities import Expiring, Model
from tollway.simulation.studies import GoalSeekRecord, GoalSeekStatus

_SELECT = """
    SELECT g.id, g.public_id, g.customer_id, g.model_id, m.public_id AS model_public_id, m.name AS model_name, g.mode,
        g.api_key_id, g.quota_id, g.status, g.question, g.answer, g.failure, g.attempt_count, g.created_at,
        g.finished_at, g.expires_at
    FROM goal_seeks g JOIN models m ON m.id = g.model_id
"""
# It waits or its worker is gone, and no more of its customer are computed than may be.
_CLAIMABLE = """
    (g.status = 'queued' OR g.status = 'running' AND g.claimed_until < %(now)s)
    AND (SELECT count(*) FROM goal_seeks o WHERE o.customer_id = g.customer_id
        AND o.status = 'running' AND o.claimed_until >= %(now)s) < %(of_customer_max)s
"""


async def insert_goal_seek(
    tx: Transaction,
    public_id: str,
    model: Model,
    *,
    api_key_id: int | None,
    quota_id: int | None,
    question: dict[str, Any],
    processing_weight: int,
    now: datetime,
    expires_at: datetime,
) -> int:
    """Write a search that waits and return its identity."""
    found = await tx.find_value(
        """
        INSERT INTO goal_seeks (public_id, customer_id, model_id, mode, api_key_id, quota_id, status, question,
            processing_weight, created_at, expires_at)
        VALUES (%(public_id)s, %(customer_id)s, %(model_id)s, %(mode)s, %(api_key_id)s, %(quota_id)s, 'queued',
            %(question)s::jsonb, %(weight)s, %(now)s, %(expires_at)s)
        RETURNING id
        """,
        {
            "public_id": public_id,
            "customer_id": model.customer_id,
            "model_id": model.id,
            "mode": model.mode.value,
            "api_key_id": api_key_id,
            "quota_id": quota_id,
            "question": json.dumps(question),
            "weight": processing_weight,
            "now": now,
            "expires_at": expires_at,
        },
    )
    return int(found)


async def find_goal_seek(
    tx: Transaction, customer_id: int, mode: Mode, public_id: str
) -> GoalSeekRecord | None:
    """Return a customer's search in one mode, or None."""
    return await tx.find_one(
        GoalSeekRecord,
        _SELECT
        + " WHERE g.customer_id = %(customer_id)s AND g.mode = %(mode)s AND g.public_id = %(public_id)s",
        {"customer_id": customer_id, "mode": mode.value, "public_id": public_id},
    )


async def find_goal_seek_by_id(
    tx: Transaction, goal_seek_id: int, *, lock: bool = False
) -> GoalSeekRecord | None:
    """Return any search by its identity, for jobs; locked until the transaction ends where asked."""
    return await tx.find_one(
        GoalSeekRecord,
        _SELECT + " WHERE g.id = %(id)s" + (" FOR UPDATE OF g" if lock else ""),
        {"id": goal_seek_id},
    )


async def list_goal_seeks(
    tx: Transaction, customer_id: int, mode: Mode, model_id: int | None, before: int | None, limit: int
) -> list[GoalSeekRecord]:
    """List a customer's searches, newest first, of one model where it is given."""
    return await tx.list_all(
        GoalSeekRecord,
        _SELECT
        + """
        WHERE g.customer_id = %(customer_id)s AND g.mode = %(mode)s
            AND (%(model_id)s::bigint IS NULL OR g.model_id = %(model_id)s)
            AND (%(before)s::bigint IS NULL OR g.id < %(before)s)
        ORDER BY g.id DESC LIMIT %(limit)s
        """,
        {
            "customer_id": customer_id,
            "mode": mode.value,
            "model_id": model_id,
            "before": before,
            "limit": limit,
        },
    )


async def count_unfinished(tx: Transaction, customer_id: int) -> int:
    """Count a customer's searches that wait or are computed, in both modes."""
    found = await tx.find_value(
        """
        SELECT count(*) FROM goal_seeks
        WHERE customer_id = %(customer_id)s AND status IN ('queued', 'running')
        """,
        {"customer_id": customer_id},
    )
    return int(found)


async def count_goal_seeks_of_model(tx: Transaction, model_id: int) -> int:
    """Count the searches of a model."""
    found = await tx.find_value("SELECT count(*) FROM goal_seeks WHERE model_id = %(id)s", {"id": model_id})
    return int(found)


async def lock_claims(tx: Transaction) -> None:
    """Make transactions that claim a search pass one by one, over all workers."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('goal_seek_claims'))")


async def find_due(tx: Transaction, now: datetime, of_customer_max: int) -> int | None:
    """Return the search to compute next, by its identity: of the customer who took least of their share, the oldest."""
    found = await tx.find_value(
        """
        SELECT g.id FROM goal_seeks g
        LEFT JOIN customer_turns t ON t.customer_id = g.customer_id AND NOT t.reserved
        WHERE """
        + _CLAIMABLE
        + " ORDER BY t.virtual_seconds NULLS FIRST, g.id LIMIT 1",
        {"now": now, "of_customer_max": of_customer_max},
    )
    return None if found is None else int(found)


async def begin_attempt(tx: Transaction, goal_seek_id: int, until: datetime) -> None:
    """Count an attempt at a search that is not finished, and hold it until an instant."""
    await tx.execute(
        """
        UPDATE goal_seeks SET status = 'running', attempt_count = attempt_count + 1, claimed_until = %(until)s
        WHERE id = %(id)s
        """,
        {"id": goal_seek_id, "until": until},
    )


async def hold_until(tx: Transaction, record: GoalSeekRecord, until: datetime) -> bool:
    """Hold a search until an instant; False where it is no longer this attempt's."""
    touched = await tx.execute(
        """
        UPDATE goal_seeks SET claimed_until = %(until)s
        WHERE id = %(id)s AND status = 'running' AND attempt_count = %(attempt_count)s
        """,
        {"id": record.id, "attempt_count": record.attempt_count, "until": until},
    )
    return touched == 1


async def undo_attempt(tx: Transaction, record: GoalSeekRecord) -> None:
    """Let a search wait again as if this attempt had not been; one that is another's by now stays."""
    await tx.execute(
        """
        UPDATE goal_seeks SET status = 'queued', attempt_count = attempt_count - 1, claimed_until = NULL
        WHERE id = %(id)s AND status = 'running' AND attempt_count = %(attempt_count)s
        """,
        {"id": record.id, "attempt_count": record.attempt_count},
    )


async def has_queued(tx: Transaction, customer_id: int) -> bool:
    """Say whether a search of a customer waits."""
    found = await tx.find_value(
        "SELECT 1 FROM goal_seeks WHERE customer_id = %(customer_id)s AND status = 'queued' LIMIT 1",
        {"customer_id": customer_id},
    )
    return found is not None


async def end_goal_seek(
    tx: Transaction,
    goal_seek_id: int,
    status: GoalSeekStatus,
    now: datetime,
    *,
    answer: dict[str, Any] | None = None,
    failure: dict[str, Any] | None = None,
) -> None:
    """Write how a search ended."""
    await tx.execute(
        """
        UPDATE goal_seeks SET status = %(status)s, finished_at = %(now)s, answer = %(answer)s::jsonb,
            failure = %(failure)s::jsonb
        WHERE id = %(id)s
        """,
        {
            "id": goal_seek_id,
            "status": status.value,
            "now": now,
            "answer": None if answer is None else json.dumps(answer),
            "failure": None if failure is None else json.dumps(failure),
        },
    )


async def count_lost(tx: Transaction, now: datetime, queued_before: datetime, of_customer_max: int) -> int:
    """Count the customers with a search that nobody computes: its worker is gone, or it waits for too long."""
    found = await tx.find_value(
        "SELECT count(DISTINCT g.customer_id) FROM goal_seeks g WHERE "
        + _CLAIMABLE
        + " AND (g.status = 'running' OR g.created_at < %(before)s)",
        {"now": now, "before": queued_before, "of_customer_max": of_customer_max},
    )
    return int(found)


async def delete_goal_seeks_of_model(tx: Transaction, model_id: int) -> None:
    """Delete the searches of a model; one that is computed finds itself gone."""
    await tx.execute("DELETE FROM goal_seeks WHERE model_id = %(id)s", {"id": model_id})


async def delete_expired(tx: Transaction, now: datetime, limit: int) -> list[Expiring]:
    """Delete finished searches whose time is over; return whom to tell."""
    return await tx.list_all(
        Expiring,
        """
        DELETE FROM goal_seeks WHERE id IN (
            SELECT id FROM goal_seeks WHERE expires_at <= %(now)s AND status NOT IN ('queued', 'running')
            ORDER BY expires_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
        RETURNING id, public_id, customer_id, public_id AS label, expires_at
        """,
        {"now": now, "limit": limit},
    )
