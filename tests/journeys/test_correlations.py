"""Correlations typed into the matrix with the keyboard alone, told to be impossible, and read on the run's page."""

import pytest
from playwright.async_api import Locator, expect
from tests.journeys.tour import new_address
from tests.journeys.walks import AXE_RULES, Walk

from tollway.simulation.samples import SAMPLES

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]


async def test_the_matrix_is_edited_by_keyboard_says_what_is_impossible_and_is_sent_as_pairs(
    walk: Walk,
) -> None:
    email, page = new_address("matrix"), walk.page
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.use_sample(SAMPLES["portfolio"].title)
    matrix = page.get_by_role("grid", name="Correlations between inputs")

    def cell(row: int, column: int) -> Locator:
        return matrix.locator(f'[data-place="{row} {column}"]')

    # One tab stop; a digit begins to edit, Enter ends it, and the other half follows.
    await page.get_by_role("button", name="Pairs").focus()
    await page.keyboard.press("Tab")
    await expect(cell(0, 1)).to_be_focused()
    await page.keyboard.type("0.6")
    await page.keyboard.press("Enter")
    await expect(cell(0, 1)).to_be_focused()
    await expect(cell(1, 0)).to_have_text("0.6")

    # Arrows walk, the diagonal is fixed, Escape leaves what was there, and what is no correlation is said.
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.type("5")
    await expect(cell(0, 0)).to_have_text("1")
    for keys in ("End", "ArrowDown", "-", ".", "9", "Escape"):
        await page.keyboard.press(keys)
    await expect(cell(1, 2)).to_have_text("0")
    await page.keyboard.type("-2")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="from -1 to 1")).to_be_visible()
    await page.keyboard.press("Backspace")
    await page.keyboard.type(".5")
    await page.keyboard.press("Enter")
    await expect(cell(2, 1)).to_have_text("-0.5")

    # What all of them together would become is told before the run.
    await page.keyboard.press("ArrowUp")
    await page.keyboard.type("0.9")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="the nearest possible ones")).to_be_visible()
    # Nothing stands half below the bar that stays on top.
    await page.evaluate("scrollTo(0, 0)")
    assert not await walk.faults(AXE_RULES)
    await page.keyboard.press("Delete")
    await expect(page.get_by_role("status").filter(has_text="the nearest possible ones")).to_have_count(0)

    # The pairs say the same, and a run takes them.
    await page.get_by_role("button", name="Pairs").click()
    await expect(page.get_by_label("Correlation 1: from -1 to 1")).to_have_value("0.6")
    await expect(page.get_by_label("Correlation 2: from -1 to 1")).to_have_value("-0.5")
    await walk.run(5_000)
    await walk.wait_for_results()
    used = page.get_by_role("region", name="Correlations of this run, scrollable")
    await expect(used).to_contain_text("0.6")
    await expect(used).to_contain_text("-0.5")
    assert not walk.complaints
