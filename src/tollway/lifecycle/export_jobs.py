"""Makes exports, and deletes them when their days are over."""

from typing import Any

from tollway.kit.blobs import Blobs
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.jobs import JobRegistry
from tollway.kit.log import log
from tollway.lifecycle import export_flows
from tollway.lifecycle import export_operations as exports
from tollway.lifecycle.entities import LifecycleParts


def register(registry: JobRegistry, database: Database, blobs: Blobs, parts: LifecycleParts) -> None:
    """Register the making and the nightly deletion; one export is made at a time, others wait."""

    async def make_export(payload: dict[str, Any]) -> None:
        export_id = str(payload["export_id"])
        try:
            await export_flows.make_export(database, blobs, parts, export_id, read_now())
        except Exception as failure:  # noqa: BLE001 - whatever went wrong, another one may be asked for
            log.error("export failed", export=export_id, exc_info=failure)
            async with database.transaction() as tx:
                await exports.fail_export(tx, export_id)

    async def end_exports(_payload: dict[str, Any]) -> None:
        async with database.transaction() as tx:
            ended = await exports.end_exports(tx, read_now())
        log.info("exports ended", count=ended)

    registry.add(exports.EXPORT_JOB, make_export, at_once_max=1)
    registry.add_schedule("lifecycle.end_exports", "23 3 * * *", end_exports)
