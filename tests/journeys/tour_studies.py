"""The pages of studies: nothing yet, asked, refused, under way, and with an answer."""

from collections.abc import AsyncIterator

from tests.journeys.tour import new_address
from tests.journeys.walks import Walk


async def studies(walk: Walk) -> AsyncIterator[str]:
    """A customer with a sample model: scenarios, two runs compared, a goal seek."""
    page, email = walk.page, new_address("studies")
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.open("/studies")
    yield "studies-empty"
    await walk.open("/runs/compare")
    yield "compare-nothing"
    model = await walk.use_sample("Portfolio risk")
    await walk.open(f"{model}/scenarios")
    yield "scenarios"
    await page.get_by_label("Scenario 1: change").fill("normal(1)")
    await page.get_by_role("button", name="Run the scenarios").click()
    await page.locator(".field-error").wait_for()
    yield "scenarios-refused"
    await page.get_by_label("Scenario 1: name").fill(
        "A recession that lasts for years, with a name as long as people give"
    )
    await page.get_by_label("Scenario 1: change").fill("0..10")
    await page.get_by_label("Iterations of each").fill("5000")
    await page.get_by_role("button", name="Run the scenarios").click()
    await page.locator("figure.overlay").first.wait_for(timeout=60_000)
    yield "batch"
    await walk.follow(page.get_by_role("link", name="Compare A recession").first)
    yield "comparison"
    await walk.follow(page.get_by_role("link", name="Choose another run"))
    yield "compare-with"
    await walk.open(f"{model}/goal-seek")
    yield "goal-seek-ask"
    await page.get_by_label("Change this cell").fill("Portfolio!B7")
    await page.get_by_label("from").fill("5")
    await page.get_by_label("to", exact=True).fill("2")
    await page.get_by_label("is", exact=True).fill("1,000,000")
    await page.get_by_role("button", name="Seek").click()
    await page.locator(".field-error").wait_for()
    yield "goal-seek-refused"
    await page.get_by_label("from").fill("500,000")
    await page.get_by_label("to", exact=True).fill("2,000,000")
    await page.get_by_role("button", name="Seek").click()
    await page.get_by_role("heading", name="Trials").wait_for(timeout=60_000)
    yield "goal-seek"
    await walk.open("/studies")
    yield "studies"
