"""A stranger's first quarter of an hour: from the front page to a result, to the API, out, and in again."""

import io
import json
import re
import shlex
import subprocess
from pathlib import Path

import openpyxl
import pytest
from playwright.async_api import expect
from tests.journeys.tour import SLOW_FORMULAS, mark, new_address
from tests.journeys.walks import Walk, code_in, link_in
from tests.simulation.workbooks import chain

RELOADS_MAX = 100

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]

MEAN, STD = 1_050_000, 21_602
ITERATIONS = 100_000


def number_in(text: str) -> float:
    return float(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


async def statistic(walk: Walk, name: str) -> float:
    """A figure of the first output."""
    row = walk.page.locator("#output-1 .statistics > div").filter(has=walk.page.get_by_text(name, exact=True))
    return number_in(await row.locator("dd").inner_text())


@pytest.mark.promise("A25", "A26", "A29", "A30", "A38", "A44", "A45")
async def test_a_stranger_reaches_a_first_result(walk: Walk) -> None:
    page, email = walk.page, new_address("ines")
    await _try_the_demo(walk)
    await _sign_up_on_the_front_page(walk, email)
    await _verify_by_pasting_the_code(walk, email)
    await _call_the_api_as_pasted(walk)
    run = await _run_the_sample(walk)
    await _read_the_results(walk)
    await _move_the_bounds(walk)
    await _take_the_results_along(walk)

    await page.get_by_role("link", name="Run again").click()
    await expect(page.get_by_label("Seed")).to_have_value("11")
    await expect(page.get_by_label("Input 1: cell")).to_have_value("Portfolio!B4")

    await walk.open("/dashboard")
    await expect(page.get_by_text("4 of 4 done")).to_have_count(0)
    await expect(page.locator(".figures")).to_contain_text("Completed")
    assert f"/runs/{run}" in await page.content()
    assert not walk.complaints


async def _try_the_demo(walk: Walk) -> None:
    page = walk.page
    await walk.open("/")
    await page.get_by_role("link", name="Try it without signing up").click()
    await page.get_by_label("Stress test of a loan book").check()
    await page.get_by_role("button", name="Run 20,000 iterations").click()
    shown = page.locator("#demo-result")
    await expect(shown.locator("figure.histogram")).to_be_visible()
    await expect(shown).to_contain_text("20,000 iterations in")


async def _sign_up_on_the_front_page(walk: Walk, email: str) -> None:
    page = walk.page
    await page.get_by_role("link", name="Get free API access").first.click()
    await page.get_by_label("Work email").fill(email)
    await page.get_by_label("Company").fill("Ines & Töchter 株式会社 \N{ROCKET}")
    await page.get_by_label("What will you use it for?").select_option("Portfolio Risk Analysis")
    await page.get_by_role("button", name="Get Free API Access").click()
    await page.wait_for_url("**/dashboard")
    await expect(page.get_by_label("Mode")).to_contain_text("not verified")
    await expect(page.get_by_label("Tollway").first).to_contain_text("Ines & Töchter 株式会社 \N{ROCKET}")


async def _verify_by_pasting_the_code(walk: Walk, email: str) -> None:
    page = walk.page
    await page.get_by_label("Mode").get_by_role("link", name="Enter the code").click()
    await page.get_by_role("link", name="development outbox").click()
    await page.get_by_role("row").filter(has_text=email).get_by_role("link").click()
    code = code_in(await page.locator("pre.mail").inner_text())
    await page.evaluate("text => navigator.clipboard.writeText(text)", f"Your code: {code[:3]} {code[3:]}")
    await walk.open("/verify")
    await page.get_by_label("Code").focus()
    await page.keyboard.press("Control+v")
    # The sixth digit sends the form.
    await page.wait_for_url("**/dashboard?welcome=1")
    await expect(page.get_by_role("status").filter(has_text="verified")).to_contain_text("14 days")
    await expect(page.locator(".figures")).to_contain_text("14 days left")
    await expect(page.locator(".figures")).to_contain_text("0 of 100")
    await walk.read_mail(email, "Your Monte Carlo API is Ready! \N{ROCKET}")


async def _call_the_api_as_pasted(walk: Walk) -> None:
    page = walk.page
    await walk.open("/dashboard")
    masked = await page.locator("#secret-text").inner_text()
    await page.get_by_role("button", name="Reveal").click()
    await expect(page.locator("#secret-text")).to_have_text(re.compile(r"^mc_test_[0-9A-Za-z]{30,}$"))
    api_key = await page.locator("#secret-text").inner_text()
    assert "…" in masked
    assert masked.endswith(api_key[-4:])
    await page.get_by_role("button", name="Copy code").click()
    pasted = await page.evaluate("navigator.clipboard.readText()")
    assert api_key in pasted
    arguments = shlex.split(pasted.replace("\\\n", " "))
    assert arguments[0] == "curl"
    answer = subprocess.run([*arguments, "--silent", "--fail"], capture_output=True, timeout=30, check=True)
    assert "models" in json.loads(answer.stdout)
    # The call is in the journal; the shipper carries it to where the page reads it.
    for _ in range(RELOADS_MAX):
        await page.reload()
        if await page.get_by_text("2 of 4 done").count():
            break
    await expect(page.get_by_text("2 of 4 done")).to_be_visible()
    await expect(page.get_by_role("table").last).to_contain_text("/monte-carlo-api/models")


async def _run_the_sample(walk: Walk) -> str:
    """Watch 100,000 iterations from the first to the results, without touching the page; return the run's id."""
    page = walk.page
    await page.get_by_role("link", name="Start with a sample workbook").click()
    await page.get_by_role("button", name="Use Portfolio risk").click()
    await page.wait_for_url("**/models/mdl_*")
    await expect(page.get_by_label("Input 1: cell")).to_have_value("Portfolio!B4")
    await expect(page.get_by_label("Iterations")).to_have_value(str(ITERATIONS))
    run = await walk.run(ITERATIONS, seed=11)
    await walk.wait_for_results()
    return run.removeprefix("/runs/")


async def _read_the_results(walk: Walk) -> None:
    mean, std = await statistic(walk, "Mean"), await statistic(walk, "Std. deviation")
    error = STD / ITERATIONS**0.5
    assert abs(mean - MEAN) < 4 * error
    assert abs(std - STD) < 4 * STD / (2 * ITERATIONS) ** 0.5
    assert await statistic(walk, "P5") < await statistic(walk, "Median") < await statistic(walk, "P95")
    await expect(walk.page.locator("#output-1")).to_contain_text("Half of all outcomes lie below 1,0")


async def _move_the_bounds(walk: Walk) -> None:
    page, chart = walk.page, walk.page.locator("#output-1 .histogram")
    share, low = chart.locator("output"), chart.get_by_label("Lower bound of Portfolio value")
    await expect(share).to_have_text("90.0% of outcomes")
    await low.focus()
    await page.keyboard.press("PageUp")
    await expect(share).not_to_have_text("90.0% of outcomes")
    await expect(low).to_have_attribute("aria-valuetext", re.compile(r"M, \d+\.\d% below"))
    await chart.get_by_label("From").fill(str(MEAN))
    await chart.get_by_label("to", exact=True).fill(str(MEAN + STD))
    # One standard deviation on one side of a distribution that is nearly normal.
    await expect(share).to_have_text(re.compile(r"^3[3-5]\.\d% of outcomes$"))
    table = chart.get_by_text("View as table")
    await table.click()
    await expect(chart.get_by_role("row").filter(has_text="Percentile 50")).to_contain_text("1.05")


async def _take_the_results_along(walk: Walk) -> None:
    page = walk.page
    mean = await statistic(walk, "Mean")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="JSON").click()
    told = json.loads((await _saved(await started.value)).decode())
    (first, *_) = told["results"].values()
    assert round(first["statistics"]["mean"]) == mean
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Excel").click()
    book = openpyxl.load_workbook(io.BytesIO(await _saved(await started.value)))
    cells = [cell.value for sheet in book for row in sheet for cell in row]
    assert any(isinstance(value, float) and round(value) == mean for value in cells)
    assert any(sheet._charts for sheet in book)
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Report", exact=True).click()
    assert (await _saved(await started.value)).startswith(b"%PDF-")


