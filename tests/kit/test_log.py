"""The log: one line for each event, the request id in every line, secrets in none."""

import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.keys.entities import checksum, key_id_of
from tollway.kit.log import configure_logging, log, redacted
from tollway.kit.scope import request_id

# Always the same, because it is part of the names of tests.
SECRET = "mc_live_" + "NobodyEverIssuedThisOne000"
SECRET += checksum(SECRET)


@pytest.fixture
def lines() -> Iterator[Any]:
    """Read what was logged since the last call, as dictionaries."""
    stream = io.StringIO()
    with contextlib.redirect_stderr(stream):
        configure_logging("info", as_json=True)

    def read() -> list[dict[str, Any]]:
        written = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        return [json.loads(line) for line in written.splitlines()]

    yield read
    configure_logging("warning", as_json=True)


def test_an_event_is_one_line_of_json(lines: Any) -> None:
    log.info("something happened", count=3)
    (line,) = lines()
    assert line["event"] == "something happened"
    assert line["count"] == 3
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_the_request_id_stands_in_every_line_ours_and_others(lines: Any) -> None:
    token = request_id.set("req_1234")
    try:
        log.info("ours")
        logging.getLogger("uvicorn.error").warning("theirs")
        logging.getLogger("somebody").info("a %s", "library's")
    finally:
        request_id.reset(token)
    log.info("outside of a request")
    found = lines()
    assert [line["event"] for line in found] == ["ours", "theirs", "a library's", "outside of a request"]
    assert [line.get("request_id") for line in found] == ["req_1234"] * 3 + [None]


@pytest.mark.parametrize(
    ("fields", "leaks"),
    [
        ({"authorization": "Bearer abcdefgh12345678"}, "abcdefgh12345678"),
        ({"Cookie": "session=abcdef"}, "abcdef"),
        ({"set_cookie": "session=abcdef"}, "abcdef"),
        ({"password": "hunter2"}, "hunter2"),
        ({"new_password": "hunter2"}, "hunter2"),
        ({"smtp_password": "hunter2"}, "hunter2"),
        ({"jwt_secret": "hunter2"}, "hunter2"),
        ({"encryption_key": "hunter2"}, "hunter2"),
        ({"api_key": "hunter2"}, "hunter2"),
        ({"code_entered": "123456"}, "123456"),
        ({"refresh_token": "hunter2"}, "hunter2"),
        ({"text": f"called with {SECRET} twice"}, SECRET[-20:]),
        ({"text": f"Authorization: Bearer {SECRET}"}, SECRET[-20:]),
        ({"text": "Authorization: Basic dXNlcjpwYXNzd29yZA=="}, "dXNlcjpwYXNz"),
        ({"text": "Cookie: session=abcdefgh; theme=dark"}, "abcdefgh"),
        ({"url": "postgresql://tollway:hunter2@db/tollway"}, "hunter2"),
        ({"url": "redis://:hunter2@cache:6379/0"}, "hunter2"),
        ({"url": "postgresql://tollway:hun@ter2@db/tollway"}, "ter2"),
        ({"url": "https://here.example/verify?token=hunter2abc&x=1"}, "hunter2abc"),
        ({"url": "https://here.example/verify?x=1&code=123456"}, "123456"),
        ({"path": f"/monte-carlo-api/download/{'aB3-_' * 8}xyz/pdf"}, "aB3-_aB3"),
        ({"nested": {"headers": {"authorization": "hunter2"}}}, "hunter2"),
        ({"nested": [{"deep": [f"key {SECRET}"]}]}, SECRET[-20:]),
        ({"headers": [("cookie", "session=abcdef"), ("accept", "*/*")]}, "abcdef"),
        ({"headers": [(b"authorization", b"hunter2"), (b"accept", b"*/*")]}, "hunter2"),
        ({"body": f"key {SECRET}".encode()}, SECRET[-20:]),
        ({"failure": ValueError(f"cannot use {SECRET}")}, SECRET[-20:]),
        ({"keys": {SECRET}}, SECRET[-20:]),
    ],
)  # fmt: skip
def test_secrets_do_not_reach_the_log(lines: Any, fields: dict[str, Any], leaks: str) -> None:
    log.info("event", **fields)
    logging.getLogger("somebody").warning("told %s", fields)
    for line in lines():
        assert leaks not in json.dumps(line), line


def test_the_text_of_an_event_is_searched_too(lines: Any) -> None:
    log.info(f"somebody called with {SECRET}")
    logging.getLogger("uvicorn.error").error("bad header: %s", f"Bearer {SECRET}")
    for line in lines():
        assert SECRET[-20:] not in json.dumps(line)


def test_a_traceback_is_searched_too(lines: Any) -> None:
    def fail() -> None:
        raise ValueError(f"postgresql://tollway:hunter2@db/ and {SECRET}")

    for report in (log.exception, logging.getLogger("somebody").exception):
        try:
            fail()
        except ValueError:
            report("it failed")
    ours, theirs = lines()
    for line in (ours, theirs):
        assert "ValueError" in line["exception"]
        assert "hunter2" not in json.dumps(line)
        assert SECRET[-20:] not in json.dumps(line)


def test_the_public_part_of_a_key_stays_readable(lines: Any) -> None:
    log.info("event", text=f"called with {SECRET}")
    assert key_id_of(SECRET) in lines()[0]["text"]


@pytest.mark.parametrize(
    "harmless",
    [
        {"api_key_id": 7},
        {"path": "/monte-carlo-api/models"},
        {"url": "https://here.example:8000/a@b"},
        {"text": "mc_live_abcdefgh is the public part"},
        {"duration_ms": 1.5, "done": True, "nothing": None},
    ],
)
def test_what_is_no_secret_stays_as_it_is(lines: Any, harmless: dict[str, Any]) -> None:
    log.info("event", **harmless)
    line = lines()[0]
    assert {name: line[name] for name in harmless} == harmless


@given(
    st.recursive(
        st.sampled_from([SECRET, f"x {SECRET} y", SECRET.encode(), f"Bearer {SECRET}"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner)
            | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_a_key_is_found_however_deep_it_lies(value: Any) -> None:
    assert SECRET[-20:] not in repr(redacted(value))
