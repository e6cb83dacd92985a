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


async def insert_goal_seek(
    tx: Transaction,
    public_id: str,
    model: Model,
    *,
    api_key_id: int | None,
    quota_id: int | None,
    question: dict[str, Any],
    now: datetime,
    expires_at: datetime,
) -> int:
    """Write a search that waits and return its identity."""
    found = await tx.find_value(
        """
        INSERT INTO goal_seeks (public_id, customer_id, model_id, mode, api_key_id, quota_id, status, question,
            created_at, expires_at)
        VALUES (%(public_id)s, %(customer_id)s, %(model_id)s, %(mode)s, %(api_key_id)s, %(quota_id)s, 'queued',
            %(question)s::jsonb, %(now)s, %(expires_at)s)
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


async def begin_attempt(tx: Transaction, goal_seek_id: int, now: datetime) -> None:
    """Count an attempt at a search that is not finished, and say that it is computed."""
    await tx.execute(
        """
        UPDATE goal_seeks SET status = 'running', attempt_count = attempt_count + 1, heard_of_at = %(now)s
        WHERE id = %(id)s
        """,
        {"id": goal_seek_id, "now": now},
    )


async def note_progress(tx: Transaction, goal_seek_id: int, now: datetime) -> None:
    """Say that a search is still computed."""
    await tx.execute(
        "UPDATE goal_seeks SET heard_of_at = %(now)s WHERE id = %(id)s", {"id": goal_seek_id, "now": now}
    )


async def undo_attempt(tx: Transaction, goal_seek_id: int) -> None:
    """Let a search wait again as if its last attempt had not been."""
    await tx.execute(
        """
        UPDATE goal_seeks SET status = 'queued', attempt_count = attempt_count - 1
        WHERE id = %(id)s AND status = 'running'
        """,
        {"id": goal_seek_id},
    )


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


async def list_overdue(tx: Transaction, before: datetime) -> list[int]:
    """List searches that are not finished and of which nothing was heard since an instant, by their identity."""
    rows = await tx.list_rows(
        """
        SELECT id FROM goal_seeks
        WHERE status IN ('queued', 'running') AND coalesce(heard_of_at, created_at) < %(before)s ORDER BY id
        """,
        {"before": before},
    )
    return [int(row["id"]) for row in rows]


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
