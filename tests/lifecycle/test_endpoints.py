"""`POST /signup` through the whole application."""

import json
import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from tests.lifecycle.conftest import code_in
from tests.parties import SEALER

from tollway.app import Parts
from tollway.customers import operations as customers
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.kit.http import Edge, EdgeMiddleware, exception_handlers
from tollway.lifecycle import endpoints, flows, operations
from tollway.lifecycle.entities import LifecycleParts
from tollway.notifications import operations as notifications
from tollway.plans import operations as plans

FORM = {"email": "ana@example.com", "company": "Example Ltd", "use_case": "Financial Modeling"}
JSON_BODY = b'{"success":true,"redirect":"/dashboard"}'


@pytest.fixture(autouse=True)
async def catalog_loaded(database: Database) -> None:
    async with database.transaction() as tx:
        await plans.load_catalog(tx, read_now())


@pytest.fixture
async def page_client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """Sign-up with a page of its own, served over HTTPS."""
    app = FastAPI(exception_handlers=exception_handlers("/docs", lambda _request, _problem: None))
    app.include_router(endpoints.router)
    app.state.database = database
    app.state.lifecycle = LifecycleParts("https://tollway.example", SEALER, b"code key", 14)
    app.state.render_signup = lambda _request, values, errors: HTMLResponse(
        json.dumps({"values": values, "errors": errors})
    )
    edge = EdgeMiddleware(app, Edge("https://tollway.example", secure=True))
    transport = httpx.ASGITransport(app=edge, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://tollway.example") as opened:
        yield opened


async def rows(database: Database, query: str) -> list[dict]:
    async with database.transaction() as tx:
        return await tx.list_rows(query)


def outward(response: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Everything that a stranger can see of an answer, but for the secret and the request's own id."""
    headers = {name: value for name, value in response.headers.items() if name != "x-trace-id"}
    headers["set-cookie"] = re.sub(r"=[\w-]{43};", "=...;", headers["set-cookie"])
    return response.status_code, response.content, headers


@pytest.mark.promise("A28", "A40", "X4")
async def test_a_program_signs_up_and_is_answered_exactly_so(client, database):
    response = await client.post("/signup", json=FORM)
    assert response.status_code == 200
    assert response.content == JSON_BODY
    cookie = response.headers["set-cookie"]
    assert re.fullmatch(r"tollway_session=[\w-]{43}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax", cookie)
    assert len(await rows(database, "SELECT id FROM api_customers")) == 1


@pytest.mark.promise("A26", "A28")
async def test_a_form_signs_up_and_is_led_to_the_dashboard(client, database):
    response = await client.post("/signup", data=FORM)
    assert response.status_code == 303
    assert response.headers["location"] == "/dashboard"
    secret = client.cookies["tollway_session"]
    async with database.transaction() as tx:
        caller = await customers.find_session_caller(tx, secret, read_now())
    assert caller.customer.company_name == "Example Ltd"
    assert caller.customer.use_case == "Financial Modeling"


@pytest.mark.promise("X4")
@pytest.mark.parametrize("as_what", ["json", "data"])
async def test_a_known_and_an_unknown_address_get_the_same_bytes(client, database, parts, as_what):
    await client.post("/signup", json=FORM)
    async with database.transaction() as tx:
        (user,) = await tx.list_rows("SELECT id FROM users")
        visit = flows.Visit("127.0.0.1", "", read_now())
        await operations.verify_user(tx, parts.lifecycle, user["id"], visit)
    client.cookies.clear()
    known = await client.post("/signup", **{as_what: FORM})
    client.cookies.clear()
    unknown = await client.post("/signup", **{as_what: FORM | {"email": "bob@example.com"}})
    assert outward(known) == outward(unknown)
    templates = [row["template"] for row in await rows(database, "SELECT template FROM outbox_mails")]
    assert sorted(templates) == ["address_known", "verify_address", "verify_address", "welcome"]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/email", "/company", "/use_case"]),
        (FORM | {"email": "ana"}, ["/email"]),
        (FORM | {"company": " "}, ["/company"]),
        (FORM | {"use_case": "Gambling"}, ["/use_case"]),
        (FORM | {"email": 5, "company": None}, ["/email", "/company"]),
        (FORM | {"email": "\ud800@example.com"}, ["/email"]),
        (FORM | {"company": "a\u0000b"}, ["/company"]),
    ],
)
async def test_a_body_that_cannot_be_used_is_told_by_pointer(client, database, body, pointers):
    response = await client.post(
        "/signup", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["pointer"] for error in response.json()["errors"]] == pointers
    assert "set-cookie" not in response.headers
    assert await rows(database, "SELECT id FROM users") == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"])
