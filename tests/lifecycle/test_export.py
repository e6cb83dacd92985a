"""Export: everything that is a customer's, no secret, nothing of anybody else."""

import csv
import io
import json
import tracemalloc
import zipfile
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.lifecycle.canaries import COMPANY, EMAIL, SAME_ORIGIN, Canary, make_canary
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts, build_registry
from tollway.kit.blobs import BlobMissing
from tollway.kit.clock import read_now
from tollway.kit.jobs import JobRegistry
from tollway.lifecycle import export_flows
from tollway.lifecycle import export_operations as exports
from tollway.lifecycle.export_archive import Archive, cell
from tollway.lifecycle.export_store import TABLES


@pytest.fixture
async def canary(parts: Parts, stranger: Visitor) -> Canary:
    return await make_canary(stranger, parts)


async def make(canary: Canary) -> str:
    """Ask for an export, make it as the worker does, and return its id."""
    asked = await canary.ask_for_export()
    assert asked.status_code == 202, asked.text
    export_id = asked.json()["id"]
    await build_registry(canary.parts).runners[exports.EXPORT_JOB][0]({"export_id": export_id})
    return export_id


async def download(client: httpx.AsyncClient, export_id: str) -> httpx.Response:
    return await client.get(f"/api/customers/me/exports/{export_id}/download")


async def unpacked(canary: Canary) -> zipfile.ZipFile:
    answer = await download(canary.client, await make(canary))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return zipfile.ZipFile(io.BytesIO(answer.content))


@pytest.mark.promise("C37")
async def test_an_export_holds_everything_and_no_secret(canary: Canary) -> None:
    archive = await unpacked(canary)
    assert archive.testzip() is None
    names = set(archive.namelist())
    assert {"README.txt", "company.json", "activity.json", "activity.csv"} <= names
    documents = {table.name: json.loads(archive.read(f"{table.name}.json")) for table in TABLES}
    # Nothing of what this customer has is missing; it was never given a plan's change notice.
    assert {name for name, rows in documents.items() if not rows} == set()
    company = json.loads(archive.read("company.json"))
    assert (company["company_name"], company["tax_id"]) == (COMPANY, "ZW 123")
    assert company["billing_address"]["line1"] == "Zwitscherweg 7"
    assert {one["email"] for one in documents["people"]} == {EMAIL, "carla@kanarien.example"}
    assert documents["runs"][0]["results"] == [{"name": "Zwitscher", "mean": 1.5}]
    assert {"targets", "tolerance", "keeps_samples"} <= documents["runs"][0].keys()
    assert documents["usage_log"][0]["ip_address"] == "198.51.100.77"
    model_id = documents["models"][0]["id"]
    workbook = archive.read(f"workbooks/{model_id}.xlsx")
    assert workbook == await canary.parts.blobs.get(canary.blobs[0])
    everything = b"".join(archive.read(name) for name in names if not name.startswith("workbooks/"))
    assert b"geheim" not in everything.lower()
    async with canary.parts.database.transaction() as tx:
        hashes = await tx.list_rows("SELECT key_hash FROM api_keys WHERE key_hash IS NOT NULL")
    for row in hashes:
        assert row["key_hash"].encode() not in everything
    assert EMAIL.encode() not in archive.read("README.txt")


@pytest.mark.promise("C37")
async def test_the_csv_says_what_the_json_says_and_starts_no_formula(canary: Canary) -> None:
    archive = await unpacked(canary)
    for table in TABLES:
        rows = json.loads(archive.read(f"{table.name}.json"))
        lines = list(csv.reader(io.StringIO(archive.read(f"{table.name}.csv").decode("utf-8-sig"))))
        assert len(lines) == len(rows) + 1
        assert lines[0] == [name for name in rows[0] if name not in table.json_only]
        assert not any(text.startswith(("=", "@", "+")) for line in lines for text in line)
    messages = archive.read("ticket_messages.csv").decode("utf-8-sig")
    assert "'=zwitscher()" in messages
    assert json.loads(archive.read("ticket_messages.json"))[0]["body"] == "=zwitscher()"


def test_a_cell_is_neutral_and_a_number_stays_one() -> None:
    assert [cell(one) for one in (None, True, -3, -1.5, "-3", "=A1", ["read", "write"], {"a": 1})] == [
        "", "true", "-3", "-1.5", "'-3", "'=A1", "read write", '{"a": 1}',
    ]  # fmt: skip


def test_a_table_without_rows_has_no_csv(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.begin_table("nothing").close()
    archive.close()
    with zipfile.ZipFile(archive.path) as written:
        assert written.namelist() == ["nothing.json"]
        assert json.loads(written.read("nothing.json")) == []


@pytest.mark.promise("C37")
async def test_nothing_of_another_customer_is_in_it(canary: Canary, ben: Visitor) -> None:
    archive = await unpacked(canary)
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"ben@example.com" not in everything
    assert b"Other Ltd" not in everything
    async with canary.parts.database.transaction() as tx:
        other = await tx.find_value("SELECT public_id FROM api_customers WHERE company_name = 'Other Ltd'")
    assert other.encode() not in everything


@pytest.mark.promise("C37")
async def test_another_customers_export_is_not_there(canary: Canary, ben: Visitor) -> None:
    export_id = await make(canary)
    refused = await download(ben.client, export_id)
    assert (refused.status_code, refused.json()["code"]) == (404, "not-found")
    assert (await ben.client.get("/api/customers/me/exports")).json() == {"exports": []}


async def test_the_owners_are_told_by_a_mail_that_holds_a_link_and_no_data(canary: Canary) -> None:
    export_id = await make(canary)
    text = await canary.visitor.newest_mail(EMAIL)
    assert "http://localhost:6789/data" in text
    assert export_id not in text
    listed = (await canary.client.get("/api/customers/me/exports")).json()["exports"]
    assert [(one["id"], one["status"]) for one in listed] == [(export_id, "ready")]
    async with canary.parts.database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT action FROM audit_entries WHERE action LIKE 'customer.export%' ORDER BY id"
        )
    assert [row["action"] for row in rows] == ["customer.export_requested", "customer.export_made"]


