"""Sending over the wire: to public addresses alone, to the one that was looked at, and never for long."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.webhooks.receivers import HANGS_UP, HUGE, SILENT, SLOW_HEAD, Receiver, receiving
from tests.webhooks.test_addresses import NOT_PUBLIC

from tollway.kit.db import Database
from tollway.kit.net import NetworkInsideTransaction
from tollway.webhooks.addresses import UrlRules
from tollway.webhooks.entities import Outcome
from tollway.webhooks.remote import Sender

HEADERS = {"Content-Type": "application/json", "webhook-id": "whd_1"}
LOOPBACK = UrlRules(allows_http=True, allows_private=True)
PUBLIC_ONLY = UrlRules(allows_http=True)
NAME = "hooks.tollway.example"


class Names:
    """A resolver that answers each question with the next of its answers, and counts them."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


async def send(url: str, sender: Sender | None = None, body: str = '{"event":"x"}') -> Outcome:
    return await (sender or Sender(LOOPBACK)).send(url, HEADERS, body)


async def test_what_is_sent_arrives_whole(receiver: Receiver) -> None:
    body = '{"event":"model.uploaded","data":{"name":"Söhne"}}'
    outcome = await send(receiver.url, body=body)
    assert outcome.error == ""
    assert outcome.response_status == 200
    (came,) = receiver.received
    assert came.method == "POST"
    assert came.target == "/hooks?tenant=7"
    assert came.body == body.encode()
    assert came.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert came.headers["webhook-id"] == "whd_1"
    # Nothing of ours goes along: no cookie, no credential.
    assert not {"authorization", "cookie", "x-trace-id"} & set(came.headers)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_status_of_success_counts(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    assert (await send(receiver.url)).error == ""


@pytest.mark.parametrize("status", [304, 400, 401, 404, 410, 429, 500, 503])
async def test_any_other_status_does_not(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    outcome = await send(receiver.url)
    assert outcome.response_status == status
    assert str(status) in outcome.error


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answers = [status]
    outcome = await send(receiver.url)
    assert outcome.response_status == status
    assert "redirect" in outcome.error
    assert [one.target for one in receiver.received] == ["/hooks?tenant=7"]


@pytest.mark.parametrize("behaviour", [SILENT, SLOW_HEAD])
async def test_a_receiver_that_does_not_answer_is_left_in_time(receiver: Receiver, behaviour: str) -> None:
    receiver.answers = [behaviour]
    outcome = await send(receiver.url, Sender(LOOPBACK, seconds_max=0.3))
    assert outcome.error == "There was no answer within 0.3 seconds."
    assert outcome.response_status is None
    assert 250 <= outcome.response_time_ms < 5_000


async def test_a_resolver_that_does_not_answer_is_left_in_time() -> None:
    async def never(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    outcome = await send(f"https://{NAME}/", Sender(PUBLIC_ONLY, resolve=never, seconds_max=0.2))
    assert "no answer within 0.2 seconds" in outcome.error


async def test_of_a_huge_answer_nothing_but_its_status_is_read(receiver: Receiver) -> None:
    receiver.answers = [HUGE]
    outcome = await send(receiver.url)
    assert outcome.error == ""
    # What lay in the buffers of both ends when we hung up, not the rest.
    assert receiver.bytes_written < 20_000_000


async def test_a_receiver_that_hangs_up_or_is_not_there_is_told_apart(receiver: Receiver) -> None:
    receiver.answers = [HANGS_UP]
    assert "broke before there was an answer" in (await send(receiver.url)).error
    async with receiving() as gone:
        url = gone.url
    assert "nobody listens there" in (await send(url)).error
    outcome = await send("https://does-not-exist.invalid/hooks", Sender(PUBLIC_ONLY))
    assert "was not found" in outcome.error


async def test_plain_http_where_tls_is_spoken_is_told(receiver: Receiver) -> None:
    outcome = await send(receiver.url.replace("http://", "https://"))
    assert outcome.error
    assert receiver.received == []


@pytest.mark.promise("X28")
@pytest.mark.parametrize("address", [one for found in NOT_PUBLIC.values() for one in found if one])
async def test_only_public_addresses_are_connected_to(address: str) -> None:
    """Fault 28: the address of a webhook must not lead into a network of ours, whatever its name says."""
    names = Names([address])
    outcome = await send(f"https://{NAME}/hooks", Sender(PUBLIC_ONLY, resolve=names))
    assert outcome.response_status is None
    assert "no public address" in outcome.error
    # It tells nobody where an inner name leads.
    assert address not in outcome.error
    assert names.asked == [(NAME, 443)]


async def test_nothing_is_sent_to_this_machine_by_the_systems_own_resolver(receiver: Receiver) -> None:
    """`localtest.me` and the like lead here; so does a name in the file of hosts."""
    for host in (
        "127.0.0.1",
        "localhost",
        "127.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ):
        outcome = await send(f"http://{host}:{receiver.port}/", Sender(PUBLIC_ONLY))
        assert outcome.response_status is None, host
        assert outcome.error, host
    assert receiver.received == []


@pytest.mark.promise("X28")
async def test_a_name_that_changes_its_address_is_resolved_once(receiver: Receiver) -> None:
    """DNS rebinding: the second answer would lead to this machine, and is never asked for."""
    names = Names(["192.0.2.1", "2001:db8::1"], ["127.0.0.1"])
    outcome = await send(f"http://{NAME}:{receiver.port}/", Sender(PUBLIC_ONLY, resolve=names))
    assert "no public address" in outcome.error
    assert names.asked == [(NAME, receiver.port)]
    assert receiver.received == []


async def test_the_address_that_was_looked_at_is_the_one_that_is_called(receiver: Receiver) -> None:
    """The name exists nowhere: only a connection to the very address that the resolver gave can arrive."""
    names = Names(["127.0.0.1"])
    outcome = await send(f"http://{NAME}:{receiver.port}/hooks", Sender(LOOPBACK, resolve=names))
    assert outcome.error == ""
    (came,) = receiver.received
    assert came.headers["host"] == f"{NAME}:{receiver.port}"
    assert len(names.asked) == 1


async def test_the_next_address_is_tried_where_nobody_listens_at_the_first(receiver: Receiver) -> None:
    names = Names(["127.0.0.9", "127.0.0.1"])
    outcome = await send(f"http://{NAME}:{receiver.port}/", Sender(LOOPBACK, resolve=names))
    assert outcome.error == ""
    assert len(receiver.received) == 1


async def test_the_network_is_not_reached_inside_a_transaction(
    database: Database, receiver: Receiver
) -> None:
    async with database.transaction():
        with pytest.raises(NetworkInsideTransaction):
            await send(receiver.url)
    assert receiver.received == []


# TLS ------------------------------------------------------------------------------------------------


def certificate_for(name: str, folder: Path) -> Path:
    """Make a key and a certificate for a name, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    began = datetime.now(UTC) - timedelta(hours=1)
    try:
        named: x509.GeneralName = x509.IPAddress(ip_address(name))
    except ValueError:
        named = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    return file


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Receiver, ssl.SSLContext]]:
    """A receiver that proves to be NAME to whoever trusts its certificate."""
    file = certificate_for(NAME, tmp_path)
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(file)
    async with receiving(served) as receiver:
        yield receiver, ssl.create_default_context(cafile=str(file))


async def test_the_server_proves_to_be_the_name_though_it_is_called_by_number(
    secure: tuple[Receiver, ssl.SSLContext],
) -> None:
    receiver, trusting = secure
    sender = Sender(LOOPBACK, resolve=Names(["127.0.0.1"]), tls=trusting)
    outcome = await send(f"https://{NAME}:{receiver.port}/hooks", sender)
    assert outcome.error == ""
    assert receiver.received[0].headers["host"] == f"{NAME}:{receiver.port}"


async def test_a_server_with_a_certificate_of_another_name_gets_nothing(
    secure: tuple[Receiver, ssl.SSLContext],
) -> None:
    receiver, trusting = secure
    sender = Sender(LOOPBACK, resolve=Names(["127.0.0.1"]), tls=trusting)
    outcome = await send(f"https://another.example:{receiver.port}/hooks", sender)
    assert "certificate" in outcome.error
    assert receiver.received == []


async def test_a_server_that_nobody_vouches_for_gets_nothing(
    secure: tuple[Receiver, ssl.SSLContext],
) -> None:
    receiver, _ = secure
    sender = Sender(LOOPBACK, resolve=Names(["127.0.0.1"]))
    assert "nobody vouches" in (await send(f"https://{NAME}:{receiver.port}/hooks", sender)).error
    assert receiver.received == []


async def test_no_proxy_of_the_environment_sees_deliveries(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with receiving() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert (await send(receiver.url)).error == ""
        assert proxy.received == []
