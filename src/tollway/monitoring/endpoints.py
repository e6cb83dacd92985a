"""Health for load balancers and people (C9), metrics for Prometheus."""

import time
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute, iter_route_contexts
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from pydantic import BaseModel, Field

from tollway.kit.openapi import problem_responses
from tollway.kit.problems import NotFound
from tollway.monitoring.entities import MetricsNotOpen, MetricsTokenRefused, NoMeasurement, Standing
from tollway.monitoring.families import families_of, name_of, write_text
from tollway.monitoring.flows import Monitor

FORWARDING_HEADERS = ("x-forwarded-for", "forwarded", "x-real-ip")
_STARTED = time.monotonic()

router = APIRouter(prefix="/monitoring", tags=["Monitoring"])
# What load balancers and orchestrators ask, at the places where they look.
root_router = APIRouter(tags=["Monitoring"])

Word = Literal["healthy", "unhealthy"]
Connection = Literal["connected", "disabled", "disconnected"]


def monitor_of(request: Request) -> Monitor:
    """Give a handler the questions of this process."""
    monitor = request.app.state.monitor
    assert isinstance(monitor, Monitor)
    return monitor


def readers_only(request: Request) -> None:
    """Let those read metrics who may. Raises: NotFound, MetricsTokenRefused, MetricsNotOpen."""
    address = request.scope["client_address"]
    peer = request.client.host if request.client else address
    monitor_of(request).watched.access.check(
        path=request.url.path,
        authorization=request.headers.get("authorization", ""),
        address=address,
        # A trusted proxy's word has become the address; what is still the peer's own was passed on by a stranger.
        is_forwarded=address == peer and any(name in request.headers for name in FORWARDING_HEADERS),
    )


MEASURES = [Depends(readers_only)]
REFUSALS = problem_responses(NotFound, MetricsTokenRefused, MetricsNotOpen)
DOWN = {503: {"description": "A configured part does not answer."}}


# Health ---------------------------------------------------------------------------------------------


class Services(BaseModel):
    """The parts that the server needs."""

    database: Connection
    redis: Connection = Field(description="`disabled`: REDIS_URL is not set, and nothing is missing.")
    dask: Connection = Field(description="`disabled`: DASK_SCHEDULER is not set, and nothing is missing.")


class Health(BaseModel):
    """Whether the server and what it was configured with work."""

    status: Word
    timestamp: str = Field(description="ISO 8601, in UTC.", examples=["2026-06-15T12:00:00.000Z"])
    uptime: float = Field(description="Seconds since the process started.", examples=[86400.5])
    services: Services


class ShortHealth(BaseModel):
    """Whether the server works, in a word."""

    status: Word
    timestamp: str = Field(description="ISO 8601, in UTC.", examples=["2026-06-15T12:00:00.000Z"])
    version: str


class Sign(BaseModel):
    """A word about this process."""

    status: str


class CheckOut(BaseModel):
    """What was found of one part."""

    status: Standing
    value: float | None = Field(description="What was measured; null where nothing could be.")
    unit: str
    limit: float | None = Field(description="From where on it is unhealthy.")
    says: str


class DetailedHealth(BaseModel):
    """Each part by itself."""

    status: Word
    timestamp: str
    checks: dict[str, CheckOut]


@router.get(
    "/health",
    summary="Check the parts",
    response_model=Health,
    responses={503: {**DOWN[503], "model": Health}},
)
async def show_health(request: Request) -> JSONResponse:
    """Tell whether the server and what it was configured with work; 503 where a part does not answer (X21)."""
    found = await monitor_of(request).look_at_services(_now(request))
    return JSONResponse(
        {
            "status": _word(well=found.are_well),
            "timestamp": iso_ms(_now(request)),
            "uptime": round(time.monotonic() - _STARTED, 1),
            "services": {
                "database": _connection(is_there=found.database_ms is not None),
                "redis": _connection(is_there=found.redis_ms is not None) if found.has_redis else "disabled",
                "dask": _connection(is_there=found.dask_ms is not None) if found.has_dask else "disabled",
            },
        },
        status_code=200 if found.are_well else 503,
    )


@router.get(
    "/health/detailed",
    summary="Check each part by itself",
    response_model=DetailedHealth,
    responses={**REFUSALS, 503: {"model": DetailedHealth, "description": "A part is bad."}},
    dependencies=MEASURES,
)
async def show_detailed_health(request: Request) -> JSONResponse:
    """Tell how each part stands and what was measured: database, Redis, Dask, memory, journal, shipper, queue, disk."""
    checks = await monitor_of(request).examine(_now(request))
    well = not any(one.status.is_bad for one in checks.values())
    return JSONResponse(
        {
            "status": _word(well=well),
            "timestamp": iso_ms(_now(request)),
            "checks": {
                name: {
                    "status": one.status.value,
                    "value": one.value,
                    "unit": one.unit,
                    "limit": one.limit,
                    "says": one.says,
                }
                for name, one in checks.items()
            },
        },
        status_code=200 if well else 503,
    )


