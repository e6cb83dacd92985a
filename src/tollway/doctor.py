"""What is configured, what is connected, what is missing: one finding for each part."""

import socket

from tollway.app import Parts, open_parts
from tollway.findings import find_schema, of_database, of_settings
from tollway.kit.blobs import BlobMissing
from tollway.kit.findings import Finding
from tollway.kit.ids import new_id
from tollway.settings import Settings

CONNECT_SECONDS_MAX = 3.0


async def examine(settings: Settings) -> list[Finding]:
    """Look at every part; DATABASE_URL must be set."""
    findings = [*of_settings(settings), _mail(settings), *await _redis(settings), *await _dask(settings)]
    schema = find_schema(settings.database_url.get_secret_value())
    findings.append(schema)
    if schema.says.startswith("does not answer"):
        return findings
    parts = await open_parts(settings)
    try:
        findings.append(await _files(parts))
        if schema.well:
            findings += await of_database(parts.database)
    finally:
        await parts.close()
    return findings


def _mail(settings: Settings) -> Finding:
    if not settings.smtp_host:
        return Finding("mail", True, "no SMTP_HOST: mails stay in the development outbox at /outbox")
    where = f"{settings.smtp_host}:{settings.smtp_port}"
    try:
        with socket.create_connection((settings.smtp_host, settings.smtp_port), timeout=CONNECT_SECONDS_MAX):
            return Finding("mail", True, f"{where} answers")
    except OSError as failure:
        return Finding("mail", False, f"{where} does not answer: {failure}")


async def _redis(settings: Settings) -> list[Finding]:
    url = settings.redis_url.get_secret_value()
    if not url:
        return []
    # Late: redis-py is not loaded where nobody uses it.
    from tollway.admission.role_flows import find_redis_fault

    fault = await find_redis_fault(url)
    return [Finding("redis", fault is None, "answers" if fault is None else f"does not answer: {fault}")]


async def _dask(settings: Settings) -> list[Finding]:
    address = settings.dask_scheduler
    if not address:
        return []
    # Late: Dask is not loaded where nobody uses it.
    from tollway.simulation.cluster_flows import examine_cluster

    found = await examine_cluster(address)
    if found.fault is not None:
        return [Finding("dask", False, f"{address} does not answer: {found.fault}")]
    unused = [
        Finding("  worker", False, f"{worker} is not used: it {why}") for worker, why in found.unfit.items()
    ]
    if not found.place_count:
        says = "answers, and has no worker that computes for us: runs wait until one joins (`dask worker`)"
        return [Finding("dask", False, f"{address} {says}"), *unused]
    return [
        Finding("dask", True, f"{address} answers, shards computed at once: {found.place_count}"),
        *unused,
    ]


async def _files(parts: Parts) -> Finding:
    name, where = f"doctor/{new_id('probe')}", parts.settings.blob_url or "the data folder"
    try:
        await parts.blobs.put(name, b"probe")
        whole = await parts.blobs.get(name) == b"probe"
        await parts.blobs.delete(name)
    except (OSError, BlobMissing) as failure:
        return Finding("files", False, f"{where} cannot be used: {failure}")
    return Finding("files", whole, f"{where} can be written and read")
