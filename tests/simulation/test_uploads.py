"""What an upload costs where the quota has no room for it: an answer, and no work."""

import asyncio
from typing import Any

import httpx
import pytest
from tests.parties import Party
from tests.simulation.conftest import API, XLSX, run_body, upload, uploaded_id
from tests.simulation.workbooks import portfolio

from tollway.app import Parts

NO_WORKBOOK = b"not a workbook at all"


async def leave(parts: Parts, units: int) -> None:
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE usage_quotas SET requests_used = requests_max - %(units)s", {"units": units})


async def rows(parts: Parts, query: str) -> list[dict[str, Any]]:
    await parts.gatehouse.ship()
    async with parts.database.transaction() as tx:
        return await tx.list_rows(query)  # type: ignore[arg-type]


@pytest.mark.promise("A15")
async def test_an_upload_over_the_quota_is_refused_before_it_is_read(
    client: httpx.AsyncClient, party: Party, parts: Parts
) -> None:
    """Whoever reads this file finds that it is no workbook; whoever asks the quota first never does."""
    await uploaded_id(client, party)
    assert (await upload(client, party, NO_WORKBOOK)).status_code == 422
    await leave(parts, 0)
    refused = await upload(client, party, NO_WORKBOOK)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota-used-up")
    assert int(refused.headers["Retry-After"]) > 0
    *_, last = await rows(parts, "SELECT status_code, units, limit_name FROM api_usage_logs ORDER BY id")
    assert last == {"status_code": 429, "units": 0, "limit_name": "requests_per_period"}


async def test_the_last_request_is_given_to_one_of_many_uploads(
    client: httpx.AsyncClient, party: Party, parts: Parts
) -> None:
    """All of them pass the early look; the transaction of the effect decides."""
    await uploaded_id(client, party)
    await leave(parts, 1)
    contents = [portfolio(), portfolio(), portfolio()]
    answers = await asyncio.gather(*(upload(client, party, content) for content in contents))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429]
    assert (await rows(parts, "SELECT count(*) AS n FROM models"))[0]["n"] == 2
    (quota,) = await rows(parts, "SELECT requests_used, requests_max FROM usage_quotas")
    assert quota["requests_used"] == quota["requests_max"]


async def test_an_upload_that_is_repeated_is_answered_though_the_quota_is_used_up(
    client: httpx.AsyncClient, party: Party, parts: Parts
) -> None:
    async def send() -> httpx.Response:
        return await client.post(
            f"{API}/models",
            headers=party.headers | {"Idempotency-Key": "upload-1"},
            files={"file": ("portfolio.xlsx", content, XLSX)},
        )

    content = portfolio()
    first = await send()
    assert first.status_code == 201
    await leave(parts, 0)
    again = await send()
    assert (again.status_code, again.json()) == (201, first.json())


async def test_a_run_over_the_quota_is_refused_before_it_is_planned(
    client: httpx.AsyncClient, party: Party, parts: Parts
) -> None:
    """Planning would find that there is no such cell."""
    model_id = await uploaded_id(client, party)
    await leave(parts, 0)
    body = run_body(model_id, output_cells=["ZZ99"])
    refused = await client.post(f"{API}/simulations", headers=party.headers, json=body)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota-used-up")
