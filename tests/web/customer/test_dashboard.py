"""The dashboard: as a page, and as the JSON that programs read."""

import re

import pytest
from tests.web.conftest import Visitor


@pytest.mark.promise("A45", "A46", "X2")
async def test_the_json_has_exactly_the_promised_members_all_computed(ana: Visitor) -> None:
    answer = await ana.client.get("/dashboard", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == [
        "api_key",
        "usage_this_month",
        "trial_days_remaining",
        "last_simulation",
        "upgrade_options",
    ]
    assert re.fullmatch(r"mc_test_….{4}", body["api_key"])
    assert body["usage_this_month"] == "0 / 100 requests"
    assert body["trial_days_remaining"] == 14
    assert body["last_simulation"] is None
    assert body["upgrade_options"] == [
        {"name": "Starter", "price": "$99/month"},
        {"name": "Professional", "price": "$499/month"},
        {"name": "Enterprise", "price": "$2,999/month"},
    ]


@pytest.mark.promise("X4", "A37")
async def test_before_verification_the_cap_is_twenty(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    body = (await stranger.client.get("/dashboard", headers={"Accept": "application/json"})).json()
    assert body["usage_this_month"] == "0 / 20 requests"
    assert body["trial_days_remaining"] is None


async def test_a_stranger_is_sent_to_sign_in_and_a_program_gets_401(stranger: Visitor) -> None:
    page = await stranger.get("/dashboard")
    assert page.status_code == 303
    assert page.headers["location"] == "/signin?next=/dashboard"
    program = await stranger.client.get("/dashboard", headers={"Accept": "application/json"})
    assert program.status_code == 401
    assert program.json()["code"] == "sign-in-needed"


@pytest.mark.promise("X8", "A35")
async def test_the_test_key_can_be_shown_again_and_that_is_on_record(ana: Visitor) -> None:
    hidden = (await ana.get("/dashboard")).text
    assert not re.search(r"id=\"secret-text\">mc_test_[0-9A-Za-z]{32}<", hidden)
    shown = await ana.post("/dashboard/key")
    secret = re.search(r"id=\"secret-text\">(mc_test_[0-9A-Za-z]{32})<", shown.text)
    assert secret
    async with ana.parts.database.transaction() as tx:
        rows = await tx.list_rows("SELECT * FROM audit_entries WHERE action = 'api_key.revealed'")
    assert len(rows) == 1
    assert secret.group(1) not in str(rows)
    works = await ana.client.get(
        "/monte-carlo-api/models", headers={"Authorization": f"Bearer {secret.group(1)}"}
    )
    assert works.status_code == 200


async def test_a_call_shows_up_among_the_recent_requests(ana: Visitor) -> None:
    secret = re.search(r"mc_test_[0-9A-Za-z]{32}", (await ana.get("/dashboard")).text)
    assert secret, "the curl carries the reader's own key"
    await ana.client.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {secret.group()}"})
    await ana.parts.gatehouse.ship()
    page = (await ana.get("/dashboard")).text
    assert "/monte-carlo-api/models</code></td>" in page
    assert 'class="done"' in page.split("Make a first call")[0].rsplit("<li", 1)[1]


@pytest.mark.promise("A32", "X3")
async def test_after_the_free_trial_every_page_leads_to_a_plan(ana: Visitor) -> None:
    async with ana.parts.database.transaction() as tx:
        await tx.execute("UPDATE api_subscriptions SET trial_end = now() - interval '1 minute'")
    for path in ("/dashboard", "/models", "/runs"):
        page = (await ana.get(path)).text
        assert "has ended: everything you made can be read" in page
        assert 'href="/billing/upgrade">Choose a plan</a>' in page
    answer = await ana.post("/models/samples", {"sample": "portfolio"})
    assert answer.status_code == 402
