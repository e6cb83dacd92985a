"""A customer's server: its name is resolved once, and what was resolved is what is connected to."""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import cache

import httpx

from tollway.kit.net import assert_network_allowed, http_client
from tollway.webhooks.addresses import UrlRules, WebhookUrlRefused, is_public_address
from tollway.webhooks.entities import SEND_SECONDS_MAX, Outcome

# Of a name with more addresses the first ones are tried.
ADDRESSES_TRIED_MAX = 3

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve_name(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of a name; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Sender:
    """Sends deliveries, and reads of each answer its status alone.

    Args:
        rules: where this installation delivers to.
        resolve: turns a name and a port into addresses.
        tls: whom to trust; None trusts the usual authorities.
        seconds_max: how long one try may take, from resolving to the answer's status.
    """

    def __init__(
        self,
        rules: UrlRules,
        *,
        resolve: Resolve = resolve_name,
        tls: ssl.SSLContext | None = None,
        seconds_max: float = SEND_SECONDS_MAX,
    ) -> None:
        self.rules = rules
        self._resolve = resolve
        self._tls = tls or _trusting_the_usual()
        self._seconds_max = seconds_max

    async def send(self, url: str, headers: Mapping[str, str], body: str) -> Outcome:
        """Send one delivery; whatever goes wrong is in the outcome."""
        assert_network_allowed()
        started = time.monotonic()
        status: int | None = None
        try:
            async with asyncio.timeout(self._seconds_max):
                status = await self._post(httpx.URL(self.rules.checked(url)), headers, body.encode())
            error = _fault_of_status(status)
        except TimeoutError:
            error = f"There was no answer within {self._seconds_max:g} seconds."
        except WebhookUrlRefused as refused:
            error = refused.message
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as failure:
            error = _words_for(failure)
        return Outcome(status, round((time.monotonic() - started) * 1_000), error)

    async def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> int:
        """Return the status of the answer; the next address is tried only where nothing was sent to the last one.

        INVARIANT: the address that was looked at is the one that is connected to
        (tests/webhooks/test_remote.py::test_a_name_that_changes_its_address_is_resolved_once).
        """
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await self._resolve(url.host, port)
        addresses = [one for one in found if self.rules.allows_private or is_public_address(one)]
        if not addresses:
            raise WebhookUrlRefused(
                "The name leads to no public address, and nothing is delivered to private networks or to this machine."
            )
        failure: httpx.TransportError | None = None
        async with http_client(tls=self._tls) as client:
            for address in addresses[:ADDRESSES_TRIED_MAX]:
                try:
                    async with client.stream(
                        "POST",
                        url.copy_with(host=address, fragment=None),
                        content=body,
                        # The server is asked, and proves to be, the one that is named, not the number.
                        headers={**headers, "Host": url.netloc.decode("ascii")},
                        extensions={"sni_hostname": url.host},
                    ) as response:
                        return response.status_code
                except (httpx.ConnectError, httpx.ConnectTimeout) as refused:
                    failure = refused
        assert failure is not None, "one address at least was tried"
        raise failure


@cache
def _trusting_the_usual() -> ssl.SSLContext:
    """Made once: to read all authorities takes some thirty milliseconds."""
    return ssl.create_default_context()


def _fault_of_status(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"The answer was a redirect ({status}), which is not followed. Enter the address that it leads to."
    return f"The answer was {status}; only 200 to 299 count as delivered."


def _words_for(failure: Exception) -> str:
    """Say what went wrong without repeating texts of the other side."""
    causes = [failure]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)  # type: ignore[arg-type]
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return "The certificate of the server is not valid for that name, or nobody vouches for it."
    if any(isinstance(one, ssl.SSLError) for one in causes):
        return "The server does not speak TLS as it should."
    if any(isinstance(one, socket.gaierror | UnicodeError) for one in causes):
        return "The name of the server was not found."
    if isinstance(failure, httpx.ConnectTimeout):
        return "The server could not be reached in time."
    if isinstance(failure, httpx.ConnectError):
        return "The server could not be reached: nobody listens there."
    if isinstance(failure, httpx.TimeoutException):
        return "The server took too long."
    return "The connection broke before there was an answer."
