"""Static files: what others wrote is listed and unchanged, colours can be read, scripts do what they say."""

import hashlib
import json
import mimetypes
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, Route, async_playwright
from tests.web.test_charts import WRITTEN, draw_histogram

from tollway.web.icons import icon_names
from tollway.web.rendering import render

WEB = Path(__file__).parents[2] / "src/tollway/web"
STATIC = WEB / "static"
TEMPLATES = WEB / "templates"
OURS = {".css", ".js", ".svg"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@pytest.mark.parametrize("folder", [STATIC, Path(__file__).parent / "vendor"], ids=["static", "tests"])
def test_what_others_wrote_is_listed_with_its_licence_and_unchanged(folder: Path) -> None:
    for entry in json.loads((folder / "manifest.json").read_text()):
        content = (folder / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert (folder / entry["licence_text"]).stat().st_size > 500
        assert entry["name"]
        assert entry["version"]
        assert entry["licence"]


def test_no_file_of_others_is_unlisted() -> None:
    listed = {entry["file"] for entry in json.loads((STATIC / "manifest.json").read_text())}
    licences = {entry["licence_text"] for entry in json.loads((STATIC / "manifest.json").read_text())}
    present = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file()}
    ours = {name for name in present - listed if "/" not in name and Path(name).suffix in OURS}
    assert present == listed | licences | ours | {"manifest.json"}


def test_nothing_is_fetched_from_another_host() -> None:
    for path in [*STATIC.glob("*.css"), *STATIC.glob("*.js"), *TEMPLATES.rglob("*.html")]:
        addresses = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z.]+", path.read_text(encoding="utf-8"))
        assert not addresses, (path, addresses)


def test_no_template_holds_inline_style_or_script() -> None:
    for path in TEMPLATES.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", text), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), path


def test_every_icon_is_used_and_every_icon_used_exists() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in [*TEMPLATES.rglob("*.html"), *WEB.rglob("*.py")]
    )
    unused = {name for name in icon_names() if f'"{name}"' not in sources}
    assert not unused
    named = set(re.findall(r'icon\("([a-z0-9-]+)"', sources))
    assert named <= icon_names()


# --- Colours ---

TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", (STATIC / "app.css").read_text()
    )
}
SURFACES = ("page", "rail", "card", "raised")
TEXT_ON_SURFACE = [
    *((text, surface) for text in ("ink", "ink-soft", "ink-faint") for surface in SURFACES),
    *(
        (text, surface)
        for text in ("accent-text", "bad", "good", "warn")
        for surface in ("page", "rail", "card")
    ),
    *((mood, f"{mood}-soft") for mood in ("good", "warn", "bad")),
    ("accent-text", "accent-soft"),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-hover"),
    ("page", "ink"),
]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(("text", "surface"), TEXT_ON_SURFACE)
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_can_be_read_on_every_surface_it_stands_on(text: str, surface: str, theme: int) -> None:
    assert contrast(TOKENS[text][theme], TOKENS[surface][theme]) >= 4.5


@pytest.mark.parametrize("series", ["series-1", "series-3", "series-4"])
@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_what_a_chart_draws_stands_out_from_its_card(series: str, theme: int) -> None:
    assert contrast(TOKENS[series][theme], TOKENS["card"][theme]) >= 3


# --- Scripts, in a real browser under the strict policy ---


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A browser page at http://pages.test, whose static files come from the source folder and nowhere else."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        opened = await context.new_page()
        complaints: list[str] = []
        opened.on(
            "console",
            lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None,
        )
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        await opened.route("http://pages.test/static/**", serve_static)
        # Pictures and remarks that pages ask for while somebody types.
        await opened.route("http://pages.test/parts/**", lambda route: route.fulfill(body=""))
        yield opened
        await browser.close()
        # The browser itself remarks on every refusal; a form that comes back with its errors is one.
        assert [complaint for complaint in complaints if "status of 422" not in complaint] == []


async def serve_static(route: Route) -> None:
    path = STATIC / route.request.url.split("/static/", 1)[1].split("?", 1)[0]
    await route.fulfill(body=path.read_bytes(), content_type=mimetypes.guess_type(path.name)[0])


async def show(page: Page, html: str) -> None:
    async def answer(route: Route) -> None:
        await route.fulfill(
            body=html, content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY}
        )

    await page.route("http://pages.test/page", answer)
    await page.goto("http://pages.test/page")


