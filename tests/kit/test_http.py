"""The edge: request ids, client addresses, size limits, headers and one shape of error."""

import ipaddress
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Form, Header, HTTPException, Query, Request, UploadFile
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tollway.kit.db import Database
from tollway.kit.http import (
    BODY_BYTES_MAX,
    Edge,
    EdgeMiddleware,
    ReplayingRoute,
    client_address,
    exception_handlers,
)
from tollway.kit.problems import FieldError, Invalid, NotFound, TooMany, WrongType

UPLOAD_BYTES_MAX = BODY_BYTES_MAX + 500_000
router = APIRouter(route_class=ReplayingRoute)


class Inner(BaseModel):
    amount: int = Field(ge=1)


class Body(BaseModel):
    name: str
    inner: list[Inner]
    by_cell: dict[str, int] = {}


@router.post("/things")
async def create_thing(request: Request, body: Body) -> int:
    if database := getattr(request.app.state, "database", None):
        async with database.transaction() as tx:
            await tx.execute(
                "SELECT %(name)s::text, %(json)s::jsonb", {"name": body.name, "json": json.dumps(body.name)}
            )
    return len(body.name)


@router.get("/things")
async def list_things(limit: Annotated[int, Query(le=100)] = 20, x_size: Annotated[int, Header()] = 0) -> int:
    return limit + x_size


@router.post("/forms")
async def send_form(name: Annotated[str, Form()]) -> str:
    return name


@router.post("/uploads")
async def upload(file: UploadFile) -> int:
    return len(await file.read())


@router.post("/raw")
async def read_raw(request: Request) -> int:
    return len(await request.body())


@router.get("/address")
async def tell_address(request: Request) -> str:
    return client_address(request)


@router.get("/fails/{kind}")
@router.get("/api/fails/{kind}")
async def fail(kind: str) -> None:
    match kind:
        case "missing":
            raise NotFound("There is no thing of that id.", log_message="row 7 belongs to another")
        case "limit":
            raise TooMany("Enough.", retry_after_seconds=30, members={"limit": "things", "limit_value": 3})
        case "invalid":
            raise Invalid("Two faults.", errors=(FieldError("/a", "is wrong"), FieldError("/b/0", "too")))
        case "type":
            raise WrongType("Only workbooks.")
        case "framework":
            raise HTTPException(415, "No such type.")
        case "unexpected":
            raise RuntimeError("password=hunter2 in file.py")


def edge_app(edge: Edge) -> EdgeMiddleware:
    api = FastAPI(exception_handlers=exception_handlers("/docs", lambda _request, _problem: None))
    api.include_router(router)
    return EdgeMiddleware(api, edge)


