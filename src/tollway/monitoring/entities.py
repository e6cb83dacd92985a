"""What a look at the parts finds, and who may take one."""

import enum
import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tollway.kit.problems import Forbidden, NotFound, Unauthenticated, Unavailable

# A part that takes longer than this to say that it is there is not there.
CHECK_SECONDS_MAX = 2.0
# Adding everything up may take longer; whoever scrapes waits ten seconds unless told otherwise.
METRICS_SECONDS_MAX = 8.0
# From here on a part is reported as bad.
JOURNAL_LAG_SECONDS_MAX = 60.0
QUEUE_AGE_SECONDS_MAX = 300
FREE_BYTES_MIN = 1_000_000_000
AVAILABLE_MEMORY_SHARE_MIN = 0.05
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# Answers whether a part is there, such as Redis; None: none is configured.
PartAnswers = Callable[[], Awaitable[bool | None]]


class MetricsTokenRefused(Unauthenticated):
    """The metrics ask for a token, and it did not come."""

    code = "metrics-token-refused"
    title = "The metrics ask for their token"


class MetricsNotOpen(Forbidden):
    """Without a token the metrics are for neighbours alone."""

    code = "metrics-not-open"
    title = "The metrics are not open to that address"


class NoMeasurement(Unavailable):
    """What is measured cannot be read at the moment."""

    code = "no-measurement"
    title = "Nothing can be measured at the moment"


@dataclass(frozen=True, slots=True)
class MetricsAccess:
    """Who may read metrics and the health of single parts."""

    is_on: bool
    # Empty: addresses decide.
    token: str
    networks: tuple[Network, ...]

    def check(self, *, path: str, authorization: str, address: str, is_forwarded: bool) -> None:
        """Let a reader through, or say why not.

        Args:
            authorization: the header of that name.
            address: where the request came from, as far as trusted proxies tell.
            is_forwarded: whether a proxy passed it on that we were not told to trust, so that it may come from
                anywhere.

        Raises: NotFound, MetricsTokenRefused, MetricsNotOpen.
        """
        if not self.is_on:
            raise NotFound(f"There is nothing at {path}: ENABLE_METRICS is off on this server.")
        if self.token:
            scheme, _, given = authorization.partition(" ")
            right = hmac.compare_digest(given.strip().encode(), self.token.encode())
            if scheme.lower() != "bearer" or not right:
                raise MetricsTokenRefused(
                    "Send `Authorization: Bearer` with the token that this server has in METRICS_TOKEN."
                )
            return
        where = ipaddress.ip_address(address)
        if is_forwarded:
            raise MetricsNotOpen(
                "A proxy passed this on that the server was not told to trust, so nobody knows where it comes from. "
                "Name the proxy in TRUSTED_PROXIES, or set METRICS_TOKEN and send it."
            )
        if not any(where in network for network in (*LOOPBACK, *self.networks)):
            raise MetricsNotOpen(
                f"{address} is in none of the networks that may read this. Name its network in METRICS_NETWORKS, "
                "or set METRICS_TOKEN and send it."
            )


@dataclass(frozen=True, slots=True)
class Watched:
    """What monitoring is told of the installation."""

    access: MetricsAccess
    data_folder: Path
    counters_folder: Path
    journal_folder: Path


class Standing(enum.StrEnum):
    """How one part stands."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    # It was not configured, and nothing is missing.
    DISABLED = "disabled"
    # What it is read from does not answer.
    UNKNOWN = "unknown"

    @property
    def is_bad(self) -> bool:
        """Whether somebody should look."""
        return self in (Standing.UNHEALTHY, Standing.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of one part: how it stands, what was measured, and from where on that is bad."""

    status: Standing
    value: float | None
    unit: str
    limit: float | None
    says: str
