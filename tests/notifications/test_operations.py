import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import jinja2
import pytest

from tollway.kit.mail import Mail
from tollway.kit.problems import NotFound
from tollway.notifications import operations as notifications
from tollway.notifications.rendering import compose

BASE = "https://tollway.example"
KEY = "mc_test_0123456789abcdefghijABCDEFGHIJ12"
HOSTILE = "<b>Ana & Söhne</b>"


class Links(HTMLParser):
    """Collects every address that a mail's HTML leads to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "background")]


def welcome(name: str = "Ana", requests_included: int | None = 100) -> Mail:
    return notifications.compose_welcome(
        "ana@example.com",
        name=name,
        api_key=KEY,
        base_url=BASE,
        requests_included=requests_included,
        free_trial_days=14,
        dashboard_link=f"{BASE}/dashboard",
        sample_link=f"{BASE}/samples/portfolio.xlsx",
        docs_link=f"{BASE}/docs",
        support_link=f"{BASE}/support",
    )


MAILS = {
    "verify_address": notifications.compose_verify_address(
        "ana@example.com", link=f"{BASE}/verify?token=abc", code="042042", link_hours=24, code_minutes=15
    ),
    "address_known": notifications.compose_address_known("ana@example.com", sign_in_link=f"{BASE}/signin"),
    "welcome": welcome(),
    "sign_in": notifications.compose_sign_in(
        "ana@example.com", link=f"{BASE}/signin/link?token=abc", code="042042", minutes=15
    ),
    "workbook_expiring": notifications.compose_workbook_expiring(
        "ana@example.com",
        workbooks=[(HOSTILE, f"{BASE}/models/mdl_1")],
        delete_at=datetime(2026, 7, 3, tzinfo=UTC),
        kept_days=30,
    ),
    "results_deleted": notifications.compose_results_deleted(
        "ana@example.com",
        items=[HOSTILE],
        deleted_at=datetime(2026, 7, 3, tzinfo=UTC),
        dashboard_link=f"{BASE}/dashboard",
    ),
}


@pytest.mark.parametrize("template", MAILS)
def test_every_link_of_a_mail_is_absolute_and_stands_in_both_bodies(template):
    mail = MAILS[template]
    links = Links()
    links.feed(mail.html_body)
    assert links.found
    for link in links.found:
        assert link.startswith(f"{BASE}/"), link
        assert link in mail.text_body, link
    for link in re.findall(r"https?://\S+", mail.text_body):
        assert link.startswith(f"{BASE}/"), link


@pytest.mark.parametrize("template", MAILS)
def test_a_mail_loads_nothing_and_runs_nothing(template):
    links = Links()
    links.feed(MAILS[template].html_body)
    assert not {"img", "script", "link", "iframe", "style", "form"} & set(links.tags)


@pytest.mark.parametrize("template", MAILS)
def test_only_the_welcome_subject_holds_an_emoji(template):
    mail = MAILS[template]
    texts = {"subject": mail.subject, "text": mail.text_body}
    emoji = {name for name, text in texts.items() if any(ord(one) > 0x2FFF for one in text)}
    assert emoji == ({"subject"} if template == "welcome" else set())


@pytest.mark.promise("A42", "A36", "X8")
def test_the_welcome_mail_holds_all_that_a_first_run_needs():
    mail = welcome()
    assert mail.subject == "Your Monte Carlo API is Ready! 🚀"
    in_this_order = [
        "Hi Ana,",
        KEY,
        f"curl {BASE}/monte-carlo-api/health",
        f"{BASE}/samples/portfolio.xlsx",
        f"curl {BASE}/monte-carlo-api/models",
        "-F file=@portfolio.xlsx",
        f"curl {BASE}/monte-carlo-api/simulations",
        '"output_cells"',
        f"{BASE}/docs",
        f"{BASE}/support",
        "Happy simulating!",
    ]
    for body in (mail.text_body, mail.html_body):
        places = [body.index(piece) for piece in in_this_order]
        assert places == sorted(places)
    assert mail.text_body.count(f'-H "Authorization: Bearer {KEY}"') == 2


def test_a_plan_without_a_bound_is_not_called_none():
    mail = welcome(requests_included=None)
    assert "None" not in mail.text_body + mail.html_body
    assert "as many requests as you like" in mail.text_body


def test_a_name_cannot_write_html():
    mail = welcome(HOSTILE)
    assert f"Hi {HOSTILE}," in mail.text_body
    assert "<b>" not in mail.html_body
    assert "Hi &lt;b&gt;Ana &amp; Söhne&lt;/b&gt;," in mail.html_body
    for template in ("workbook_expiring", "results_deleted"):
        assert "<b>" not in MAILS[template].html_body


def test_a_long_list_names_the_first_and_counts_the_rest():
    mail = notifications.compose_results_deleted(
        "ana@example.com",
        items=[f"model {number}" for number in range(25)],
        deleted_at=datetime(2026, 7, 3, tzinfo=UTC),
        dashboard_link=f"{BASE}/dashboard",
    )
    assert mail.subject == "25 items deleted: the time they are kept is over"
    for body in (mail.text_body, mail.html_body):
        assert "model 19" in body
        assert "model 20" not in body
        assert "and 5 more" in body


def test_a_missing_value_is_an_error_and_never_a_gap():
    with pytest.raises(jinja2.UndefinedError):
        compose("sign_in", "ana@example.com", "Sign in", {"link": BASE, "minutes": 15})


async def test_a_mail_that_is_not_there_is_not_found(database):
    async with database.transaction() as tx:
        with pytest.raises(NotFound):
            await notifications.get_mail(tx, "mail_0000000000000000")
