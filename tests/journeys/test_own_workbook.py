"""Somebody with a workbook of their own: upload, mark by clicking and by typing, run, read."""

from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.engine.models import LOANS, PROJECT, VALUATION, ModelCase
from tests.journeys.tour import mark, new_address, write_unsupported
from tests.journeys.walks import Walk

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]


@pytest.fixture
async def customer(walk: Walk) -> Walk:
    """Verified and signed in."""
    email = new_address("own")
    await walk.sign_up(email)
    await walk.verify(email)
    return walk


async def upload(walk: Walk, case: ModelCase, folder: Path) -> None:
    file = folder / f"{case.name}.xlsx"
    case.write(file)
    await walk.upload(file)
    await expect(walk.page.get_by_role("heading", name=case.name, exact=True)).to_be_visible()
    await expect(walk.page.locator(".page-head")).to_contain_text(f"{case.formulas_count:,} formulas")


async def test_cells_are_marked_by_clicking_and_by_typing(customer: Walk, tmp_path: Path) -> None:
    walk, page = customer, customer.page
    await upload(walk, VALUATION, tmp_path)

    # By clicking a number: its row appears with the suggested distribution, and a second click takes it away.
    beta = page.locator("td[data-cell='Assumptions!B14']")
    await beta.click()
    await expect(page.get_by_label("Input 1: cell")).to_have_value("Assumptions!B14")
    await expect(page.locator("[data-rows=input] li").first).to_contain_text("Beta now 1.15")
    await beta.click()
    await expect(page.get_by_label("Input 1: cell")).not_to_have_value("Assumptions!B14")
    await beta.click()

    # From the list of what looks like an assumption.
    await page.get_by_role("button", name="Add Gross margin").click()
    await expect(page.locator("td[data-cell='Assumptions!B4']")).to_have_attribute("aria-selected", "true")

    # By typing a reference, and the numbers of a distribution.
    third = page.locator("[data-rows=input] li").nth(2)
    if not await third.count():
        await page.get_by_role("button", name="Add Revenue today").click()
    await third.get_by_label("cell").fill("assumptions!$b$1")
    await third.get_by_label("kind").select_option("normal")
    await third.get_by_label("mean").fill("1000")
    await third.get_by_label("std").fill("50")
    await expect(page.locator("td[data-cell='Assumptions!B1']")).to_have_attribute("aria-selected", "true")

    # An output by clicking a formula on another sheet, one by its name, one by typing.
    await page.get_by_role("tab", name="Value").click()
    await page.locator("td[data-cell='Value!B8']").click()
    await page.get_by_role("button", name="Value of a share").click()
    await expect(page.get_by_label("Output 2: cell")).to_have_value("Value!B10")

    await walk.run(5_000)
    await walk.wait_for_results()
    await expect(page.locator("#output-1")).to_contain_text("Enterprise value")
    await expect(page.locator("#output-2")).to_contain_text("Value of a share")
    await expect(page.get_by_role("region", name="Inputs of this run, scrollable")).to_contain_text("Beta")
    assert not walk.complaints


@pytest.mark.parametrize("case", [VALUATION, PROJECT, LOANS], ids=lambda case: case.name)
async def test_a_workbook_is_run_with_all_its_inputs(customer: Walk, tmp_path: Path, case: ModelCase) -> None:
    walk, page = customer, customer.page
    await upload(walk, case, tmp_path)
    await mark(walk, case.distributions, case.outputs)
    await walk.run(10_000)
    await walk.wait_for_results()
    await expect(page.locator("figure.histogram")).to_have_count(len(case.outputs))
    await expect(
        page.get_by_role("region", name="Inputs of this run, scrollable").get_by_role("row")
    ).to_have_count(len(case.distributions) + 1)
    await expect(page.get_by_text("10,000 of 10,000")).to_be_visible()
    # What was marked stays with the model.
    await page.get_by_label("Breadcrumb").get_by_role("link", name=case.name).click()
    await expect(page.locator("td.input-cell").first).to_be_attached()
    assert not walk.complaints


async def test_a_file_that_cannot_be_used_says_why_beside_the_field(customer: Walk, tmp_path: Path) -> None:
    walk, page = customer, customer.page
    write_unsupported(tmp_path / "unsupported.xlsx")
    (tmp_path / "notes.txt").write_text("no workbook")
    (tmp_path / "renamed.xlsx").write_text("no workbook")
    walk.refused_on_purpose.add(walk.url + "/models")
    await walk.open("/models/upload")
    for file, reason in (
        ("notes.txt", "only .xlsx and .xlsm are read"),
        ("renamed.xlsx", "not an Excel workbook"),
        ("unsupported.xlsx", "Choose another workbook"),
    ):
        await page.get_by_label("Choose a workbook").set_input_files(tmp_path / file)
        await page.get_by_label("Name").fill("My plan")
        await page.get_by_role("button", name="Upload and read").click()
        await expect(page.locator("#error-file")).to_contain_text(reason)
        await expect(page.get_by_label("Choose a workbook")).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Name")).to_have_value("My plan")
    await expect(page.get_by_role("alert")).to_contain_text("WEBSERVICE")
    await expect(page.get_by_role("alert")).to_contain_text("Sheet1!A2")
    await walk.open("/models")
    await expect(page.get_by_text("No model yet")).to_be_visible()
    assert not walk.complaints


async def test_a_run_is_started_once_however_often_it_is_clicked(customer: Walk) -> None:
    walk, page = customer, customer.page
    await walk.use_sample("Portfolio risk")
    await page.get_by_label("Iterations").fill("50000")
    await page.get_by_role("button", name="Run", exact=True).dblclick()
    await page.wait_for_url("**/runs/sim_*")
    await walk.open("/runs")
    await expect(page.get_by_role("region", name="Runs, scrollable").get_by_role("row")).to_have_count(2)

    # Back leads to the form as it was, and it can be sent again.
    await page.go_back()
    await walk.wait_for_results()
    await page.go_back()
    await page.get_by_role("button", name="Run", exact=True).click()
    await page.wait_for_url("**/runs/sim_*")
    await walk.open("/runs")
    await expect(page.get_by_role("region", name="Runs, scrollable").get_by_role("row")).to_have_count(3)
    assert not walk.complaints


async def test_an_expired_session_leads_to_sign_in_and_back(customer: Walk) -> None:
    walk, page = customer, customer.page
    await walk.open("/dashboard")
    await page.context.clear_cookies()
    await page.get_by_role("button", name="Reveal").click()
    await page.wait_for_url("**/signin")
    await walk.open("/models/upload")
    await page.wait_for_url("**/signin?next=/models/upload")
    assert not walk.complaints
