"""Alerts open once, are seen again, acknowledged, and end by themselves; rules hold as an owner wants them."""

import asyncio
import json
from datetime import datetime, timedelta

import pytest
from tests.alerts.conftest import DESK, House

from tollway.alerts import operations as alerts
from tollway.alerts.entities import (
    AlertStatus,
    Finding,
    Rule,
    checked_note,
    checked_rule,
    default_rule,
)
from tollway.alerts.rules import RULES, RuleKind
from tollway.customers.callers import Caller
from tollway.kit.problems import Conflict, Invalid, NotFound

RULE = default_rule(RuleKind.QUEUE_AGE)
FOUND = Finding(RuleKind.QUEUE_AGE, "installation", "3 jobs wait")
GONE = timedelta(minutes=RULE.resolves_after_minutes)


async def record(house: House, now: datetime, *found: Finding, rule: Rule = RULE) -> None:
    async with house.database.transaction() as tx:
        await alerts.record_findings(tx, DESK, rule, found, now)


async def listed(house: House, *chosen: object) -> list[tuple[str, str, int]]:
    async with house.database.transaction() as tx:
        page = await alerts.list_alerts(tx, *chosen)  # type: ignore[arg-type]
    return [(one.subject, one.status.value, one.seen_count) for one in page.items]


async def told(house: House) -> list[tuple[str, str]]:
    return [(mail["to_address"], mail["subject"]) for mail in await house.mails("owner_alerts")]


@pytest.mark.promise("B65")
async def test_an_alert_is_told_once_seen_again_and_ends_by_itself(house: House, now: datetime) -> None:
    for minute in range(3):
        await record(house, now + timedelta(minutes=minute), FOUND)
    assert await listed(house) == [("installation", "open", 3)]
    assert await told(house) == [("support@tollway.example", "Alert: Background jobs wait")]
    last = now + timedelta(minutes=2)
    await record(house, last + GONE - timedelta(seconds=1))
    assert await listed(house) == [("installation", "open", 3)]
    await record(house, last + GONE)
    assert await listed(house) == [("installation", "resolved", 3)]
    for _ in range(2):
        await record(house, last + GONE * 2)
    assert (await told(house))[1:] == [("support@tollway.example", "Over: Background jobs wait")]
    await record(house, last + GONE * 3, FOUND)
    assert await listed(house) == [("installation", "open", 1), ("installation", "resolved", 3)]
    assert len(await told(house)) == 3


async def test_one_alert_stands_for_one_rule_and_subject(house: House, now: datetime) -> None:
    found = [Finding(RuleKind.QUEUE_AGE, f"subject {number}", "it waits") for number in range(5)]
    await asyncio.gather(*(record(house, now, *found, found[0]) for _ in range(8)))
    assert sorted(await listed(house)) == [(f"subject {number}", "open", 8) for number in range(5)]
    # One mail for all that one look found.
    assert len(await told(house)) == 1
    [mail] = await house.mails("owner_alerts")
    assert mail["subject"] == "Alert: Background jobs wait (5)"
    await record(
        house, now, Finding(RuleKind.DISK_FULL, "subject 0", "full"), rule=default_rule(RuleKind.DISK_FULL)
    )
    assert len(await listed(house)) == 6


async def test_what_is_acknowledged_is_not_told_again_until_it_was_gone(
    house: House, now: datetime, administrator: Caller
) -> None:
    await record(house, now, FOUND)
    async with house.database.transaction() as tx:
        [alert] = (await alerts.list_alerts(tx)).items
        assert await alerts.count_open(tx) == 1
        seen = await alerts.acknowledge(tx, administrator, alert.public_id, " A worker  was stopped ", now)
        assert (seen.acknowledged_by, seen.note) == ("root@example.org", "A worker was stopped")
        assert await alerts.count_open(tx) == 0
        with pytest.raises(Conflict, match=r"root@example\.org has acknowledged"):
            await alerts.acknowledge(tx, administrator, alert.public_id, "Again", now)
        with pytest.raises(NotFound):
            await alerts.acknowledge(tx, administrator, "alt_unknown", "Nothing", now)
    await record(house, now + timedelta(minutes=1), FOUND)
    assert await listed(house) == [("installation", "acknowledged", 2)]
    assert len(await told(house)) == 1
    await record(house, now + timedelta(minutes=1) + GONE)
    assert await listed(house, AlertStatus.RESOLVED) == [("installation", "resolved", 2)]
    [entry] = await house.rows(
        "SELECT action, subject, customer_id, details FROM audit_entries WHERE action LIKE 'alert%%'"
    )
    assert entry == {
        "action": "alert.acknowledged",
        "subject": alert.public_id,
        "customer_id": None,
        "details": {"kind": "queue_age", "about": "installation", "note": "A worker was stopped"},
    }


async def test_alerts_are_chosen_by_status_and_kind_and_paged(
    house: House, now: datetime, administrator: Caller
) -> None:
    for number in range(5):
        await record(house, now, Finding(RuleKind.QUEUE_AGE, f"subject {number}", "it waits"))
    disk = default_rule(RuleKind.DISK_FULL)
    await record(house, now, Finding(RuleKind.DISK_FULL, "installation", "full"), rule=disk)
    async with house.database.transaction() as tx:
        first = await alerts.list_alerts(tx, limit=4)
        second = await alerts.list_alerts(tx, cursor=first.next_cursor, limit=4)
        await alerts.acknowledge(tx, administrator, first.items[1].public_id, "Seen", now)
    assert [len(first.items), len(second.items), second.next_cursor] == [4, 2, None]
    assert len({one.id for one in [*first.items, *second.items]}) == 6
    assert len(await listed(house, AlertStatus.OPEN)) == 5
    assert await listed(house, AlertStatus.ACKNOWLEDGED) == [("subject 4", "acknowledged", 1)]
    assert await listed(house, None, RuleKind.DISK_FULL) == [("installation", "open", 1)]


