"""Calls that leave the machine. Refused while a transaction is open: a slow third party must not hold locks."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from tollway.kit.scope import in_transaction

CONNECT_SECONDS_MAX = 3.0
READ_SECONDS_MAX = 30.0


class NetworkInsideTransaction(AssertionError):
    """A programmer's mistake: record the intent, leave the transaction, then call."""


def assert_network_allowed() -> None:
    """Raise NetworkInsideTransaction where the running task holds a transaction.

    INVARIANT: code that holds a transaction cannot reach the network
    (tests/kit/test_net.py::test_the_network_is_refused_while_a_transaction_is_open).
    """
    if in_transaction():
        raise NetworkInsideTransaction("the network was reached for while a transaction was open")


@asynccontextmanager
async def http_client(*, tls: ssl.SSLContext | None = None) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client that follows no redirects, reads no proxy from the environment, and gives up in time.

    Args:
        tls: whom to trust; None trusts the usual authorities. Making one takes longer than most calls, so who
            calls often keeps one.
    """
    assert_network_allowed()
    timeout = httpx.Timeout(READ_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)
    async with httpx.AsyncClient(
        timeout=timeout, follow_redirects=False, trust_env=False, verify=True if tls is None else tls
    ) as client:
        yield client
