"""A centre that lost what it knew says so, and claims nothing about what runs."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from tests.parties import make_party

from tollway.admission.centre import InProcessCentre
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import RateLimiter
from tollway.kit.db import Database


@pytest.fixture
async def gatehouse(product: Database, tmp_path: Path) -> AsyncIterator[Gatehouse]:
    """A process whose centre began anew and hears for eight seconds yet what runs."""
    centre = InProcessCentre(held_after_us=time.monotonic_ns() // 1_000 + 8_000_000)
    made = Gatehouse(product, tmp_path / "journal", RateLimiter(centre))
    await made.limiter.start()
    yield made
    await made.close()


@pytest.mark.promise("X11")
async def test_what_is_not_known_to_run_is_not_told_as_a_number(
    client: httpx.AsyncClient, product: Database, present: datetime
) -> None:
    party = await make_party(product, present)
    async with product.transaction() as tx:
        await tx.execute(
            "UPDATE plan_versions SET content = jsonb_set(content, '{limits,writes_at_once_max}', '2')"
        )
    refused = await client.post("/checks", json={"name": "a"}, headers=party.headers)
    assert (refused.status_code, refused.json()["code"]) == (503, "rate-limits-unavailable")
    assert "is not known at the moment" in refused.json()["message"]
    assert "limit_value" not in refused.json(), "no limit was reached"
    assert 1 <= int(refused.headers["Retry-After"]) <= 8
    assert f"in {refused.headers['Retry-After']} second" in refused.json()["message"]
    assert (await client.get("/unmetered", headers=party.headers)).status_code == 200, "reading goes on"
