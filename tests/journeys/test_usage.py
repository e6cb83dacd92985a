"""Calls by key are seen as they come, counted, explained and taken along."""

import csv
import io
import re

import httpx
import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.tour_administration import sign_in_as_administrator
from tests.journeys.walks import VIEWS, WIDE, Walk, walking
from tests.metering.calls import RUN, UPLOAD
from tests.simulation.workbooks import portfolio

from tollway.demo import (
    ADMINISTRATOR_EMAIL,
    ADMINISTRATOR_PASSWORD,
    ADMINISTRATOR_SECRET,
    CUSTOMER_EMAIL,
    CUSTOMER_PASSWORD,
)

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]
ARRIVES_MS_MAX = 10_000


async def call(walk: Walk, method: str, path: str, secret: str, **content: object) -> httpx.Response:
    """Call the API from elsewhere, as a program of the customer's does."""
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(base_url=walk.url) as client:
        return await client.request(method, path, headers=headers, **content)  # type: ignore[arg-type]


@pytest.mark.promise("A15")
async def test_calls_arrive_in_the_live_tail_and_in_the_meter(walk: Walk) -> None:
    page, email = walk.page, new_address("usage")
    await walk.sign_up(email)
    await walk.verify(email)
    await page.get_by_role("button", name="Reveal").click()
    secret = (await page.get_by_text(re.compile(r"^mc_test_\w{32}$")).first.inner_text()).strip()

    # Live: a call appears by itself, and none while the tail is paused.
    await walk.open("/requests?mode=test")
    await page.get_by_text("No test requests yet").wait_for()
    await page.get_by_role("link", name="Live tail").click()
    await page.get_by_text("Watching", exact=True).wait_for()
    rows = page.locator("[data-live-rows] tr")
    uploaded = await call(walk, "POST", UPLOAD, secret, files={"file": ("portfolio.xlsx", portfolio())})
    assert uploaded.status_code == 201
    await expect(rows).to_have_count(1, timeout=ARRIVES_MS_MAX)
    await expect(rows.first).to_contain_text("201")
    await page.get_by_role("button", name="Pause").click()
    await page.get_by_text("Paused", exact=True).wait_for()
    refused = await call(walk, "GET", f"{RUN}/sim_unknown/results", secret)
    assert refused.status_code == 404
    await expect(rows).to_have_count(1)
    # Going on, it brings what came meanwhile.
    await page.get_by_role("button", name="Pause").click()
    await expect(rows).to_have_count(2, timeout=ARRIVES_MS_MAX)
    await expect(rows.first).to_contain_text("run-not-found")
    assert await walk.faults() == []

    # Chosen by the form, it stands in the address; its page says why, and where to read on.
    await page.get_by_role("link", name="Stop the tail").click()
    await page.get_by_label("Status").select_option("refused")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.wait_for_url("**/requests?*status=refused*")
    assert await page.locator("[data-call]").count() == 1
    await page.locator("[data-call] a").click()
    await page.get_by_role("heading", name="Why it was refused").wait_for()
    await page.get_by_text(refused.headers["X-Trace-ID"]).wait_for()
    await walk.follow(page.get_by_role("link", name="What to do: run-not-found"))

    # As a file.
    await walk.open("/requests?mode=test")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download CSV").click()
    file = await (await download.value).path()
    lines = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"), newline="")))
    assert {(line["method"], line["status_code"], line["units"]) for line in lines} == {
        ("POST", "201", "1"),
        ("GET", "404", "0"),
    }

    # In the meter.
    await walk.open("/usage?mode=test")
    await expect(page.locator(".big-figure")).to_have_text("1 of 100 included, 1%")
    endpoint = page.get_by_role("link", name=UPLOAD, exact=True)
    await endpoint.click()
    await page.wait_for_url("**/requests?*endpoint=*")
    assert await page.locator("[data-call]").count() == 1


async def test_without_script_the_log_is_read_chosen_and_followed(browser: Browser, product: Product) -> None:
    async with walking(browser, product.url, java_script_enabled=False) as walk:
        page, email = walk.page, new_address("usage-bare")
        await walk.sign_up(email)
        await walk.verify(email)
        await walk.use_sample("Portfolio risk")
        await walk.open("/requests?mode=test&live=1")
        await page.get_by_text("The page loads again every five seconds.").wait_for()
        assert await page.get_by_role("button", name="Pause").count() == 0
        await page.get_by_role("link", name="Stop the tail").click()
        await page.get_by_label("Method").select_option("POST")
        await page.get_by_role("button", name="Show", exact=True).click()
        await page.locator("[data-call] a").first.click()
        await page.get_by_role("heading", name="What the log has").wait_for()


async def test_on_a_narrow_screen_what_was_found_comes_first(browser: Browser, product: Product) -> None:
    async with walking(browser, product.url) as walk:
        page = walk.page
        await walk.sign_in(CUSTOMER_EMAIL, CUSTOMER_PASSWORD)
        await page.wait_for_url("**/dashboard")
        await walk.open("/requests?mode=test&status=limited")
        status, fold = page.get_by_label("Status"), page.locator("summary", has_text="Choose requests")
        await expect(status).to_be_visible()
        await expect(fold).not_to_be_visible()
        for view in VIEWS:
            await walk.look(view)
            if view.width < WIDE.width:
                await expect(fold).to_contain_text("1 chosen")
                await expect(status).not_to_be_visible()
                await expect(page.locator("[data-call]").first).to_be_in_viewport()
        await fold.click()
        await status.select_option("succeeded")
        await page.get_by_role("button", name="Show", exact=True).click()
        await page.wait_for_url("**/requests?*status=succeeded*")
        await expect(status).not_to_be_visible()
        # What cannot be read is shown with the form that it was written in.
        await walk.open("/requests?mode=test&from=someday")
        await expect(status).to_be_visible()
        assert await walk.faults() == []


async def test_the_periods_of_the_administration_stand_in_one_line(
    browser: Browser, product: Product
) -> None:
    async with walking(browser, product.url) as walk:
        page = walk.page
        await sign_in_as_administrator(
            walk, ADMINISTRATOR_EMAIL, ADMINISTRATOR_PASSWORD, ADMINISTRATOR_SECRET
        )
        await walk.open("/admin/usage")
        for view in VIEWS:
            await walk.look(view)
            links = await page.get_by_role("navigation", name="Period").get_by_role("link").all()
            boxes = [await link.bounding_box() for link in links]
            assert len(boxes) == 5
            assert len({box["y"] for box in boxes if box}) == 1, view.name
            assert {box["height"] for box in boxes if box} == {28}, "no words are broken"
            assert await walk.faults(()) == []
