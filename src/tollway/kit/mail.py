"""Mails are rows first: written in the transaction of the event that they tell of, sent afterwards.

This file only writes them. `notifications` carries them out over SMTP.
"""

from dataclasses import dataclass
from datetime import datetime

from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.kit.jobs import enqueue_job

SEND_MAIL_JOB = "notifications.send_mail"
SUBJECT_LENGTH_MAX = 200
# A mail passes the shards of whatever long run is waiting.
MAIL_PRIORITY = 10


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to one address, in plain text and in HTML."""

    to_address: str
    subject: str
    text_body: str
    html_body: str
    template: str


async def queue_mail(tx: Transaction, mail: Mail, now: datetime) -> str:
    """Put a mail into the outbox and return its public id.

    Writes: outbox_mails. Defers: the job that sends it.
    """
    mail_id = new_id("mail")
    await tx.execute(
        """
        INSERT INTO outbox_mails (public_id, to_address, subject, text_body, html_body, template, created_at)
        VALUES (%(public_id)s, %(to)s, %(subject)s, %(text)s, %(html)s, %(template)s, %(now)s)
        """,
        {
            "public_id": mail_id,
            "to": mail.to_address,
            # A line break in a subject would let its text write headers of its own.
            "subject": " ".join(mail.subject.split())[:SUBJECT_LENGTH_MAX],
            "text": mail.text_body,
            "html": mail.html_body,
            "template": mail.template,
            "now": now,
        },
    )
    await enqueue_job(tx, SEND_MAIL_JOB, {"mail_id": mail_id}, priority=MAIL_PRIORITY)
    return mail_id
