"""Bounds how many requests a minute come from one client address, over everything but static files (C15)."""

import ipaddress
import time

from starlette.types import ASGIApp, Receive, Scope, Send

from tollway.admission.centre import CentreGone
from tollway.admission.entities import LIMIT_PER_ADDRESS, AddressLimitReached
from tollway.admission.leases import RateLimiter
from tollway.admission.passage import refuse
from tollway.admission.rates import RateLimit


class AddressLimitMiddleware:
    """Refuses what comes too fast from one address (IPv6: one /64), however many processes serve.

    While nobody can say what the other processes let through, each counts by itself: this limit guards the server,
    not anybody's money, and pages must open.
    """

    def __init__(
        self, app: ASGIApp, limiter: RateLimiter, requests_per_minute_max: int, docs_url: str
    ) -> None:
        self.app = app
        self.limiter = limiter
        self.limit = RateLimit(LIMIT_PER_ADDRESS, requests_per_minute_max)
        self.docs_url = docs_url
        self._alone = RateLimiter(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and not scope["path"].startswith("/static/"):
            wait = await self._seconds_to_wait(_network_of(scope["client_address"]))
            if wait:
                problem = AddressLimitReached(
                    f"More than {self.limit.count:,} requests came from your address within a minute. "
                    f"Try again in {wait} second{'s' * (wait != 1)}.",
                    retry_after_seconds=wait,
                    members={"limit": LIMIT_PER_ADDRESS, "limit_value": self.limit.count},
                )
                await refuse(problem, scope, receive, send, None, self.docs_url)
                return
        await self.app(scope, receive, send)

    async def _seconds_to_wait(self, network: str) -> int:
        """Count a request, and return 0 where it may come in."""
        bucket = self.limiter.bucket(f"address:{network}", self.limit)
        if bucket.take(1, time.monotonic_ns()):
            return 0
        if bucket.needs_renewal():
            try:
                await self.limiter.renew(bucket, 1)
            except CentreGone:
                bucket = self._alone.bucket(network, self.limit)
        now_ns = time.monotonic_ns()
        return 0 if bucket.take(1, now_ns) else bucket.retry_after_seconds(1, now_ns)


def _network_of(address: str) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 that one IPv6 customer is given."""
    return ":".join(ipaddress.IPv6Address(address).exploded.split(":")[:4]) if ":" in address else address