async def test_one_is_made_at_a_time_and_three_a_day(canary: Canary) -> None:
    first = await canary.ask_for_export()
    again = await canary.ask_for_export()
    assert (again.status_code, again.json()["code"]) == (409, "export-under-way")
    waiting = await download(canary.client, first.json()["id"])
    assert (waiting.status_code, waiting.json()["code"]) == (409, "export-not-available")
    await build_registry(canary.parts).runners[exports.EXPORT_JOB][0]({"export_id": first.json()["id"]})
    await make(canary)
    await make(canary)
    refused = await canary.ask_for_export()
    assert (refused.status_code, refused.json()["code"]) == (429, "too-many-exports")
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400


async def test_a_repeated_idempotency_key_asks_once(canary: Canary) -> None:
    headers = SAME_ORIGIN | {"Idempotency-Key": "once"}
    first = await canary.client.post("/api/customers/me/export", headers=headers)
    second = await canary.client.post("/api/customers/me/export", headers=headers)
    assert (second.status_code, second.json()) == (202, first.json())
    assert len((await canary.client.get("/api/customers/me/exports")).json()["exports"]) == 1


@pytest.mark.promise("C37")
async def test_an_export_is_deleted_after_its_days(canary: Canary) -> None:
    export_id = await make(canary)
    async with canary.parts.database.transaction() as tx:
        export = await exports.get_export(tx, canary.customer.id, export_id)
        assert await exports.end_exports(tx, read_now() + timedelta(days=6)) == 0
        assert await exports.end_exports(tx, read_now() + timedelta(days=7)) == 1
        discarded = await tx.list_rows("SELECT name FROM discarded_blobs")
    assert export.blob_name in {row["name"] for row in discarded}
    gone = await download(canary.client, export_id)
    assert (gone.status_code, gone.json()["code"]) == (409, "export-not-available")


async def test_an_export_that_nobody_waits_for_leaves_no_file_behind(canary: Canary) -> None:
    asked = (await canary.ask_for_export()).json()["id"]
    assert (await canary.erase()).status_code == 200
    made = await export_flows.make_export(
        canary.parts.database, canary.parts.blobs, canary.parts.lifecycle, asked, read_now()
    )
    assert made is False


async def test_an_export_that_cannot_be_made_is_failed_and_another_may_be_asked_for(canary: Canary) -> None:
    async with canary.parts.database.transaction() as tx:
        await tx.execute("UPDATE api_customers SET tax_id = 'bm90IHNlYWxlZA=='")
    export_id = await make(canary)
    refused = await download(canary.client, export_id)
    assert "could not be made" in refused.json()["message"]
    assert (await canary.ask_for_export()).status_code == 202


async def test_a_workbook_that_is_gone_already_is_left_out(canary: Canary) -> None:
    await canary.parts.blobs.delete(canary.blobs[0])
    with pytest.raises(BlobMissing):
        await canary.parts.blobs.get(canary.blobs[0])
    archive = await unpacked(canary)
    assert not any(name.startswith("workbooks/") for name in archive.namelist())


async def test_memory_stays_bounded_however_long_the_log_is(canary: Canary) -> None:
    async with canary.parts.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO api_usage_logs (endpoint, method, status_code, response_time_ms, request_timestamp,
                user_agent, customer_id, product, mode, units, request_id)
            SELECT '/monte-carlo-api/models', 'GET', 200, 3, now() - n * interval '1 second', repeat('x', 400),
                %(id)s, 'montecarlo', 'test', 0, 'req_12345678'
            FROM generate_series(1, 30000) AS n
            """,
            {"id": canary.customer.id},
        )
    tracemalloc.start()
    export_id = await make(canary)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    answer = await download(canary.client, export_id)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        size = archive.getinfo("usage_log.json").file_size
        assert archive.read("usage_log.json").count(b"req_12345678") >= 30_000
    assert size > 15_000_000
    assert peak < 8_000_000


async def test_strangers_keys_and_old_sign_ins_get_nothing(canary: Canary) -> None:
    export_id = await make(canary)
    paths = [
        ("POST", "/api/customers/me/export"),
        ("GET", "/api/customers/me/exports"),
        ("GET", f"/api/customers/me/exports/{export_id}/download"),
    ]
    async with visiting(canary.parts) as nobody:
        for method, path in paths:
            assert (await nobody.client.request(method, path)).status_code == 401
    async with canary.parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET proven_at = proven_at - interval '1 day'")
    codes = [
        (await canary.client.request(method, path, headers=SAME_ORIGIN)).status_code for method, path in paths
    ]
    assert codes == [403, 200, 403]


def test_the_jobs_are_registered(parts: Parts) -> None:
    registry: JobRegistry = build_registry(parts)
    assert exports.EXPORT_JOB in registry.runners
    assert "lifecycle.end_exports" in registry.schedules
