"""Tells customers of their usage each half minute, looks for what is wrong each minute, and tells the owner."""

import asyncio
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tollway.admission.backlog_flows import find_backlog
from tollway.alerts import measure_operations as measures
from tollway.alerts import notice_operations as notices
from tollway.alerts import operations as alerts
from tollway.alerts import remote
from tollway.alerts.entities import AlertDesk
from tollway.alerts.measure_operations import Readings
from tollway.alerts.remote import MessageNotTaken, OwnerServer
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import RETRY_DELAYS_SECONDS, JobRegistry, enqueue_job
from tollway.kit.log import log

BATCH_SIZE = 2_000
# Cron with seconds: at each full and each half minute.
EACH_HALF_MINUTE = "* * * * * */30"


def register(
    registry: JobRegistry,
    database: Database,
    desk: AlertDesk,
    data_folder: Path,
    journal_folder: Path,
    server: OwnerServer | None,
) -> None:
    """Register notices to customers, the rules of the owner, and messages to the owner's server."""

    async def tell_quotas(_payload: dict[str, Any]) -> None:
        await tell_all_quotas(database, desk.base_url, read_now())

    async def look(_payload: dict[str, Any]) -> None:
        readings = await read_machine(database, data_folder, journal_folder, read_now())
        await follow_rules(database, desk, readings, read_now())

    async def forget(_payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            await measures.forget_measures(tx, read_now())
            await alerts.delete_old_alerts(tx, read_now())

    async def send_webhook(payload: dict[str, Any]) -> None:
        if server is not None:
            await _send(database, server, payload)

    registry.add_schedule("alerts.tell_quotas", EACH_HALF_MINUTE, tell_quotas)
    registry.add_schedule("alerts.follow_rules", "* * * * *", look)
    registry.add_schedule("alerts.forget", "41 3 * * *", forget)
    registry.add(alerts.SEND_WEBHOOK_JOB, send_webhook, at_once_max=2)


async def tell_all_quotas(database: Database, base_url: str, now: datetime) -> int:
    """Tell every customer what is due of their quotas; return how many notices that were."""
    told, after_id = 0, 0
    while True:
        async with database.transaction() as tx:
            due, next_id = await notices.list_quotas_to_tell(tx, now, after_id, BATCH_SIZE)
        for quota in due:
            # One by one: each holds the lock of one customer only, and for a moment.
            try:
                async with database.transaction() as tx:
                    told += await notices.tell_quota(tx, quota, base_url, now)
            except Exception:  # noqa: BLE001 - whatever keeps one customer from being told must not keep the others
                log.exception("a customer could not be told of its usage", quota=quota.id)
        if next_id is None:
            break
        after_id = next_id
    if told:
        log.info("customers told of their usage", notices=told)
    return told


async def follow_rules(database: Database, desk: AlertDesk, readings: Readings, now: datetime) -> None:
    """Ask every rule that is on what it finds, and open, see again and resolve alerts by it."""
    async with database.transaction() as tx:
        await measures.take_measures(tx, now)
        rules = await alerts.list_rules(tx)
    for rule in rules:
        if not rule.enabled:
            continue
        try:
            async with database.transaction() as tx:
                findings = await measures.find(tx, rule, readings, now)
                opened = await alerts.record_findings(tx, desk, rule, findings, now)
        except Exception:  # noqa: BLE001 - one rule that fails in any way must not silence the others
            log.exception("a rule of alerts could not be followed", rule=rule.kind.value)
            continue
        for one in opened:
            log.warning("alert opened", alert=one.public_id, kind=one.kind.value, subject=one.subject)


async def read_machine(
    database: Database, data_folder: Path, journal_folder: Path, now: datetime
) -> Readings:
    """Measure the disk that a folder lies on, or will lie on, and what waits in journals."""
    total, free = await asyncio.to_thread(_measure_disk, data_folder)
    waiting = await find_backlog(database, journal_folder, now)
    return Readings(total, free, waiting.records, waiting.oldest_seconds)


def _measure_disk(folder: Path) -> tuple[int, int]:
    present = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    usage = shutil.disk_usage(present)
    return usage.total, usage.free


async def _send(database: Database, server: OwnerServer, payload: dict[str, Any]) -> None:
    """Send one message; what is not taken is tried again later, always with the same id and text."""
    attempt = payload["attempt"]
    try:
        await remote.send(server, payload["id"], payload["body"], read_now())
    except MessageNotTaken as failure:
        if attempt >= len(RETRY_DELAYS_SECONDS):
            log.error(
                "alert not taken by the owner's server, given up", message=payload["id"], reason=str(failure)
            )
            return
        log.warning(
            "alert not taken by the owner's server, will be tried again",
            message=payload["id"],
            attempt=attempt,
            reason=str(failure),
        )
        async with database.transaction() as tx:
            await enqueue_job(
                tx,
                alerts.SEND_WEBHOOK_JOB,
                payload | {"attempt": attempt + 1},
                delay=timedelta(seconds=RETRY_DELAYS_SECONDS[attempt]),
            )