async def test_what_is_no_json_object_is_refused(client, content):
    response = await client.post(
        "/signup", content=content, headers={"content-type": "application/json; charset=utf-8"}
    )
    assert response.status_code == 422
    assert "JSON" in response.json()["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", ""])
async def test_another_media_type_is_refused(client, kind):
    response = await client.post("/signup", content=json.dumps(FORM), headers={"content-type": kind})
    assert response.status_code == 415
    assert "application/x-www-form-urlencoded" in response.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost"}, 303),
        ({"sec-fetch-site": "none"}, 303),
        ({}, 303),
    ],
)
async def test_a_form_of_another_site_is_refused(client, database, headers, status):
    response = await client.post("/signup", data=FORM, headers=headers)
    assert response.status_code == status
    assert len(await rows(database, "SELECT id FROM users")) == (1 if status == 303 else 0)


async def test_a_repeated_idempotency_key_has_one_effect(client, database):
    headers = {"Idempotency-Key": "0b5c7a"}
    first = await client.post("/signup", json=FORM, headers=headers)
    second = await client.post("/signup", json=FORM, headers=headers)
    assert outward(first) == outward(second)
    assert len(await rows(database, "SELECT id FROM users")) == 1
    other = await client.post("/signup", json=FORM | {"company": "Another"}, headers=headers)
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency-key-reused"


@pytest.mark.parametrize(
    ("query", "extra", "referer", "expected"),
    [
        ("?utm_source=news&utm_campaign=spring", {}, "https://blog.example/post", ("news", "spring")),
        ("?ref=partner", {}, "", ("partner", "")),
        (
            "",
            {"referrer": "https://blog.example/", "campaign": "mail"},
            "",
            ("https://blog.example/", "mail"),
        ),
        ("", {}, "https://blog.example/post", ("https://blog.example/post", "")),
        ("", {}, "http://localhost/", ("", "")),
        ("", {"campaign": "a\x00b\nc" + "x" * 500}, "http://[broken", ("", "abc" + "x" * 197)),
    ],
)
@pytest.mark.promise("A34")
async def test_what_brought_a_customer_is_remembered(client, database, query, extra, referer, expected):
    await client.post(f"/signup{query}", json=FORM | extra, headers={"referer": referer})
    (event,) = await rows(database, "SELECT referrer, campaign FROM analytics_events")
    assert (event["referrer"], event["campaign"]) == expected


async def test_sign_ups_from_one_address_are_bounded_and_say_when_to_come_back(client):
    for number in range(20):
        body = FORM | {"email": f"user{number}@example.com"}
        assert (await client.post("/signup", json=body)).status_code == 200
    response = await client.post("/signup", json=FORM)
    assert response.status_code == 429
    assert response.json()["code"] == "too-many-attempts"
    assert 3_590 <= int(response.headers["retry-after"]) <= 3_600
    assert "20 sign-ups from your network" in response.json()["detail"]


async def test_a_form_with_faults_comes_back_with_what_was_typed(page_client):
    response = await page_client.post("/signup", data=FORM | {"email": "ana", "use_case": ""})
    assert response.status_code == 422
    shown = response.json()
    assert shown["values"]["company"] == "Example Ltd"
    assert shown["values"]["email"] == "ana"
    assert list(shown["errors"]) == ["email", "use_case"]
    assert shown["errors"]["email"] == "This is not an email address. It should look like ana@example.com."


