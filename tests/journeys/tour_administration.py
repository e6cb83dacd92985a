"""Every page of the administration, and a customer's pages while it is suspended or looked at."""

from collections.abc import AsyncIterator

from tests.journeys.tour import new_address
from tests.journeys.tour_webhooks import webhooks
from tests.journeys.walks import Walk

from tollway.demo import ADMINISTRATOR_EMAIL, ADMINISTRATOR_PASSWORD, ADMINISTRATOR_SECRET

# Longer than a minute together.
RELOADS_MAX = 2_000
# What administrators write, longer than a line of a narrow window.
REASON = "Ticket tic_2: the card that pays was reported stolen, and nobody answers the telephone"


async def administrator(walk: Walk) -> AsyncIterator[str]:
    """The demo administrator at work on a customer that has just come."""
    page, email = walk.page, new_address("customer")
    await walk.sign_up(email, "Versuchsanstalt für Wasserbau & Schiffahrt 株式会社")
    await walk.verify(email)
    await _write_to_support(walk)
    customer_session = await walk.step_aside()
    await sign_in_as_administrator(walk, ADMINISTRATOR_EMAIL, ADMINISTRATOR_PASSWORD, ADMINISTRATOR_SECRET)
    async for name in _rules(walk):
        yield name
    for path, name in (
        ("/admin", "admin"),
        ("/admin/api-customers", "admin-customers"),
        ("/admin/api-customers?search=nobody-at-all", "admin-customers-nothing"),
        ("/admin/usage", "admin-usage"),
        ("/admin/usage?period=day&mode=live", "admin-usage-nothing"),
        ("/admin/settings", "admin-settings"),
        ("/admin/audit", "admin-audit"),
        ("/admin/audit?until=2020-01-01", "admin-audit-nothing"),
        ("/admin/alerts?status=resolved&kind=error_jump", "admin-alerts-nothing"),
        ("/admin/feedback", "admin-feedback"),
        ("/admin/tickets", "admin-tickets"),
    ):
        await walk.open(path)
        yield name
    await walk.follow(page.get_by_role("row").filter(has_text="Uploads end").get_by_role("link").first)
    yield "admin-ticket"
    await page.get_by_role("textbox", name="Message").fill(
        "Send smaller ones, or choose a plan that takes more."
    )
    await page.get_by_role("button", name="Send", exact=True).click()
    await page.get_by_role("status").wait_for()
    yield "admin-ticket-answered"
    customer_url = await find_customer(walk, email)
    async for name in _one_customer(walk, customer_url):
        yield name
    async for name in _suspended(walk, customer_url, customer_session):
        yield name
    async for name in webhooks(walk, customer_url, customer_session):
        yield name
    async for name in _in_their_place(walk, customer_url):
        yield name
    async for name in _keys(walk, customer_url):
        yield name
    async for name in _users(walk, email):
        yield name
    async for name in _alerts(walk):
        yield name


async def sign_in_as_administrator(walk: Walk, email: str, password: str, secret: str) -> None:
    """Sign in with both factors, and open the administration."""
    await walk.sign_in(email, password)
    await walk.show_factor(secret)
    await walk.open("/admin")


async def find_customer(walk: Walk, email: str) -> str:
    """Search a customer as an administrator does, open its page, and return its address."""
    await walk.open("/admin/api-customers")
    await walk.page.get_by_label("Search", exact=True).fill(email)
    await walk.page.get_by_role("button", name="Show", exact=True).click()
    await walk.page.get_by_role("row").filter(has_text=email).get_by_role("link").click()
    await walk.page.wait_for_url("**/admin/api-customers/cus_*")
    return walk.path


async def say_why(walk: Walk, button: str, reason: str = REASON) -> None:
    """Fill in the reason of a page that asks before it does something, and press its button."""
    await walk.page.get_by_label("Reason").fill(reason)
    await walk.page.get_by_role("main").get_by_role("button", name=button).click()


async def _write_to_support(walk: Walk) -> None:
    page = walk.page
    await walk.open("/support")
    await page.get_by_label("Topic").select_option("integration")
    await page.get_by_label("What is it about?").fill("Uploads end with 413")
    await page.get_by_role("textbox", name="Message").fill("Since this morning.")
    await page.get_by_role("button", name="Open the ticket").click()
    await page.get_by_text("A person answers by").wait_for()
    await walk.open("/support")
    await page.get_by_label("Which part of Tollway?").fill("The histogram")
    await page.get_by_label("Rating").select_option("5")
    await page.locator("form[action='/support/feedback'] textarea").fill("Clear at a glance.")
    await page.locator("form[action='/support/feedback'] button").click()
    await page.get_by_role("status").wait_for()


async def _rules(walk: Walk) -> AsyncIterator[str]:
    """Make a rule ask for what is so on every machine: within a minute the worker opens an alert by it."""
    page = walk.page
    await walk.open("/admin/alerts/rules")
    yield "admin-alert-rules"
    await walk.follow(page.get_by_role("link", name="Disk almost full"))
    await page.get_by_label("Percent in use").fill("0")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("alert").wait_for()
    yield "admin-alert-rule-refused"
    await page.get_by_label("Percent in use").fill("1")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("status").wait_for()
    yield "admin-alert-rules-changed"


