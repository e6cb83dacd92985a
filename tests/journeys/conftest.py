"""The whole product as `make run` starts it, and a real browser in front of it.

Every journey here runs in one process (one xdist group): one product serves them all.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

AXE = Path(__file__).parents[1] / "web" / "vendor" / "axe.min.js"
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
]
START_SECONDS_MAX = 60


@dataclass(frozen=True)
class Product:
    """A running product and what its banner said."""

    url: str
    banner: str

    def found(self, pattern: str) -> str:
        """What the banner says, by a regular expression with one group."""
        match = re.search(pattern, self.banner)
        assert match, f"{pattern} is not in the banner:\n{self.banner}"
        return match.group(1)


@dataclass
class Walk:
    """One browser context; collects whatever the browser complains about."""

    page: Page
    product: Product
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.product.url + path)

    async def assert_sound(self) -> None:
        """No complaint, nothing wider than the window, no violation that axe knows of."""
        await self.page.evaluate(AXE.read_text())
        answer: dict[str, Any] = await self.page.evaluate(
            "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa','best-practice']})"
        )
        found = [
            f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
            for one in answer["violations"]
        ]
        overflow = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        where = self.page.url
        assert not found, f"{where}: {found}"
        assert overflow <= 0, f"{where} is {overflow} px wider than the window"
        assert not self.complaints, f"{where}: {self.complaints}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def product() -> Iterator[Product]:
    """`tollway demo` on a free port, in a data folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tollway-journeys-"))
    folder.chmod(0o711)
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "ENVIRONMENT")
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tollway", "demo"],
        env=environment | {"PORT": str(port), "TOLLWAY_DATA": str(folder), "LOG_LEVEL": "warning"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Product(f"http://localhost:{port}", read_banner(process))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        shutil.rmtree(folder)


def read_banner(process: subprocess.Popen[str]) -> str:
    """Read what the product prints until it says that it is ready."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C stops" in line:
            return "".join(lines)
    raise AssertionError("the product ended before it was ready:\n" + "".join(lines))


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "the browser tests need Chromium; this installs it: apt-get install -y chromium"
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        yield opened
        await opened.close()


@pytest.fixture
async def walk(browser: Browser, product: Product) -> AsyncIterator[Walk]:
    """A wide window in light colours."""
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield await start_walk(context, product)
    await context.close()


async def start_walk(context: BrowserContext, product: Product) -> Walk:
    walk = Walk(await context.new_page(), product)
    walk.page.set_default_timeout(20_000)
    walk.page.on(
        "console",
        lambda message: walk.complaints.append(message.text) if message.type in ("error", "warning") else None,
    )
    walk.page.on("pageerror", lambda failure: walk.complaints.append(str(failure)))
    return walk
