"""A small product behind the real path: edge, address limit, admission, and a real database."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, UploadFile
from fastapi.responses import Response, StreamingResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel

from tollway.admission.address_middleware import AddressLimitMiddleware
from tollway.admission.entities import Cost
from tollway.admission.gatehouse import Gatehouse
from tollway.admission.leases import RateLimiter
from tollway.admission.middleware import AdmissionMiddleware, ProductPaths
from tollway.admission.operations import Call, Outcome, call_of
from tollway.admission.patterns import Patterns
from tollway.kit.db import Database, Transaction
from tollway.kit.http import Edge, EdgeMiddleware, ReplayingRoute, exception_handlers
from tollway.kit.problems import NotFound

ADDRESS_LIMIT = 500
PREFIX = "/monte-carlo-api"
UPLOAD_BYTES_MAX = 501_000_000
router = APIRouter(prefix=PREFIX, route_class=ReplayingRoute)
Admitted = Annotated[Call, Depends(call_of)]


class ThingIn(BaseModel):
    name: str
    fails: bool = False
    fails_at_commit: bool = False


@router.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@router.post("/things", status_code=201)
async def create_thing(body: ThingIn, call: Admitted) -> Response:
    async def work(tx: Transaction) -> Outcome:
        await tx.execute(
            "INSERT INTO things (name, customer_id) VALUES (%(name)s, %(customer_id)s)",
            {"name": body.name, "customer_id": call.caller.owner_id},
        )
        if body.fails:
            raise NotFound("What it needs is not there.")
        if body.fails_at_commit:
            await tx.execute("INSERT INTO parts (thing_id) VALUES (-1)")
        number = await tx.find_value("SELECT count(*) FROM things")
        return Outcome(body={"name": body.name, "number": number}, credits=3)

    return await call.answer("create_run", work, status=201, content=body.model_dump(mode="json"))


@router.get("/things")
async def list_things(call: Admitted) -> Response:
    async def work(tx: Transaction) -> Outcome:
        return Outcome(body=await tx.list_rows("SELECT name FROM things ORDER BY id"))

    return await call.answer("read", work)


@router.get("/things/file")
async def read_file(call: Admitted) -> Response:
    async def work(_tx: Transaction) -> Outcome:
        return Outcome(response=StreamingResponse(iter([b"a", b"b"]), media_type="text/plain"))

    return await call.answer("read", work)


@router.post("/models")
async def upload(file: UploadFile, call: Admitted) -> Response:
    size = len(await file.read())

    async def work(_tx: Transaction) -> Outcome:
        return Outcome(body={"bytes": size})

    return await call.answer("upload_model", work, content={"bytes": size})


@router.post("/checks")
async def check(body: ThingIn) -> dict[str, str]:
    """What has no effect in the database, and so takes its units at the gate."""
    return {"name": body.name}


@router.get("/breaks")
async def breaks(call: Admitted) -> Response:
    raise RuntimeError(call.product)


@router.get("/unmetered")
async def unmetered(request: Request) -> dict[str, str]:
    return {"product": call_of(request).product}


def build(gatehouse: Gatehouse, *, address_limit: int = ADDRESS_LIMIT) -> Any:
    api = FastAPI(exception_handlers=exception_handlers("/docs", lambda _request, _problem: None))
    api.include_router(router)
    paths = ProductPaths(
        "montecarlo",
        PREFIX,
        open_paths=frozenset({f"{PREFIX}/health"}),
        upload_paths=frozenset({f"{PREFIX}/models"}),
        costs=(
            (f"POST {PREFIX}/checks", Cost("montecarlo", reads=False, units=1)),
            (f"POST {PREFIX}/models", Cost("montecarlo", reads=False, weight=5)),
        ),
    )
    admission = AdmissionMiddleware(
        api,
        gatehouse,
        (paths,),
        "/docs",
        Patterns(route.path_format for route in iter_route_contexts(api.routes)),
    )
    limited = AddressLimitMiddleware(admission, gatehouse.limiter, address_limit, "/docs")
    edge = Edge(
        base_url="http://localhost",
        secure=False,
        upload_paths={f"{PREFIX}/models": UPLOAD_BYTES_MAX},
    )
    return EdgeMiddleware(limited, edge)


@pytest.fixture
async def product(database: Database) -> Database:
    """The product's own tables; the second one fails at commit, not before."""
    async with database.transaction() as tx:
        await tx.execute(
            "CREATE TABLE things (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, customer_id bigint)"
        )
        await tx.execute(
            "CREATE TABLE parts (thing_id bigint REFERENCES things DEFERRABLE INITIALLY DEFERRED)"
        )
    return database


@pytest.fixture
async def gatehouse(product: Database, tmp_path: Path) -> AsyncIterator[Gatehouse]:
    """One process's gate and journal, without anything that runs in the background."""
    made = Gatehouse(product, tmp_path / "journal", RateLimiter(None))
    yield made
    await made.close()


Connect = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def connect(gatehouse: Gatehouse) -> Connect:
    """Open clients at chosen addresses."""

    @asynccontextmanager
    async def opened(address: str = "203.0.113.9", **options: Any) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(
            app=build(gatehouse, **options), raise_app_exceptions=False, client=(address, 50000)
        )
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost" + PREFIX) as client:
            yield client

    return opened


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[httpx.AsyncClient]:
    async with connect() as opened:
        yield opened


@pytest.fixture
def present() -> datetime:
    """The edge reads the wall clock, so what a call meets is made now."""
    return datetime.now(UTC)


@pytest.fixture
def log_rows(gatehouse: Gatehouse, product: Database) -> Callable[[], Any]:
    """Read the usage log, oldest first, with what was in the journal."""

    async def read() -> list[dict[str, Any]]:
        await gatehouse.ship()
        async with product.transaction() as tx:
            return await tx.list_rows("SELECT * FROM api_usage_logs ORDER BY request_timestamp, id")

    return read


@pytest.fixture
def figures(product: Database) -> Callable[[], Any]:
    """Read how many units were used and how many things were made."""

    async def read() -> tuple[int, int]:
        async with product.transaction() as tx:
            used = await tx.find_value("SELECT COALESCE(sum(requests_used), 0)::int FROM usage_quotas")
            made = await tx.find_value("SELECT count(*)::int FROM things")
        return used, made

    return read


async def together(*calls: Any) -> list[httpx.Response]:
    """Send requests at the same time."""
    return list(await asyncio.gather(*calls))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one mebibyte, in memory."""
    # Not in pytest's own folder: it would fail to clean up after a test that was killed.
    place = Path(tempfile.mkdtemp(prefix="tollway-disk-"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        place.rmdir()
        pytest.skip("only root may mount the small disk that this test fills")
    yield place
    # Lazily: a test that failed may have left a file open.
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()