async def _alerts(walk: Walk) -> AsyncIterator[str]:
    page = walk.page
    await walk.open("/admin/alerts")
    found = page.get_by_role("link", name="Disk almost full")
    # The pages before took longer than a minute, as a rule.
    for _ in range(RELOADS_MAX):
        if await found.count():
            break
        await page.reload()
    yield "admin-alerts"
    await walk.follow(found.first)
    await page.evaluate("document.querySelector('main form').noValidate = true")
    await page.get_by_role("button", name="Acknowledge").click()
    await page.locator(".field-error").wait_for()
    yield "admin-alert-refused"
    await page.get_by_label("Note").fill(
        "The rule asks for what is so on every machine; it was set back to 90"
    )
    await page.get_by_role("button", name="Acknowledge").click()
    await page.get_by_role("status").wait_for()
    yield "admin-alert-acknowledged"


async def _one_customer(walk: Walk, url: str) -> AsyncIterator[str]:
    page = walk.page
    yield "admin-customer"
    await walk.open(f"{url}/limits")
    yield "admin-limit"
    await page.locator("#field-kind").select_option("override")
    await page.locator("#field-subject").select_option("requests_included")
    await page.get_by_label("Amount").fill("500")
    await say_why(walk, "Save")
    await page.get_by_role("alert").wait_for()
    yield "admin-limit-refused"
    await page.locator("#field-kind").select_option("grant")
    await say_why(walk, "Save")
    await page.get_by_role("status").wait_for()
    yield "admin-customer-adjusted"
    await walk.follow(page.get_by_role("link", name="End adj_"))
    yield "admin-limit-end-asked"


async def _suspended(walk: Walk, url: str, customer_session: list[object]) -> AsyncIterator[str]:
    page = walk.page
    await walk.open(f"{url}/suspend")
    yield "admin-suspend"
    await page.evaluate("document.querySelector('main form').noValidate = true")
    await page.get_by_role("main").get_by_role("button", name="Suspend").click()
    await page.locator(".field-error").wait_for()
    yield "admin-suspend-refused"
    await say_why(walk, "Suspend")
    await page.get_by_role("status").wait_for()
    yield "admin-customer-suspended"
    administrator_session = await walk.step_back(customer_session)
    for path, name in (
        ("/dashboard", "problem-suspended"),
        ("/support", "support-suspended"),
        ("/data", "data-suspended"),
        ("/profile", "profile-suspended"),
    ):
        await walk.open(path)
        yield name
    await walk.step_back(administrator_session)
    await walk.open(f"{url}/reactivate")
    yield "admin-reactivate-asked"
    await say_why(walk, "Reactivate")
    await page.get_by_role("status").wait_for()


async def _in_their_place(walk: Walk, url: str) -> AsyncIterator[str]:
    await walk.open(f"{url}/impersonate")
    yield "admin-impersonate-asked"
    await say_why(walk, "Look")
    await walk.page.wait_for_url("**/dashboard")
    yield "looking-dashboard"
    for path, name in (
        ("/api-keys/manage", "looking-api-keys"),
        ("/team", "looking-team"),
        ("/activity", "looking-activity"),
        ("/support", "looking-support"),
        ("/billing/upgrade", "looking-plan"),
        ("/company", "looking-refused"),
    ):
        await walk.open(path)
        yield name
    await walk.open("/dashboard")
    await walk.page.get_by_role("button", name="Stop").click()
    await walk.page.get_by_role("status").wait_for()


async def _keys(walk: Walk, url: str) -> AsyncIterator[str]:
    page = walk.page
    for path, name in (
        ("/admin/api-keys", "admin-keys"),
        ("/admin/api-keys?search=nothing-like-it", "admin-keys-nothing"),
    ):
        await walk.open(path)
        yield name
    await walk.open(url)
    await page.get_by_role("region", name="API keys").get_by_role("link").first.click()
    await page.wait_for_url("**/admin/api-keys/*")
    key_url = walk.path
    yield "admin-key"
    await walk.open(f"{key_url}/suspend")
    yield "admin-key-suspend-asked"
    await say_why(walk, "Suspend")
    await page.get_by_role("status").wait_for()
    yield "admin-key-suspended"
    for action in ("unsuspend", "revoke"):
        await walk.open(f"{key_url}/{action}")
        yield f"admin-key-{action}-asked"


async def _users(walk: Walk, email: str) -> AsyncIterator[str]:
    page = walk.page
    await walk.open("/admin/users")
    yield "admin-users"
    await page.get_by_label("Search", exact=True).fill(email)
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.get_by_role("row").filter(has_text=email).get_by_role("link").click()
    await page.wait_for_url("**/admin/users/usr_*")
    user_url = walk.path
    yield "admin-user"
    for action in ("type", "sign-out", "disable"):
        await walk.open(f"{user_url}/{action}")
        yield f"admin-user-{action}-asked"
    await say_why(walk, "Disable")
    await page.get_by_role("status").wait_for()
    yield "admin-user-disabled"
    await walk.open(f"{user_url}/enable")
    yield "admin-user-enable-asked"
