"""Saves a picture of every page for people to look at:

python -m tests.journeys.screenshots http://localhost:6789 /tmp/pictures [NAME ...]

A name chooses chapters: visitor, newcomer, customer, team, keys, administrator, documents. The product must run with
its development outbox.
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser
from tests.journeys import tour, tour_administration, tour_teams
from tests.journeys.walks import VIEWS, WIDE, open_browser, walking

CHAPTERS = {
    "visitor": tour.visitor,
    "newcomer": tour.newcomer,
    "customer": tour.customer,
    "team": tour_teams.team,
    "keys": tour_teams.keys,
    "administrator": tour_administration.administrator,
}
A_PROBLEM = "/docs/problems/unsupported-function"
HEIGHT_PX_MAX = 6_000


async def take(url: str, folder: Path, chosen: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    async with open_browser() as browser:
        async with walking(browser, url) as walk:
            documents = tour.documents([*await tour.find_guides(walk), A_PROBLEM])
        for name, chapter in (CHAPTERS | {"documents": documents}).items():
            if not chosen or name in chosen:
                await _take_chapter(browser, url, folder, chapter)


async def _take_chapter(browser: Browser, url: str, folder: Path, chapter: tour.Chapter) -> None:
    # Without motion a picture never shows a menu halfway.
    async with walking(browser, url, motion="reduce") as walk:
        async for name in chapter(walk):
            for view in VIEWS:
                await walk.look(view)
                height = await walk.page.evaluate("document.documentElement.scrollHeight")
                await walk.page.screenshot(
                    path=folder / f"{name}.{view.name}.png",
                    clip={"x": 0, "y": 0, "width": view.width, "height": min(height, HEIGHT_PX_MAX)},
                    full_page=True,
                )
            await walk.look(WIDE)
            sys.stdout.write(f"{name}\n")
            for complaint in walk.complaints:
                sys.stdout.write(f"  {complaint}\n")
            walk.complaints.clear()


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
