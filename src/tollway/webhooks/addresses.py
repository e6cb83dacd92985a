"""Which addresses something may be delivered to: by their text when written, by their number when connected to."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from tollway.kit.problems import FieldError, Invalid

URL_LENGTH_MAX = 2_000

# The last part of a name of the DNS is never a number; what looks so is an address in a notation that
# libraries read differently.
_NUMBER = re.compile(r"(?i)0x[0-9a-f]*|[0-9]+")
_HOST = re.compile(
    r"(?i)(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?"
)
_PRIVATE_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "onion")
# Below 1024 these alone speak HTTP; a server of mail or names must not be spoken to by us.
PORTS_BELOW_1024 = (80, 443)
# IPv6 addresses that lead to an IPv4 address written within them, and what is public by number and yet a
# neighbour: the address at which one cloud serves its machines.
_TUNNELS = tuple(IPv6Network(one) for one in ("2001::/32", "2002::/16", "64:ff9b:1::/48", "fec0::/10"))
_NAT64 = IPv6Network("64:ff9b::/96")
_NEIGHBOURS = frozenset({IPv4Address("168.63.129.16")})


def is_public_address(text: str) -> bool:
    """Say whether an IP address is one of the public internet: nothing private, local, shared, multicast or reserved.

    Of an IPv4 address inside an IPv6 one the inner counts.
    INVARIANT: nothing is delivered to any other
    (tests/webhooks/test_remote.py::test_only_public_addresses_are_connected_to).
    """
    try:
        address: IPv4Address | IPv6Address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        elif any(address in network for network in _TUNNELS):
            return False
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_unspecified or address.is_loopback)
        and address not in _NEIGHBOURS
    )


class WebhookUrlRefused(Invalid):
    """An address that nothing is delivered to."""

    code = "webhook-url-refused"
    title = "Nothing is delivered to that address"


@dataclass(frozen=True, slots=True)
class UrlRules:
    """Where this installation delivers to.

    `allows_http`: development alone. `allows_private`: so that a developer's own machine can receive; never in
    production.
    """

    allows_http: bool = False
    allows_private: bool = False

    def checked(self, url: str, pointer: str = "/url") -> str:
        """Return an address that something may be delivered to, as far as its text tells; raises WebhookUrlRefused.

        Where its name leads is looked at when it is connected to.
        """
        url = url.strip()
        if fault := self._fault(url):
            raise WebhookUrlRefused(fault, errors=(FieldError(pointer, fault),))
        return url

    def _fault(self, url: str) -> str:
        if not url:
            return "Enter the address of your server, such as https://example.com/hooks."
        if len(url) > URL_LENGTH_MAX:
            return f"Use an address of at most {URL_LENGTH_MAX:,} characters; this has {len(url):,}."
        if not (url.isascii() and url.isprintable()) or " " in url or "\\" in url:
            return "Write the address in ASCII without spaces: other scripts as xn-- or percent-encoded."
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "This is not an address. It should look like https://example.com/hooks."
        schemes = ("https", "http") if self.allows_http else ("https",)
        if parts.scheme not in schemes:
            return f"The address must begin with {' or '.join(f'{one}://' for one in schemes)}."
        if parts.username is not None or parts.password is not None:
            return "Leave out the name and password before the @: who sends is shown by the signature."
        if "#" in url:
            return "Leave out the part after #: it is never sent to a server."
        if port is not None and (port == 0 or (port < 1_024 and port not in PORTS_BELOW_1024)):
            return "Use the port 443, or one from 1024 on: those between belong to other services."
        return self._host_fault(parts)

    def _host_fault(self, parts: SplitResult) -> str:
        host = (parts.hostname or "").rstrip(".")
        private = (
            "The address must be a public one: nothing is delivered to private networks or to this machine."
        )
        try:
            ip_address(host)
        except ValueError:
            pass
        else:
            return "" if self.allows_private or is_public_address(host) else private
        if not _HOST.fullmatch(host) or _NUMBER.fullmatch(host.rpartition(".")[2]):
            return "The address names no server. It should look like https://example.com/hooks."
        if self.allows_private:
            return ""
        if "." not in host or any(host == one or host.endswith(f".{one}") for one in _PRIVATE_NAMES):
            return private
        return ""
