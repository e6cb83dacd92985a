"""What can be said of an installation without asking anybody outside: for `tollway doctor` and for /admin/settings."""

import asyncio
import os
import shutil
from collections.abc import Mapping

import psycopg

from tollway.customers import operations as customers
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.findings import Finding
from tollway.kit.jobs import get_queue_state
from tollway.kit.migrations import newest_revision, present_revision
from tollway.plans import operations as plans
from tollway.settings import Settings, production_advice, production_faults

FREE_BYTES_MIN = 1_000_000_000
JOB_AGE_SECONDS_MAX = 300
# Names of the specification (C15) whose parts are not in this version.
UNUSED_SETTINGS = (
    "DEFAULT_FREE_QUOTA",
    "STRIPE_WEBHOOK_SECRET",
    "OPENWEATHER_FALLBACK_KEY",
)


async def examine_inside(settings: Settings, database: Database) -> list[Finding]:
    """Look at every part that a running server can look at without asking anybody outside."""
    url = settings.database_url.get_secret_value()
    schema = await asyncio.to_thread(find_schema, url)
    findings = [*of_settings(settings), schema]
    return [*findings, *await of_database(database)] if schema.well else findings


def of_settings(settings: Settings) -> list[Finding]:
    """Say what the settings tell by themselves."""
    return [
        _environment(settings),
        *_production(settings),
        *_unused(os.environ),
        _data_folder(settings),
    ]


def find_schema(url: str) -> Finding:
    """Say whether the database answers, and with the schema of this version."""
    try:
        revision, newest = present_revision(url), newest_revision()
    except psycopg.OperationalError as failure:
        return Finding("database", False, f"does not answer: {str(failure).strip()}")
    if revision == newest:
        return Finding("database", True, f"connected, schema {revision or 'missing'}")
    return Finding(
        "database", False, f"schema {revision or 'missing'}, needs {newest}: run `tollway migrate`"
    )


async def of_database(database: Database) -> list[Finding]:
    """Say what stands in a database of this version's schema."""
    return [await _catalog(database), await _administrators(database), await _jobs(database)]


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


async def _catalog(database: Database) -> Finding:
    async with database.transaction() as tx:
        on_sale = await plans.list_plans(tx, "montecarlo")
    if not on_sale:
        return Finding("plans", False, "none loaded: run `tollway migrate`")
    return Finding("plans", True, ", ".join(plan.tier for plan in on_sale))


async def _administrators(database: Database) -> Finding:
    async with database.transaction() as tx:
        count = await customers.count_administrators(tx)
    return Finding(
        "administrators", count > 0, str(count) if count else "none: run `tollway admin create EMAIL`"
    )


async def _jobs(database: Database) -> Finding:
    async with database.transaction() as tx:
        state = await get_queue_state(tx, read_now())
    says = f"{state.waiting_count} waiting, {state.failed_count} failed"
    stuck = state.oldest_due_seconds > JOB_AGE_SECONDS_MAX
    if stuck:
        says += f", one due for {state.oldest_due_seconds} seconds: is a worker running (`tollway work`)?"
    return Finding("jobs", state.failed_count == 0 and not stuck, says)
