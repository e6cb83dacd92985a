"""The whole product as `make run` starts it, and a real browser in front of it.

Every journey runs in one process (one xdist group): one product and one browser serve them all.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.journeys.walks import Walk, open_browser, walking


@dataclass(frozen=True)
class Product:
    """A running product and what its banner said."""

    url: str
    banner: str
    folder: Path

    @property
    def administrator(self) -> tuple[str, str, str]:
        """The demo administrator's address, password, and authenticator's secret."""
        return (
            self.found(r"Administrator +(\S+)"),
            self.found(r"Administrator +\S+ +(\S+)"),
            self.found(r"authenticator secret (\S+)"),
        )

    def found(self, pattern: str) -> str:
        """What the banner says, by a regular expression with one group."""
        match = re.search(pattern, self.banner)
        assert match, f"{pattern} is not in the banner:\n{self.banner}"
        return match.group(1)


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
        # The walks stand behind a proxy each, which tells where they come from.
        env=environment
        | {"PORT": str(port), "TOLLWAY_DATA": str(folder), "LOG_LEVEL": "warning"}
        | {"TRUSTED_PROXIES": "127.0.0.1,::1"}
        # Customers' servers stand on this machine.
        | {"WEBHOOK_ALLOW_PRIVATE": "true"}
        # Every journey and the browser's own parts come from one address.
        | {"MAX_REQUESTS_PER_MINUTE": "100000"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    # What is printed later is read too: a product whose output nobody takes stops at a full pipe.
    rest = threading.Thread(target=process.stdout.read, daemon=True)
    try:
        banner = read_banner(process)
        rest.start()
        yield Product(f"http://localhost:{port}", banner, folder)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        if rest.is_alive():
            rest.join(timeout=30)
        process.stdout.close()
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


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as opened:
        yield opened


@pytest.fixture
async def walk(browser: Browser, product: Product) -> AsyncIterator[Walk]:
    """A stranger at a wide window in light colours."""
    async with walking(browser, product.url) as walk:
        yield walk