def page_around(markup: str) -> str:
    """A page of ours with something of the test's own in the middle."""
    context = {"email": "ines@acme.example", "expires_minutes": 15, "outbox_url": "", "errors": {}}
    page = render("public/check_mail.html", **context)
    return re.sub(
        r'<main id="main".*</main>', lambda _: f'<main id="main">{markup}</main>', page, flags=re.DOTALL
    )


async def test_the_browser_writes_values_as_the_server_does(page: Page) -> None:
    await show(page, page_around("<h1>Values</h1>"))
    examples = [[value, write.style, write.digits] for value, write, _ in WRITTEN]
    written = await page.evaluate(
        "examples => examples.map(([value, style, digits]) => tollway.writeValue(value, style, digits))",
        examples,
    )
    assert written == [expected for _, _, expected in WRITTEN]


async def test_bounds_move_by_key_by_number_and_by_pointer(page: Page) -> None:
    edges = [float(edge) for edge in range(11)]
    await show(page, page_around(str(draw_histogram(edges, [10] * 10))))
    low = page.locator("input[type=range][data-bound=low]")
    typed = page.locator("input[type=number][data-bound=low]")
    share = page.locator("output")

    await typed.fill("2.5")
    assert await low.get_attribute("aria-valuetext") == "$2.50, 25.0% below"

    await low.focus()
    await page.keyboard.press("PageUp")
    assert await typed.input_value() == "3"
    assert await share.text_content() == "70.0% of outcomes"

    grip = await page.locator(".bound[data-bound=low] .grip").bounding_box()
    plot = await page.locator(".plot").bounding_box()
    assert grip is not None
    assert plot is not None
    await page.mouse.move(grip["x"] + grip["width"] / 2, plot["y"] + 60)
    await page.mouse.down()
    await page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + 60, steps=4)
    await page.mouse.up()
    assert float(await typed.input_value()) == pytest.approx(5, abs=0.05)

    # The two bounds never cross.
    await typed.fill("99")
    assert await share.text_content() == "0.0% of outcomes"


async def test_a_click_on_the_sheet_fills_the_form_and_a_second_click_empties_it(page: Page) -> None:
    await show(page, render("customer/model.html", **model_context()))
    fields = "() => [...new FormData(document.querySelector('[data-run-form]'))].map(pair => pair.join('='))"

    await page.locator("td[data-cell='Plan!B1']").click()
    await page.locator("td[data-cell='Plan!B2']").click()
    sent = await page.evaluate(fields)
    assert "input_cell=Plan!B1" in sent
    assert "input_distribution=normal(100, 5)" in sent
    assert "output_cell=Plan!B2" in sent

    # Arrows walk over the sheet; Enter marks.
    await page.locator("td[data-cell='Plan!B1']").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    sent = await page.evaluate(fields)
    assert not [field for field in sent if "Plan!" in field]


async def test_a_distribution_edited_in_fields_is_sent_as_text(page: Page) -> None:
    await show(page, render("customer/model.html", **model_context()))
    await page.locator("td[data-cell='Plan!B1']").click()
    await page.get_by_label("Input 1: distribution, std").fill("7.5")
    assert await page.locator("input[name=input_distribution]").first.input_value() == "normal(100, 7.5)"
    await page.get_by_label("Input 1: distribution, kind").select_option("pert")
    await page.get_by_label("Input 1: distribution, low").fill("90")
    assert await page.locator("input[name=input_distribution]").first.input_value() == "pert(90, , )"
    # Every kind is offered, in groups, with its sentence; what may be left out is not written.
    await page.get_by_label("Input 1: distribution, kind").select_option("student")
    await page.get_by_label("Input 1: distribution, nu").fill("4")
    assert await page.locator("input[name=input_distribution]").first.input_value() == "student(4)"
    assert "outliers" in (await page.locator(".use-of-shape").first.text_content() or "")
    # A list is typed; its example shows how.
    await page.get_by_label("Input 1: distribution, kind").select_option("metalog")
    typed = page.get_by_label("Input 1: distribution", exact=True)
    assert await typed.input_value() == "metalog(10:0.1, 15:0.5, 30:0.9)"
    assert await typed.is_visible()