async def test_the_owners_server_is_told_the_same_as_the_mail(house: House, now: datetime) -> None:
    await record(house, now, FOUND)
    await record(house, now + GONE)
    jobs = await house.rows(
        "SELECT payload FROM pgqueuer WHERE entrypoint = 'alerts.send_webhook' ORDER BY id"
    )
    payloads = [json.loads(bytes(job["payload"])) for job in jobs]
    assert [one["event"] for one in payloads] == ["alert.opened", "alert.resolved"]
    body = json.loads(payloads[0]["body"])
    assert (body["id"], body["type"], body["data"]["count"]) == (payloads[0]["id"], "alert.opened", 1)
    assert body["data"]["alerts"][0]["summary"] == "3 jobs wait"
    assert body["data"]["alerts"][0]["kind"] == "queue_age"


async def test_alerts_that_were_over_long_ago_are_deleted(house: House, now: datetime) -> None:
    await record(house, now, FOUND)
    await record(house, now + GONE)
    async with house.database.transaction() as tx:
        assert await alerts.delete_old_alerts(tx, now + timedelta(days=400)) == 0
        assert await alerts.delete_old_alerts(tx, now + GONE + timedelta(days=401)) == 1


# Rules ------------------------------------------------------------------------------------------------


async def test_rules_are_those_of_the_code_until_somebody_changes_one(
    house: House, now: datetime, administrator: Caller
) -> None:
    async with house.database.transaction() as tx:
        assert await alerts.list_rules(tx) == [default_rule(kind) for kind in RuleKind]
        wanted = checked_rule(
            RuleKind.DISK_FULL,
            True,
            {"percent": "80", "resolves_after_minutes": "1,000"},
            " Ana@example.com, ben@example.com,ana@example.com ",
        )
        await alerts.change_rule(tx, administrator, wanted, now)
        kept = await alerts.get_rule(tx, "disk_full")
        with pytest.raises(NotFound):
            await alerts.get_rule(tx, "luck")
    assert kept.thresholds == {"percent": 80, "resolves_after_minutes": 1_000}
    assert (kept.enabled, kept.recipients, kept.updated_at) == (
        True,
        ("ana@example.com", "ben@example.com"),
        now,
    )
    await record(house, now, Finding(RuleKind.DISK_FULL, "installation", "full"), rule=kept)
    assert [address for address, _ in await told(house)] == ["ana@example.com", "ben@example.com"]
    [entry] = await house.rows(
        "SELECT action, subject, details FROM audit_entries WHERE action LIKE 'alert%%'"
    )
    assert (entry["action"], entry["subject"]) == ("alert_rule.changed", "disk_full")
    assert "ana" not in json.dumps(entry["details"])


async def test_a_rule_that_is_switched_off_ends_its_alerts_and_tells_nobody(
    house: House, now: datetime, administrator: Caller
) -> None:
    await record(house, now, FOUND)
    off = Rule(RuleKind.QUEUE_AGE, False, RULE.thresholds, (), None)
    async with house.database.transaction() as tx:
        await alerts.change_rule(tx, administrator, off, now)
        [alert] = (await alerts.list_alerts(tx)).items
    assert (alert.status, alert.switched_off) == (AlertStatus.RESOLVED, True)
    assert len(await told(house)) == 1


async def test_a_threshold_that_came_later_is_as_the_code_has_it(house: House, now: datetime) -> None:
    await house.execute(
        """INSERT INTO alert_rules VALUES ('disk_full', true, '{"percent": 70, "gone": 1}', '{}', now())"""
    )
    async with house.database.transaction() as tx:
        kept = await alerts.get_rule(tx, "disk_full")
    assert kept.thresholds == {"percent": 70, "resolves_after_minutes": 15}


@pytest.mark.parametrize(
    ("written", "recipients", "pointers"),
    [
        ({"percent": "0"}, "", ["/percent"]),
        ({"percent": "101"}, "", ["/percent"]),
        ({"percent": ""}, "", ["/percent"]),
        ({"percent": "many"}, "", ["/percent"]),
        ({"percent": "-5"}, "", ["/percent"]),
        ({"percent": "9" * 5_000}, "", ["/percent"]),
        ({"percent": "٩٠"}, "", ["/percent"]),
        ({"percent": "0", "resolves_after_minutes": "0"}, "", ["/percent", "/resolves_after_minutes"]),
        ({}, "nobody", ["/recipients"]),
        ({}, "a@example.com\r\nBcc: b@example.com", ["/recipients"]),
        ({}, ",".join(f"a{number}@example.com" for number in range(11)), ["/recipients"]),
    ],
)
def test_a_rule_that_cannot_be_kept_says_which_field_is_wrong(
    written: dict[str, str], recipients: str, pointers: list[str]
) -> None:
    with pytest.raises(Invalid) as refused:
        checked_rule(
            RuleKind.DISK_FULL, True, {"percent": "90", "resolves_after_minutes": "15"} | written, recipients
        )
    assert [one.pointer for one in refused.value.errors] == pointers


@pytest.mark.parametrize("note", ["", "  ", "x" * 501, "a\x00b"])
def test_a_note_says_something_in_a_line(note: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_note(note)
    assert refused.value.errors[0].pointer == "/note"


def test_every_default_is_within_its_bounds_and_has_its_words() -> None:
    assert list(RULES) == list(RuleKind)
    for text in RULES.values():
        assert text.title
        assert text.about.endswith(".")
        assert text.thresholds[-1].name == "resolves_after_minutes"
        for one in text.thresholds:
            assert one.least <= one.default <= one.most
