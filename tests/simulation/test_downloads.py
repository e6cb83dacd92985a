"""Results and samples as files, and links to results that need no key."""

import asyncio
import csv
import io
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openpyxl
import pytest
from pyarrow import parquet
from tests.parties import SEALER, Party, make_party
from tests.simulation.conftest import (
    API,
    caller_of,
    results_of,
    run_body,
    started_id,
    uploaded_id,
    working,
)
from tests.simulation.workbooks import PORTFOLIO_VARIABLES, portfolio, saved

from tollway.app import Parts, build_registry
from tollway.audit.wording import words_for
from tollway.customers.entities import Mode
from tollway.customers.permissions import Scope
from tollway.engine import (
    Input,
    ReadLimits,
    Sampling,
    SamplingMethod,
    build_program,
    draw,
    parse_distribution,
    read_workbook,
    run_shard,
)
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.plans.entities import SubscriptionStatus
from tollway.simulation import download_operations
from tollway.simulation.downloads import (
    RAW_NUMBERS_MAX,
    RUNS_WITH_SAMPLES_MAX,
    TOKENS_PER_RUN_MAX,
    DownloadTokensAtOnce,
    FileNotMade,
)
from tollway.simulation.press import Press

RESULT_FORMATS = {
    "pdf": ("application/pdf", b"%PDF-"),
    "xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK\x03\x04"),
    "json": ("application/json", b"{"),
}


async def finished(parts: Parts, client: httpx.AsyncClient, party: Party, **config: Any) -> str:
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model, **config)
        await results_of(client, party, run)
    return run


async def get_file(client: httpx.AsyncClient, party: Party, run: str, file_format: str) -> httpx.Response:
    return await client.get(f"{API}/simulations/{run}/download/{file_format}", headers=party.headers)


async def token_of(client: httpx.AsyncClient, party: Party, run: str) -> httpx.Response:
    return await client.post(f"{API}/simulations/{run}/generate-download-token", headers=party.headers)


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    return body


# --- files with a key -------------------------------------------------------------------------------


@pytest.mark.promise("A44")
async def test_results_come_in_every_format_and_samples_only_where_they_were_kept(
    parts: Parts, client: httpx.AsyncClient, party: Party, other: Party
) -> None:
    run = await finished(parts, client, party)
    results = await client.get(f"{API}/simulations/{run}/results", headers=party.headers)
    links = results.json()["download_links"]
    assert set(links) == set(RESULT_FORMATS)
    assert results.json()["samples_kept"] is False
    for file_format, (media_type, beginning) in RESULT_FORMATS.items():
        answer = await client.get(links[file_format], headers=party.headers)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == media_type
        assert answer.headers["content-length"] == str(len(answer.content))
        assert answer.headers["content-disposition"] == f'attachment; filename="{run}.{file_format}"'
        assert answer.content.startswith(beginning)
        assert (await client.get(links[file_format])).status_code == 401
        assert (await get_file(client, other, run, file_format)).status_code == 404
    again = await get_file(client, party, run, "pdf")
    assert again.content == (await get_file(client, party, run, "pdf")).content, (
        "the same run, the same bytes"
    )
    document = (await get_file(client, party, run, "json")).json()
    assert document["samples"] is None
    assert document["results"]["B16"]["raw_values"] is None
    for file_format in ("parquet", "csv"):
        told = refused(await get_file(client, party, run, file_format), 409, "samples-not-kept")
        assert "keep_samples" in told["message"]
        assert told["seed"] == 7
    told = refused(await get_file(client, party, run, "docx"), 422, "invalid-input")
    assert told["errors"] == [
        {"pointer": "/path/file_format", "detail": "must be 'pdf', 'xlsx', 'json', 'parquet' or 'csv'"}
    ]


