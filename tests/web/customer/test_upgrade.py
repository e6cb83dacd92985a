"""Choosing a plan, as browsers do it: what it would do is said first, and nothing is paid by itself."""

import re
from datetime import datetime
from html import unescape

import pytest
from tests.web.conftest import Visitor, visiting
from tests.web.customer.test_team import invite, join

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.plans.catalog import read_catalog
from tollway.plans.changes import differences
from tollway.plans.entities import Plan
from tollway.plans.periods import add_months

UPGRADE = "/billing/upgrade"
CHOOSE = re.compile(r'name="product" value="(\w+)"><input type="hidden" name="tier" value="(\w+)"><button')


def offered(page: str) -> list[tuple[str, str]]:
    """The plans that can be chosen by a form that a browser without a script sends too."""
    return CHOOSE.findall(page)


def withdrawals(page: str) -> list[str]:
    return re.findall(rf'action="({UPGRADE}/changes/\w+/withdraw)"', page)


async def customer_of(visitor: Visitor, company: str = "Example Ltd") -> int:
    async with visitor.parts.database.transaction() as tx:
        found = await tx.find_value("SELECT id FROM api_customers WHERE company_name = %(c)s", {"c": company})
    assert isinstance(found, int)
    return found


async def give(visitor: Visitor, product: str, tier: str) -> datetime:
    """Give a plan as support does once it is paid; return when its period ends."""
    now = read_now()
    async with visitor.parts.database.transaction() as tx:
        customer_id = await customer_of(visitor)
        await plans.assign_plan(tx, customer_id, product, tier, "system:command-line", now)
        return (await plans.get_entitlement(tx, customer_id, product, now)).period_end


async def tier_of(visitor: Visitor, product: str) -> str:
    async with visitor.parts.database.transaction() as tx:
        held = await plans.get_entitlement(tx, await customer_of(visitor), product, read_now())
    return held.plan.tier


async def plan_of(visitor: Visitor, product: str, tier: str) -> Plan:
    async with visitor.parts.database.transaction() as tx:
        return next(one for one in await plans.list_plans(tx, product) if one.tier == tier)


@pytest.mark.promise("B31")
async def test_plans_are_compared_with_the_one_that_is_held_marked(ana: Visitor) -> None:
    page = (await ana.get(UPGRADE)).text
    public = [one.tier for one in read_catalog() if one.product == "montecarlo" and one.content["public"]]
    assert offered(page) == [("montecarlo", tier) for tier in public if tier != "trial"]
    table = page.split('<table class="table compare">')[1]
    assert re.search(r'<th scope="col" class="held"><b>Free trial</b>', table)
    assert "0 of 100" in page
    assert [name for name in ("Monte Carlo API", "API key wallet", "Agent permissions") if name in page]
    assert 'href="/billing/upgrade" aria-current="page"' in page


@pytest.mark.promise("A47", "A48")
async def test_a_larger_plan_waits_for_its_payment_and_can_be_taken_back(ana: Visitor) -> None:
    asked = await ana.post(UPGRADE, {"product": "montecarlo", "tier": "starter"})
    assert asked.status_code == 200
    starter, trial = (
        await plan_of(ana, "montecarlo", "starter"),
        await plan_of(ana, "montecarlo", "trial"),
    )
    page = unescape(asked.text)
    assert "At once, after payment of $99 a month. Until then you keep Free trial." in page
    assert all(line in page for line in differences(trial, starter))
    assert "Card payment is not on yet at this installation" in page
    assert await tier_of(ana, "montecarlo") == "trial"
    done = await ana.post(f"{UPGRADE}/confirm", {"product": "montecarlo", "tier": "starter"})
    assert done.headers["location"] == f"{UPGRADE}?product=montecarlo&notice=asked"
    page = (await ana.get(done.headers["location"])).text
    assert "Starter waits for its payment." in page
    assert "Waits for payment" in page
    assert offered(page) == []
    assert await tier_of(ana, "montecarlo") == "trial"
    (path,) = withdrawals(page)
    assert (await ana.post(path)).status_code == 303
    assert "Starter waits for its payment." not in (await ana.get(UPGRADE)).text


async def test_a_smaller_plan_and_a_cancellation_come_with_the_end_of_the_period(ana: Visitor) -> None:
    end = await give(ana, "wallet", "enterprise")
    day = f"{end.day} {end:%B %Y}"
    asked = await ana.post(UPGRADE, {"product": "wallet", "tier": "professional"})
    assert f"On {day}; until then you keep Enterprise." in asked.text
    done = await ana.post(f"{UPGRADE}/confirm", {"product": "wallet", "tier": "professional"})
    page = (await ana.get(done.headers["location"])).text
    assert f"You change to Professional on {day}." in page
    assert f"From {day}" in page
    # One change waits at a time: the other is refused beside the plans.
    refused = await ana.post(f"{UPGRADE}/confirm", {"product": "wallet", "tier": "free"})
    assert refused.status_code == 409
    assert "Withdraw it first." in refused.text.split('id="choose"')[1]
    await ana.post(withdrawals(page)[0])
    assert f'<time datetime="{end:%Y-%m-%d}"' in (await ana.get(f"{UPGRADE}/cancel?product=wallet")).text
    done = await ana.post(f"{UPGRADE}/cancel", {"product": "wallet"})
    assert done.headers["location"].endswith("notice=cancelled")
    page = (await ana.get(done.headers["location"])).text
    assert f"Enterprise ends on {day}." in page
    assert await tier_of(ana, "wallet") == "enterprise"


