"""The files of a run on its page, and samples that a page asks to be kept."""

import io
from pathlib import Path

import openpyxl
from pyarrow import parquet
from tests.parties import SEALER
from tests.simulation.conftest import XLSX, working
from tests.web.conftest import HTML, Visitor
from tests.web.customer.test_model_pages import ORIGIN, run_form, start_run, use_sample

from tollway.customers.entities import Mode
from tollway.keys import operations as keys
from tollway.kit.clock import read_now

KEEP = {"keep_samples": "on"}


async def settled(visitor: Visitor, run_id: str) -> str:
    while "Run again" not in (page := (await visitor.get(f"/runs/{run_id}")).text):
        assert "Cancel run" in page, "it neither runs nor is over"
    return page


async def test_every_file_of_a_run_is_offered_and_samples_where_they_were_kept(ana: Visitor) -> None:
    model_id = await use_sample(ana)
    async with working(ana.parts):
        without = await start_run(ana, model_id)
        kept = await start_run(ana, model_id, **KEEP)
        pages = [await settled(ana, one) for one in (without, kept)]
    for page, run_id in zip(pages, (without, kept), strict=True):
        assert "Take results away" in page
        assert all(f'href="/runs/{run_id}/download/{one}"' in page for one in ("pdf", "xlsx", "json"))
    assert "download/parquet" not in pages[0]
    assert "Single draws and values were not kept." in pages[0]
    assert (await ana.get(f"/runs/{without}/download/parquet")).status_code == 409
    assert "Single draws and values were not kept." not in pages[1]

    report = await ana.get(f"/runs/{kept}/download/pdf")
    assert report.headers["content-type"] == "application/pdf"
    assert report.content.startswith(b"%PDF-")
    table = parquet.read_table(io.BytesIO((await ana.get(f"/runs/{kept}/download/parquet")).content))
    assert table.num_rows == 10_000
    text = (await ana.get(f"/runs/{kept}/download/csv")).text
    assert text.splitlines()[0].startswith('"iteration","Portfolio!B4"')
    assert "checked" in box_of((await ana.get(f"/models/{model_id}?from={kept}")).text)
    assert "checked" not in box_of((await ana.get(f"/models/{model_id}")).text)


async def test_links_that_need_no_key_are_shown_on_the_page_and_taken_back_there(
    ana: Visitor, stranger: Visitor
) -> None:
    async with working(ana.parts):
        run_id = await start_run(ana, await use_sample(ana))
        page = await settled(ana, run_id)
    assert "Links that need no API key" not in page
    async with ana.parts.database.transaction() as tx:
        customer_id = int(await tx.find_value("SELECT customer_id FROM runs"))
        issued = await keys.issue_api_key(
            tx, SEALER, customer_id, product="montecarlo", mode=Mode.TEST, name="Robot", tier="trial", now=read_now()
        )  # fmt: skip
    made = await ana.client.post(
        f"/monte-carlo-api/simulations/{run_id}/generate-download-token",
        headers={"Authorization": f"Bearer {issued.secret}"},
    )
    assert made.status_code == 201, made.text
    link = made.json()["download_links"]["json"]
    page = (await ana.get(f"/runs/{run_id}")).text
    assert "Links that need no API key" in page
    assert issued.api_key.key_id in page
    assert made.json()["download_token"] not in page

    take_back = f"/runs/{run_id}/download-tokens/{made.json()['download_token_id']}/revoke"
    assert f'action="{take_back}"' in page
    assert (await stranger.post(take_back)).headers["location"].startswith("/signin")
    foreign = await ana.client.post(take_back, headers=HTML | {"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403
    assert (await stranger.client.get(link)).status_code == 200
    for _ in range(2):
        answer = await ana.post(take_back)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run_id}#links")
    assert (await stranger.client.get(link)).status_code == 403
    assert "Links that need no API key" not in (await ana.get(f"/runs/{run_id}")).text


def box_of(page: str) -> str:
    return page.partition('name="keep_samples"')[2].partition(">")[0]


async def test_more_samples_than_the_plan_keeps_are_refused_beside_the_box(
    ana: Visitor, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for row in range(1, 201):
        book.active.cell(row, 1, float(row))
    book.active["B1"] = "=SUM(A1:A200)"
    book.save(tmp_path / "wide.xlsx")
    answer = await ana.client.post(
        "/models",
        files={"file": ("wide.xlsx", (tmp_path / "wide.xlsx").read_bytes(), XLSX)},
        headers=HTML | ORIGIN,
    )
    wide = {
        "input_cell": [f"A{row}" for row in range(1, 201)],
        "input_distribution": ["normal(1, 1)"] * 200,
        "output_cell": ["B1"],
    }
    refused = await ana.post(f"{answer.headers['location']}/runs", run_form() | wide | KEEP)
    assert refused.status_code == 422, refused.status_code
    assert 'id="error-keep_samples"' in refused.text
    assert "iterations of these cells" in refused.text
    assert "checked" in box_of(refused.text)
