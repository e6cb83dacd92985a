"""The pages of webhooks, of a customer who is given them by an administrator."""

from collections.abc import AsyncIterator
from typing import Any

from tests.journeys.walks import Walk

# A name that nobody will ever have (RFC 2606): nothing leaves this machine.
ADDRESS = "https://hooks.a-warehouse-with-a-long-name.invalid/incoming/tollway?tenant=7"


async def webhooks(walk: Walk, customer_url: str, customer_session: list[Any]) -> AsyncIterator[str]:
    """A plan without webhooks, then one with them: none, one that is refused, made, tested, rotated, deleted."""
    page = walk.page
    administrator_session = await walk.step_back(customer_session)
    await walk.open("/webhooks")
    yield "webhooks-not-in-plan"
    await walk.step_back(administrator_session)
    await give_webhooks(walk, customer_url)
    await walk.step_back(customer_session)
    await walk.open("/webhooks")
    yield "webhooks-none"
    await page.get_by_label("Name").fill("x")
    await page.get_by_label("Address").fill("ftp://hooks.example/tollway")
    await page.get_by_role("button", name="Make the webhook").click()
    await page.locator(".field-error").wait_for()
    yield "webhooks-refused"
    await page.get_by_label("Name").fill("Results to the warehouse of the third floor, which has a long name")
    await page.get_by_label("Address").fill(ADDRESS)
    await page.get_by_role("button", name="Make the webhook").click()
    await page.locator("#made-secret").wait_for()
    yield "webhook-made"
    await walk.follow(page.get_by_role("link", name="Results to the warehouse"))
    yield "webhook"
    await page.get_by_role("button", name="Send a test").click()
    await page.get_by_text("The test did not get through.").wait_for()
    yield "webhook-tested"
    await page.get_by_role("button", name="Rotate the secret").click()
    await page.locator("#made-secret").wait_for()
    yield "webhook-rotated"
    await walk.open("/webhooks")
    await page.get_by_role("button", name="Show the secret").click()
    await page.locator("#signing-secret").wait_for()
    yield "webhooks-signing-secret"
    await walk.open("/webhooks")
    await walk.follow(page.get_by_role("link", name="Results to the warehouse"))
    await walk.follow(page.get_by_role("link", name="Delete"))
    yield "webhook-delete-asked"
    await walk.step_back(administrator_session)


async def give_webhooks(administrator: Walk, customer_url: str) -> None:
    """Grant a customer webhooks beyond its plan."""
    page = administrator.page
    await administrator.open(f"{customer_url}/limits")
    await page.locator("#field-kind").select_option("grant")
    await page.locator("#field-subject").select_option("feature:webhooks")
    await page.get_by_label("Amount").fill("1")
    await page.get_by_label("Reason").fill("They try out webhooks")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("status").wait_for()
