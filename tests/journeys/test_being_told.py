"""A customer's server is told of a run, and the owner of what looks wrong."""

import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.tour_administration import find_customer, sign_in_as_administrator
from tests.journeys.tour_webhooks import give_webhooks
from tests.journeys.walks import Walk, walking
from tests.webhooks.receivers import receiving, standard_signature

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(120)]

# Longer than a worker needs to write a line.
RELOADS_MAX = 100
NOTE = "A colleague works from a hotel this week"


async def test_a_server_is_told_that_a_run_ended_and_an_alert_is_acknowledged(
    browser: Browser, product: Product
) -> None:
    email = new_address("warehouse")
    async with walking(browser, product.url) as customer, walking(browser, product.url) as administrator:
        await customer.sign_up(email)
        await customer.verify(email)
        await sign_in_as_administrator(administrator, *product.administrator)
        await give_webhooks(administrator, await find_customer(administrator, email))
        await _run_ends_at_the_customers_server(customer)
        await _an_alert_is_acknowledged(administrator)
        assert not customer.complaints
        assert not administrator.complaints


async def _run_ends_at_the_customers_server(customer: Walk) -> None:
    page = customer.page
    async with receiving() as receiver:
        await customer.open("/webhooks")
        await page.get_by_label("Name").fill("Results to the warehouse")
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_role("button", name="Make the webhook").click()
        secret = (await page.locator("#made-secret").inner_text()).strip()
        await customer.follow(page.get_by_role("link", name="Results to the warehouse"))
        webhook = customer.path
        await page.get_by_role("button", name="Send a test").click()
        await page.get_by_text("The test got through.").wait_for()

        receiver.arrived.clear()
        await customer.use_sample("Portfolio risk")
        run = (await customer.run(1_000)).removeprefix("/runs/")
        await receiver.arrived.wait()
        tested, told = receiver.received
        assert [one.headers["x-tollway-event"] for one in (tested, told)] == [
            "webhook.test",
            "simulation.completed",
        ]
        assert told.document["simulation_id"] == run
        assert told.headers["webhook-signature"] == standard_signature(secret, told)

        # It is listed, with what was answered, once that is written down.
        await customer.open(webhook)
        delivered = page.get_by_role("row").filter(has_text=run).filter(has_text="200 in")
        for _ in range(RELOADS_MAX):
            if await delivered.count():
                break
            await page.reload()
        await expect(delivered).to_have_count(1)


async def _an_alert_is_acknowledged(administrator: Walk) -> None:
    page = administrator.page
    await administrator.open("/admin/alerts?status=open")
    await administrator.follow(page.get_by_role("link", name="API key used from a new network").first)
    await page.get_by_label("Note").fill(NOTE)
    await page.get_by_role("button", name="Acknowledge").click()
    await page.get_by_role("status").wait_for()
    await expect(page.get_by_role("main")).to_contain_text(NOTE)
    await administrator.open("/admin/audit")
    await expect(page.get_by_role("row").filter(has_text=NOTE).first).to_be_visible()
