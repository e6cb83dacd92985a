"""The mails about signing in: what each says, in text and in HTML."""

from datetime import UTC, datetime

import pytest

from tollway.kit.mail import Mail
from tollway.notifications import sign_in_mail_operations as mails

TO, BASE = "ana@example.com", "https://tollway.example"
AT = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
HOSTILE = "<b>curl</b>"

MAILS: dict[str, tuple[Mail, tuple[str, ...]]] = {
    "new_place": (
        mails.compose_new_place(
            TO, at=AT, address="192.0.2.7", browser=HOSTILE, security_link=f"{BASE}/security"
        ),
        ("15 June 2026, 12:00 UTC", "192.0.2.7", "/security"),
    ),
    "security_notice": (
        mails.compose_security_notice(
            TO, what="Your password was changed.", at=AT, address="192.0.2.7", browser=HOSTILE
        ),
        ("Your password was changed.", "15 June 2026, 12:00 UTC", "192.0.2.7"),
    ),
    "reset_password": (
        mails.compose_reset_password(TO, link=f"{BASE}/password/reset?token=abc", minutes=15),
        (f"{BASE}/password/reset?token=abc", "15 minutes"),
    ),
    "change_email": (
        mails.compose_change_email(
            TO, present="old@example.com", link=f"{BASE}/profile/email/confirm?token=abc", hours=24
        ),
        (f"{BASE}/profile/email/confirm?token=abc", "old@example.com", "24 hours"),
    ),
    "email_taken": (
        mails.compose_email_taken(TO, sign_in_link=f"{BASE}/signin"),
        (f"{BASE}/signin", "nothing"),
    ),
    "key_in_clear": (
        mails.compose_key_in_clear(
            TO, key_id="mc_live_abcdefgh", at=AT, address="192.0.2.7", keys_link=f"{BASE}/api-keys/manage"
        ),
        ("mc_live_abcdefgh", "192.0.2.7", f"{BASE}/api-keys/manage"),
    ),
}


@pytest.mark.parametrize("name", MAILS)
def test_both_bodies_say_it_and_carry_no_foreign_markup(name: str) -> None:
    mail, told = MAILS[name]
    assert (mail.template, mail.to_address) == (name, TO)
    for text in told:
        assert text in mail.text_body
        assert text in mail.html_body
    assert HOSTILE not in mail.html_body
