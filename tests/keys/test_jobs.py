"""Owners are told that a key expires: a week before and a day before, each once."""

from datetime import UTC, datetime, timedelta

from tests.firms import Firm

from tollway.keys import management_operations as management
from tollway.keys.jobs import FIRST_CALL, LAST_CALL, register
from tollway.kit.jobs import JobRegistry

BASE = "http://localhost:6789"


async def look(firm: Firm, now: datetime) -> int:
    async with firm.parts.database.transaction() as tx:
        return await management.tell_expiring(tx, now, LAST_CALL, FIRST_CALL, base_url=BASE, limit=100)


async def test_an_expiry_is_told_twice_however_often_we_look(firm: Firm) -> None:
    now = datetime.now(UTC)
    await firm.person()
    key = await firm.key(name="Reports", expires_at=now + timedelta(days=30))
    told = [(hours, await look(firm, now + timedelta(hours=hours))) for hours in range(0, 30 * 24 + 2, 1)]
    assert [hours for hours, count in told if count] == [23 * 24, 29 * 24]
    mails = await firm.rows("SELECT text_body, html_body, subject FROM outbox_mails ORDER BY id")
    assert len(mails) == 2
    for mail in mails:
        assert key.api_key.key_id in mail["text_body"]
        assert key.secret not in mail["text_body"] + mail["html_body"]
        assert "Reports" in mail["subject"]
        assert f"{BASE}/api-keys/manage" in mail["text_body"]


async def test_a_key_that_was_made_for_a_day_is_told_of_once(firm: Firm) -> None:
    now = datetime.now(UTC)
    await firm.person()
    await firm.key(expires_at=now + timedelta(hours=20))
    assert [await look(firm, now + timedelta(hours=hours)) for hours in range(22)] == [1] + [0] * 21


async def test_who_replaced_revoked_or_moved_it_is_not_told(firm: Firm) -> None:
    now = datetime.now(UTC)
    await firm.person()
    soon = now + timedelta(days=3)
    rotated, revoked, moved = [await firm.key(expires_at=soon) for _ in range(3)]
    await firm.client.post(
        f"/api/api-keys/{rotated.api_key.key_id}/rotate", json={"overlap_hours": 720}, headers=firm.headers
    )
    await firm.client.post(f"/api/api-keys/{revoked.api_key.key_id}/revoke", headers=firm.headers)
    later = (now + timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await firm.client.patch(
        f"/api/api-keys/{moved.api_key.key_id}", json={"expires_at": later}, headers=firm.headers
    )
    successor = await firm.rows("SELECT count(*)::int AS n FROM api_keys WHERE successor_id IS NOT NULL")
    assert successor == [{"n": 1}]
    await firm.execute("UPDATE api_keys SET expires_at = NULL WHERE id = (SELECT successor_id FROM api_keys "
                       "WHERE successor_id IS NOT NULL)")  # fmt: skip
    assert await look(firm, now) == 0


async def test_a_new_expiry_is_told_of_anew(firm: Firm) -> None:
    now = datetime.now(UTC)
    key = await firm.key(expires_at=now + timedelta(days=3))
    assert await look(firm, now) == 1
    later = (now + timedelta(days=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
    await firm.client.patch(
        f"/api/api-keys/{key.api_key.key_id}", json={"expires_at": later}, headers=firm.headers
    )
    assert [await look(firm, now), await look(firm, now)] == [1, 0]
    assert await firm.rows("SELECT 1 FROM outbox_mails") == [], "nobody proved an address"


async def test_the_job_is_scheduled_every_hour(firm: Firm) -> None:
    registry = JobRegistry()
    register(registry, firm.parts.database, BASE)
    await firm.key(expires_at=datetime.now(UTC) + timedelta(days=3))
    crontab, run = registry.schedules["keys.tell_expiring"]
    assert crontab.split()[1:] == ["*"] * 4
    await run({})
    assert len(await firm.rows("SELECT 1 FROM api_keys WHERE expiry_told_at IS NOT NULL")) == 1