def client_at(edge: Edge, peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=edge_app(edge), raise_app_exceptions=False, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


PLAIN = Edge(
    base_url="http://localhost", secure=False, upload_paths={"/uploads": UPLOAD_BYTES_MAX, "/raw": 2_000}
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_at(PLAIN) as opened:
        yield opened


# The shape of a Problem -----------------------------------------------------------------------------


async def test_a_problem_has_the_members_of_rfc_9457_and_those_that_older_clients_read(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/fails/missing")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json() == {
        "type": "/docs/problems/not-found",
        "title": "There is nothing here",
        "status": 404,
        "detail": "There is no thing of that id.",
        "instance": "/fails/missing",
        "error": "There is nothing here",
        "code": "not-found",
        "message": "There is no thing of that id.",
        "documentation_url": "/docs/problems/not-found",
        "path": "/fails/missing",
        "request_id": answer.headers["X-Trace-ID"],
    }


async def test_what_is_meant_for_the_log_stays_out_of_the_answer(client: httpx.AsyncClient) -> None:
    assert "row 7" not in (await client.get("/fails/missing")).text


async def test_under_api_the_error_member_is_the_code(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/fails/missing")).json()["error"] == "NOT_FOUND"


async def test_a_limit_says_when_it_frees_and_which_it_is(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/limit")
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "30"
    assert answer.json()["retry_after"] == 30
    assert (answer.json()["limit"], answer.json()["limit_value"]) == ("things", 3)


async def test_faults_of_the_input_come_with_pointers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/invalid")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/a", "detail": "is wrong"},
        {"pointer": "/b/0", "detail": "too"},
    ]


async def test_an_unexpected_failure_tells_nothing_of_itself(client: httpx.AsyncClient) -> None:
    answer = await client.get("/fails/unexpected")
    assert answer.status_code == 500
    assert answer.json()["code"] == "internal-error"
    assert answer.json()["request_id"] == answer.headers["X-Trace-ID"]
    assert "hunter2" not in answer.text
    assert "RuntimeError" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/no-such-page", 404, "not-found"),
        ("DELETE", "/things", 405, "method-not-allowed"),
        ("GET", "/fails/type", 415, "wrong-type"),
        ("GET", "/fails/framework", 415, "wrong-type"),
    ],
)
async def test_the_framework_answers_in_the_same_shape(
    client: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_a_refused_method_says_which_are_served(client: httpx.AsyncClient) -> None:
    assert set((await client.delete("/address")).headers["Allow"].split(", ")) == {"GET"}
    assert set((await client.delete("/things")).headers["Allow"].split(", ")) == {"GET", "POST"}


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        ({"inner": [{"amount": 1}]}, {"/name"}),
        ({"name": "x", "inner": [{"amount": 1}, {"amount": 0}]}, {"/inner/1/amount"}),
        ({"name": 7, "inner": "none"}, {"/name", "/inner"}),
        # RFC 6901 writes a slash in a member's name as ~1 and a tilde as ~0.
        ({"name": "x", "inner": [], "by_cell": {"a/b~c": "no"}}, {"/by_cell/a~1b~0c"}),
    ],
)
async def test_a_bad_body_is_a_422_that_points_at_each_fault(
    client: httpx.AsyncClient, content: Any, pointers: set[str]
) -> None:
    answer = await client.post("/things", json=content)
    assert answer.status_code == 422
    assert {one["pointer"] for one in answer.json()["errors"]} == pointers


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff\xfe", b"NaN"])
async def test_a_body_that_is_no_such_json_is_a_422(client: httpx.AsyncClient, content: bytes) -> None:
    answer = await client.post("/things", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"] or answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "content_type", "errors"),
    [
        ('{"name": ', "application/json", {"/": "is not JSON: Expecting value, at character 9"}),
        ("{}", "text/plain", {"/": "must be a JSON object, sent with Content-Type: application/json"}),
        ("[]", "application/json", {"/": "must be a JSON object, sent with Content-Type: application/json"}),
        (
            '{"inner": [{"amount": 0}, {"amount": 1.5}]}',
            "application/json",
            {
                "/name": "is missing",
                "/inner/0/amount": "must be at least 1",
                "/inner/1/amount": "must be a whole number, written in digits alone",
            },
        ),
    ],
)
async def test_each_fault_of_a_body_says_what_is_expected(
    client: httpx.AsyncClient, content: str, content_type: str, errors: dict[str, str]
) -> None:
    answer = await client.post("/things", content=content, headers={"Content-Type": content_type})
    assert {one["pointer"]: one["detail"] for one in answer.json()["errors"]} == errors


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800", "fine so far \\u0000"])
async def test_text_that_no_database_can_hold_is_a_422(database: Database, text: str) -> None:
    """Legal JSON, but PostgreSQL stores neither NUL nor half of a surrogate pair: not our failure, not a 500."""
    app = edge_app(PLAIN)
    app.app.state.database = database  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post(
            "/things",
            content=f'{{"name": "{text}", "inner": []}}',
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "invalid-input"


async def test_query_and_header_are_pointed_at_too(client: httpx.AsyncClient) -> None:
    answer = await client.get("/things?limit=101", headers={"X-Size": "big"})
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/query/limit", "/header/x-size"}


# Request ids ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_id", ["trace-12345678", "A" * 64, "0123_abc-"])
async def test_a_trace_id_is_carried_through(client: httpx.AsyncClient, given_id: str) -> None:
    answer = await client.get("/fails/missing", headers={"X-Trace-ID": given_id})
    assert answer.headers["X-Trace-ID"] == answer.json()["request_id"] == given_id


@pytest.mark.parametrize(
    "given_id", ["", "short", "A" * 65, "with space 123", "semi;colon-12345", "line\\nbreak12"]
)
async def test_a_trace_id_that_could_do_harm_is_replaced(client: httpx.AsyncClient, given_id: str) -> None:
    answer = await client.get("/things", headers={"X-Trace-ID": given_id})
    assert answer.headers["X-Trace-ID"].startswith("req_")


async def test_each_request_gets_an_id_of_its_own(client: httpx.AsyncClient) -> None:
    ids = {(await client.get("/things")).headers["X-Trace-ID"] for _ in range(20)}
    assert len(ids) == 20


# Client addresses -----------------------------------------------------------------------------------

ONE_PROXY = "10.0.0.0/8"
ADDRESSES = """
    trusted               peer              X-Forwarded-For                     client
    -                     203.0.113.9       -                                   203.0.113.9
    -                     203.0.113.9       198.51.100.1                        203.0.113.9
    -                     10.0.0.1          198.51.100.1                        10.0.0.1
    10.0.0.0/8            10.0.0.1          198.51.100.1                        198.51.100.1
    10.0.0.0/8            10.0.0.1          -                                   10.0.0.1
    10.0.0.0/8            203.0.113.9       198.51.100.1                        203.0.113.9
    10.0.0.0/8            10.0.0.1          1.1.1.1,198.51.100.1                198.51.100.1
    10.0.0.0/8            10.0.0.1          1.1.1.1,198.51.100.1,10.0.0.7       198.51.100.1
    10.0.0.0/8            10.0.0.1          127.0.0.1,198.51.100.1              198.51.100.1
    10.0.0.0/8            10.0.0.1          10.0.0.9,198.51.100.1               198.51.100.1
    10.0.0.0/8            10.0.0.1          10.0.0.9                            10.0.0.9
    10.0.0.0/8            10.0.0.1          garbage                             10.0.0.1
    10.0.0.0/8            10.0.0.1          garbage,198.51.100.1                198.51.100.1
    10.0.0.0/8            10.0.0.1          ,,198.51.100.1,                     198.51.100.1
    10.0.0.0/8            10.0.0.1          198.51.100.1:1234                   10.0.0.1
    10.0.0.0/8,192.0.2.7  192.0.2.7         198.51.100.1,10.1.1.1               198.51.100.1
    fd00::/8              fd00::1           2001:db8::5                         2001:db8::5
    fd00::/8              fd00::1           2001:DB8:0::5                       2001:db8::5
    fd00::/8              2001:db8::9       2001:db8::5                         2001:db8::9
    10.0.0.0/8            ::ffff:10.0.0.1   198.51.100.1                        198.51.100.1
    10.0.0.0/8            10.0.0.1          ::ffff:198.51.100.1                 198.51.100.1
    10.0.0.0/8            10.0.0.1          fe80::1%eth0                        fe80::1
    0.0.0.0/0,::/0        10.0.0.1          198.51.100.1,10.0.0.2               198.51.100.1
"""  # fmt: skip


@pytest.mark.parametrize("line", ADDRESSES.strip().splitlines()[1:], ids=lambda line: " ".join(line.split()))
async def test_only_trusted_proxies_are_believed_about_the_client(line: str) -> None:
    trusted, peer, forwarded, expected = line.split()
    edge = Edge(
        base_url="http://localhost",
        secure=False,
        trusted_proxies=tuple(ipaddress.ip_network(one) for one in trusted.split(",") if one != "-"),
    )
    headers = {} if forwarded == "-" else {"X-Forwarded-For": forwarded}
    async with client_at(edge, peer) as client:
        assert (await client.get("/address", headers=headers)).json() == expected


async def test_a_second_forwarded_line_counts_after_the_first() -> None:
    """A proxy that appends a line of its own must not be shadowed by the line that its client invented."""
    edge = Edge(base_url="http://localhost", secure=False, trusted_proxies=(ipaddress.ip_network(ONE_PROXY),))
    headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-For", "198.51.100.1")]
    async with client_at(edge, "10.0.0.1") as client:
        assert (await client.get("/address", headers=headers)).json() == "198.51.100.1"


@given(st.text(max_size=200))
def test_a_client_cannot_choose_its_address_whatever_it_writes(written: str) -> None:
    """One trusted proxy appends the address that it saw; nothing to the left of that matters."""
    edge = Edge(base_url="http://localhost", secure=False, trusted_proxies=(ipaddress.ip_network(ONE_PROXY),))
    assert edge.client_address("10.0.0.1", f"{written}, 198.51.100.1") == "198.51.100.1"
    assert edge.client_address("203.0.113.9", written) == "203.0.113.9"


async def test_an_address_can_always_be_stored(database: Database) -> None:
    edge = Edge(base_url="http://localhost", secure=False, trusted_proxies=(ipaddress.ip_network("::/0"),))
    async with database.transaction() as tx:
        for peer in ("fe80::1%eth0", "::ffff:1.2.3.4", "2001:DB8::1"):
            address = edge.client_address(peer, "")
            assert await tx.find_value("SELECT host(%(address)s::inet)", {"address": address}) == address


# Sizes ----------------------------------------------------------------------------------------------


async def streamed(size: int) -> AsyncIterator[bytes]:
    """A body that does not say beforehand how long it is."""
    for _ in range(size // 1000):
        yield b"x" * 1000
    yield b"x" * (size % 1000)


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/raw", 2_000, 200),
        ("/raw", 2_001, 413),
        ("/things", BODY_BYTES_MAX, 422),
        ("/things", BODY_BYTES_MAX + 1, 413),
        ("/no-such-page", BODY_BYTES_MAX + 1, 413),
    ],
)
async def test_a_declared_size_is_checked_before_the_body(
    client: httpx.AsyncClient, path: str, size: int, status: int
) -> None:
    answer = await client.post(path, content=b"x" * size, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    if status == 413:
        assert answer.json()["code"] == "too-large"
        assert answer.json()["limit_bytes"] == (2_000 if path == "/raw" else BODY_BYTES_MAX)


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/raw", "application/octet-stream"),
        ("/things", "application/json"),
        ("/forms", "application/x-www-form-urlencoded"),
    ],
)
async def test_a_body_without_a_declared_size_is_cut_at_the_limit(
    client: httpx.AsyncClient, path: str, content_type: str
) -> None:
    limit = PLAIN.upload_paths.get(path, BODY_BYTES_MAX)
    answer = await client.post(path, content=streamed(limit + 1), headers={"Content-Type": content_type})
    assert answer.status_code == 413, answer.text
    assert answer.json()["limit_bytes"] == limit


