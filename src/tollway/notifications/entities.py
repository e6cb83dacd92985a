"""Mails on their way out, and the server that takes them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class OutboxMail:
    """A mail that was written; both bodies are empty once it left for good."""

    id: int
    public_id: str
    to_address: str
    subject: str
    text_body: str
    html_body: str
    template: str
    created_at: datetime
    sent_at: datetime | None
    failed_at: datetime | None
    attempt_count: int
    last_failure: str

    @property
    def settled(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.sent_at is not None or self.failed_at is not None


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the mail server, and the address that mails come from."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    username: str = ""
    password: str = field(default="", repr=False)


class MailNotTaken(Exception):
    """The mail server did not take a mail."""


class MailRefused(MailNotTaken):
    """It said that it never will: no such mailbox, or the content offends it."""


class MailServerFailed(MailNotTaken):
    """It could not be reached, or asks to try again later."""
