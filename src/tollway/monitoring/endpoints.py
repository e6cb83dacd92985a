"""`/monitoring/health`: one look at the parts, for load balancers and people (C9)."""

import time
from datetime import datetime
from typing import Any, Literal

import psycopg
import psycopg_pool
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from tollway.kit.db import Database
from tollway.kit.http import database_of

router = APIRouter(prefix="/monitoring", tags=["Monitoring"])
_started = time.monotonic()


class Services(BaseModel):
    """The parts that the server needs."""

    database: Literal["connected", "disconnected"]
    redis: Literal["disabled"]


class Health(BaseModel):
    """Whether the server and its database work."""

    status: Literal["healthy", "unhealthy"]
    timestamp: str = Field(description="ISO 8601, in UTC.", examples=["2026-06-15T12:00:00.000Z"])
    uptime: float = Field(description="Seconds since the process started.", examples=[86400.5])
    services: Services


@router.get(
    "/health",
    summary="Check the parts",
    response_model=Health,
    responses={503: {"model": Health, "description": "A configured part does not answer."}},
)
async def show_health(request: Request) -> JSONResponse:
    """Tell whether the server and its database work; 503 where a configured part does not answer (X21).

    `redis` is `disabled`: no part of this version uses it.
    """
    connected = await _answers(database_of(request))
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