@root_router.get(
    "/health",
    summary="Check the server",
    response_model=ShortHealth,
    responses={503: {**DOWN[503], "model": ShortHealth}},
)
async def show_short_health(request: Request) -> JSONResponse:
    """Tell in a word whether the server works, and which version of the API it serves."""
    found = await monitor_of(request).look_at_services(_now(request))
    return JSONResponse(
        {
            "status": _word(well=found.are_well),
            "timestamp": iso_ms(_now(request)),
            "version": request.app.version,
        },
        status_code=200 if found.are_well else 503,
    )


@root_router.get("/livez", summary="Ask whether the process lives")
async def show_life(request: Request) -> Sign:  # noqa: ARG001 - every handler takes its request
    """Answer as long as this process answers anything: whoever gets no answer starts it again."""
    return Sign(status="alive")


@root_router.get(
    "/readyz",
    summary="Ask whether requests may be sent here",
    response_model=Sign,
    responses={503: {"model": Sign, "description": "Not now: it stops, or the database does not answer."}},
)
async def show_readiness(request: Request) -> JSONResponse:
    """Tell whether this process can serve: it is not stopping, and the database answers.

    Redis is not asked: without it calls with API keys are refused, and pages are served as before.
    """
    if request.app.state.stopping.is_set():
        return JSONResponse({"status": "stopping"}, status_code=503)
    if not await monitor_of(request).has_database(_now(request)):
        return JSONResponse({"status": "database does not answer"}, status_code=503)
    return JSONResponse({"status": "ready"})


# Metrics --------------------------------------------------------------------------------------------


class SampleOut(BaseModel):
    """One figure."""

    name: str
    labels: dict[str, str]
    value: float


class MetricOut(BaseModel):
    """One metric with its figures."""

    name: str
    type: str
    help: str
    samples: list[SampleOut]


class Metrics(BaseModel):
    """Everything that is measured."""

    timestamp: str
    metrics: list[MetricOut]


MEASURED = {**REFUSALS, **problem_responses(NoMeasurement)}
TEXT = {"description": "Every metric.", "content": {"text/plain": {"schema": {"type": "string"}}}}


@router.get(
    "/metrics",
    summary="Read metrics as Prometheus does",
    response_class=Response,
    responses={**MEASURED, 200: TEXT},
    dependencies=MEASURES,
)
async def show_metrics(request: Request) -> Response:
    """Tell every metric in the text format of Prometheus; the guide on monitoring lists them."""
    return Response(write_text(await _families(request)), media_type=CONTENT_TYPE_LATEST)


@router.get("/metrics/json", summary="Read metrics as JSON", responses={**MEASURED}, dependencies=MEASURES)
async def show_metrics_as_json(request: Request) -> Metrics:
    """Tell the same as `/monitoring/metrics`, for programs that read JSON."""
    return Metrics(
        timestamp=iso_ms(_now(request)),
        metrics=[
            MetricOut(
                name=name_of(family),
                type=family.type,
                help=family.documentation,
                samples=[
                    SampleOut(name=one.name, labels=dict(one.labels), value=one.value)
                    for one in family.samples
                ],
            )
            for family in await _families(request)
        ],
    )


async def _families(request: Request) -> list[Metric]:
    measured = await monitor_of(request).measure(_now(request))
    return families_of(measured, _routes_of(request))


def _routes_of(request: Request) -> frozenset[str]:
    """Return the patterns that are mounted, found at the first look."""
    kept: frozenset[str] | None = getattr(request.app.state, "route_patterns", None)
    if kept is None:
        kept = request.app.state.route_patterns = frozenset(
            str(one.path_format)
            for one in iter_route_contexts(request.app.routes)
            if isinstance(one.original_route, APIRoute)
        )
    return kept


def _now(request: Request) -> datetime:
    moment = request.scope["received_at"]
    assert isinstance(moment, datetime)
    return moment


def _word(*, well: bool) -> Word:
    return "healthy" if well else "unhealthy"


def _connection(*, is_there: bool) -> Connection:
    return "connected" if is_there else "disconnected"


def iso_ms(instant: datetime) -> Any:
    """Write an instant in UTC to the millisecond: `2026-06-15T12:00:00.000Z`."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")