async def test_a_block_from_a_spreadsheet_fills_the_matrix_and_the_pairs(page: Page) -> None:
    marked = {"name": "", "value": "", "error": "", "picture": ""}
    inputs = [marked | {"cell": f"Plan!B{row}", "distribution": "normal(1, 2)"} for row in (1, 2, 3)]
    await show(page, render("customer/model.html", **model_context() | {"inputs": inputs}))
    matrix = page.get_by_role("grid", name="Correlations between inputs")
    await matrix.locator('[data-place="0 1"]').focus()
    block = "0.5\t-0.25\n1\t0"
    await page.evaluate(
        """text => document.activeElement.dispatchEvent(new ClipboardEvent("paste", {
            bubbles: true, cancelable: true,
            clipboardData: (data => (data.setData("text", text), data))(new DataTransfer()),
        }))""",
        block,
    )
    assert await matrix.locator('[data-place="1 0"]').inner_text() == "0.5"
    assert await matrix.locator('[data-place="2 0"]').inner_text() == "-0.25"
    # An input that goes takes its row, its column and its pairs along.
    await page.get_by_role("button", name="Remove input 3").click()
    assert await matrix.locator("tbody tr").count() == 2
    sent = await page.evaluate(
        "[...new FormData(document.querySelector('[data-run-form]')).getAll('correlation_value')].filter(Boolean)"
    )
    assert sent == ["0.5"]


async def test_the_palette_opens_by_keyboard_and_finds_by_the_beginning_of_words(page: Page) -> None:
    await show(page, render("customer/model.html", **model_context()))
    await page.keyboard.press("Control+k")
    await page.keyboard.type("up work")
    shown = await page.locator("#palette li:visible").all_text_contents()
    assert [text.strip() for text in shown] == ["Upload a workbook"]


async def test_the_theme_is_switched_and_kept_in_a_cookie(page: Page) -> None:
    await page.emulate_media(color_scheme="light")
    await show(page, page_around("<h1>Theme</h1>"))
    await page.get_by_label("Switch between light and dark").click()
    assert await page.locator("html").get_attribute("data-theme") == "dark"
    assert "theme=dark" in await page.evaluate("document.cookie")


async def test_a_refused_upload_shows_its_reason_in_place(page: Page) -> None:
    context = {
        "shell": model_context()["shell"],
        "file_bytes_max": 1000,
        "unsupported": [],
        "values": {},
        "samples": [],
    }
    refused = render(
        "customer/model_upload.html", errors={"file": "notes.txt is not an Excel workbook."}, **context
    )

    async def answer(route: Route) -> None:
        await route.fulfill(status=422, body=refused, content_type="text/html; charset=utf-8")

    await page.route("http://pages.test/models", answer)
    await show(page, render("customer/model_upload.html", errors={}, **context))
    await page.locator("#field-file").set_input_files(
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"x"}
    )
    await page.get_by_role("button", name="Upload and read").click()
    await page.get_by_text("notes.txt is not an Excel workbook.").first.wait_for()
    assert await page.locator("[data-upload]").get_attribute("data-ready") == ""
    assert page.url == "http://pages.test/page"


def model_context() -> dict[str, object]:
    """One sheet: a number with a suggestion, and a formula beneath it."""
    from datetime import UTC, date, datetime

    from tollway.web.rendering import Shell

    def cell(reference: str, text: str, kind: str, suggestion: str = "") -> dict[str, object]:
        return {
            "reference": reference, "text": text, "kind": kind, "formula": None, "role": "", "suggestion": suggestion,
        }  # fmt: skip

    rows = [
        {
            "number": 1,
            "cells": [cell("Plan!A1", "Price", "text"), cell("Plan!B1", "100", "number", "normal(100, 5)")],
        },
        {"number": 2, "cells": [cell("Plan!A2", "Profit", "text"), cell("Plan!B2", "40", "formula")]},
    ]
    return {
        "shell": Shell(
            "/models/mdl_1", "ines@acme.example", "Acme", "Starter", 1, 100, date(2026, 12, 1),
            may=frozenset({"view", "use"}),
        ),
        "model": {
            "id": "mdl_1", "name": "Plan", "filename": "plan.xlsx", "size_bytes": 9000, "formulas_count": 1,
            "created_at": datetime(2026, 11, 20, tzinfo=UTC), "notes": [],
        },
        "sheets": [{"name": "Plan", "columns": ["A", "B"], "is_cut": False, "rows": rows}],
        "candidates": [], "output_candidates": [], "inputs": [], "outputs": [],
        "iterations": 10_000, "iterations_max": 100_000, "seed": "", "confidence": ["0.95"], "errors": {},
        "check": None, "not_computed": None, "correlations": [],
        "sampling": "monte_carlo", "sampling_methods": [("monte_carlo", "Monte Carlo")],
        "written": None, "written_correlations": None, "keep_samples": False, "targets": "", "tolerance": "3",
        "stress": "", "repair": "", "distribution_length_max": 1_000,
    }  # fmt: skip
