"""`/outbox`: the mails of a development server that has no mail server to send them with."""

import re

from fastapi import APIRouter, Request
from fastapi.responses import Response

from tollway.kit.http import database_of
from tollway.kit.problems import NotFound
from tollway.notifications import operations as notifications
from tollway.web.pages import html
from tollway.web.site import site_of

# What ends a sentence is no part of the address before it.
LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)]")

router = APIRouter(prefix="/outbox", include_in_schema=False)


@router.get("")
async def list_messages(request: Request, cursor: str | None = None) -> Response:
    """List the newest mails."""
    _assert_shown(request)
    async with database_of(request).transaction() as tx:
        page = await notifications.list_mails(tx, cursor)
    messages = [
        {
            "id": mail.public_id,
            "recipient": mail.to_address,
            "subject": mail.subject,
            "created_at": mail.created_at,
        }
        for mail in page.items
    ]
    return html(
        request,
        "public/outbox.html",
        messages=messages,
        next_url=f"/outbox?cursor={page.next_cursor}" if page.next_cursor else None,
        first_url="/outbox" if cursor else None,
    )


@router.get("/{mail_id}")
async def show_message(request: Request, mail_id: str) -> Response:
    """Show one mail as text, its links to be clicked."""
    _assert_shown(request)
    async with database_of(request).transaction() as tx:
        mail = await notifications.get_mail(tx, mail_id)
    message = {
        "sender": site_of(request).mail_from,
        "recipient": mail.to_address,
        "subject": mail.subject,
        "created_at": mail.created_at,
        "text": mail.text_body,
    }
    links = list(dict.fromkeys(LINK.findall(mail.text_body)))
    return html(request, "public/outbox_message.html", message=message, links=links)


def _assert_shown(request: Request) -> None:
    """Mails hold links that sign people in: where real mail is sent, nobody reads them here."""
    if not site_of(request).outbox_shown:
        raise NotFound("There is no outbox where mails are really sent.")
