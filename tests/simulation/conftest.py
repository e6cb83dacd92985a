"""A customer with a key, uploads over HTTP, and a worker that computes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party
from tests.simulation.workbooks import PORTFOLIO_VARIABLES, portfolio

from tollway.app import Parts, build_registry
from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.ids import new_id
from tollway.kit.jobs import run_worker
from tollway.plans import operations as plans
from tollway.plans.entities import Limits
from tollway.simulation import operations
from tollway.simulation.entities import Inspected, Run, RunOrder, RunPlan, StoredWorkbook

API = "/monte-carlo-api"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
WAIT_SECONDS_MAX = 60.0


@pytest.fixture
async def party(parts: Parts) -> Party:
    """A customer in a free trial, with a test key."""
    return await make_party(parts.database, read_now())


@pytest.fixture
async def other(parts: Parts) -> Party:
    """Somebody else."""
    return await make_party(parts.database, read_now())


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what must come; fail loudly when it does not."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not await condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def working(parts: Parts) -> AsyncIterator[None]:
    """Run a worker beside the test."""
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(parts.database, build_registry(parts), stop, at_once_max=4))
    try:
        yield
    finally:
        stop.set()
        await worker


async def upload(
    client: httpx.AsyncClient,
    party: Party,
    content: bytes | None = None,
    filename: str = "portfolio.xlsx",
    **fields: str,
) -> httpx.Response:
    return await client.post(
        f"{API}/models",
        headers=party.headers,
        files={"file": (filename, portfolio() if content is None else content, XLSX)},
        data=fields,
    )


async def uploaded_id(client: httpx.AsyncClient, party: Party, content: bytes | None = None) -> str:
    response = await upload(client, party, content)
    assert response.status_code == 201, response.text
    return str(response.json()["model_id"])


def run_body(model_id: str, **config: Any) -> dict[str, Any]:
    return {
        "model_id": model_id,
        "simulation_config": {
            "iterations": 10_000,
            "variables": PORTFOLIO_VARIABLES,
            "output_cells": ["B16", "B18"],
            "seed": 7,
        }
        | config,
    }


async def started_id(client: httpx.AsyncClient, party: Party, model_id: str, **config: Any) -> str:
    response = await client.post(
        f"{API}/simulations", headers=party.headers, json=run_body(model_id, **config)
    )
    assert response.status_code == 201, response.text
    return str(response.json()["simulation_id"])


async def results_of(client: httpx.AsyncClient, party: Party, run_id: str) -> dict[str, Any]:
    """Wait for the results, which must come."""
    url = f"{API}/simulations/{run_id}/results"

    async def ready() -> bool:
        response = await client.get(url, headers=party.headers)
        assert response.status_code in (200, 409), response.text
        assert response.json().get("code") != "run-failed", response.text
        return response.status_code == 200

    await wait_until(ready)
    return dict((await client.get(url, headers=party.headers)).json())


def caller_of(party: Party, mode: Mode = Mode.TEST) -> Caller:
    return Caller(
        customer_id=party.customer_id,
        user_id=None,
        user_type=UserType.API_CUSTOMER,
        verified=True,
        mode=mode,
        api_key_id=party.api_key.id,
        address="127.0.0.1",
    )


@dataclass
class Rows:
    """Models and runs written as operations write them, with no file and no child process."""

    database: Database

    async def limits(self, party: Party, now: datetime) -> Limits:
        async with self.database.transaction() as tx:
            return (await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)).limits

    async def model(self, party: Party, now: datetime) -> str:
        public_id = new_id("mdl")
        facts = {
            "functions": {},
            "variables_detected": [],
            "outputs_detected": [],
            "sheets": [],
            "agreement": None,
            "external_links_count": 0,
        }
        workbook = StoredWorkbook(
            public_id=public_id,
            filename="rows.xlsx",
            blob=f"workbooks/{party.customer_id}/{public_id}",
            byte_count=1_000,
            sha256=bytes(32),
            inspected=Inspected(formulas_count=1, facts=facts, preview={"sheets": []}),
        )
        limits = await self.limits(party, now)
        async with self.database.transaction() as tx:
            model = await operations.create_model(
                tx,
                caller_of(party),
                workbook,
                limits,
                name="rows",
                description="",
                tags=[],
                inputs=[],
                outputs=[],
                now=now,
            )
        return model.public_id

    async def run(
        self,
        party: Party,
        model_id: str,
        now: datetime,
        *,
        iterations: int = 10_000,
        seconds_per_iteration: float = 1e-6,
        quota_id: int | None = None,
    ) -> Run:
        plan = RunPlan(
            inputs=[{"cell": "S!A1", "reference": "A1", "name": None, "distribution": {"type": "uniform"}}],
            outputs=[{"cell": "S!A2", "reference": "A2", "name": None}],
            bin_edges=[[0.0, 1.0]],
            seconds_per_iteration=seconds_per_iteration,
        )
        order = RunOrder(model_id, iterations, None, None, [0.95], None)
        async with self.database.transaction() as tx:
            held = await plans.get_entitlement(tx, party.customer_id, "montecarlo", now)
            return await operations.create_run(
                tx, caller_of(party), order, plan, held, seed=1, quota_id=quota_id, now=now
            )


@pytest.fixture
def rows(database: Database) -> Rows:
    return Rows(database)