async def test_a_product_that_is_not_held_starts_on_its_free_plan_at_once(ana: Visitor) -> None:
    page = (await ana.get(f"{UPGRADE}?product=agents")).text
    assert "Start Free" in page
    assert ("agents", "enterprise") not in offered(page)
    assert "subject=Agent+permissions%3A+the+plan+Enterprise" in page
    done = await ana.post(UPGRADE, {"product": "agents", "tier": "free"})
    assert done.headers["location"] == f"{UPGRADE}?product=agents&notice=started"
    page = (await ana.get(done.headers["location"])).text
    assert "The plan is yours" in page
    assert await tier_of(ana, "agents") == "free"
    again = await ana.post(UPGRADE, {"product": "agents", "tier": "free"})
    assert again.status_code == 409
    assert "You have the plan Free already." in again.text


async def test_who_comes_for_a_paid_plan_first_has_the_free_one_meanwhile(ana: Visitor) -> None:
    asked = await ana.post(UPGRADE, {"product": "wallet", "tier": "professional"})
    assert "Until then you have the free plan." in asked.text
    await ana.post(f"{UPGRADE}/confirm", {"product": "wallet", "tier": "professional"})
    assert await tier_of(ana, "wallet") == "free"


@pytest.mark.parametrize(
    ("tier", "status", "words"),
    [
        ("enterprise", 403, "is arranged with us"),
        ("none", 404, "There is no such plan of Agent permissions."),
        ("x" * 41, 422, "41"),
        ("", 422, ""),
    ],
)
async def test_what_cannot_be_chosen_is_said(ana: Visitor, tier: str, status: int, words: str) -> None:
    answer = await ana.post(UPGRADE, {"product": "agents", "tier": tier})
    assert answer.status_code == status
    if status != 422:
        assert words in answer.text.split('id="choose"')[1]
    lottery = await ana.post(UPGRADE, {"product": "lottery", "tier": "free"})
    assert lottery.status_code == 422


async def test_a_free_trial_is_had_once(ana: Visitor) -> None:
    await give(ana, "montecarlo", "starter")
    page = (await ana.get(UPGRADE)).text
    assert "you had yours" in page
    assert ("montecarlo", "trial") not in offered(page)
    answer = await ana.post(UPGRADE, {"product": "montecarlo", "tier": "trial"})
    assert answer.status_code == 409


async def test_another_customers_change_cannot_be_taken_back(ana: Visitor, ben: Visitor) -> None:
    await ana.post(f"{UPGRADE}/confirm", {"product": "montecarlo", "tier": "starter"})
    (path,) = withdrawals((await ana.get(UPGRADE)).text)
    assert (await ben.post(path)).status_code == 404
    assert (await ben.post(f"{UPGRADE}/changes/chg_unknown/withdraw")).status_code == 404
    assert withdrawals((await ana.get(UPGRADE)).text) == [path]


async def test_who_has_not_verified_is_told_to(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    page = (await stranger.get(UPGRADE)).text
    assert "Verify your address first." in page
    assert offered(page) == []
    for path in (UPGRADE, f"{UPGRADE}/confirm"):
        answer = await stranger.post(path, {"product": "wallet", "tier": "free"})
        assert answer.status_code == 403
        assert "Verify your address first: " in answer.text


@pytest.mark.parametrize(
    ("role", "looks", "chooses"),
    [("billing", True, True), ("developer", True, False), ("viewer", False, False)],
)
async def test_roles_decide_who_looks_and_who_chooses(
    ana: Visitor, parts: Parts, role: str, looks: bool, chooses: bool
) -> None:
    link = await invite(ana, role)
    async with visiting(parts, "127.0.0.3") as colleague:
        await join(colleague, link)
        page = await colleague.get(UPGRADE)
        assert page.status_code == (200 if looks else 403)
        assert bool(offered(page.text)) is chooses
        assert (f'href="{UPGRADE}"' in (await colleague.get("/dashboard")).text) is looks
        body = {"product": "wallet", "tier": "free"}
        assert (await colleague.post(UPGRADE, body)).status_code == (303 if chooses else 403)
        assert (await colleague.get(f"{UPGRADE}/cancel?product=wallet")).status_code == (
            200 if chooses else 403
        )


async def test_a_form_of_another_site_chooses_nothing(ana: Visitor) -> None:
    answer = await ana.client.post(
        f"{UPGRADE}/confirm",
        data={"product": "wallet", "tier": "free"},
        headers={
            "Accept": "text/html",
            "Origin": "https://elsewhere.example",
            "Sec-Fetch-Site": "cross-site",
        },
    )
    assert answer.status_code == 403


async def test_the_period_goes_on_from_one_paid_plan_to_a_larger_one(ana: Visitor) -> None:
    end = await give(ana, "montecarlo", "starter")
    assert end <= add_months(read_now(), 1)
    page = (await ana.post(UPGRADE, {"product": "montecarlo", "tier": "professional"})).text
    assert f"Your period goes on until {end.day} {end:%B %Y}" in page
    assert "$499 a month" in page
