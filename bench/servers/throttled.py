"""The endpoint that bench/admission.py calls, behind what one takes from the shelf; run with bench/requirements.lock.

    python bench/servers/throttled.py limits|redis-py PORT REDIS_PORT

limits: the library's fixed window, its cheapest, one `hit` a call through redis-py. redis-py: GCRA, one EVALSHA a
call. Both take the header as the key: unlike the product they look nothing up and write nothing down.
"""

import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import uvloop
from endpoint import endpoint, serve

Check = Callable[[bytes], Awaitable[object]]

CALLS_A_MINUTE = 100_000_000


def throttled(check: Check) -> Callable[..., Awaitable[None]]:
    """Put one check a call in front of the endpoint."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        key = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if await check(key):
            await endpoint(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 429, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    return middleware


def by_limits(redis_port: int) -> Check:
    """Check with the library `limits`."""
    limits, storage = import_module("limits"), import_module("limits.aio.storage")
    store = storage.RedisStorage(f"async+redis://127.0.0.1:{redis_port}/1", implementation="redispy")
    limiter = import_module("limits.aio.strategies").FixedWindowRateLimiter(store)
    limit = limits.RateLimitItemPerMinute(CALLS_A_MINUTE)

    async def check(key: bytes) -> object:
        return await limiter.hit(limit, key.decode())

    return check


def by_redis(redis_port: int) -> Check:
    """Check with redis-py and a script of ten lines."""
    client = import_module("redis.asyncio").Redis(port=redis_port, db=1)
    script = import_module("redis").Redis(port=redis_port, db=1)
    sha = script.script_load(Path(__file__).with_name("gcra.lua").read_text())

    async def check(key: bytes) -> object:
        return await client.evalsha(sha, 1, key, 60_000_000 / CALLS_A_MINUTE, 60_000_000)

    return check


async def main() -> None:
    """Serve until told to stop."""
    kind, port, redis_port = sys.argv[1:]
    app = throttled({"limits": by_limits, "redis-py": by_redis}[kind](int(redis_port)))
    await serve(app, port, "none")


if __name__ == "__main__":
    uvloop.run(main())
