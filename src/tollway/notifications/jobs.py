"""Sends the outbox: to the mail server, or without one to the console of whoever develops."""

import re
from datetime import timedelta
from typing import Any

from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import RETRY_DELAYS_SECONDS, JobRegistry, enqueue_job
from tollway.kit.log import log
from tollway.kit.mail import SEND_MAIL_JOB
from tollway.kit.problems import NotFound
from tollway.notifications import operations, remote
from tollway.notifications.entities import (
    MailNotTaken,
    MailRefused,
    MailServerFailed,
    OutboxMail,
    SmtpSettings,
)

LINK = re.compile(r"https?://[^\s<>\"']+")
FAILURE_LENGTH_MAX = 500


def register(
    registry: JobRegistry, database: Database, smtp: SmtpSettings | None, *, in_production: bool = False
) -> None:
    """Register the sending of mails.

    Args:
        smtp: None where no server is configured: mails then stay readable in the outbox, and each one's
            link is printed.
        in_production: without a server every mail is a failure there, which is logged and tried again;
            links that sign strangers in are printed nowhere.
    """
    unsent = MailServerFailed("SMTP_HOST is not set, so no mail leaves") if in_production else None

    async def send_mail(payload: dict[str, Any]) -> None:
        await _send_mail(database, smtp, unsent, payload["mail_id"], payload.get("attempt", 0))

    async def delete_old_mails(_payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await operations.delete_old_mails(tx, read_now())

    registry.add(SEND_MAIL_JOB, send_mail, at_once_max=4)
    registry.add_schedule("notifications.delete_old_mails", "17 3 * * *", delete_old_mails)


async def _send_mail(
    database: Database, smtp: SmtpSettings | None, unsent: MailServerFailed | None, mail_id: str, attempt: int
) -> None:
    """Send a mail unless that was done; a crash between sending and recording sends it twice.

    Args:
        unsent: what to record where there is no server, instead of leaving the mail to the outbox.
        attempt: how often it was tried when this job was written; a job of an earlier try does nothing.
    """
    try:
        async with database.transaction() as tx:
            mail = await operations.get_mail(tx, mail_id)
    except NotFound:
        return
    if mail.settled or mail.attempt_count != attempt:
        return
    if smtp is None and unsent is not None:
        await _record_failure(database, mail, unsent)
        return
    if smtp is None:
        print(console_line(mail), flush=True)
    else:
        try:
            await remote.send(smtp, mail)
        except MailNotTaken as failure:
            await _record_failure(database, mail, failure)
            return
    async with database.transaction() as tx:
        await operations.record_sent(tx, mail, read_now(), keep_bodies=smtp is None)


async def _record_failure(database: Database, mail: OutboxMail, failure: MailNotTaken) -> None:
    attempt = mail.attempt_count
    give_up = isinstance(failure, MailRefused) or attempt >= len(RETRY_DELAYS_SECONDS)
    reason = str(failure)[:FAILURE_LENGTH_MAX]
    async with database.transaction() as tx:
        recorded = await operations.record_failure(tx, mail, reason, read_now(), give_up=give_up)
        if recorded and not give_up:
            await enqueue_job(
                tx,
                SEND_MAIL_JOB,
                {"mail_id": mail.public_id, "attempt": attempt + 1},
                delay=timedelta(seconds=RETRY_DELAYS_SECONDS[attempt]),
            )
    if give_up:
        log.error("mail given up", mail=mail.public_id, template=mail.template, reason=reason)
    else:
        log.warning(
            "mail not taken, will be tried again", mail=mail.public_id, attempt=attempt, reason=reason
        )


def console_line(mail: OutboxMail) -> str:
    """Write a mail as one line for whoever watches the console: to whom, about what, its link."""
    link = LINK.search(mail.text_body)
    return f"mail to {mail.to_address} · {mail.subject}" + (f" · {link.group()}" if link else "")
