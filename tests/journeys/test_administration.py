"""An administrator finds a customer, stops it, lets it go on, and looks at its pages; all of it is on record."""

import httpx
import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.tour_administration import find_customer, say_why, sign_in_as_administrator
from tests.journeys.tour_teams import make_key
from tests.journeys.walks import Walk, walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]

REASON = "Ticket tic_77: the invoices come back"


@pytest.mark.promise("B46")
async def test_an_administrator_suspends_and_reactivates_and_looks_in_a_customers_place(
    browser: Browser, product: Product
) -> None:
    email = new_address("sam")
    async with walking(browser, product.url) as customer, walking(browser, product.url) as administrator:
        await customer.sign_up(email, "Sam & Partners")
        await customer.verify(email)
        key = await make_key(customer, "Reports")
        assert (await _call(product, key)).status_code == 200

        await sign_in_as_administrator(administrator, *product.administrator)
        customer_url = await find_customer(administrator, email)
        await administrator.page.get_by_role("link", name="Suspend").click()
        await say_why(administrator, "Suspend", REASON)
        await expect(
            administrator.page.get_by_role("alert").or_(administrator.page.get_by_role("status")).first
        ).to_be_visible()
        await _is_stopped(product, customer, key)

        await administrator.page.get_by_role("link", name="Reactivate").click()
        await say_why(administrator, "Reactivate", "The card is a new one")
        await expect(administrator.page.get_by_role("status").first).to_contain_text("may work again")
        assert (await _call(product, key)).status_code == 200
        await customer.open("/dashboard")
        await expect(customer.page.get_by_role("heading", level=1)).to_have_text("Overview")

        await _looks_in_their_place(administrator, customer_url)
        await _all_is_on_record(administrator, customer_url)
        await _the_customer_reads_it(customer, product.administrator[0])
        assert not customer.complaints
        assert not administrator.complaints


async def _call(product: Product, key: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=product.url) as program:
        return await program.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {key}"})


async def _is_stopped(product: Product, customer: Walk, key: str) -> None:
    """The next call and the next page say why; support and the customer's own data stay open."""
    refused = await _call(product, key)
    assert refused.status_code == 403
    assert REASON in refused.text
    page = customer.page
    await customer.open("/dashboard")
    await expect(page.get_by_role("main")).to_contain_text(REASON)
    await customer.open("/api-keys/manage")
    await expect(page.get_by_role("main")).to_contain_text(REASON)
    await page.get_by_role("link", name="Write to support").click()
    await expect(page.get_by_label("Mode")).to_contain_text("This customer is suspended")
    await page.get_by_label("Topic").select_option("billing")
    await page.get_by_label("What is it about?").fill("Why are we suspended?")
    await page.get_by_role("textbox", name="Message").fill("The card was replaced today.")
    await page.get_by_role("button", name="Open the ticket").click()
    await expect(page.get_by_role("main")).to_contain_text("A person answers by")
    await customer.open("/data")
    await expect(page.get_by_role("button", name="Make an export")).to_be_visible()


async def _looks_in_their_place(administrator: Walk, customer_url: str) -> None:
    page = administrator.page
    await administrator.open(f"{customer_url}/impersonate")
    await say_why(administrator, "Look", REASON)
    await page.wait_for_url("**/dashboard")
    band = page.get_by_label("In a customer’s place")
    await expect(band).to_contain_text("You are looking at Sam & Partners in their place, read-only")
    await expect(page.get_by_role("button", name="Reveal")).to_have_count(0)
    for path in ("/team", "/api-keys/manage", "/models", "/activity"):
        await administrator.open(path)
        await expect(band).to_be_visible()
    # No page shows a form that changes something; one that is sent all the same is refused.
    sent = await page.context.request.post(
        administrator.url + "/models/samples",
        form={"sample": "portfolio_risk"},
        headers={"Origin": administrator.url, "Accept": "text/html"},
    )
    assert sent.status == 403
    await administrator.open("/dashboard")
    await band.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("status").first).to_contain_text("You stopped looking")


async def _all_is_on_record(administrator: Walk, customer_url: str) -> None:
    page = administrator.page
    customer_id = customer_url.rpartition("/")[2]
    await administrator.open("/admin/audit")
    await page.get_by_label("Customer", exact=True).fill(customer_id)
    await page.get_by_role("button", name="Show", exact=True).click()
    entries = page.get_by_role("region", name="Entries, scrollable")
    for what in (
        "Suspended the customer",
        "Reactivated the customer",
        "Began to look at the customer's pages",
        "Stopped looking at the customer's pages",
    ):
        row = entries.get_by_role("row").filter(has_text=what)
        await expect(row).to_have_count(1)
        await expect(row).to_contain_text("admin@tollway.example")


async def _the_customer_reads_it(customer: Walk, administrator_email: str) -> None:
    """The reasons stand in the customer's own list, and no name of an administrator."""
    await customer.open("/activity")
    entries = customer.page.get_by_role("region", name="Entries, scrollable")
    await expect(entries.get_by_role("row").filter(has_text="Suspended the customer")).to_contain_text(REASON)
    await expect(entries.get_by_role("row").filter(has_text="Began to look")).to_contain_text(REASON)
    await expect(entries).not_to_contain_text(administrator_email)
