"""An owner fills in the company's details, takes everything away, and erases it."""

import io
import json
import zipfile
from pathlib import Path

import httpx
import openpyxl
import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.tour_teams import make_key
from tests.journeys.walks import Walk, walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(180)]

RELOADS_MAX = 100


@pytest.mark.promise("C37")
async def test_everything_is_exported_and_then_erased(
    browser: Browser, product: Product, tmp_path: Path
) -> None:
    async with walking(browser, product.url, motion="reduce") as walk:
        page, email = walk.page, new_address("leaving")
        await walk.sign_up(email, "Leaving Ltd")
        await walk.verify(email)
        await walk.use_sample("Portfolio risk")
        key = await make_key(walk, "Reports")
        assert (await call(product, key)).status_code == 200

        await walk.open("/dashboard")
        await page.get_by_label("your account").click()
        await page.get_by_role("link", name="Company").click()
        await page.get_by_label("Street and number").fill("1 High Street")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("2 things need another look.")).to_be_visible()
        await sound(walk)
        await page.get_by_label("Town or city").fill("London")
        await page.get_by_label("Country").select_option("GB")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("The details are saved.")).to_be_visible()

        await page.get_by_label("your account").click()
        await page.get_by_role("link", name="Your data").click()
        await page.get_by_role("button", name="Make an export").click()
        await expect(page.get_by_text("The export is being made.")).to_be_visible()
        for _ in range(RELOADS_MAX):
            if await page.get_by_role("link", name="Download").count():
                break
            await walk.open("/data")
        await sound(walk)
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name="Download").click()
        await (await downloading.value).save_as(tmp_path / "export.zip")
        with zipfile.ZipFile(tmp_path / "export.zip") as archive:
            assert archive.testzip() is None
            assert b"1 High Street" in archive.read("company.json")
            assert b"Leaving Ltd" in archive.read("README.txt")
            assert email in archive.read("people.csv").decode()
            assert json.loads(archive.read("models.json"))
            (workbook,) = (name for name in archive.namelist() if name.startswith("workbooks/"))
            assert openpyxl.load_workbook(io.BytesIO(archive.read(workbook))).sheetnames == [
                "Portfolio",
                "Notes",
            ]
            assert not any(key.encode() in archive.read(name) for name in archive.namelist())
        assert "/data" in await walk.read_mail(email, "Your export is ready")

        await page.get_by_role("link", name="Erase everything").click()
        await page.get_by_label("The company’s name").fill("Leaving")
        await page.get_by_role("button", name="Erase everything").click()
        await expect(page.get_by_role("alert")).to_contain_text("Leaving Ltd")
        await sound(walk)
        await page.get_by_label("The company’s name").fill("Leaving Ltd")
        await page.get_by_role("button", name="Erase everything").click()
        await expect(page.get_by_role("heading", name="Everything was erased")).to_be_visible()
        await sound(walk)
        await walk.open("/dashboard")
        assert walk.path.startswith("/signin?")
        assert (await call(product, key)).status_code == 401

        await walk.sign_up(email, "Back again Ltd")
        await walk.verify(email)
        await expect(page.get_by_text("Back again Ltd").first).to_be_visible()


async def call(product: Product, key: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=product.url) as program:
        return await program.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {key}"})


async def sound(walk: Walk) -> None:
    """Nothing axe knows of, nothing wider than the window, in every window and colours."""
    found = await walk.faults_in()
    assert not found, "\n".join(found)
