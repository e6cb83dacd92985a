"""Compose each mail from plain values, and read the outbox."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tollway.kit.db import Transaction
from tollway.kit.mail import Mail
from tollway.kit.paging import PAGE_SIZE, PAGE_SIZE_MAX, Page, decode_cursor, page_of
from tollway.kit.problems import NotFound
from tollway.notifications import store
from tollway.notifications.entities import OutboxMail
from tollway.notifications.rendering import compose

MAILS_KEPT_DAYS = 30
ITEMS_NAMED_MAX = 20


def compose_verify_address(
    to_address: str, *, link: str, code: str, link_hours: int, code_minutes: int
) -> Mail:
    """Ask whoever reads the mailbox to prove that it is theirs (A29)."""
    values = {"link": link, "code": code, "link_hours": link_hours, "code_minutes": code_minutes}
    return compose("verify_address", to_address, "Verify your address", values)


def compose_address_known(to_address: str, *, sign_in_link: str) -> Mail:
    """Tell the owner of an address that has an account that somebody signed up with it again (X4)."""
    return compose("address_known", to_address, "You already have an account", {"sign_in_link": sign_in_link})


def compose_welcome(
    to_address: str,
    *,
    name: str,
    api_key: str,
    base_url: str,
    requests_included: int | None,
    free_trial_days: int,
    dashboard_link: str,
    sample_link: str,
    docs_link: str,
    support_link: str,
) -> Mail:
    """Hand over the test key with three commands that work as pasted (A42, X8).

    Args:
        api_key: a test key; a live one is never mailed.
        base_url: where the API is, without a slash at its end.
    """
    return compose(
        "welcome",
        to_address,
        "Your Monte Carlo API is Ready! 🚀",
        {
            "name": name,
            "api_key": api_key,
            "base_url": base_url,
            "requests_included": requests_included,
            "free_trial_days": free_trial_days,
            "dashboard_link": dashboard_link,
            "sample_link": sample_link,
            "docs_link": docs_link,
            "support_link": support_link,
        },
    )


def compose_sign_in(to_address: str, *, link: str, code: str, minutes: int) -> Mail:
    """Let a user in without a password."""
    return compose(
        "sign_in", to_address, "Your sign-in link", {"link": link, "code": code, "minutes": minutes}
    )


def compose_invitation(
    to_address: str, *, company: str, invited_by: str, role: str, link: str, days: int
) -> Mail:
    """Ask somebody to join a customer's team."""
    return compose(
        "invitation",
        to_address,
        f"Join {company} on Tollway",
        {"company": company, "invited_by": invited_by, "role": role, "link": link, "days": days},
    )


def compose_workbook_expiring(
    to_address: str, *, workbooks: Sequence[tuple[str, str]], delete_at: datetime, kept_days: int
) -> Mail:
    """Say which workbooks will be deleted, while there is time to keep a copy.

    Args:
        workbooks: name and link of each, one at least.
        kept_days: for how long the customer's plan keeps them.
    """
    assert workbooks
    return compose(
        "workbook_expiring",
        to_address,
        f"{_count(workbooks, 'workbook')} will be deleted on {_day(delete_at)}",
        {
            "workbooks": workbooks[:ITEMS_NAMED_MAX],
            "unnamed_count": max(0, len(workbooks) - ITEMS_NAMED_MAX),
            "delete_on": _day(delete_at),
            "kept_days": kept_days,
        },
    )


def compose_results_deleted(
    to_address: str, *, items: Sequence[str], deleted_at: datetime, dashboard_link: str
) -> Mail:
    """Say what was deleted because its time was over.

    Args:
        items: what each was called, such as `portfolio.xlsx` or `the run of 3 May of portfolio.xlsx`.
    """
    assert items
    return compose(
        "results_deleted",
        to_address,
        f"{_count(items, 'item')} deleted: the time they are kept is over",
        {
            "items": items[:ITEMS_NAMED_MAX],
            "unnamed_count": max(0, len(items) - ITEMS_NAMED_MAX),
            "deleted_on": _day(deleted_at),
            "dashboard_link": dashboard_link,
        },
    )


def compose_support_message(
    to_address: str, *, reply_to: str, customer: str, subject: str, message: str
) -> tuple[Mail, Mail]:
    """Carry a message to support, and a copy to whoever wrote it.

    Args:
        customer: which customer wrote it, or that nobody was signed in.
    """
    values = {"reply_to": reply_to, "customer": customer, "about": subject, "message": message}
    return (
        compose("support_message", to_address, f"Support: {subject}", values),
        compose("support_copy", reply_to, f"We received: {subject}", values),
    )


def compose_export_ready(to_address: str, *, company: str, link: str, kept_until: datetime) -> Mail:
    """Tell an owner that an export can be downloaded; the mail leads to the page and holds no data (C37)."""
    values = {"company": company, "link": link, "kept_until": _day(kept_until)}
    return compose("export_ready", to_address, "Your export is ready", values)


async def list_mails(tx: Transaction, cursor: str | None = None, limit: int = PAGE_SIZE) -> Page[OutboxMail]:
    """List the outbox, newest first, a page at a time; for development, where it is the only mailbox."""
    assert 1 <= limit <= PAGE_SIZE_MAX, limit
    mails = await store.list_mails(tx, decode_cursor(cursor), limit + 1)
    return page_of(mails, [mail.id for mail in mails], limit)


async def get_mail(tx: Transaction, mail_id: str) -> OutboxMail:
    """Return one mail of the outbox; raises NotFound."""
    mail = await store.find_mail(tx, mail_id)
    if mail is None:
        raise NotFound("There is no such mail in the outbox.")
    return mail


async def record_sent(tx: Transaction, mail: OutboxMail, now: datetime, *, keep_bodies: bool) -> None:
    """Remember that a mail left. Writes: outbox_mails."""
    await store.update_to_sent(tx, mail.id, now, keep_bodies=keep_bodies)


async def record_failure(
    tx: Transaction, mail: OutboxMail, failure: str, now: datetime, *, give_up: bool
) -> bool:
    """Remember that a try failed; return False where another worker recorded this try already.

    Writes: outbox_mails.
    """
    present = await store.lock_mail(tx, mail.public_id)
    if present is None or present.settled or present.attempt_count != mail.attempt_count:
        return False
    if give_up:
        await store.update_to_failed(tx, mail.id, failure, now)
    else:
        await store.update_to_retried(tx, mail.id, failure)
    return True


async def delete_old_mails(tx: Transaction, now: datetime) -> int:
    """Delete mails that are older than anyone looks for; return how many went."""
    return await store.delete_mails(tx, now - timedelta(days=MAILS_KEPT_DAYS))


def _count(items: Sequence[object], noun: str) -> str:
    return f"{len(items)} {noun}{'s' * (len(items) != 1)}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
