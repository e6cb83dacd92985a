"""A request that is sent twice has one effect and gets one answer."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.kit import idempotency
from tollway.kit.db import Database
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused, StoredAnswer

SCOPE = "7/test/POST /things"


@pytest.fixture
async def things(database: Database) -> Database:
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE things (number integer NOT NULL)")
    return database


async def create(
    database: Database,
    key: str,
    content: Any,
    now: datetime,
    *,
    scope: str = SCOPE,
    fails: bool = False,
    takes_seconds: float = 0,
) -> StoredAnswer:
    """What an endpoint that creates does."""
    async with database.transaction() as tx:
        stored = await idempotency.begin(tx, scope, key, idempotency.digest(content), now)
        if stored is not None:
            return stored
        await tx.execute("INSERT INTO things VALUES (%(number)s)", {"number": content["number"]})
        await asyncio.sleep(takes_seconds)
        if fails:
            raise LookupError
        body = {"made": content["number"], "by": asyncio.current_task().get_name()}  # type: ignore[union-attr]
        await idempotency.finish(tx, scope, key, 201, body)
        return StoredAnswer(201, body)


async def count(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.find_value("SELECT count(*) FROM things"))


async def test_the_second_request_gets_the_first_ones_answer(things: Database, now: datetime) -> None:
    first = await create(things, "once", {"number": 1}, now)
    again = await create(things, "once", {"number": 1}, now + timedelta(hours=1))
    assert again == first
    assert await count(things) == 1


async def test_twenty_at_the_same_time_have_one_effect_and_one_answer(
    things: Database, now: datetime
) -> None:
    answers = await asyncio.gather(
        *(create(things, "once", {"number": 1}, now, takes_seconds=0.02) for _ in range(20))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await count(things) == 1


async def test_other_content_under_the_same_key_is_a_conflict(things: Database, now: datetime) -> None:
    await create(things, "once", {"number": 1}, now)
    with pytest.raises(IdempotencyKeyReused) as refused:
        await create(things, "once", {"number": 2}, now)
    assert refused.value.status == 409
    assert await count(things) == 1


async def test_the_order_of_fields_is_no_other_content(things: Database, now: datetime) -> None:
    first = await create(things, "once", {"number": 1, "name": "a"}, now)
    assert await create(things, "once", {"name": "a", "number": 1}, now) == first


async def test_the_same_key_of_another_caller_is_another_key(things: Database, now: datetime) -> None:
    await create(things, "once", {"number": 1}, now)
    await create(things, "once", {"number": 2}, now, scope="8/test/POST /things")
    await create(things, "once", {"number": 3}, now, scope="7/live/POST /things")
    assert await count(things) == 3


async def test_a_request_that_failed_may_be_sent_again(things: Database, now: datetime) -> None:
    with pytest.raises(LookupError):
        await create(things, "once", {"number": 1}, now, fails=True)
    assert await count(things) == 0
    # Even with other content: nothing happened under this key.
    assert (await create(things, "once", {"number": 2}, now)).status == 201
    assert await count(things) == 1


async def test_a_failure_lets_the_request_that_waited_behind_it_through(
    things: Database, now: datetime
) -> None:
    first = asyncio.create_task(create(things, "once", {"number": 1}, now, fails=True, takes_seconds=0.2))
    await asyncio.sleep(0.05)
    second = await create(things, "once", {"number": 1}, now)
    with pytest.raises(LookupError):
        await first
    assert second.status == 201
    assert await count(things) == 1


@pytest.mark.parametrize(("hours", "effects"), [(23.99, 1), (24, 1), (24.01, 2)])
async def test_an_answer_is_kept_for_24_hours(
    things: Database, now: datetime, hours: float, effects: int
) -> None:
    await create(things, "once", {"number": 1}, now)
    await create(things, "once", {"number": 1}, now + timedelta(hours=hours))
    assert await count(things) == effects


async def test_old_answers_are_swept(things: Database, now: datetime) -> None:
    await create(things, "old", {"number": 1}, now - timedelta(hours=25))
    await create(things, "young", {"number": 2}, now - timedelta(hours=23))
    async with things.transaction() as tx:
        assert await idempotency.delete_expired(tx, now) == 1
        assert await tx.list_rows("SELECT key FROM idempotency_records") == [{"key": "young"}]


@pytest.mark.parametrize("key", ["", "x" * 256, "with\nbreak", "\x00", "tab\there"])
async def test_a_header_that_cannot_be_a_key_is_refused(things: Database, now: datetime, key: str) -> None:
    with pytest.raises(BadIdempotencyKey) as refused:
        await create(things, key, {"number": 1}, now)
    assert refused.value.status == 422
    assert refused.value.errors[0].pointer == "/headers/Idempotency-Key"
    assert await count(things) == 0


@pytest.mark.parametrize("key", ["1", "x" * 255, "8e03978e-40d5-43dd-bc93-6894a57f9324", "ü"])
def test_anything_printable_of_reasonable_length_is_a_key(key: str) -> None:
    assert idempotency.check_key(key) == key


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(JSON, JSON)
def test_content_has_the_same_digest_exactly_when_it_is_the_same(left: Any, right: Any) -> None:
    # repr tells True from 1, as JSON does.
    same = repr(_sorted(left)) == repr(_sorted(right))
    assert (idempotency.digest(left) == idempotency.digest(right)) == same


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value


def test_parts_cannot_be_shifted_into_each_other() -> None:
    assert idempotency.digest(b"ab", b"c") != idempotency.digest(b"a", b"bc")
