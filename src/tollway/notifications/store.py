"""SQL over outbox_mails."""

from datetime import datetime
from typing import LiteralString

from tollway.kit.db import Transaction
from tollway.notifications.entities import OutboxMail

_MAIL: LiteralString = """
    id, public_id, to_address, subject, text_body, html_body, template, created_at, sent_at, failed_at,
    attempt_count, last_failure
"""


async def find_mail(tx: Transaction, public_id: str) -> OutboxMail | None:
    """Return a mail by its public id."""
    return await tx.find_one(
        OutboxMail, f"SELECT {_MAIL} FROM outbox_mails WHERE public_id = %(id)s", {"id": public_id}
    )


async def lock_mail(tx: Transaction, public_id: str) -> OutboxMail | None:
    """Return a mail and hold its row."""
    return await tx.find_one(
        OutboxMail, f"SELECT {_MAIL} FROM outbox_mails WHERE public_id = %(id)s FOR UPDATE", {"id": public_id}
    )


async def list_mails(tx: Transaction, before_id: int | None, limit: int) -> list[OutboxMail]:
    """List mails from the newest on."""
    return await tx.list_all(
        OutboxMail,
        f"""
        SELECT {_MAIL} FROM outbox_mails WHERE %(before)s::bigint IS NULL OR id < %(before)s
        ORDER BY id DESC LIMIT %(limit)s
        """,
        {"before": before_id, "limit": limit},
    )


async def update_to_sent(tx: Transaction, mail_id: int, now: datetime, *, keep_bodies: bool) -> None:
    """Record that a mail left; its bodies stay only where they are the one copy that can be read."""
    await tx.execute(
        """
        UPDATE outbox_mails SET sent_at = %(now)s, attempt_count = attempt_count + 1,
            text_body = CASE WHEN %(keep)s THEN text_body ELSE '' END,
            html_body = CASE WHEN %(keep)s THEN html_body ELSE '' END
        WHERE id = %(id)s
        """,
        {"id": mail_id, "now": now, "keep": keep_bodies},
    )


async def update_to_retried(tx: Transaction, mail_id: int, failure: str) -> None:
    """Record a try that failed, after which there will be another."""
    await tx.execute(
        """
        UPDATE outbox_mails SET attempt_count = attempt_count + 1, last_failure = %(failure)s
        WHERE id = %(id)s
        """,
        {"id": mail_id, "failure": failure},
    )


async def update_to_failed(tx: Transaction, mail_id: int, failure: str, now: datetime) -> None:
    """Record that a mail is given up, and blank its bodies."""
    await tx.execute(
        """
        UPDATE outbox_mails SET failed_at = %(now)s, attempt_count = attempt_count + 1,
            last_failure = %(failure)s, text_body = '', html_body = ''
        WHERE id = %(id)s
        """,
        {"id": mail_id, "failure": failure, "now": now},
    )


async def delete_mails(tx: Transaction, created_before: datetime) -> int:
    """Delete mails that were written before a time."""
    return await tx.execute("DELETE FROM outbox_mails WHERE created_at < %(time)s", {"time": created_before})
