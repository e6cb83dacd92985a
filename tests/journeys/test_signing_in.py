"""A second factor, recovery codes, sessions that are ended, and a password that was forgotten."""

import psycopg
import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.walks import Walk, link_in, walking

from tollway.authentication.entities import totp_code
from tollway.kit.clock import read_now
from tollway.kit.embedded import EmbeddedPostgres

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]

PASSWORD = "correct horse battery staple"
ANOTHER = "a staple that no horse would choose"


@pytest.mark.promise("C23")
async def test_a_second_factor_is_set_up_asked_for_and_replaced_by_a_recovery_code(walk: Walk) -> None:
    page, email = walk.page, new_address("fay")
    await walk.sign_up(email)
    await walk.verify(email)
    await _choose_password(walk)
    secret, recovery_codes = await _set_up(walk)

    await walk.sign_out()
    await walk.sign_in(email, PASSWORD)
    await expect(page.get_by_role("heading", level=1)).to_have_text("One more step")
    # The password alone opens nothing.
    await walk.open("/dashboard")
    await page.wait_for_url("**/signin?next=/dashboard")
    await walk.open("/signin/second-factor")
    await walk.show_factor(secret)
    await walk.open("/dashboard")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    await walk.sign_out()
    await walk.sign_in(email, PASSWORD)
    await _enter_code(walk, recovery_codes[0])
    await page.wait_for_url("**/dashboard")
    await walk.open("/security")
    await expect(page.get_by_role("main")).to_contain_text("9 recovery codes left")
    await walk.sign_out()
    await walk.sign_in(email, PASSWORD)
    await _enter_code(walk, recovery_codes[0])
    await expect(page.locator(".field-error")).to_be_visible()
    assert not walk.complaints


async def _choose_password(walk: Walk) -> None:
    await walk.open("/password")
    await walk.page.get_by_label("New password").fill(PASSWORD)
    await walk.page.get_by_role("button", name="Save password").click()
    await walk.page.get_by_role("status").filter(has_text="saved").wait_for()


async def _set_up(walk: Walk) -> tuple[str, list[str]]:
    """Set up a second factor from the secret that the page shows; return it and the recovery codes."""
    page = walk.page
    await walk.open("/security")
    await page.get_by_role("link", name="Set up").click()
    await page.get_by_role("button", name="Set it up").click()
    secret = (await page.locator("main code").inner_text()).replace(" ", "")
    await page.get_by_label("The code that the app shows now").fill(totp_code(secret, read_now()))
    await page.get_by_role("button", name="Turn it on").click()
    await page.get_by_role("heading", name="Your recovery codes").wait_for()
    codes = (await page.locator("#recovery-codes").inner_text()).split()
    assert len(codes) == 10
    return secret, codes


async def _enter_code(walk: Walk, code: str) -> None:
    await walk.page.get_by_label("Code").fill(code)
    await walk.page.get_by_role("main").get_by_role("button", name="Sign in").click()


async def test_another_browsers_session_is_listed_and_ended(browser: Browser, product: Product) -> None:
    email = new_address("gus")
    async with walking(browser, product.url) as here, walking(browser, product.url) as there:
        await here.sign_up(email)
        await here.verify(email)
        await _choose_password(here)
        await there.sign_in(email, PASSWORD)
        await there.page.wait_for_url("**/dashboard")
        await here.open("/security")
        sessions = here.page.get_by_role("region", name="Sessions, scrollable").get_by_role("row")
        await expect(sessions).to_have_count(3)
        await expect(sessions.filter(has_text="This one")).to_have_count(1)
        await here.page.get_by_role("button", name="End the session from").click()
        await expect(here.page.get_by_role("status").first).to_be_visible()
        await expect(sessions).to_have_count(2)
        await there.open("/dashboard")
        await there.page.wait_for_url("**/signin?next=/dashboard")
        await here.open("/dashboard")
        await expect(here.page.get_by_role("heading", level=1)).to_have_text("Overview")
        assert not here.complaints
        assert not there.complaints


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(walk: Walk) -> None:
    page, email = walk.page, new_address("hal")
    await walk.sign_up(email)
    await walk.verify(email)
    await _choose_password(walk)
    await walk.sign_out()
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Mail me a link").click()
    await page.get_by_role("heading", name="Check your mail").wait_for()
    link = link_in(await walk.read_mail(email, "password"), "/password/reset")
    await page.goto(link)
    assert not await walk.faults_in()
    await page.get_by_label("New password").fill(ANOTHER)
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("status").first).to_be_visible()
    await walk.sign_in(email, PASSWORD)
    await expect(page.get_by_role("alert")).to_be_visible()
    await walk.sign_in(email, ANOTHER)
    await page.wait_for_url("**/dashboard")
    await page.goto(link)
    await expect(page.get_by_label("New password")).to_have_count(0)
    assert not walk.complaints


async def test_an_address_is_changed_once_the_link_in_the_mail_to_it_is_opened(walk: Walk) -> None:
    page, email, other = walk.page, new_address("ida"), new_address("ida-new")
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.open("/profile")
    await page.get_by_label("New address").fill(other)
    await page.get_by_role("button", name="Mail the link").click()
    await page.get_by_role("status").first.wait_for()
    await page.goto(link_in(await walk.read_mail(other, ""), "/profile/email/confirm"))
    assert not await walk.faults_in()
    await page.get_by_role("main").get_by_role("button").click()
    await walk.open("/profile")
    await expect(page.get_by_role("main")).to_contain_text(other)
    assert not walk.complaints


async def test_what_is_grave_asks_again_who_it_is_after_a_quarter_of_an_hour(
    walk: Walk, product: Product
) -> None:
    page, email = walk.page, new_address("jan")
    await walk.sign_up(email)
    await walk.verify(email)
    await _choose_password(walk)
    with psycopg.connect(EmbeddedPostgres(product.folder / "postgres").url) as connection:
        connection.execute(
            "UPDATE user_sessions SET proven_at = now() - interval '16 minutes'"
            " WHERE user_id = (SELECT id FROM users WHERE email = %s)",
            [email],
        )
    await walk.open("/team")
    await walk.open("/data/erase")
    await page.wait_for_url("**/signin/again?next=/data/erase")
    assert not await walk.faults_in()
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Go on").click()
    await page.locator(".field-error").wait_for()
    assert not await walk.faults_in()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Go on").click()
    await page.wait_for_url("**/data/erase")
    assert not walk.complaints
