"""The mails about usage and alerts: both bodies say the same, whatever was reached."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from tollway.kit.mail import Mail
from tollway.notifications.alert_mail_operations import (
    ITEMS_NAMED_MAX,
    compose_owner_alerts,
    compose_usage_reached,
)

BASE_URL = "https://tollway.example"


def usage(**changes: Any) -> Mail:
    values: dict[str, Any] = {
        "base_url": BASE_URL, "kind": "included", "percent": 80, "product": "Monte Carlo API", "plan": "<b>Starter</b>",
        "is_test": False, "used": 1_812, "bound": 2_000, "ends_at": datetime(2026, 7, 3, 9, 30, tzinfo=UTC),
        "stops": False, "rate": "$0.05", "cap": "", "spent": "",
    }  # fmt: skip
    return compose_usage_reached("ana@example.com", **values | changes)


def words(text: str) -> str:
    """A body as it is read: without markup, its lines joined."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


@pytest.mark.parametrize(
    ("changes", "subject", "says"),
    [
        ({}, "80% of your requests are used", "beyond the plan each request costs $0.05."),
        ({"percent": 50, "cap": "$25.00"}, "50% of your requests are used", "up to your spending cap of $25.00"),
        ({"stops": True}, "80% of your requests are used", "Once all are used, calls that count are refused"),
        ({"percent": 100}, "All your requests are used", "from here on each request costs $0.05."),
        ({"percent": 100, "stops": True}, "All your requests are used", "Calls that count are refused until then."),
        ({"kind": "spending_cap", "cap": "$25.00", "spent": "$20.00"}, "80% of your spending cap is used",
         "1,812 requests at $0.05 make $20.00 of the $25.00"),
        ({"kind": "spending_cap", "percent": 100, "cap": "$25.00", "spent": "$25.00"},
         "Your spending cap is reached", "refused until then, or until you raise the cap."),
        ({"kind": "fair_use", "percent": 100}, "You use a great deal, and nothing stops",
         "no call is refused, and nothing is charged"),
    ],
)  # fmt: skip
def test_a_mail_about_usage_says_what_was_reached_and_what_comes_of_it(
    changes: dict[str, Any], subject: str, says: str
) -> None:
    mail = usage(**changes)
    assert mail.subject == f"{subject}: Monte Carlo API"
    for body in (mail.text_body, mail.html_body):
        assert says in words(body)
        assert "3 July 2026, 09:30 UTC" in words(body)
        assert "None" not in body
        links = set(re.findall(r"https?://[^\s\"<]+", body))
        assert f"{BASE_URL}/usage" in links
        assert all(link.startswith(BASE_URL) for link in links)
    assert "<b>Starter" in mail.text_body
    assert "<b>Starter" not in mail.html_body


def test_test_mode_is_named_first() -> None:
    assert usage(is_test=True).subject == "Test mode: 80% of your requests are used: Monte Carlo API"


def owner(count: int = 1, *, is_over: bool = False) -> Mail:
    return compose_owner_alerts(
        "root@example.com",
        title="Disk almost full",
        about="So much of the disk is in use.",
        alerts=[("<i>installation</i>", f"{number}% is in use") for number in range(count)],
        is_over=is_over,
        after_minutes=15,
        link=f"{BASE_URL}/admin/alerts",
    )


def test_an_owner_is_told_what_was_found_and_when_it_is_over() -> None:
    opened, over = owner(), owner(is_over=True)
    assert (opened.subject, over.subject) == ("Alert: Disk almost full", "Over: Disk almost full")
    for body in (opened.text_body, opened.html_body):
        assert "0% is in use." in words(body)
        assert "once when it has not been seen for 15 minutes" in words(body)
    for body in (over.text_body, over.html_body):
        assert "has not been seen for 15 minutes, and stands as resolved" in words(body)
    assert "<i>" not in opened.html_body
    assert opened.template == over.template == "owner_alerts"


def test_many_alerts_are_named_up_to_a_bound() -> None:
    mail = owner(ITEMS_NAMED_MAX + 5)
    assert mail.subject == "Alert: Disk almost full (25)"
    for body in (mail.text_body, mail.html_body):
        assert "and 5 more" in body
        assert f"{ITEMS_NAMED_MAX}% is in use" not in body
