"""A real browser in front of a running product, and what every walk through its pages does again and again."""

import re
import shutil
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Literal, NamedTuple

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright

from tollway.authentication.entities import STEP_SECONDS, totp_code
from tollway.kit.clock import read_now

AXE = Path(__file__).parents[1] / "web" / "vendor" / "axe.min.js"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# All that colours change.
AXE_COLOUR_RULES = ["color-contrast", "link-in-text-block"]
# What room changes where nothing else comes or goes.
AXE_LAYOUT_RULES = ["scrollable-region-focusable", "target-size"]
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
KINDS_OF_ELEMENTS = """() => {
  const telling = /^(class|role|type|aria-(current|selected|pressed|sort|invalid))$/;
  const attribute = ({name, value}) => telling.test(name) ? `${name}=${value}` : name;
  const kind = one => [one.localName, ...[...one.attributes].map(attribute)].join(" ");
  const kinds = [...document.querySelectorAll("body *")].map(one => `${kind(one.parentElement)} > ${kind(one)}`);
  return [...new Set(kinds)];
}"""
Motion = Literal["no-preference", "reduce"]
WAIT_MS_MAX = 20_000
# Each walk begins in a network of its own, so that none uses up what another may sign up or sign in.
NETWORKS = (f"198.18.{number // 250}.{number % 250 + 1}" for number in count())
# What Chromium itself writes to the console where an answer is 4xx, whatever the page makes of it.
REFUSAL = re.compile(r"Failed to load resource: the server responded with a status of 4\d\d \(.*\)")


class View(NamedTuple):
    """A window and its colours, and what axe looks at there; a window is always looked at for what is too wide.

    Axe is what takes long, so it looks at each thing once: dark colours change colours alone, a narrow window changes
    the room that things have and what stands at the edges of every page, and between 320 and 390 pixels no style
    changes (tests/rules/test_styles.py).
    """

    name: str
    width: int
    height: int
    colours: str
    rules: Sequence[str] = tuple(AXE_RULES)
    without: Sequence[str] = ()


WIDE = View("light", 1280, 900, "light")
VIEWS = (
    WIDE,
    View("dark", 1280, 900, "dark", AXE_COLOUR_RULES),
    View("light-390", 390, 844, "light", ()),
    View("light-320", 320, 700, "light", AXE_LAYOUT_RULES),
)
# For one page of each kind: its edges fold where it is narrow.
NARROW_WHOLE = View("light-320, whole", 320, 700, "light", without=AXE_COLOUR_RULES)


