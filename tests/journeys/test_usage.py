"""Calls by key are seen as they come, counted, explained and taken along."""

import csv
import io
import re

import httpx
import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.walks import Walk, walking
from tests.metering.calls import RUN, UPLOAD
from tests.simulation.workbooks import portfolio

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
