"""Every page, in every window and colours: nothing axe knows of, nothing wider than the window, nothing complained."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import urldefrag

import pytest
from playwright.async_api import Browser
from tests.journeys import tour
from tests.journeys.conftest import Product
from tests.journeys.walks import VIEWS, WIDE, View, Walk, walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]

EXTREMES = [view for view in VIEWS if view.name in ("dark", "light-320")]
PROBLEMS = Path(__file__).parents[2] / "docs" / "problems"


async def faults_of(
    browser: Browser, url: str, chapter: tour.Chapter, views: Sequence[View] = VIEWS
) -> list[str]:
    """Walk a chapter and return what is wrong with its pages, by page and view."""
    faults = []
    async with walking(browser, url, motion="reduce") as walk:
        async for name in chapter(walk):
            for view in views:
                await walk.look(view)
                faults += [f"{name}, {view.name}: {fault}" for fault in await walk.faults()]
            await walk.look(WIDE)
    return faults


async def test_every_page_is_sound_in_every_window_and_colours(browser: Browser, product: Product) -> None:
    async with walking(browser, product.url) as walk:
        guides = await tour.find_guides(walk)
    assert "/docs/integration" in guides
    codes = [f"/docs/problems/{path.stem}" for path in PROBLEMS.glob("*.md")]
    # Axe is what takes long: chapters are walked at once, as far as there are processors.
    found = await asyncio.gather(
        *(
            faults_of(browser, product.url, chapter)
            for chapter in (tour.customer, tour.visitor, tour.newcomer, tour.documents(guides))
        ),
        # One template draws them all, and the guides: what differs between them shows where it is narrowest.
        faults_of(browser, product.url, tour.documents(codes), EXTREMES),
    )
    faults = [fault for faults in found for fault in faults]
    assert not faults, "\n".join(faults)


async def test_results_are_sound_in_forced_colours_and_without_motion(
    browser: Browser, product: Product
) -> None:
    async with walking(browser, product.url, motion="reduce", forced_colors="active") as walk:
        email = tour.new_address("forced")
        await walk.sign_up(email)
        await walk.verify(email)
        await walk.use_sample("Portfolio risk")
        await walk.run(5_000)
        await walk.wait_for_results()
        faults = await walk.faults()
        invisible = await walk.page.evaluate(
            """() => [...document.querySelectorAll(".bin, .cumulative, .legend svg, .meter .fill")]
              .map(one => getComputedStyle(one))
              .filter(style => style.forcedColorAdjust === "none" && style.fill === "rgb(255, 255, 255)").length"""
        )
        moving = await walk.page.evaluate(
            "document.getAnimations().filter(one => one.effect.getTiming().duration > 1).length"
        )
    assert not faults
    assert not invisible
    assert not moving


async def test_no_link_leads_nowhere(browser: Browser, product: Product) -> None:
    """Follow every link of our own, from the front page and from the dashboard of a customer with a result."""
    async with walking(browser, product.url) as walk:
        email = tour.new_address("links")
        await walk.sign_up(email)
        await walk.verify(email)
        await walk.use_sample("Portfolio risk")
        await walk.run(1_000)
        await walk.wait_for_results()
        broken = [broken async for broken in _broken_links(walk, ["/", "/dashboard", "/runs", "/models"])]
    assert not broken


async def _broken_links(walk: Walk, starts: list[str]) -> AsyncIterator[str]:
    seen, waiting = set(starts), list(starts)
    while waiting:
        path = waiting.pop()
        answer = await walk.page.context.request.get(walk.url + path, headers={"Accept": "text/html"})
        if not answer.ok:
            yield f"{path}: {answer.status}"
        if "text/html" not in answer.headers.get("content-type", ""):
            continue
        links = await walk.page.evaluate(LINKS_OF, await answer.text())
        for link in islice(links, 500):
            target = urldefrag(link.removeprefix(walk.url)).url
            # Mails of others, and pages that lists lead to without end.
            if target.startswith("/") and target not in seen and not target.startswith("/outbox"):
                seen.add(target)
                waiting.append(target)


LINKS_OF = """text => [...new DOMParser().parseFromString(text, "text/html").querySelectorAll("a[href]")]
  .map(link => link.getAttribute("href")).filter(href => href.startsWith("/") && href !== "/verify")"""
