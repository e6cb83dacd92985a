"""Support: a message arrives, and a copy of it."""

import pytest
from tests.web.conftest import Visitor

from tollway.app import Parts


@pytest.mark.promise("A42")
async def test_a_message_is_mailed_to_support_with_a_copy_to_its_writer(ana: Visitor, parts: Parts) -> None:
    answer = await ana.post("/support", {"subject": "A question", "message": "How do I <b>start</b>?"})
    assert answer.status_code == 200
    assert "it has arrived" in answer.text
    assert "How do I <b>start</b>?" in await ana.newest_mail(parts.settings.support_email)
    assert "ana@example.com" in await ana.newest_mail(parts.settings.support_email)
    assert "A person will read it" in await ana.newest_mail("ana@example.com")


async def test_what_is_missing_is_said_beside_its_field(stranger: Visitor) -> None:
    answer = await stranger.post("/support", {"email": "nobody", "subject": "", "message": ""})
    assert answer.status_code == 422
    assert answer.text.count('aria-invalid="true"') == 3


async def test_messages_are_bounded(stranger: Visitor) -> None:
    answer = await stranger.post(
        "/support", {"email": "a@example.com", "subject": "s", "message": "m" * 5_001}
    )
    assert answer.status_code == 422
    body = {"subject": "s", "message": "m"}
    for number in range(10):
        writer = {"email": f"a{number}@example.com"}
        assert (await stranger.post("/support", body | writer)).status_code == 200
    assert (await stranger.post("/support", body | {"email": "b@example.com"})).status_code == 429


async def test_nobodys_mailbox_is_filled_with_copies(stranger: Visitor) -> None:
    body = {"email": "a@example.com", "subject": "s", "message": "m"}
    for _ in range(5):
        assert (await stranger.post("/support", body)).status_code == 200
    assert (await stranger.post("/support", body)).status_code == 429


async def test_a_stranger_gets_no_copy_because_anyone_can_type_an_address(
    stranger: Visitor, parts: Parts
) -> None:
    body = {"email": "someone@example.com", "subject": "s", "message": "m"}
    answer = await stranger.post("/support", body)
    assert answer.status_code == 200
    assert "A copy is on its way" not in answer.text
    async with parts.database.transaction() as tx:
        mailed = await tx.list_rows("SELECT to_address FROM outbox_mails")
    assert mailed == [{"to_address": parts.settings.support_email}]
