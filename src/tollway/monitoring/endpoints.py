"""`/monitoring/health`: one look at the parts, for load balancers and people (C9)."""

import time
from datetime import datetime
from typing import Any

import psycopg
import psycopg_pool
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from tollway.kit.db import Database

router = APIRouter(prefix="/monitoring", tags=["Monitoring"])
_started = time.monotonic()


@router.get("/health")
async def show_health(request: Request) -> JSONResponse:
    """Tell whether the server and its database work; 503 where a configured part does not answer (X21).

    `redis` is `disabled`: no part of this version uses it.
    """
    connected = await _answers(request.app.state.database)
    return JSONResponse(
        {
            "status": "healthy" if connected else "unhealthy",
            "timestamp": iso_ms(request.scope["received_at"]),
            "uptime": round(time.monotonic() - _started, 1),
            "services": {"database": "connected" if connected else "disconnected", "redis": "disabled"},
        },
        status_code=200 if connected else 503,
    )


async def _answers(database: Database) -> bool:
    try:
        async with database.transaction() as tx:
            return bool(await tx.find_value("SELECT true"))
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
        return False


def iso_ms(instant: datetime) -> Any:
    """Write an instant in UTC to the millisecond: `2026-06-15T12:00:00.000Z`."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
