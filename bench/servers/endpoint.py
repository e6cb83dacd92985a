"""The trivial endpoint that every contender of bench/admission.py answers with, and the server that they share."""

from typing import Any

import uvicorn

BODY = b'{"allowed": true, "reason": "What a hundred bytes of an answer look like", "policy": "pol_01234567"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]

LIMIT_HEADERS = [
    (b"ratelimit-policy", b'"requests_per_minute_per_key";q=100000000;w=60'),
    (b"ratelimit", b'"requests_per_minute_per_key";r=99999999;t=1'),
    (b"x-ratelimit-limit", b"100000000"),
    (b"x-ratelimit-remaining", b"99999999"),
    (b"x-ratelimit-reset", b"1800000000"),
]


async def endpoint(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer a hundred bytes of JSON."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


async def endpoint_with_headers(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer the same, with headers as admission adds them, that never change."""
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *LIMIT_HEADERS]})
    await send({"type": "http.response.body", "body": BODY})


async def serve(app: Any, port: str, key: str) -> None:
    """Print the key that the application is called with, and serve until told to stop."""
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=int(port),
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )
    print(key, flush=True)
    await uvicorn.Server(config).serve()
