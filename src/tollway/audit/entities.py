"""One line of the audit list."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any

ACTION_LENGTH_MAX = 100
DETAILS_BYTES_MAX = 4_000


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody did something; written once, never changed."""

    id: int
    occurred_at: datetime
    action: str
    customer_id: int | None
    actor: str
    subject: str
    ip_address: IPv4Address | IPv6Address | None
    request_id: str
    details: dict[str, Any]
