"""The jobs of alerts: what a worker runs by the clock, and the messages to the owner's server."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.alerts.conftest import DESK, House

from tollway.alerts import jobs
from tollway.alerts import operations as alerts
from tollway.alerts.entities import Rule, RuleKind, default_rule
from tollway.alerts.measure_operations import Readings
from tollway.alerts.remote import MessageNotTaken, OwnerServer, send
from tollway.customers.callers import Caller
from tollway.kit.jobs import RETRY_DELAYS_SECONDS, JobRegistry

SECRET = "a secret of an owner that is long enough"
WELL = Readings(1_000, 1_000)
FULL = Readings(1_000, 10)


class Server:
    """A server of the owner's, which remembers what it was sent."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(outer.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Say nothing on the console."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._http.serve_forever, daemon=True).start()

    @property
    def told(self) -> OwnerServer:
        return OwnerServer(f"http://127.0.0.1:{self._http.server_port}/hooks", SECRET)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    opened = Server()
    yield opened
    opened.close()


def registry_of(house: House, folder: Path, server: OwnerServer | None) -> JobRegistry:
    registry = JobRegistry()
    jobs.register(registry, house.database, DESK, folder, folder / "journal", server)
    return registry


async def waiting(house: House) -> list[dict[str, object]]:
    rows = await house.rows(
        "SELECT payload FROM pgqueuer WHERE entrypoint = 'alerts.send_webhook' ORDER BY id"
    )
    return [json.loads(bytes(row["payload"])) for row in rows]


async def statuses(house: House) -> list[tuple[str, str]]:
    async with house.database.transaction() as tx:
        return [(one.kind.value, one.status.value) for one in (await alerts.list_alerts(tx)).items]


@pytest.mark.promise("B65")
async def test_rules_are_followed_each_minute_and_customers_told_each_half_one(
    house: House, tmp_path: Path
) -> None:
    registry = registry_of(house, tmp_path / "not" / "there", None)
    assert {name: crontab for name, (crontab, _) in registry.schedules.items()} == {
        "alerts.tell_quotas": "* * * * * */30",
        "alerts.follow_rules": "* * * * *",
        "alerts.forget": "41 3 * * *",
    }
    for _, runner in registry.schedules.values():
        for _ in range(2):
            await runner({})
    assert await house.rows("SELECT taken_at FROM usage_samples")


async def test_what_lasts_is_told_once_and_over_once_it_is_gone(house: House, now: datetime) -> None:
    for minute in range(5):
        await jobs.follow_rules(house.database, DESK, FULL, now + timedelta(minutes=minute))
    assert await statuses(house) == [("disk_full", "open")]
    for minute in range(5, 30):
        await jobs.follow_rules(house.database, DESK, WELL, now + timedelta(minutes=minute))
    assert await statuses(house) == [("disk_full", "resolved")]
    subjects = [mail["subject"] for mail in await house.mails("owner_alerts")]
    assert subjects == ["Alert: Disk almost full", "Over: Disk almost full"]
    assert [one["event"] for one in await waiting(house)] == ["alert.opened", "alert.resolved"]


async def test_a_rule_that_is_off_finds_nothing(house: House, now: datetime, administrator: Caller) -> None:
    off = replace(default_rule(RuleKind.DISK_FULL), enabled=False)
    async with house.database.transaction() as tx:
        await alerts.change_rule(tx, administrator, off, now)
    await jobs.follow_rules(house.database, DESK, FULL, now)
    assert await statuses(house) == []


async def test_a_rule_that_fails_silences_no_other_and_ends_no_alert(house: House, now: datetime) -> None:
    await jobs.follow_rules(house.database, DESK, FULL, now)
    async with house.database.transaction() as tx:
        rule: Rule = await alerts.get_rule(tx, "key_spike")
        await alerts.record_findings(tx, DESK, rule, [], now)
    # Its question cannot be answered any more.
    await house.execute("ALTER TABLE usage_hours RENAME TO usage_hours_gone")
    await jobs.follow_rules(house.database, DESK, FULL, now + timedelta(minutes=20))
    assert await statuses(house) == [("disk_full", "open")]
    [row] = await house.rows("SELECT seen_count FROM alerts")
    assert row["seen_count"] == 2


async def test_the_owners_server_gets_a_message_that_it_can_trust(
    house: House, now: datetime, server: Server, tmp_path: Path
) -> None:
    await jobs.follow_rules(house.database, DESK, FULL, now)
    [payload] = await waiting(house)
    runner, _ = registry_of(house, tmp_path, server.told).runners["alerts.send_webhook"]
    await runner(payload)
    [(headers, body)] = server.received
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == payload["id"]
    assert json.loads(body)["data"]["alerts"][0]["kind"] == "disk_full"
    assert SECRET not in repr(server.told)


async def test_a_message_that_is_not_taken_is_tried_again_and_given_up_in_the_end(
    house: House, now: datetime, server: Server, tmp_path: Path
) -> None:
    await jobs.follow_rules(house.database, DESK, FULL, now)
    runner, _ = registry_of(house, tmp_path, server.told).runners["alerts.send_webhook"]
    server.status = 302
    for attempt in range(len(RETRY_DELAYS_SECONDS) + 1):
        payload = (await waiting(house))[-1]
        assert payload["attempt"] == attempt
        await runner(payload)
    assert len(await waiting(house)) == len(RETRY_DELAYS_SECONDS) + 1
    assert len({(headers["webhook-id"], body) for headers, body in server.received}) == 1
    assert len(server.received) == len(RETRY_DELAYS_SECONDS) + 1


async def test_a_server_that_is_not_there_is_said_and_nothing_else(now: datetime) -> None:
    for url in ("http://127.0.0.1:9/hooks", "http://[broken"):
        with pytest.raises(MessageNotTaken):
            await send(OwnerServer(url, SECRET), "evt_1", "{}", now)
