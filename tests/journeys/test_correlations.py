"""Correlations typed with the keyboard alone, with a script and without, and read on the run's page."""

import pytest
from playwright.async_api import expect
from tests.journeys.tour import new_address
from tests.journeys.walks import Walk

from tollway.simulation.samples import SAMPLES

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys")]


async def test_pairs_are_added_and_removed_by_keyboard_and_shown_with_the_results(walk: Walk) -> None:
    email, page = new_address("pairs"), walk.page
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.use_sample(SAMPLES["portfolio"].title)
    await expect(page.get_by_role("heading", name="Correlations")).to_be_visible()

    # The spare row is there; Enter on the button goes to it, Tab walks through its fields.
    await page.get_by_role("button", name="Add a pair").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Correlation 1: first input")).to_be_focused()
    first, second = [await page.get_by_label(f"Input {row}: cell").input_value() for row in (1, 2)]
    for text in (first, second, "0.6"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Remove correlation 1")).to_be_focused()

    # Another one, taken away again.
    await page.get_by_role("button", name="Add a pair").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Correlation 2: first input")).to_be_focused()
    await page.keyboard.type(second)
    await page.get_by_role("button", name="Remove correlation 2").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Correlation 2: first input")).to_have_value("")
    await expect(page.get_by_label("Correlation 3: first input")).to_have_count(0)
    assert await page.locator("#marked-inputs option").count() >= 2

    await page.get_by_label("Sampling").select_option("sobol")
    await walk.run(5_000)
    await walk.wait_for_results()
    used = page.get_by_role("region", name="Correlations of this run, scrollable")
    await expect(used).to_contain_text(first)
    await expect(used).to_contain_text("0.6")
    await expect(page.locator("main")).to_contain_text(
        "Sobol; the standard error shown is that of chance alone"
    )
    assert not walk.complaints
