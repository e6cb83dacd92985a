"""How a worker keeps what it computes: it renews the lease again and again, in bounded time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

# How often whoever computes says that it still does.
RENEW_SECONDS = 10.0


async def hold_while(
    computing: asyncio.Future[Any], renew: Callable[[], Awaitable[bool]], seconds_max: float, what: str
) -> bool:
    """Wait until something is computed; False where it no longer matters, and then it is cancelled.

    Args:
        renew: extends the lease; False where it is another's by now.
        what: is computed, as the failure says it.

    Raises: TimeoutError, once it is cancelled.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds_max
    while True:
        done, _ = await asyncio.wait({computing}, timeout=RENEW_SECONDS)
        if done:
            return True
        if not await renew():
            computing.cancel()
            return False
        if loop.time() > deadline:
            computing.cancel()
            raise TimeoutError(f"{what} took longer than {seconds_max:.0f} s")