async def _saved(download) -> bytes:
    assert await download.failure() is None
    return Path(await download.path()).read_bytes()


async def test_a_long_run_is_watched_and_cancelled_and_keeps_what_was_done(
    walk: Walk, tmp_path: Path
) -> None:
    page, email = walk.page, new_address("long")
    (tmp_path / "chain.xlsx").write_bytes(chain(SLOW_FORMULAS))
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.upload(tmp_path / "chain.xlsx")
    await mark(walk, {"Chain!B1": "normal(1, 0.1)"}, [f"Chain!C{SLOW_FORMULAS}"])
    await walk.run(ITERATIONS)

    bar = page.get_by_role("progressbar", name="Progress of the run")
    await expect(bar).to_have_attribute("aria-valuenow", re.compile("^[1-9]"), timeout=30_000)
    before = int(await bar.get_attribute("aria-valuenow") or 0)
    await expect(page.locator("figure.histogram")).to_be_visible()
    await expect(bar).not_to_have_attribute("aria-valuenow", str(before), timeout=30_000)
    assert int(await bar.get_attribute("aria-valuenow") or 0) > before

    await page.get_by_role("button", name="Cancel run").click()
    await walk.wait_for_results("Cancelled")
    await expect(page.get_by_role("status").filter(has_text="cancelled")).to_contain_text(
        "of 100,000 iterations"
    )
    assert await statistic(walk, "Std. deviation") > 0
    await expect(page.get_by_role("link", name="Excel")).to_be_visible()
    assert not walk.complaints