@pytest.mark.parametrize(
    "config", [{}, {"sampling": "latin_hypercube", "stress": [{"cell": "B5", "percentiles": [0, 20]}]}]
)
async def test_kept_samples_are_the_very_numbers_of_the_run(
    parts: Parts, client: httpx.AsyncClient, party: Party, tmp_path: Path, config: dict[str, Any]
) -> None:
    run = await finished(parts, client, party, keep_samples=True, **config)
    results = (await client.get(f"{API}/simulations/{run}/results", headers=party.headers)).json()
    assert results["samples_kept"] is True
    assert {"parquet", "csv"} < set(results["download_links"])

    answer = await client.get(results["download_links"]["parquet"], headers=party.headers)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.schema.names == [
        "iteration", "Risk!B4", "Risk!B5", "Risk!B6",
        "Risk!B16", "Risk!B16 error", "Risk!B18", "Risk!B18 error",
    ]  # fmt: skip
    assert json.loads(table.schema.metadata[b"tollway"])["simulation_id"] == run
    if not config:
        compare_with_the_engine(table, tmp_path)
    b16 = table.column("Risk!B16").to_numpy()
    told = results["results"]["B16"]["statistics"]
    assert (told["min"], told["max"]) == (b16.min(), b16.max())

    text = await client.get(results["download_links"]["csv"], headers=party.headers)
    assert text.headers["content-type"].startswith("text/csv")
    assert text.headers["content-length"] == str(len(text.content))
    rows = list(csv.DictReader(io.StringIO(text.text)))
    assert [float(row["Risk!B16"]) for row in rows] == b16.tolist()
    assert [float(row["Risk!B5"]) for row in rows] == table.column("Risk!B5").to_pylist()

    document = (await get_file(client, party, run, "json")).json()
    assert document["results"]["B16"]["raw_values"] == b16.tolist()
    assert document["samples"]["parquet"] == results["download_links"]["parquet"]


def compare_with_the_engine(table: Any, folder: Path) -> None:
    """Run the same workbook beside the product: bit for bit the same draws and values."""
    path = folder / "portfolio.xlsx"
    path.write_bytes(portfolio())
    book = read_workbook(path, ReadLimits(file_bytes_max=10**7, unpacked_bytes_max=10**8))
    inputs = [
        Input(f"Risk!{one['cell']}", parse_distribution(one["distribution"])) for one in PORTFOLIO_VARIABLES
    ]
    program = build_program(book, inputs, ["Risk!B16", "Risk!B18"])
    sampling = Sampling(SamplingMethod.MONTE_CARLO, 10_000)
    drawn = draw(program.inputs, 7, 0, 10_000, sampling)
    for one, draws in zip(program.inputs, drawn, strict=True):
        assert table.column(one.cell).to_numpy().tobytes() == draws.tobytes()
    shard = run_shard(program, 7, 0, 10_000, sampling=sampling)
    for cell, values in zip(program.outputs, shard.values, strict=True):
        assert table.column(cell).to_numpy().tobytes() == np.ascontiguousarray(values).tobytes()


