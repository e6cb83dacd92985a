"""Who may do what, asked of every mounted endpoint as everybody: nobody sees another's things.

The endpoints come from the application itself, the expectation from entries.py and from the tables of permissions,
which tests/customers/test_permissions.py checks by hand. Each request has fresh credentials, so order does not matter.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from tests.matrix.entries import (
    ALSO_ADMINISTRATORS,
    BODIES,
    ENTRIES,
    FORMS,
    METERED,
    NOT_OWNED,
    OPEN,
    permission_of,
)
from tests.matrix.people import House, Someone, build_house
from tests.matrix.things import make_things
from tests.mounted import routes_of

from tollway.app import Parts, build_app
from tollway.customers.entities import PermissionMissing
from tollway.customers.permissions import Permission, Scope
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.settings import Settings

API = ("/api/", "/auth/", "/trial/")
READING = ("GET", "HEAD")
UNKNOWN = "unknown"
PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")


def asked_for(parts: Parts) -> dict[str, str]:
    """Say of each mounted endpoint what the code asks for, in the words of entries.py."""
    found = {}
    for route in routes_of(parts):
        assert len(route.asks) + route.is_metered <= 1, f"{route.path} asks for {route.asks}"
        asked = METERED if route.is_metered else next((one.value for one in route.asks), OPEN)
        found |= {f"{method} {route.path}": asked for method in route.methods}
    return found


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """One address asks for everything, within a minute."""
    return settings.model_copy(update={"max_requests_per_minute": 100_000})


@pytest.fixture
async def house(parts: Parts) -> House:
    async with parts.database.transaction() as tx:
        await plans.load_catalog(tx, read_now())
    built = await build_house(parts)
    await make_things(built)
    return built


@pytest.fixture
async def matrix(house: House) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(
        app=build_app(house.parts), raise_app_exceptions=False, client=("127.0.0.1", 50000)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_every_mounted_endpoint_asks_for_what_is_written_down(parts: Parts) -> None:
    found = asked_for(parts)
    missing = {endpoint: asked for endpoint, asked in found.items() if permission_of(endpoint) is None}
    assert missing == {}, "a new endpoint needs an entry in tests/matrix/entries.py"
    written = {endpoint: permission for permission, listed in ENTRIES.items() for endpoint in listed}
    assert {one: asked for one, asked in found.items() if written[one] != asked} == {}
    assert sorted(set(written) - set(found)) == [], "an entry of an endpoint that is gone"
    assert sum(len(listed) for listed in ENTRIES.values()) == len(written), "an endpoint stands here twice"


async def test_everybody_gets_what_their_role_and_scope_allow(
    house: House, matrix: httpx.AsyncClient
) -> None:
    wrong = []
    for permission, listed in ENTRIES.items():
        if permission == OPEN:
            continue
        for endpoint in listed:
            for someone in house.everybody:
                if someone.is_at_home or someone.administers:
                    answer = await ask(house, matrix, someone, endpoint, is_owned=False)
                    fault = fault_of(answer, expected(someone, permission, endpoint))
                    if fault:
                        wrong.append(f"{endpoint} as {someone.name}: {fault}")
    assert not wrong, "\n".join(wrong)


async def test_another_customers_anything_is_not_there(house: House, matrix: httpx.AsyncClient) -> None:
    """The owner and the key of another customer may do the same thing, with their own."""
    wrong = []
    for permission, listed in ENTRIES.items():
        if permission == OPEN or permission.startswith("admin."):
            continue
        for endpoint in listed:
            if not set(re.findall(PARAMETER, endpoint)) - NOT_OWNED:
                continue
            for name in ("other owner", "other key"):
                someone = house.named(name)
                if expected(someone, permission, endpoint) != "allowed":
                    continue
                answer = await ask(house, matrix, someone, endpoint, is_owned=True)
                if answer.status_code != 404:
                    wrong.append(f"{endpoint} as {name}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


async def test_what_belongs_to_the_customer_is_there_for_its_owner(
    house: House, matrix: httpx.AsyncClient
) -> None:
    """Else the test above would be satisfied by addresses that lead nowhere."""
    wrong = []
    for permission, listed in ENTRIES.items():
        if permission == OPEN:
            continue
        for endpoint in listed:
            if not endpoint.startswith("GET ") or "{" not in endpoint:
                continue
            name = (
                "super_admin"
                if permission.startswith("admin.")
                else "read key"
                if permission == METERED
                else "owner"
            )
            answer = await ask(house, matrix, house.named(name), endpoint, is_owned=True)
            if answer.status_code not in (200, 409):
                wrong.append(f"{endpoint}: {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def expected(someone: Someone, permission: str, endpoint: str) -> str:
    """Say what someone gets: `allowed`, `stranger`, `forbidden` or `hidden`."""
    method, path = endpoint.split(" ", 1)
    if permission == METERED:
        if someone.kind != "key":
            return "stranger"
        return (
            "allowed" if someone.scope is (Scope.READ if method in READING else Scope.WRITE) else "forbidden"
        )
    is_api = path.startswith(API)
    if someone.kind == "nobody" or (someone.kind in ("key", "token") and not is_api):
        return "stranger" if is_api else "sent to sign in"
    wanted = {Permission(permission), Permission(ALSO_ADMINISTRATORS.get(endpoint, permission))}
    if wanted & someone.may:
        return "allowed"
    if is_api:
        return "forbidden"
    if permission.startswith("admin."):
        return "forbidden" if someone.administers else "hidden"
    # An administrator who belongs to no customer has no pages of one.
    return "sent to start" if someone.administers else "forbidden"


def fault_of(answer: httpx.Response, expectation: str) -> str:
    """Say how an answer differs from what was expected; nothing where it does not."""
    status = answer.status_code
    code = code_of(answer)
    match expectation:
        case "stranger":
            right = status == 401
        case "sent to sign in":
            right = status == 303 and answer.headers["location"].startswith("/signin")
        case "sent to start":
            right = status == 303 and answer.headers["location"] == "/start"
        case "forbidden":
            right = status == 403
        case "hidden":
            right = status == 404
        case _:
            sent_away = status == 303 and answer.headers["location"].startswith("/signin?")
            # What is wrong with the content, or with the thing asked for, is past the guard.
            right = (
                status not in (401, 429) and status < 500 and not sent_away and code != PermissionMissing.code
            )
    return "" if right else f"{status} {code or answer.headers.get('location', '')} instead of {expectation}"


def code_of(answer: httpx.Response) -> str:
    """Read the code of a Problem, from JSON or from the page that shows it."""
    if "problem+json" in answer.headers.get("content-type", ""):
        return str(answer.json()["code"])
    return PermissionMissing.code if f"<h1>{PermissionMissing.title}</h1>" in answer.text else ""


async def ask(
    house: House, client: httpx.AsyncClient, someone: Someone, endpoint: str, *, is_owned: bool
) -> httpx.Response:
    """Send one request with fresh credentials.

    Args:
        is_owned: name the home customer's real things; else things that do not exist, so that whoever is let
            in changes nothing.
    """
    method, path = endpoint.split(" ", 1)

    def fill(match: re.Match[str]) -> str:
        name = match[1]
        if name in NOT_OWNED or is_owned or method in READING:
            assert name in house.ids, f"tests/matrix/things.py makes no {name} for {endpoint}"
            return house.ids[name]
        return UNKNOWN

    url = re.sub(PARAMETER, fill, path)
    headers = await house.headers(someone)
    if not path.startswith((*API, "/monte-carlo-api/")):
        headers |= {"Accept": "text/html", "Origin": "http://localhost"}
        data = FORMS.get(endpoint, {}) if method == "POST" else None
        return await _send(client, method, url, headers, data=data)
    return await _send(client, method, url, headers, json=BODIES.get(endpoint))


async def _send(
    client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], **content: object
) -> httpx.Response:
    request = client.build_request(method, url, headers=headers, **content)  # type: ignore[arg-type]
    if url.endswith(("/events", "/live")):
        return await _head_of_stream(client, request)
    return await client.send(request)


async def _head_of_stream(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    """Ask for a stream that does not end, and hang up once it has begun."""
    started = asyncio.Event()
    head: dict[str, Any] = {}

    async def receive() -> dict[str, Any]:
        if not head.get("asked"):
            head["asked"] = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
            started.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 50000),
        "server": ("localhost", 80),
    }
    transport = client._transport
    assert isinstance(transport, httpx.ASGITransport)
    await transport.app(scope, receive, send)  # type: ignore[arg-type]
    return httpx.Response(head["status"], headers=head["headers"])