async def test_a_form_of_too_many_fields_is_refused(page_client):
    response = await page_client.post("/signup", data={f"field{number}": "x" for number in range(30)})
    assert response.status_code == 422


@pytest.mark.promise("X27")
async def test_over_https_the_cookie_is_guarded_by_its_name(page_client):
    response = await page_client.post("/signup", data=FORM)
    assert re.fullmatch(
        r"__Host-tollway_session=[\w-]{43}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax; Secure",
        response.headers["set-cookie"],
    )


async def test_no_secret_of_a_sign_up_reaches_the_log(client, database, caplog, capfd, parts: Parts):
    with caplog.at_level(logging.DEBUG):
        await client.post("/signup", data=FORM)
        secret = client.cookies["tollway_session"]
        async with database.transaction() as tx:
            mail = (await notifications.list_mails(tx)).items[0]
            caller = await customers.find_session_caller(tx, secret, read_now())
        visit = flows.Visit("127.0.0.1", "", read_now())
        await flows.verify_by_code(database, parts.lifecycle, caller, code_in(mail), visit)
        async with database.transaction() as tx:
            welcome = (await notifications.list_mails(tx)).items[0]
    api_key = re.search(r"mc_test_\w{32}", welcome.text_body).group()
    link_token = re.search(r"token=([\w-]+)", mail.text_body).group(1)
    logged = caplog.text + "".join(capfd.readouterr())
    assert "/signup" in logged
    for hidden in (secret, link_token, api_key, "ana@example.com"):
        assert hidden not in logged
    assert not re.search(rf"\b{code_in(mail)}\b", logged)


@pytest.mark.promise("A7", "A14", "A30", "A38", "A42")
async def test_every_link_of_the_welcome_mail_works_for_its_reader(client, database):
    await client.post("/signup", data=FORM)
    async with database.transaction() as tx:
        code = code_in((await notifications.list_mails(tx)).items[0])
    response = await client.post("/verify", data={"code": code})
    assert response.status_code == 303
    async with database.transaction() as tx:
        welcome = (await notifications.list_mails(tx)).items[0]
    links = re.findall(r"https?://[^\s,]+", welcome.text_body)
    paths = {link.removeprefix("http://localhost:6789") for link in links}
    assert paths == {
        "/dashboard",
        "/monte-carlo-api/health",
        "/monte-carlo-api/models",
        "/monte-carlo-api/simulations",
        "/samples/portfolio.xlsx",
        "/docs",
        "/support",
    }
    api_key = re.search(r"mc_test_\w{32}", welcome.text_body).group()
    for path in paths:
        answer = await client.get(path, headers={"Authorization": f"Bearer {api_key}"}, follow_redirects=True)
        assert answer.status_code == 200, path


@pytest.mark.promise("A42", "A44")
async def test_the_three_steps_of_the_welcome_mail_work_as_they_stand_there(client, database, parts):
    await client.post("/signup", json=FORM)
    async with database.transaction() as tx:
        (user,) = await tx.list_rows("SELECT id FROM users")
        await operations.verify_user(
            tx, parts.lifecycle, user["id"], flows.Visit("127.0.0.1", "", read_now())
        )
        welcome = (await notifications.list_mails(tx)).items[0]
    client.cookies.clear()
    (headers,) = {tuple(found) for found in re.findall(r'-H "(Authorization): ([^"]+)"', welcome.text_body)}
    run = json.loads(re.search(r"-d '(\{.*\})'", welcome.text_body, re.DOTALL).group(1))
    assert (await client.get("/monte-carlo-api/health")).status_code == 200
    workbook = (await client.get("/samples/portfolio.xlsx")).content
    uploaded = await client.post(
        "/monte-carlo-api/models", files={"file": ("portfolio.xlsx", workbook)}, headers=[headers]
    )
    assert uploaded.status_code == 201, uploaded.text
    run["model_id"] = uploaded.json()["model_id"]
    created = await client.post("/monte-carlo-api/simulations", json=run, headers=[headers])
    assert created.status_code == 201, created.text
    assert created.json()["progress_url"]
