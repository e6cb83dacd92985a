"""The same way with no script: everything can be read, every form can be sent."""

import json

import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.walks import walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]

RELOADS_MAX = 60


async def test_from_the_front_page_to_the_results_without_a_script(
    browser: Browser, product: Product
) -> None:
    async with walking(browser, product.url, java_script_enabled=False) as walk:
        page, email = walk.page, new_address("plain")

        await walk.open("/")
        await page.get_by_role("button", name="Run 20,000 iterations").click()
        await expect(page.locator("#demo-result figure.histogram")).to_be_visible()

        await walk.sign_up(email)
        await walk.verify(email)
        await page.get_by_role("button", name="Reveal").click()
        await expect(page.locator("#secret-text")).to_contain_text("mc_test_")
        await expect(page.locator("#secret-text")).not_to_contain_text("…")

        model = await walk.use_sample("Portfolio risk")
        await page.get_by_text("1 cell that looks like an assumption").click()
        await page.get_by_role("button", name="Add Amount invested").click()
        added = page.get_by_label("Input 4: distribution")
        await expect(added).to_be_visible()
        await added.fill("uniform(900000, 1100000)")

        await page.get_by_label("Input 1: distribution").fill("triangular(9, 1, 2)")
        await page.get_by_role("button", name="Run", exact=True).click()
        await expect(page.locator(".field-error")).to_contain_text("low must be below high")
        await expect(added).to_have_value("uniform(900000, 1100000)")
        await page.get_by_label("Input 1: distribution").fill("triangular(0.05, 0.15, 0.35)")
        run = await walk.run(20_000)

        for _ in range(RELOADS_MAX):
            if await page.get_by_text("Completed").count():
                break
            # The page reloads itself every three seconds; a person may be faster.
            await page.reload()
        await expect(page.locator("#output-1 figure.histogram")).to_be_visible()
        await expect(page.locator("#output-1 .statistics")).to_contain_text("Mean")
        await page.locator("#output-1").get_by_text("View as table").first.click()
        await expect(page.locator("#output-1").get_by_text("Percentile 50")).to_be_visible()
        for file_format in ("json", "xlsx"):
            answer = await page.context.request.get(f"{walk.url}{run}/download/{file_format}")
            assert answer.ok
            if file_format == "json":
                assert json.loads(await answer.text())["results"]

        await walk.open(model)
        await page.get_by_role("link", name="Delete").click()
        await page.get_by_role("button", name="Delete").click()
        await expect(page.get_by_text("No model yet")).to_be_visible()

        await page.get_by_label("Your account").click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("You are signed out.")).to_be_visible()
        assert not walk.complaints
