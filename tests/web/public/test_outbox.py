"""The development outbox, which exists only where no mail is really sent."""

import re

from tests.web.conftest import Visitor, visiting

from tollway.app import Parts, open_parts


async def test_mails_and_their_links_are_shown(ana: Visitor) -> None:
    listed = await ana.get("/outbox")
    assert "Your Monte Carlo API is Ready!" in listed.text
    first = re.search(r'href="(/outbox/mail_\w+)"', listed.text)
    assert first
    shown = await ana.get(first.group(1))
    assert "Happy simulating!" in shown.text
    # The comma behind it is no part of the address.
    assert '/samples/portfolio.xlsx">' in shown.text


async def test_there_is_no_outbox_where_mail_is_sent(parts: Parts, catalog: None) -> None:
    sending = await open_parts(parts.settings.model_copy(update={"smtp_host": "mail.example.com"}))
    try:
        async with visiting(sending) as visitor:
            assert (await visitor.get("/outbox")).status_code == 404
            assert (await visitor.get("/outbox/mail_0000000000000000")).status_code == 404
    finally:
        await sending.close()
