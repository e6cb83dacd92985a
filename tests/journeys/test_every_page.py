"""Every page, in every window and colours: nothing axe knows of, nothing wider than the window, nothing complained."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import urldefrag, urlsplit

import pytest
from playwright.async_api import Browser
from tests.journeys import tour, tour_administration, tour_studies, tour_teams
from tests.journeys.conftest import Product
from tests.journeys.walks import NARROW_WHOLE, VIEWS, View, Walk, walking
from tests.mounted import routes_of

from tollway.app import Parts

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(600)]

EXTREMES = [view for view in VIEWS if view.name in ("dark", "light-320")]
NARROWEST = [NARROW_WHOLE._replace(without=())]
# One template draws all pages of error codes: axe looks at so many of them, and a third of the others is looked at for
# what is too wide alone.
CODES_LOOKED_AT = 10
WIDTH_ALONE = [view._replace(rules=()) for view in NARROWEST]
# Confirmations that one template draws, lists without entries, and pages that others see with more on them: what
# differs shows where it is narrowest.
ALIKE_ENDS, ALIKE_BEGINNINGS = ("-asked", "-nothing"), ("viewer-", "looking-")
PROBLEMS = Path(__file__).parents[2] / "docs" / "problems"


@dataclass
class Seen:
    """What a chapter found: faults by page and view, and the addresses of its pages."""

    faults: list[str] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)


async def look_at(
    browser: Browser,
    url: str,
    chapter: tour.Chapter,
    at_once: asyncio.Semaphore,
    known: set[str],
    views: Sequence[View] = VIEWS,
    always: int = 1,
) -> Seen:
    """Walk a chapter and return what was seen.

    Args:
        known: the kinds of elements that were looked at in all of these views, and in the end those of this chapter.
            Where a page has none beyond them, axe would say the same again.
        always: in how many of the first views axe looks at such a page all the same.
    """
    seen = Seen()
    async with at_once, walking(browser, url, motion="reduce") as walk:
        async for name in chapter(walk):
            seen.addresses.add(urlsplit(walk.path).path)
            is_alike = name.endswith(ALIKE_ENDS) or name.startswith(ALIKE_BEGINNINGS)
            wanted = EXTREMES if is_alike else views
            kinds = await walk.kinds()
            if kinds <= known:
                wanted = [*wanted[:always], *(view._replace(rules=()) for view in wanted[always:])]
            known |= kinds
            found = await walk.faults_in(wanted)
            if len(seen.addresses) == 1:
                found += await walk.faults_in([NARROW_WHOLE])
            seen.faults += [f"{name}, {fault}" for fault in found]
    return seen


async def test_every_page_is_sound_in_every_window_and_colours(
    browser: Browser, product: Product, parts: Parts
) -> None:
    async with walking(browser, product.url) as walk:
        guides = await tour.find_guides(walk)
    assert "/docs/integration" in guides
    codes = sorted(f"/docs/problems/{path.stem}" for path in PROBLEMS.glob("*.md"))
    # Axe is what takes long: chapters are walked at once, as far as there are processors.
    at_once = asyncio.Semaphore(max(2, os.cpu_count() or 1))
    known: set[str] = set()
    found = await asyncio.gather(
        *(
            look_at(browser, product.url, chapter, at_once, known)
            for chapter in (
                tour.customer,
                tour_administration.administrator,
                tour.newcomer,
                tour_studies.studies,
                tour_teams.team,
                tour_teams.keys,
                tour.visitor,
                tour.documents(["/docs/integration", "/docs/api"]),
            )
        ),
        # One template draws all of them: what differs between them shows where it is narrowest.
        look_at(browser, product.url, tour.documents(codes[:CODES_LOOKED_AT]), at_once, known, EXTREMES),
        look_at(browser, product.url, tour.documents(guides), at_once, set(), NARROWEST, always=0),
        look_at(browser, product.url, tour.documents(codes[CODES_LOOKED_AT::3]), at_once, set(), WIDTH_ALONE),
    )
    faults = [fault for seen in found for fault in seen.faults]
    opened = {address for seen in found for address in seen.addresses}
    faults += [f"not opened: {path}" for path in unopened(parts, opened) if path not in NO_TOUR]
    assert not faults, "\n".join(faults)
    assert set(unopened(parts, opened)) == set(NO_TOUR)


def unopened(parts: Parts, opened: set[str]) -> list[str]:
    """The mounted pages that none of these addresses leads to."""
    pages = [
        route.path
        for route in routes_of(parts)
        if "GET" in route.methods and not route.path.startswith(NO_PAGES)
    ]
    # An address leads to the first that takes it, as on the server.
    taken = {next((path for path in pages if takes(path, address)), "") for address in opened}
    return [path for path in pages if path not in taken]


def takes(path: str, address: str) -> bool:
    return re.fullmatch(re.sub(r"{[^}]*}", "[^/]+", path), address) is not None


# What programs call.
NO_PAGES = ("/api/", "/auth/", "/trial/", "/monte-carlo-api/", "/monitoring/", "/health", "/livez", "/readyz")
# Addresses of the site that the tour leaves out, and why.
NO_TOUR = {
    "/docs": "leads to the first guide",
    "/activity.csv": "a file",
    "/admin/audit.csv": "a file",
    "/data/exports/{export_id}/download": "a file, which test_your_data opens",
    "/runs/{run_id}/download/{file_format}": "a file, which test_first_result opens",
    "/requests.csv": "a file, which test_usage opens",
    "/requests/live": "a stream, which fills the page of requests",
    "/samples/{filename}": "a file",
    "/llms.txt": "a file",
    "/security/second-factor/qr.svg": "a picture, which the tour decodes in its page",
    "/runs/{run_id}/events": "a stream, which fills the page of a run",
    "/runs/{run_id}/scatter": "a part of the page of a run",
    "/parts/distribution": "a part of the page of a model",
    "/api-keys/manage/{key_id}/overlap": "a part of the page of a key",
    "/data/erased": "what is left of an erased customer; test_your_data looks at it in every window",
    "/password/reset": "behind a mailed link; test_signing_in looks at it in every window",
    "/profile/email/confirm": "behind a mailed link; test_signing_in looks at it in every window",
    "/signin/again": "comes a quarter of an hour after signing in; test_signing_in looks at it in every window",
}


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
