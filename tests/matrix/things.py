"""One of everything that the home customer can have, made the way that customers make it."""

import httpx
from tests.matrix.people import House
from tests.simulation.workbooks import PORTFOLIO_VARIABLES, portfolio

from tollway.alerts import operations as alerts
from tollway.alerts.entities import AlertDesk, Finding, RuleKind
from tollway.app import build_app
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.kit.clock import read_now
from tollway.kit.ids import new_id
from tollway.metering import report_operations as reports
from tollway.metering.report_operations import CallFilter
from tollway.plans import operations as plans
from tollway.simulation import download_store
from tollway.simulation.downloads import TOKEN_TTL
from tollway.webhooks import operations as webhooks
from tollway.webhooks.entities import Event

SIMULATIONS = "/monte-carlo-api"


async def make_things(house: House) -> None:
    """Fill `house.ids` with the ids that paths ask for, by the name of the parameter."""
    transport = httpx.ASGITransport(app=build_app(house.parts), client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await _model_and_run(house, client)
        await _studies(house, client)
        await _people(house, client)
        await _ticket_and_export(house, client)
        await _webhook(house, client)
    await _adjustment(house)
    await _alert(house)
    house.ids |= {"filename": "portfolio.xlsx", "slug": "unknown", "code": "not-found", "file_format": "json"}
    house.ids |= {"key_id": house.home.api_key.key_id, "action": "revoke"}


async def _model_and_run(house: House, client: httpx.AsyncClient) -> None:
    answer = await client.post(
        f"{SIMULATIONS}/models",
        headers=house.home.headers,
        files={"file": ("portfolio.xlsx", portfolio())},
    )
    assert answer.status_code == 201, answer.text
    model_id = answer.json()["model_id"]
    config = {"iterations": 1_000, "variables": PORTFOLIO_VARIABLES, "output_cells": ["B16", "B18"]}
    answer = await client.post(
        f"{SIMULATIONS}/simulations",
        headers=house.home.headers,
        json={"model_id": model_id, "simulation_config": config},
    )
    assert answer.status_code == 201, answer.text
    run_id = answer.json()["simulation_id"]
    house.ids |= {"model_id": model_id, "simulation_id": run_id, "run_id": run_id}
    house.ids["download_token_id"] = await _download_link(house, run_id)


async def _download_link(house: House, run_id: str) -> str:
    """A link, as if the run had results already."""
    now, token_id = read_now(), new_id("dlt")
    async with house.parts.database.transaction() as tx:
        found = await tx.find_value("SELECT id FROM runs WHERE public_id = %(id)s", {"id": run_id})
        await download_store.insert_token(
            tx,
            token_id.encode(),
            token_id,
            int(found),
            house.home.customer_id,
            house.home.api_key.id,
            now,
            now + TOKEN_TTL,
        )
    return token_id


async def _studies(house: House, client: httpx.AsyncClient) -> None:
    """A batch of one run, and a goal seek."""
    config = {"iterations": 1_000, "variables": PORTFOLIO_VARIABLES}
    scenario = {
        "model_id": house.ids["model_id"],
        "scenario_name": "As planned",
        "output_cells": ["B16", "B18"],
    }
    answer = await client.post(
        f"{SIMULATIONS}/simulations/batch",
        headers=house.home.headers,
        json={"batch_name": "Scenarios", "simulations": [scenario], "simulation_config": config},
    )
    assert answer.status_code == 201, answer.text
    house.ids |= {
        "batch_id": answer.json()["batch_id"],
        "other_id": answer.json()["simulations"][0]["simulation_id"],
    }
    sought = {"cell": "B7", "low": 1, "high": 2, "output_cell": "B16", "goal": 1, "statistic": "mean"}
    answer = await client.post(
        f"{SIMULATIONS}/goal-seeks",
        headers=house.home.headers,
        json={"model_id": house.ids["model_id"], "simulation_config": config} | sought,
    )
    assert answer.status_code == 202, answer.text
    house.ids["goal_seek_id"] = answer.json()["goal_seek_id"]


async def _people(house: House, client: httpx.AsyncClient) -> None:
    owner = house.named("owner")
    answer = await client.post(
        "/api/team/invitations",
        headers=await house.headers(owner),
        json={"email": "invited@example.com", "role": "viewer"},
    )
    assert answer.status_code == 201, answer.text
    viewer = house.named("viewer").user
    assert viewer
    house.ids |= {"invitation_id": answer.json()["id"], "user_id": viewer.public_id}


async def _ticket_and_export(house: House, client: httpx.AsyncClient) -> None:
    headers = await house.headers(house.named("owner"))
    answer = await client.post(
        "/api/support/tickets",
        headers=headers,
        json={"topic": "results", "subject": "A question", "message": "How many iterations are enough?"},
    )
    assert answer.status_code == 201, answer.text
    house.ids["ticket_id"] = answer.json()["id"]
    answer = await client.post("/api/customers/me/export", headers=headers)
    assert answer.status_code == 202, answer.text
    house.ids["export_id"] = answer.json()["id"]


async def _adjustment(house: House) -> None:
    now = read_now()
    async with house.parts.database.transaction() as tx:
        customer = await customers.get_customer(tx, house.home.customer_id)
        adjustment = await plans.grant(
            tx,
            customer.id,
            "montecarlo",
            "requests_included",
            10,
            reason="A gift",
            created_by="system:tests",
            now=now,
        )
        change = await plans.request_change(tx, customer.id, "wallet", "professional", "system:tests", now)
        session = await customers.list_sessions(tx, _owner_id(house), now)
        # Uploading the model above is in the log.
        calls = await reports.list_calls(tx, customer.id, Mode.TEST, CallFilter(), None, 1)
    house.ids |= {
        "customer_id": customer.public_id,
        "adjustment_id": adjustment.public_id,
        "change_id": change.public_id,
        "session_id": session[0].public_id,
        "call_id": calls.items[0].call_id,
    }


async def _alert(house: House) -> None:
    desk = AlertDesk("support@example.com", "http://localhost")
    found = Finding(RuleKind.QUEUE_AGE, "installation", "3 jobs wait")
    async with house.parts.database.transaction() as tx:
        rule = await alerts.get_rule(tx, found.kind.value)
        [alert] = await alerts.record_findings(tx, desk, rule, [found], read_now())
    house.ids |= {"alert_id": alert.public_id, "kind": alert.kind.value}


async def _webhook(house: House, client: httpx.AsyncClient) -> None:
    """A webhook with a delivery, as a plan that has them allows."""
    now = read_now()
    headers = await house.headers(house.named("owner"))
    async with house.parts.database.transaction() as tx:
        await plans.grant(
            tx,
            house.home.customer_id,
            "montecarlo",
            "feature:webhooks",
            1,
            reason="A gift",
            created_by="system:tests",
            now=now,
        )
    wanted = {"name": "Results", "url": "https://example.com/hooks", "events": ["model.uploaded"]}
    answer = await client.post("/api/webhooks", headers=headers, json=wanted)
    assert answer.status_code == 201, answer.text
    webhook_id = answer.json()["id"]
    async with house.parts.database.transaction() as tx:
        await webhooks.publish(tx, house.home.customer_id, Mode.TEST, Event.MODEL_UPLOADED, {}, now)
    answer = await client.get(f"/api/webhooks/{webhook_id}/deliveries", headers=headers)
    house.ids |= {"webhook_id": webhook_id, "delivery_id": answer.json()[0]["id"]}


def _owner_id(house: House) -> int:
    owner = house.named("owner").user
    assert owner
    return owner.id
