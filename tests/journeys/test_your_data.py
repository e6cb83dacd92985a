"""An owner fills in the company's details, takes everything away, and erases it."""

import zipfile
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from tests.journeys.conftest import Product
from tests.journeys.tour import new_address
from tests.journeys.walks import VIEWS, WIDE, Walk, walking

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
            assert sum(name.startswith("workbooks/") for name in archive.namelist()) == 1
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

        await walk.sign_up(email, "Back again Ltd")
        await walk.verify(email)
        await expect(page.get_by_text("Back again Ltd").first).to_be_visible()


async def sound(walk: Walk) -> None:
    """Nothing axe knows of, nothing wider than the window, in every window and colours."""
    found = []
    for view in VIEWS:
        await walk.look(view)
        found += [f"{view.name}: {fault}" for fault in await walk.faults()]
    await walk.look(WIDE)
    assert not found, "\n".join(found)