@pytest.mark.parametrize(("size", "status"), [(BODY_BYTES_MAX + 1, 200), (UPLOAD_BYTES_MAX, 413)])
async def test_uploads_have_a_limit_of_their_own(client: httpx.AsyncClient, size: int, status: int) -> None:
    answer = await client.post("/uploads", files={"file": b"x" * size})
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == size


async def test_a_multipart_body_without_a_declared_size_is_cut_at_the_limit(
    client: httpx.AsyncClient,
) -> None:
    async def multipart() -> AsyncIterator[bytes]:
        yield b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.xlsx"\r\n\r\n'
        async for part in streamed(UPLOAD_BYTES_MAX):
            yield part
        yield b"\r\n--cut--\r\n"

    answer = await client.post(
        "/uploads", content=multipart(), headers={"Content-Type": "multipart/form-data; boundary=cut"}
    )
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize("declared", ["-1", "ten", "1e3", "+5", "9" * 5000, "²"])
async def test_a_length_that_is_no_number_is_refused(declared: str) -> None:
    app = edge_app(PLAIN)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(
        {
            "type": "http", "method": "POST", "path": "/raw", "raw_path": b"/raw", "query_string": b"",
            "headers": [(b"content-length", declared.encode("latin-1"))], "client": ("127.0.0.1", 1),
            "server": ("localhost", 80), "scheme": "http", "http_version": "1.1", "root_path": "",
        },
        receive, send,
    )  # fmt: skip
    assert sent[0]["status"] in {413, 422}
    assert json.loads(sent[1]["body"])["code"] in {"too-large", "invalid-input"}


# Headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/things", "/no-such-page", "/fails/unexpected", "/fails/limit"])
async def test_every_answer_carries_the_protective_headers(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "Strict-Transport-Security" not in headers, "a promise that http://localhost could not keep"


async def test_hsts_is_promised_where_customers_come_over_https() -> None:
    async with client_at(Edge(base_url="https://api.example.org", secure=True)) as client:
        assert (
            (await client.get("/things")).headers["Strict-Transport-Security"].startswith("max-age=63072000")
        )


async def test_an_answer_keeps_the_caching_that_it_chose() -> None:
    cached = APIRouter()

    @cached.get("/picture")
    async def show() -> Any:
        from fastapi.responses import Response

        return Response("x", headers={"Cache-Control": "public, max-age=60"})

    api = FastAPI()
    api.include_router(cached)
    transport = httpx.ASGITransport(app=EdgeMiddleware(api, PLAIN))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        assert (await client.get("/picture")).headers["Cache-Control"] == "public, max-age=60"


async def test_a_failure_before_the_application_is_answered_in_the_same_shape() -> None:
    """The middlewares between the edge and the framework reach the database, which may be gone."""

    async def breaks(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("password=hunter2")

    transport = httpx.ASGITransport(app=EdgeMiddleware(breaks, PLAIN), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/anything")
    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Trace-ID"] == answer.json()["request_id"]
    assert "hunter2" not in answer.text