async def test_signing_out_and_in_again_by_link_by_code_and_by_password(walk: Walk) -> None:
    page, email = walk.page, new_address("again")
    await walk.sign_up(email)
    await walk.verify(email)

    await _sign_out(walk)
    await walk.open("/models")
    await page.wait_for_url("**/signin?next=/models")
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Mail me a sign-in link").click()
    await expect(page.get_by_role("link", name="Open the development outbox")).to_be_visible()
    mail = await walk.read_mail(email, "Your sign-in link")
    await page.goto(link_in(mail, "/signin/link"))
    await page.get_by_role("main").get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/dashboard")

    await walk.open("/password")
    await page.get_by_label("New password").fill("correct horse battery staple")
    await page.get_by_role("button", name="Save password").click()
    await expect(page.get_by_role("status").filter(has_text="saved")).to_be_visible()

    await _sign_out(walk)
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill("correct horse battery staple")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.wait_for_url("**/dashboard")
    assert not walk.complaints


async def test_signing_in_by_the_mailed_code(walk: Walk) -> None:
    page, email = walk.page, new_address("code")
    await walk.sign_up(email)
    await walk.verify(email)
    await _sign_out(walk)
    await page.get_by_label("Email").fill(email)
    await page.get_by_role("button", name="Mail me a sign-in link").click()
    await page.get_by_role("heading", name="Check your mail").wait_for()
    code = code_in(await walk.read_mail(email, "Your sign-in link"))
    await page.get_by_label("Or type the code from that mail").fill(code)
    await page.get_by_role("button", name="Sign in with the code").click()
    await page.wait_for_url("**/dashboard")
    assert not walk.complaints


async def _sign_out(walk: Walk) -> None:
    await walk.page.get_by_label("Your account").click()
    await walk.page.get_by_role("button", name="Sign out").click()
    await expect(walk.page.get_by_role("status").filter(has_text="signed out")).to_be_visible()
