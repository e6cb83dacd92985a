"""The mails about keys: both bodies say the same, no name writes HTML, and no secret is among what they take."""

import inspect
import re
from datetime import UTC, datetime

import pytest

from tollway.kit.mail import Mail
from tollway.notifications import key_mail_operations as key_mails

LINK = "https://tollway.example/api-keys/manage"
HOSTILE = "<b>Ana & Söhne</b>"
ENDS = datetime(2026, 7, 3, 9, 30, tzinfo=UTC)


def rotated(ends_at: datetime | None) -> Mail:
    return key_mails.compose_api_key_rotated(
        "ana@example.com",
        name=HOSTILE,
        key_id="mc_live_oldoldol",
        successor_key_id="mc_live_newnewne",
        ends_at=ends_at,
        made_by="ben@example.com",
        keys_link=LINK,
    )


MAILS = {
    "created": key_mails.compose_api_key_created(
        "ana@example.com",
        name=HOSTILE,
        key_id="mc_live_newnewne",
        mode="live",
        scopes=["read", "write"],
        made_by="ben@example.com",
        keys_link=LINK,
    ),
    "rotated": rotated(ENDS),
    "rotated_at_once": rotated(None),
    "expiring": key_mails.compose_api_key_expiring(
        "ana@example.com",
        name=HOSTILE,
        key_id="mc_live_oldoldol",
        mode="live",
        expires_at=ENDS,
        keys_link=LINK,
    ),
}


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_about_a_key_leads_to_the_keys_alone(name: str) -> None:
    mail = MAILS[name]
    for body in (mail.text_body, mail.html_body):
        assert set(re.findall(r"https?://[^\s\"<]+", body)) == {LINK}
        assert re.search(r"mc_live_\w{8}…", body)
        assert "None" not in body
    assert HOSTILE in mail.text_body
    assert "<b>Ana" not in mail.html_body


def test_a_rotation_tells_when_the_old_key_ends() -> None:
    for body in (MAILS["rotated"].text_body, MAILS["rotated"].html_body):
        assert "3 July 2026 at 09:30 UTC" in body
    assert "ended at once" in MAILS["rotated_at_once"].text_body


@pytest.mark.promise("X8")
def test_no_mail_about_a_key_can_be_handed_its_secret() -> None:
    for _, compose in inspect.getmembers(key_mails, inspect.isfunction):
        assert not {"secret", "api_key", "secret_key"} & set(inspect.signature(compose).parameters)