@dataclass
class Walk:
    """One browser context with one page; collects whatever the browser complains about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    # Addresses, beside the page's own, whose refusal the walk provokes.
    refused_on_purpose: set[str] = field(default_factory=set)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def follow(self, link: Locator) -> None:
        """Click a link, and wait until where it leads is there."""
        target = await link.get_attribute("href")
        await link.click()
        await self.page.wait_for_url(f"{self.url}{target}")

    async def look(self, view: View) -> None:
        """See the page in another window size and other colours, without loading it again."""
        await self.page.set_viewport_size({"width": view.width, "height": view.height})
        await self.page.emulate_media(color_scheme=view.colours)

    async def faults(self, rules: Sequence[str] = AXE_RULES, without: Sequence[str] = ()) -> list[str]:
        """What axe finds by these rules, what is wider than the window, what the console said since the last time."""
        found = await self._found_by_axe(rules, without) if rules else []
        overflow = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        if overflow > 0:
            found.append(f"{overflow} px wider than the window")
        found += self.complaints
        self.complaints.clear()
        return found

    async def _found_by_axe(self, rules: Sequence[str], without: Sequence[str]) -> list[str]:
        if await self.page.evaluate("typeof axe") == "undefined":
            await self.page.evaluate(axe_source())
        answer: dict[str, Any] = await self.page.evaluate(
            """([rules, without]) => axe.run(document, {
                runOnly: rules, rules: Object.fromEntries(without.map(rule => [rule, {enabled: false}])),
                resultTypes: ['violations'], preload: false})""",
            [list(rules), list(without)],
        )
        return [
            f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
            for one in answer["violations"]
        ]

    async def kinds(self) -> set[str]:
        """What styles can tell apart on the page: each kind of element inside its kind of parent."""
        return set(await self.page.evaluate(KINDS_OF_ELEMENTS))

    async def assert_sound(self) -> None:
        assert not await self.faults(), self.page.url

    async def faults_in(self, views: Iterable[View] = VIEWS) -> list[str]:
        """What is wrong with the page in each of these windows and colours; it is left in the first of all."""
        # Colours that are on their way from one to the other have any contrast.
        await self.page.emulate_media(reduced_motion="reduce")
        found = []
        for view in views:
            await self.look(view)
            found += [f"{view.name}: {fault}" for fault in await self.faults(view.rules, view.without)]
        await self.look(WIDE)
        return found

    # What people do --------------------------------------------------------------------------------

    async def sign_up(self, email: str, company: str = "Example Ltd") -> None:
        """Fill in the form alone; afterwards the dashboard of an account that is not verified is open."""
        await self.open("/signup")
        await self.page.get_by_label("Work email").fill(email)
        await self.page.get_by_label("Company").fill(company)
        await self.page.get_by_label("What will you use it for?").select_option("Financial Modeling")
        await self.page.get_by_role("button", name="Get Free API Access").click()
        await self.page.wait_for_url("**/dashboard")

    async def read_mail(self, email: str, subject: str) -> str:
        """Open the newest such mail of the development outbox in a tab of its own and return its text."""
        tab = await self.page.context.new_page()
        tab.set_default_timeout(WAIT_MS_MAX)
        await tab.goto(self.url + "/outbox")
        row = tab.get_by_role("row").filter(has_text=email).filter(has_text=subject)
        await row.first.get_by_role("link").click()
        text = await tab.locator("pre.mail").inner_text()
        await tab.close()
        return text

    async def verify(self, email: str) -> None:
        """Verify by the mailed code; afterwards the dashboard is open."""
        code = code_in(await self.read_mail(email, "Verify"))
        await self.open("/verify")
        await self.page.get_by_label("Code").fill(code)
        await self.page.get_by_role("button", name="Verify").click()
        await self.page.wait_for_url("**/dashboard?welcome=1")

    async def sign_out(self) -> None:
        await self.page.get_by_label("Your account").click()
        await self.page.get_by_role("button", name="Sign out").click()
        await self.page.get_by_role("status").filter(has_text="signed out").wait_for()

    async def sign_in(self, email: str, password: str) -> None:
        """Send the form with a password; what comes next is up to who signs in."""
        await self.open("/signin")
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()

    async def sign_in_by_mail(self, email: str) -> None:
        """Ask for a link and press the button behind it; what comes next is up to who signs in."""
        await self.open("/signin")
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_role("button", name="Mail me a sign-in link").click()
        await self.page.get_by_role("heading", name="Check your mail").wait_for()
        await self.page.goto(link_in(await self.read_mail(email, "Your sign-in link"), "/signin/link"))
        await self.page.get_by_role("main").get_by_role("button", name="Sign in").click()

    async def show_factor(self, secret: str) -> None:
        """Type what the authenticator shows; where that was used a moment ago, what it shows next."""
        for seconds_ahead in (0, STEP_SECONDS):
            code = totp_code(secret, read_now() + timedelta(seconds=seconds_ahead))
            await self.page.get_by_label("Code").fill(code)
            async with self.page.expect_navigation():
                await self.page.get_by_role("main").get_by_role("button", name="Sign in").click()
            if not self.path.startswith("/signin/"):
                return
        raise AssertionError(await self.page.locator("main").inner_text())

    async def step_aside(self) -> list[Any]:
        """Put away who is signed in here, and be nobody; `step_back` takes what this returns."""
        cookies = await self.page.context.cookies()
        await self.page.context.clear_cookies()
        return list(cookies)

    async def step_back(self, cookies: list[Any]) -> list[Any]:
        """Be again who was put away; return whoever was here meanwhile, put away too."""
        aside = await self.step_aside()
        await self.page.context.add_cookies(cookies)
        return aside

    async def use_sample(self, title: str) -> str:
        """Make a model of a sample and return its path."""
        await self.open("/models/upload")
        await self.page.get_by_role("button", name=f"Use {title}").click()
        await self.page.wait_for_url("**/models/mdl_*")
        return self.path

    async def upload(self, file: Path) -> str:
        """Upload a workbook and return its model's path."""
        await self.open("/models/upload")
        await self.page.get_by_label("Choose a workbook").set_input_files(file)
        await self.page.get_by_role("button", name="Upload and read").click()
        await self.page.wait_for_url("**/models/mdl_*")
        return self.path

    async def run(self, iterations: int, seed: int = 7) -> str:
        """Start a run from a model's page and return the run's path."""
        await self.page.get_by_label("Iterations").fill(str(iterations))
        await self.page.get_by_label("Seed").fill(str(seed))
        await self.page.get_by_role("button", name="Run", exact=True).click()
        await self.page.wait_for_url("**/runs/sim_*")
        return self.path

    async def wait_for_results(self, status: str = "Completed") -> None:
        """Wait until the live page has turned into the results by itself."""
        await self.page.locator("h1 .tag").get_by_text(status).wait_for(timeout=60_000)

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.url)

    def hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        address = message.location["url"]
        expected = {self.page.url.partition("#")[0]} | self.refused_on_purpose
        if REFUSAL.fullmatch(message.text) and address in expected:
            return
        self.complaints.append(f"console: {message.text} ({address})")


def code_in(mail: str) -> str:
    """The 6-digit code of a mail."""
    match = re.search(r"\b\d{6}\b", mail)
    assert match, mail
    return match.group()


def link_in(mail: str, path: str) -> str:
    """The link of a mail that leads to `path`."""
    match = re.search(rf"https?://\S+{re.escape(path)}\S*", mail)
    assert match, mail
    return match.group()


@cache
def axe_source() -> str:
    return AXE.read_text(encoding="utf-8")


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "the browser tests need Chromium; this installs it: apt-get install -y chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def walking(
    browser: Browser, url: str, view: View = WIDE, motion: Motion = "no-preference", **options: Any
) -> AsyncIterator[Walk]:
    """Open a fresh browser context, as one person has it; `options` as Browser.new_context takes them."""
    context = await browser.new_context(
        viewport={"width": view.width, "height": view.height},
        color_scheme=view.colours,
        reduced_motion=motion,
        permissions=["clipboard-read", "clipboard-write"],
        extra_http_headers={"X-Forwarded-For": next(NETWORKS)},
        **options,
    )
    page = await context.new_page()
    page.set_default_timeout(WAIT_MS_MAX)
    walk = Walk(page, url)
    page.on("console", walk.hear)
    page.on("pageerror", lambda failure: walk.complaints.append(f"script: {failure}"))
    try:
        yield walk
    finally:
        await context.close()