async def test_json_holds_numbers_up_to_a_limit_and_then_the_way_to_them(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    party = await make_party(parts.database, read_now(), tier="enterprise")
    iterations = RAW_NUMBERS_MAX // 2 + 1
    run = await finished(parts, client, party, keep_samples=True, iterations=iterations)
    document = (await get_file(client, party, run, "json")).json()
    assert document["results"]["B16"]["raw_values"] is None
    answer = await client.get(document["samples"]["parquet"], headers=party.headers)
    assert parquet.read_metadata(io.BytesIO(answer.content)).num_rows == iterations


async def test_samples_beyond_the_plan_are_refused_with_how_many_fit(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    party = await make_party(parts.database, read_now(), tier="starter")
    book = openpyxl.Workbook()
    for row in range(1, 201):
        book.active.cell(row, 1, float(row))
    book.active["B1"] = "=SUM(A1:A200)"
    model = await uploaded_id(client, party, saved(book))
    normal = {"type": "normal", "mean": 1, "std": 1}
    config = {
        "variables": [{"cell": f"A{row}", "distribution": normal} for row in range(1, 201)],
        "output_cells": ["B1"],
        "keep_samples": True,
    }

    async def start(iterations: int) -> httpx.Response:
        body = run_body(model, iterations=iterations, **config)
        return await client.post(f"{API}/simulations", headers=party.headers, json=body)

    told = refused(await start(10_000), 422, "samples-over-plan")
    assert told["errors"][0]["pointer"] == "/simulation_config/keep_samples"
    assert told["bytes_needed"] == 10_000 * 201 * 8
    assert told["limit_value"] == 10_000_000
    fitting = told["iterations_max"]
    assert fitting == 10_000_000 // (201 * 8)
    assert f"{fitting:,}" in told["message"]
    refused(await start(fitting + 1), 422, "samples-over-plan")
    assert (await start(fitting)).status_code == 201
    assert (await start(10_000)).json()["code"] == "samples-over-plan"


async def test_samples_of_so_many_runs_are_kept_and_those_of_a_model_go_with_it(
    parts: Parts, client: httpx.AsyncClient
) -> None:
    party = await make_party(parts.database, read_now(), tier="enterprise", status=SubscriptionStatus.ACTIVE)
    model, other = await uploaded_id(client, party), await uploaded_id(client, party)

    async def start(model_id: str) -> httpx.Response:
        body = run_body(model_id, iterations=1_000, keep_samples=True)
        return await client.post(f"{API}/simulations", headers=party.headers, json=body)

    config = run_body(model, iterations=1_000, keep_samples=True)["simulation_config"]
    scenarios = [
        {"model_id": model, "scenario_name": f"Scenario {number}"} for number in range(RUNS_WITH_SAMPLES_MAX)
    ]
    batch = {"batch_name": "Many", "simulations": scenarios, "simulation_config": config}
    started = await client.post(f"{API}/simulations/batch", headers=party.headers, json=batch)
    assert started.status_code == 201, started.text
    told = refused(await start(other), 422, "samples-over-plan")
    assert told["errors"][0]["pointer"] == "/simulation_config/keep_samples"
    assert told["limit_value"] == RUNS_WITH_SAMPLES_MAX
    gone = await client.delete(f"{API}/models/{model}?delete_runs=true", headers=party.headers)
    assert gone.status_code == 200, gone.text
    assert (await start(other)).status_code == 201


async def test_samples_that_are_gone_from_the_store_are_told_of(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    run = await finished(parts, client, party, keep_samples=True)
    async with parts.database.transaction() as tx:
        blob = await tx.find_value("SELECT samples_blob FROM runs")
    await parts.blobs.delete(blob)
    for file_format in ("parquet", "csv"):
        refused(await get_file(client, party, run, file_format), 409, "samples-not-kept")


# --- links ------------------------------------------------------------------------------------------


@pytest.fixture
async def done(parts: Parts, client: httpx.AsyncClient, party: Party) -> str:
    """A run with results."""
    return await finished(parts, client, party)


async def test_a_link_opens_the_results_without_a_key_for_an_hour(
    parts: Parts, client: httpx.AsyncClient, party: Party, other: Party, done: str
) -> None:
    assert (await client.post(f"{API}/simulations/{done}/generate-download-token")).status_code == 401
    assert (await token_of(client, other, done)).status_code == 404
    issued = await token_of(client, party, done)
    assert issued.status_code == 201
    body = issued.json()
    secret = body["download_token"]
    left = (datetime.fromisoformat(body["expires_at"]) - read_now()).total_seconds()
    assert 3_500 < left <= 3_600
    assert body["download_links"] == {one: f"{API}/download/{secret}/{one}" for one in RESULT_FORMATS}
    for file_format, (media_type, beginning) in RESULT_FORMATS.items():
        answer = await client.get(body["download_links"][file_format])
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == media_type
        assert answer.headers["cache-control"] == "no-store"
        assert answer.content.startswith(beginning)
    assert zipfile.is_zipfile(io.BytesIO((await client.get(body["download_links"]["xlsx"])).content))
    for file_format in ("parquet", "csv", "docx"):
        assert (await client.get(f"{API}/download/{secret}/{file_format}")).status_code == 422

    for wrong in ("x" * 43, secret[:-1], secret + "x", "%00", "x" * 100):
        refused(await client.get(f"{API}/download/{wrong}/pdf"), 403, "download-token-refused")
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE download_tokens SET expires_at = %(now)s", {"now": read_now()})
    told = refused(await client.get(body["download_links"]["pdf"]), 403, "download-token-refused")
    assert "new one" in told["message"]


async def test_a_token_is_told_once_and_kept_nowhere(
    parts: Parts, client: httpx.AsyncClient, party: Party, done: str
) -> None:
    """Its answer is not stored for an Idempotency-Key either: the second call makes another token."""
    headers = party.headers | {"Idempotency-Key": "one"}
    url = f"{API}/simulations/{done}/generate-download-token"
    secrets = [(await client.post(url, headers=headers)).json()["download_token"] for _ in range(2)]
    assert secrets[0] != secrets[1]
    await client.get(f"{API}/download/{secrets[0]}/json")
    await parts.gatehouse.close()
    everywhere = [one for one in Path(parts.settings.tollway_data).rglob("*") if one.is_file()]
    assert not any(secrets[0].encode() in one.read_bytes() for one in everywhere)
    async with parts.database.transaction() as tx:
        tables = await tx.list_rows(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        for table in tables:
            rows = await tx.list_rows(f'SELECT t::text AS row FROM "{table["name"]}" t')
            assert not any(secrets[0] in row["row"] for row in rows), table["name"]


@pytest.mark.parametrize(
    "end",
    [
        "UPDATE api_customers SET suspended_at = now()",
        "UPDATE api_customers SET deactivated_at = now()",
        "UPDATE runs SET results_deleted_at = now(), results = NULL",
        "DELETE FROM runs",
    ],
)
async def test_a_link_ends_with_its_run_and_its_customer(
    parts: Parts, client: httpx.AsyncClient, party: Party, done: str, end: str
) -> None:
    link = (await token_of(client, party, done)).json()["download_links"]["json"]
    assert (await client.get(link)).status_code == 200
    async with parts.database.transaction() as tx:
        await tx.execute(end)  # type: ignore[arg-type]  # written above
    refused(await client.get(link), 403, "download-token-refused")


async def test_links_are_listed_and_taken_back_by_their_customer_alone(
    parts: Parts, client: httpx.AsyncClient, party: Party, other: Party, done: str
) -> None:
    kept, gone = [(await token_of(client, party, done)).json() for _ in range(2)]
    url = f"{API}/simulations/{done}/download-tokens"
    one = f"{url}/{gone['download_token_id']}"
    async with parts.database.transaction() as tx:
        reader = await keys.issue_api_key(
            tx, SEALER, party.customer_id, product="montecarlo", mode=Mode.TEST, name="Reader", tier="trial",
            now=read_now(), scopes=frozenset({Scope.READ}),
        )  # fmt: skip
    reading = {"Authorization": f"Bearer {reader.secret}"}
    for method in ("GET", "DELETE"):
        address = url if method == "GET" else one
        assert (await client.request(method, address)).status_code == 401
        refused(await client.request(method, address, headers=other.headers), 404, "run-not-found")
    assert (await client.delete(one, headers=reading)).status_code == 403
    listed = await client.get(url, headers=reading)
    assert gone["download_token"] not in listed.text
    assert listed.json()["download_tokens"][1] == {
        "download_token_id": gone["download_token_id"],
        "key_id": party.api_key.key_id,
        "created_at": listed.json()["download_tokens"][1]["created_at"],
        "expires_at": gone["expires_at"],
    }

    assert (await client.get(gone["download_links"]["json"])).status_code == 200
    assert (await client.delete(one, headers=party.headers)).status_code == 200
    refused(await client.get(gone["download_links"]["json"]), 403, "download-token-refused")
    assert (await client.get(kept["download_links"]["json"])).status_code == 200
    refused(await client.delete(one, headers=party.headers), 404, "download-token-not-found")
    left = (await client.get(url, headers=party.headers)).json()["download_tokens"]
    assert [each["download_token_id"] for each in left] == [kept["download_token_id"]]


async def test_making_a_link_and_taking_it_back_stand_in_the_activity(
    parts: Parts, client: httpx.AsyncClient, party: Party, done: str
) -> None:
    made = (await token_of(client, party, done)).json()
    url = f"{API}/simulations/{done}/download-tokens/{made['download_token_id']}"
    assert (await client.delete(url, headers=party.headers)).status_code == 200
    async with parts.database.transaction() as tx:
        entries = await tx.list_rows(
            """
            SELECT action, subject, actor, customer_id, details FROM audit_entries
            WHERE action LIKE 'download_link.%' ORDER BY id
            """
        )
    assert [one.pop("details") for one in entries] == [
        {"simulation_id": done, "expires_at": made["expires_at"]},
        {"simulation_id": done},
    ]
    for entry, action in zip(entries, ("download_link.created", "download_link.revoked"), strict=True):
        assert entry == {
            "action": action,
            "subject": made["download_token_id"],
            "actor": f"api_key:{party.api_key.key_id}",
            "customer_id": party.customer_id,
        }
        assert words_for(action) != action


@pytest.mark.parametrize(
    "end",
    [
        "status = 'revoked', revoked_at = now()",
        "status = 'deleted'",
        "status = 'suspended'",
        "expires_at = now()",
        "grace_until = now()",
    ],
)
async def test_a_link_ends_with_the_key_that_made_it(
    parts: Parts, client: httpx.AsyncClient, party: Party, done: str, end: str
) -> None:
    link = (await token_of(client, party, done)).json()["download_links"]["json"]
    assert (await client.get(link)).status_code == 200
    async with parts.database.transaction() as tx:
        await tx.execute(f"UPDATE api_keys SET {end} WHERE id = {party.api_key.id}")  # type: ignore[arg-type]
        assert not await download_operations.list_download_links(tx, caller_of(party), done, read_now())
    refused(await client.get(link), 403, "download-token-refused")


async def test_links_of_one_run_are_bounded_and_swept(
    parts: Parts, client: httpx.AsyncClient, party: Party, done: str
) -> None:
    caller = caller_of(party)

    async def issue() -> bool:
        try:
            async with parts.database.transaction() as tx:
                await download_operations.issue_download_token(tx, caller, done, read_now())
        except DownloadTokensAtOnce:
            return False
        return True

    issued = await asyncio.gather(*(issue() for _ in range(TOKENS_PER_RUN_MAX + 3)))
    assert sum(issued) == TOKENS_PER_RUN_MAX, "however many ask at once"
    told = refused(await token_of(client, party, done), 429, "download-tokens-at-once")
    assert 0 < told["retry_after"] <= 3_600
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE download_tokens SET expires_at = expires_at - interval '1 hour'")
    assert (await token_of(client, party, done)).status_code == 201
    await build_registry(parts).schedules["simulation.sweep"][1]({})
    async with parts.database.transaction() as tx:
        assert await tx.find_value("SELECT count(*) FROM download_tokens") == 1


async def test_a_run_without_results_has_no_links(
    client: httpx.AsyncClient, party: Party, other: Party
) -> None:
    run = await started_id(client, party, await uploaded_id(client, party))
    refused(await token_of(client, party, run), 409, "run-not-finished")
    refused(await token_of(client, party, "sim_0000000000000000"), 404, "run-not-found")


# --- how files are made -----------------------------------------------------------------------------


async def test_a_file_that_takes_too_long_or_fails_is_not_made(tmp_path: Path) -> None:
    async def fetch() -> Path:
        return tmp_path / "none"

    with pytest.raises(FileNotMade) as late:
        await Press(seconds_max=0.01).write_csv(fetch, tmp_path / "a.csv")
    assert "killed" in late.value.log_message
    with pytest.raises(FileNotMade) as broken:
        await Press().write_csv(fetch, tmp_path / "a.csv")
    assert "FileNotFoundError" in broken.value.log_message


async def test_files_that_wait_are_bounded_and_nothing_is_fetched_for_those_turned_away(
    tmp_path: Path,
) -> None:
    fetched: list[int] = []

    async def fetch() -> Path:
        fetched.append(len(fetched))
        return tmp_path / "none"

    press = Press(children_max=1, waiting_max=2)
    asked = [press.write_csv(fetch, tmp_path / f"{one}.csv") for one in range(4)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(one).__name__ for one in ended) == ["DownloadsBusy"] * 2 + ["FileNotMade"] * 2
    assert fetched == [0, 1]
