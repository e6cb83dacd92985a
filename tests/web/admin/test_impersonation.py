"""An administrator who looks at a customer's pages sees them, changes nothing, and leaves a trace."""

import re
from datetime import timedelta

import pytest
from tests.mounted import routes_of
from tests.web.admin.test_customers import actions_of, detail_of

from tollway.kit.clock import read_now

WHY = "Ticket tic_1 asks for it"
BAND = "You are looking at"
# What ends it.
OPEN_FORMS = {"/signout", "/admin/impersonation/stop"}


async def look(administrator, ana) -> str:
    customer_id = (await detail_of(ana)).row.public_id
    done = await administrator.post(f"/admin/api-customers/{customer_id}/impersonate", {"reason": WHY})
    assert (done.status_code, done.headers["location"]) == (303, "/dashboard")
    return customer_id


async def rows_of_everything(visitor) -> dict[str, int]:
    """Count the rows of every table, but for what merely notes that somebody came by."""
    passing = {
        "user_sessions",
        "attempt_counts",
        "idempotency_records",
        "usage_quotas",
        "audit_entries",
        "audit_persons",
    }
    async with visitor.parts.database.transaction() as tx:
        tables = await tx.list_rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        return {
            row["tablename"]: await tx.find_value(f"SELECT count(*) FROM {row['tablename']}")
            for row in tables
            if row["tablename"] not in passing
        }


async def test_it_asks_for_a_reason_and_lasts_half_an_hour(ana, administrator):
    customer_id = (await detail_of(ana)).row.public_id
    empty = await administrator.post(f"/admin/api-customers/{customer_id}/impersonate", {"reason": ""})
    assert empty.status_code == 422
    assert BAND not in (await ana.get("/dashboard")).text
    await look(administrator, ana)
    shown = await administrator.get("/dashboard")
    assert BAND in shown.text
    assert "Example Ltd" in shown.text
    async with ana.parts.database.transaction() as tx:
        until = await tx.find_value("SELECT max(impersonated_until) FROM user_sessions")
        assert timedelta(minutes=29) < until - read_now() <= timedelta(minutes=30)
        assert f"{until:%H:%M} UTC" in shown.text
        await tx.execute(
            "UPDATE user_sessions SET impersonated_until = now() WHERE impersonated_until IS NOT NULL"
        )
    over = await administrator.get("/dashboard")
    assert "Example Ltd" not in over.text


@pytest.mark.promise("B46")
async def test_every_page_shows_the_band_and_no_secret(ana, administrator):
    secret = re.search(r"mc_test_\w{32}", (await ana.post("/dashboard/key")).text).group()
    await look(administrator, ana)
    seen = 0
    for route in routes_of(ana.parts):
        path = route.path
        elsewhere = path.startswith(("/api", "/auth", "/admin", "/monte-carlo-api")) or "{" in path
        # What a live tail sends has no end.
        if "GET" not in route.methods or elsewhere or path.endswith("/live"):
            continue
        shown = await administrator.get(path)
        assert secret not in shown.text, path
        if 'class="shell"' in shown.text:
            seen += 1
            assert BAND in shown.text, path
            assert 'action="/admin/impersonation/stop"' in shown.text, path
    assert seen >= 6
    assert (await administrator.post("/dashboard/key")).status_code == 403


@pytest.mark.promise("B50")
async def test_it_is_read_only_over_every_form_that_is_mounted(ana, administrator):
    await look(administrator, ana)
    # A process that serves has begun its journal before the first call comes.
    await ana.parts.gatehouse.open()
    before = await rows_of_everything(ana)
    tried = 0
    for route in routes_of(ana.parts):
        for method in route.methods - {"GET", "HEAD", "OPTIONS"} if route.path not in OPEN_FORMS else ():
            filled = re.sub(r"{[^}]*}", "x", route.path)
            answer = await administrator.client.request(
                method, filled, data={}, headers={"Accept": "text/html", "Origin": "http://localhost"}
            )
            # What asks nobody who they are is no customer's: it may answer, and must leave no trace below.
            assert not route.asks or answer.status_code == 403, (method, route.path, answer.status_code)
            assert answer.status_code < 500, (method, route.path)
            tried += bool(route.asks)
    assert tried > 30
    assert await rows_of_everything(ana) == before


async def test_stopping_works_and_both_ends_stand_in_the_customers_activity(ana, administrator):
    customer_id = await look(administrator, ana)
    assert (await administrator.get("/admin/users")).status_code == 403
    done = await administrator.post("/admin/impersonation/stop")
    assert (done.status_code, done.headers["location"]) == (
        303, f"/admin/api-customers/{customer_id}?notice=stopped"
    )  # fmt: skip
    assert (await administrator.get("/admin/users")).status_code == 200
    assert (await administrator.post("/admin/impersonation/stop")).status_code == 303
    assert [action for action, _ in await actions_of(ana)][:2] == [
        "impersonation.ended",
        "impersonation.begun",
    ]
    activity = await ana.get("/activity")
    assert WHY in activity.text
    assert "root@example.org" not in activity.text
    await look(administrator, ana)
    assert (await administrator.post("/signout")).status_code == 303
    assert [action for action, _ in await actions_of(ana)][:2] == [
        "impersonation.ended",
        "impersonation.begun",
    ]


async def test_customers_see_no_way_into_the_administration(ana, administrator):
    assert 'href="/admin"' not in (await ana.get("/dashboard")).text
    assert (await ana.post("/admin/impersonation/stop")).headers["location"] == "/admin/api-customers"
