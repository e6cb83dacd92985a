"""Calls that end early, or ask for what is over: they are on record, and hold nothing."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.admission.conftest import PREFIX
from tests.parties import Party, make_party

from tollway.admission.centre import Answer, CentreGone, Hold, InProcessCentre, Question
from tollway.admission.entities import Cost, JournalFull
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import RateLimiter
from tollway.admission.middleware import AdmissionMiddleware, ProductPaths
from tollway.admission.patterns import Patterns
from tollway.admission.records import letterhead
from tollway.kit.db import Database


@pytest.fixture
async def party(product: Database, present: datetime) -> Party:
    return await make_party(product, present)


def _scope(party: Party, path: str, method: str) -> dict[str, Any]:
    return {
        "type": "http", "method": method, "path": path, "client": ("203.0.113.9", 50000),
        "headers": [(b"authorization", party.headers["Authorization"].encode())],
    }  # fmt: skip


async def _nothing(*_: Any) -> Any:
    return {}


@pytest.mark.parametrize("breaks", [False, True])
async def test_what_cannot_be_written_down_at_its_end_holds_nothing(
    product: Database, party: Party, small_disk: Path, breaks: bool
) -> None:
    """Its units come back, and its place among those under way."""
    gatehouse = Gatehouse(product, small_disk / "journal", RateLimiter(None), segment_records=1_000)
    cost = Cost("montecarlo", reads=False, units=1)
    nobody = letterhead(
        customer_id=1,
        api_key_id=0,
        endpoint=1,
        method_code=0,
        product=1,
        live=False,
        user_agent=0,
        address=b"",
    )

    async def served(_scope: Any, _receive: Any, send: Any) -> None:
        with contextlib.suppress(OSError):
            (small_disk / "stopper").write_bytes(b"x" * (1 << 20))
        with contextlib.suppress(JournalFull):
            while True:
                gatehouse.journal.append(nobody, 0, 200, 0, "")
        if breaks:
            raise ConnectionResetError
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a"})

    path = f"{PREFIX}/checks"
    paths = ProductPaths("montecarlo", PREFIX, costs=((f"POST {path}", cost),))
    app = AdmissionMiddleware(served, gatehouse, (paths,), "/docs", Patterns([path]))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(JournalFull):
        await app(_scope(party, path, "POST"), _nothing, send)
    assert [message["type"] for message in sent] == ([] if breaks else ["http.response.start"])
    assert gatehouse.quota_leases is not None
    gatehouse.quota_leases.give_up(party.customer_id)
    assert [account.has_leases for account in gatehouse.quota_leases._accounts.values()] == [False]
    assert not gatehouse.limiter._slots._told_ns
    (small_disk / "stopper").unlink()
    await gatehouse.close()


async def test_a_refusal_that_is_broken_off_is_on_record(
    product: Database, gatehouse: Gatehouse, party: Party, log_rows: Any
) -> None:
    async with product.transaction() as tx:
        await tx.execute("UPDATE api_keys SET scopes = '{write}'")
    begun = asyncio.Event()

    async def send(_message: Any) -> None:
        begun.set()
        # A client that reads nothing.
        await asyncio.Event().wait()

    app = AdmissionMiddleware(
        _nothing, gatehouse, (ProductPaths("montecarlo", PREFIX),), "/docs", Patterns([f"{PREFIX}/things"])
    )
    refused = asyncio.create_task(app(_scope(party, f"{PREFIX}/things", "GET"), _nothing, send))
    await begun.wait()
    refused.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refused
    assert [(row["endpoint"], row["status_code"]) for row in await log_rows()] == [(f"{PREFIX}/things", 403)]


async def test_a_journal_that_was_begun_anew_names_endpoints_by_its_own_numbers(
    client: httpx.AsyncClient, gatehouse: Gatehouse, party: Party, log_rows: Any
) -> None:
    for path in ("/things", "/unmetered"):
        await client.get(path, headers=party.headers)
    await gatehouse.close()
    for path in ("/unmetered", "/things"):
        await client.get(path, headers=party.headers)
    found = [row["endpoint"].removeprefix(PREFIX) for row in await log_rows()]
    assert found == ["/things", "/unmetered", "/unmetered", "/things"]


async def test_a_call_that_asks_for_its_answer_again_counts_against_limits_a_minute(
    client: httpx.AsyncClient, product: Database, party: Party
) -> None:
    """After the plan ended, too: else every key that was ever issued may write without end."""
    async with product.transaction() as tx:
        await tx.execute("UPDATE api_keys SET requests_per_minute_max = 3")
        await tx.execute("UPDATE api_subscriptions SET status = 'cancelled'")
    headers = party.headers | {"Idempotency-Key": "again"}
    codes = [
        (await client.post("/things", json={"name": "a"}, headers=headers)).json()["code"] for _ in range(5)
    ]
    assert codes[3:] == ["api-key-too-fast"] * 2
    assert "api-key-too-fast" not in codes[:3]


async def test_a_call_that_no_plan_pays_for_takes_nothing(
    product: Database, gatehouse: Gatehouse, party: Party, present: datetime
) -> None:
    """What a plan that ended may still read takes no units; what takes some is refused, at once."""
    async with product.transaction() as tx:
        await tx.execute("UPDATE api_keys SET requests_per_minute_max = 3")
        await tx.execute("UPDATE api_subscriptions SET status = 'cancelled'")
    cost = Cost("montecarlo", reads=True, units=1)
    for _ in range(5):
        decision = await gatehouse.admit(
            party.headers["Authorization"].encode(), cost, "203.0.113.9", present
        )
        assert decision.refusal is not None
        assert decision.refusal.status == 402
    assert decision.snapshot is not None
    assert next(bucket.remaining(time.monotonic_ns()) for bucket in decision.snapshot.buckets) == 3


class Nobody:
    """A centre that does not answer."""

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        raise CentreGone(f"nobody answers {len(questions)} questions")

    async def close(self) -> None:
        pass


async def test_a_call_that_no_centre_lets_in_is_on_record(
    product: Database, party: Party, tmp_path: Path
) -> None:
    """Nobody is refused without a trace that their list of requests shows."""
    gatehouse = Gatehouse(product, tmp_path / "journal", RateLimiter(Nobody()))
    app = AdmissionMiddleware(
        _nothing, gatehouse, (ProductPaths("montecarlo", PREFIX),), "/docs", Patterns([f"{PREFIX}/things"])
    )
    async with product.transaction() as tx:
        await tx.execute("UPDATE api_keys SET requests_per_minute_max = 3")
    await app(_scope(party, f"{PREFIX}/things", "GET"), _nothing, _nothing)
    await gatehouse.ship()
    async with product.transaction() as tx:
        rows = await tx.list_rows("SELECT status_code, problem_code, units FROM api_usage_logs")
    assert rows == [{"status_code": 503, "problem_code": "rate-limits-unavailable", "units": 0}]
    await gatehouse.close()


class Hesitant(InProcessCentre):
    """A centre that never says whether one more thing may run."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        if any(isinstance(question, Hold) for question in questions):
            self.is_asked.set()
            await asyncio.Event().wait()
        return self.answer(questions)


async def test_a_call_that_is_broken_off_before_it_begins_holds_nothing(
    product: Database, party: Party, tmp_path: Path
) -> None:
    centre, path = Hesitant(), f"{PREFIX}/checks"
    gatehouse = Gatehouse(product, tmp_path / "journal", RateLimiter(centre))
    cost = Cost("montecarlo", reads=False, units=1)
    paths = ProductPaths("montecarlo", PREFIX, costs=((f"POST {path}", cost),))
    app = AdmissionMiddleware(_nothing, gatehouse, (paths,), "/docs", Patterns([path]))
    call = asyncio.create_task(app(_scope(party, path, "POST"), _nothing, _nothing))
    async with asyncio.timeout(10):
        await centre.is_asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert gatehouse.quota_leases is not None
    gatehouse.quota_leases.give_up(party.customer_id)
    assert [account.has_leases for account in gatehouse.quota_leases._accounts.values()] == [False]
    await gatehouse.ship()
    async with product.transaction() as tx:
        rows = await tx.list_rows("SELECT status_code, units FROM api_usage_logs")
    assert rows == [{"status_code": 500, "units": 0}]
    await gatehouse.close()
