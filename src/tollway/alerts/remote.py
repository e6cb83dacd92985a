"""The owner's own server, which is told of alerts: one signed message, taken or not."""

import base64
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from tollway.kit.crypto import keyed_hash
from tollway.kit.net import http_client

REASON_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class OwnerServer:
    """Where messages go, and the secret that signs them: the setting as text, keyed by its bytes."""

    url: str
    secret: str = field(repr=False)


class MessageNotTaken(Exception):
    """The owner's server could not be reached, or answered with anything but success."""


async def send(server: OwnerServer, message_id: str, body: str, moment: datetime) -> None:
    """Give one message to the owner's server, signed as Standard Webhooks 1.0.0 describes (X28).

    `webhook-signature` is the HMAC-SHA256 over `id.timestamp.body`, in base64. Redirects are not followed.
    Raises: MessageNotTaken.
    """
    timestamp = str(int(moment.timestamp()))
    signature = keyed_hash(server.secret.encode(), f"{message_id}.{timestamp}.{body}")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Tollway-Alerts/1.0",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }
    try:
        async with http_client() as client:
            answer = await client.post(server.url, content=body.encode(), headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as failure:
        raise MessageNotTaken(f"{type(failure).__name__}: {failure}"[:REASON_LENGTH_MAX]) from failure
    if not answer.is_success:
        raise MessageNotTaken(f"it answered {answer.status_code}")
