"""The guide is true: its table of events, its program, and its line of curl."""

import asyncio
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.webhooks.receivers import Receiver, plain_signature

from tollway.webhooks.entities import Event
from tollway.webhooks.signatures import new_secret, signed_headers

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return str(found)


def verified(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Run the program of the guide as it stands."""
    names: dict[str, object] = {}
    exec(compile(block("python"), "webhooks.md", "exec"), names)
    verify = names["verify"]
    assert callable(verify)
    return bool(verify(secret, headers, body))


@pytest.mark.promise("X28")
def test_the_program_of_the_guide_takes_what_we_sign_and_nothing_else() -> None:
    secret, body = new_secret(), '{"event":"webhook.test"}'
    now = datetime.fromtimestamp(time.time(), UTC)

    def headers(*secrets: str, moment: datetime = now) -> dict[str, str]:
        found = signed_headers("whd_1", "webhook.test", body, secrets, moment)
        return {name.lower(): value for name, value in found.items()}

    assert verified(secret, headers(secret), body.encode())
    assert verified(secret, headers(new_secret(), secret), body.encode())
    assert not verified(secret, headers(new_secret()), body.encode())
    assert not verified(secret, headers(secret), body.encode() + b" ")
    assert not verified(secret, headers(secret) | {"webhook-id": "whd_2"}, body.encode())
    assert not verified(secret, headers(secret, moment=now - timedelta(minutes=6)), body.encode())


async def test_the_line_of_curl_signs_as_we_do(receiver: Receiver) -> None:
    assert shutil.which("curl"), "the guide's lines need curl; this installs it: apt-get install -y curl"
    script = block("sh").replace("http://127.0.0.1:8000/hooks", receiver.url)
    ran = await asyncio.create_subprocess_exec("bash", "-ec", script, stdout=subprocess.PIPE)
    await ran.communicate()
    assert ran.returncode == 0
    (came,) = receiver.received
    assert came.headers["x-tollway-signature"] == plain_signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", came
    )


def test_the_guide_names_every_event_and_when_it_is_sent() -> None:
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| ([^|]+) \|$", GUIDE, re.MULTILINE))
    assert {name: rows.get(name) for name in Event} == {one.value: one.meaning for one in Event}
