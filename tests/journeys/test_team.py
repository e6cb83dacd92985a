"""A colleague is invited by mail, and may do what their role says from the next request on."""

import re

import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.tour_teams import invite
from tests.journeys.walks import Walk, link_in, walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]


async def test_a_colleague_joins_as_viewer_becomes_developer_and_is_let_go(
    browser: Browser, product: Product
) -> None:
    owner_email, colleague_email = new_address("olga"), new_address("carl")
    async with walking(browser, product.url) as owner, walking(browser, product.url) as colleague:
        await owner.sign_up(owner_email, "Olga & Carl Ltd")
        await owner.verify(owner_email)
        model = await owner.use_sample("Portfolio risk")
        await owner.open("/team")
        await invite(owner, colleague_email, "viewer")
        await expect(owner.page.get_by_role("status").first).to_contain_text("on its way")

        await _accept(colleague, colleague_email)
        await _sees_models_and_no_keys(colleague, model)
        await _change_role(owner, colleague_email, "developer")
        await _makes_a_key(colleague)

        await owner.open("/activity")
        entries = owner.page.get_by_role("region", name="Entries, scrollable")
        for what, who in (
            ("Invited somebody to the team", owner_email),
            ("Joined the team", colleague_email),
            ("Changed somebody's role", owner_email),
            ("Created an API key", colleague_email),
        ):
            row = entries.get_by_role("row").filter(has_text=what).first
            await expect(row).to_contain_text(who)

        await owner.open("/team")
        await owner.page.get_by_role("link", name=f"Remove {colleague_email}").click()
        await owner.page.get_by_role("button", name="Remove").click()
        await expect(owner.page.get_by_role("status").first).to_contain_text("do not belong")
        await colleague.open(model)
        await expect(colleague.page.get_by_role("heading", level=1)).to_have_text("You belong to no team")
        assert not owner.complaints
        assert not colleague.complaints


async def _accept(colleague: Walk, email: str) -> None:
    """Open the mailed link in a browser that nobody is signed in with, and join."""
    mail = await colleague.read_mail(email, "Join Olga & Carl Ltd on Tollway")
    await colleague.page.goto(link_in(mail, "/invitation"))
    await expect(colleague.page.get_by_role("main")).to_contain_text("You are invited as viewer")
    await colleague.page.get_by_role("button", name="Accept and join").click()
    await colleague.page.wait_for_url("**/dashboard")
    # The link worked once.
    await colleague.page.goto(link_in(mail, "/invitation"))
    await expect(colleague.page.get_by_role("button", name="Accept and join")).to_have_count(0)


async def _sees_models_and_no_keys(colleague: Walk, model: str) -> None:
    page = colleague.page
    await colleague.open("/models")
    await (
        page.get_by_role("main")
        .get_by_role("link", name=re.compile("portfolio", re.IGNORECASE))
        .first.click()
    )
    await page.wait_for_url(f"**{model}")
    await expect(page.get_by_label("Main").get_by_role("link", name="API keys")).to_have_count(0)
    await expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    await colleague.open("/api-keys/manage")
    await expect(page.get_by_role("main")).to_contain_text("Your role here is viewer")
    await colleague.open("/team")
    await expect(page.get_by_role("button", name="Invite")).to_have_count(0)


async def _change_role(owner: Walk, email: str, role: str) -> None:
    await owner.open("/team")
    await owner.page.get_by_label(f"Role of {email}").select_option(role)
    await owner.page.get_by_role("button", name=f"Change the role of {email}").click()
    await expect(owner.page.get_by_role("status").first).to_contain_text("The role is changed")


async def _makes_a_key(colleague: Walk) -> None:
    page = colleague.page
    await colleague.open("/dashboard")
    await page.get_by_label("Main").get_by_role("link", name="API keys").click()
    await page.get_by_label("Name", exact=True).fill("Carl's reports")
    await page.get_by_role("button", name="Make the key").click()
    await expect(page.locator("#made-secret")).to_have_text(re.compile(r"^mc_test_\w{30,}$"))
