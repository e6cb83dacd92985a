"""What is configured, what is connected, what is missing: one finding for each part."""

import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from tollway.app import Parts, open_parts
from tollway.customers import operations as customers
from tollway.kit.blobs import BlobMissing
from tollway.kit.clock import read_now
from tollway.kit.ids import new_id
from tollway.kit.jobs import get_queue_state
from tollway.kit.migrations import newest_revision, present_revision
from tollway.plans import operations as plans
from tollway.settings import Settings, production_advice, production_faults

FREE_BYTES_MIN = 1_000_000_000
JOB_AGE_SECONDS_MAX = 300
CONNECT_SECONDS_MAX = 3.0
# Names of the specification (C15) whose parts are not in this version.
UNUSED_SETTINGS = (
    "REDIS_URL",
    "DEFAULT_FREE_QUOTA",
    "ENABLE_METRICS",
    "STRIPE_WEBHOOK_SECRET",
    "OPENWEATHER_FALLBACK_KEY",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part; `well` is False where an owner should look."""

    part: str
    well: bool
    says: str


async def examine(settings: Settings) -> list[Finding]:
    """Look at every part; DATABASE_URL must be set."""
    findings = [
        _environment(settings),
        *_production(settings),
        *_unused(os.environ),
        _data_folder(settings),
        _mail(settings),
    ]
    url = settings.database_url.get_secret_value()
    try:
        revision, newest = present_revision(url), newest_revision()
    except psycopg.OperationalError as failure:
        return [*findings, Finding("database", False, f"does not answer: {str(failure).strip()}")]
    migrated = revision == newest
    findings.append(
        Finding("database", migrated, f"connected, schema {revision or 'missing'}")
        if migrated
        else Finding(
            "database", False, f"schema {revision or 'missing'}, needs {newest}: run `tollway migrate`"
        )
    )
    parts = await open_parts(settings)
    try:
        findings.append(await _files(parts))
        if migrated:
            findings += [await _catalog(parts), await _administrators(parts), await _jobs(parts)]
    finally:
        await parts.close()
    return findings


def _environment(settings: Settings) -> Finding:
    return Finding(
        "environment",
        True,
        f"{settings.environment}, {settings.base_url}, listening on {settings.host}:{settings.port}",
    )


def _production(settings: Settings) -> list[Finding]:
    missing = [*production_faults(settings), *production_advice(settings)]
    if settings.production:
        return [Finding("secrets", True, "set, not samples, long enough"), *_advice(missing, well=False)]
    says = "ready for ENVIRONMENT=production" if not missing else f"{len(missing)} things to set first"
    return [Finding("production", True, says), *_advice(missing, well=True)]


def _advice(missing: list[str], *, well: bool) -> list[Finding]:
    return [Finding("  needs", well, sentence) for sentence in missing]


def _unused(environment: Mapping[str, str]) -> list[Finding]:
    """Name what is set in vain, so that nobody relies on it."""
    return [
        Finding("setting", False, f"{name} is set, but no part of this version uses it")
        for name in UNUSED_SETTINGS
        if environment.get(name)
    ]


def _data_folder(settings: Settings) -> Finding:
    folder = settings.tollway_data
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    return Finding("data folder", free >= FREE_BYTES_MIN, f"{folder}, {free / 1e9:.1f} GB free")


def _mail(settings: Settings) -> Finding:
    if not settings.smtp_host:
        return Finding("mail", True, "no SMTP_HOST: mails stay in the development outbox at /outbox")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with socket.create_connection((settings.smtp_host, settings.smtp_port), timeout=CONNECT_SECONDS_MAX):
            return Finding("mail", True, f"{where} answers")
    except OSError as failure:
        return Finding("mail", False, f"{where} does not answer: {failure}")


async def _files(parts: Parts) -> Finding:
    name, where = f"doctor/{new_id('probe')}", parts.settings.blob_url or "the data folder"
    try:
        await parts.blobs.put(name, b"probe")
        whole = await parts.blobs.get(name) == b"probe"
        await parts.blobs.delete(name)
    except (OSError, BlobMissing) as failure:
        return Finding("files", False, f"{where} cannot be used: {failure}")
    return Finding("files", whole, f"{where} can be written and read")


async def _catalog(parts: Parts) -> Finding:
    async with parts.database.transaction() as tx:
        on_sale = await plans.list_plans(tx, "montecarlo")
    if not on_sale:
        return Finding("plans", False, "none loaded: run `tollway migrate`")
    return Finding("plans", True, ", ".join(plan.tier for plan in on_sale))


async def _administrators(parts: Parts) -> Finding:
    async with parts.database.transaction() as tx:
        count = await customers.count_administrators(tx)
    return Finding(
        "administrators", count > 0, str(count) if count else "none: run `tollway admin create EMAIL`"
    )


async def _jobs(parts: Parts) -> Finding:
    async with parts.database.transaction() as tx:
        state = await get_queue_state(tx, read_now())
    says = f"{state.waiting_count} waiting, {state.failed_count} failed"
    stuck = state.oldest_due_seconds > JOB_AGE_SECONDS_MAX
    if stuck:
        says += f", one due for {state.oldest_due_seconds} seconds: is a worker running (`tollway work`)?"
    return Finding("jobs", state.failed_count == 0 and not stuck, says)
