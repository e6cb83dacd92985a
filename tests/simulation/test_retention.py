"""What is kept for a time is deleted when it is over, told beforehand and afterwards."""

from datetime import timedelta

import httpx
import pytest
from tests.parties import Party
from tests.simulation.conftest import API, results_of, started_id, uploaded_id, working
from tests.simulation.workbooks import PORTFOLIO_VARIABLES

from tollway.app import Parts
from tollway.kit.blobs import BlobMissing
from tollway.kit.clock import read_now
from tollway.simulation import file_store, retention

BASE_URL = "https://tollway.example"


async def mails(parts: Parts) -> list[str]:
    async with parts.database.transaction() as tx:
        rows = await tx.list_rows("SELECT template, text_body FROM outbox_mails ORDER BY id")
    return [f"{row['template']}: {row['text_body']}" for row in rows]


async def test_everything_ends_in_its_time_and_the_customer_is_told(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    async with working(parts):
        run = await started_id(client, party, model, keep_samples=True)
        await results_of(client, party, run)
    now = read_now()
    async with parts.database.transaction() as tx:
        blob = await tx.find_value("SELECT workbook_blob FROM models")
        kept = [
            row["blob"]
            for row in await tx.list_rows("SELECT unnest(ARRAY[samples_blob, points_blob]) AS blob FROM runs")
        ]
        # What shards left goes once it is summed up and written down; the samples stay.
        let_go = await file_store.list_discarded_blobs(tx, now + timedelta(seconds=1), 100)
        assert let_go
        assert all(name.startswith("shards/") for name in let_go)
        assert await tx.list_rows("SELECT 1 FROM run_shards") == []
        assert await retention.warn(tx, BASE_URL, now) == 0, "30 days are far off"
        assert await retention.end(tx, BASE_URL, now) == 0

    week_before = now + timedelta(days=24)
    for expected in (1, 0):
        async with parts.database.transaction() as tx:
            assert await retention.warn(tx, BASE_URL, week_before) == expected
    (warning,) = await mails(parts)
    assert warning.startswith("workbook_expiring: ")
    assert f"{BASE_URL}/models/{model}" in warning

    over = now + timedelta(days=31)
    marked = {
        "inputs": PORTFOLIO_VARIABLES,
        "outputs": ["B16"],
        "correlations": [{"cells": ["B4", "B5"], "correlation": 0.5}],
    }
    assert (await client.put(f"{API}/models/{model}", headers=party.headers, json=marked)).status_code == 200
    for expected in (2, 0):
        async with parts.database.transaction() as tx:
            assert await retention.end(tx, BASE_URL, over) == expected
    async with parts.database.transaction() as tx:
        [left] = await tx.list_rows("SELECT inputs, outputs, correlations FROM models")
    assert left == {"inputs": [], "outputs": [], "correlations": []}
    told = (await mails(parts))[-1]
    assert told.startswith("results_deleted: ")
    assert "portfolio" in told
    assert run in told

    shown = await client.get(f"{API}/models/{model}", headers=party.headers)
    assert shown.status_code == 404
    assert shown.json()["code"] == "workbook-deleted"
    results = await client.get(f"{API}/simulations/{run}/results", headers=party.headers)
    assert results.status_code == 404
    assert results.json()["code"] == "results-deleted"
    assert "seed 7" in results.json()["message"]
    assert (await client.get(f"{API}/models", headers=party.headers)).json()["models"] == []

    async with parts.database.transaction() as tx:
        names = await file_store.list_discarded_blobs(tx, over + timedelta(seconds=1), 100)
    assert sorted(names) == sorted([blob, *kept, *let_go])

    async with parts.database.transaction() as tx:
        assert await retention.delete_tombstones(tx, over + timedelta(days=1)) == 0
        assert await retention.delete_tombstones(tx, over + timedelta(days=91)) == 2
    gone = await client.get(f"{API}/simulations/{run}/results", headers=party.headers)
    assert gone.json()["code"] == "run-not-found"


async def test_a_run_keeps_its_workbook_on(parts: Parts, client: httpx.AsyncClient, party: Party) -> None:
    model = await uploaded_id(client, party)
    async with parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE models SET expires_at = %(soon)s, expiry_told_at = %(soon)s",
            {"soon": read_now() + timedelta(days=2)},
        )
    await started_id(client, party, model)
    async with parts.database.transaction() as tx:
        kept = await tx.list_rows("SELECT expires_at, expiry_told_at FROM models")
        assert await retention.end(tx, BASE_URL, read_now() + timedelta(days=40)) == 0, "a run is under way"
    assert kept[0]["expires_at"] > read_now() + timedelta(days=29)
    assert kept[0]["expiry_told_at"] is None


async def test_a_deleted_model_takes_its_file_with_it(
    parts: Parts, client: httpx.AsyncClient, party: Party
) -> None:
    model = await uploaded_id(client, party)
    async with parts.database.transaction() as tx:
        blob = await tx.find_value("SELECT workbook_blob FROM models")
    assert await parts.blobs.get(blob)
    response = await client.delete(f"{API}/models/{model}", headers=party.headers)
    assert response.status_code == 200
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE discarded_blobs SET discarded_at = discarded_at - interval '2 hours'")
    from tollway.app import build_registry

    await build_registry(parts).schedules["simulation.sweep"][1]({})
    with pytest.raises(BlobMissing):
        await parts.blobs.get(blob)
