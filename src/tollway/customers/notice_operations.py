"""Mails that tell a user what was changed about how they sign in."""

from tollway.customers.entities import User, Visit, browser_of
from tollway.kit.db import Transaction
from tollway.kit.mail import queue_mail
from tollway.notifications import sign_in_mail_operations as mails


async def send_notice(tx: Transaction, user: User, what: str, visit: Visit, *, to: str = "") -> None:
    """Mail one sentence about a change, with when and from where; to the user's address unless another is given.

    Nobody reads a mailbox that is not proven to be theirs. Writes: outbox_mails. Defers: the mail.
    """
    if not user.verified:
        return
    mail = mails.compose_security_notice(
        to or user.email, what=what, at=visit.now, address=visit.address, browser=browser_of(visit)
    )
    await queue_mail(tx, mail, visit.now)
