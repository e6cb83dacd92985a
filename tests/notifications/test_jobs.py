"""The outbox against a real mail server, a full one, a broken one, and none."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tollway.kit.db import Database
from tollway.kit.jobs import RETRY_DELAYS_SECONDS, JobRegistry, run_worker
from tollway.kit.mail import SEND_MAIL_JOB, Mail, queue_mail
from tollway.notifications import jobs
from tollway.notifications import operations as notifications
from tollway.notifications.entities import OutboxMail, SmtpSettings

MAIL = Mail(
    "ana@example.com",
    "Verify your address",
    "Open https://tollway.example/verify?token=abc\n",
    "<p>Söhne</p>",
    "verify_address",
)


@dataclass
class Mailboxes:
    """Takes what is sent, or answers what it is told to."""

    answers: list[str] = field(default_factory=list)
    received: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            self.received.append(message_from_bytes(envelope.content, policy=policy.default))
        return answer


@pytest.fixture
async def mailboxes() -> AsyncIterator[tuple[Mailboxes, SmtpSettings]]:
    taken = Mailboxes()
    port = free_port()
    controller = Controller(taken, hostname="127.0.0.1", port=port)
    controller.start()
    yield taken, SmtpSettings("127.0.0.1", port, "none", "Tollway <no-reply@tollway.example>")
    controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def runner_of(database: Database, smtp: SmtpSettings | None, *, in_production: bool = False) -> Any:
    registry = JobRegistry()
    jobs.register(registry, database, smtp, in_production=in_production)
    return registry.runners[SEND_MAIL_JOB][0]


async def queue(database: Database, now: Any) -> str:
    async with database.transaction() as tx:
        return await queue_mail(tx, MAIL, now)


async def mail_of(database: Database, mail_id: str) -> OutboxMail:
    async with database.transaction() as tx:
        return await notifications.get_mail(tx, mail_id)


async def waiting_jobs(database: Database) -> list[tuple[dict, timedelta]]:
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT payload, execute_after - created AS delay FROM pgqueuer WHERE status = 'queued' ORDER BY id"
        )
    return [(json.loads(bytes(row["payload"])), row["delay"]) for row in rows]


async def test_a_mail_reaches_the_server_whole(database, now, mailboxes):
    taken, smtp = mailboxes
    mail_id = await queue(database, now)
    await runner_of(database, smtp)({"mail_id": mail_id})
    (message,) = taken.received
    assert message["From"] == "Tollway <no-reply@tollway.example>"
    assert message["To"] == "ana@example.com"
    assert message["Subject"] == "Verify your address"
    assert message["Message-ID"] == f"<{mail_id}@tollway.example>"
    assert message["Date"].datetime == now
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(("plain",)).get_content().strip() == MAIL.text_body.strip()
    assert message.get_body(("html",)).get_content().strip() == MAIL.html_body


async def test_a_worker_carries_out_what_a_transaction_queued(database, now, mailboxes):
    taken, smtp = mailboxes
    registry = JobRegistry()
    jobs.register(registry, database, smtp)
    await queue(database, now)
    stop = asyncio.Event()
    worker = asyncio.create_task(run_worker(database, registry, stop, at_once_max=2))
    async with asyncio.timeout(20):
        while not taken.received:
            await asyncio.sleep(0.02)
    stop.set()
    await worker
    assert [message["To"] for message in taken.received] == ["ana@example.com"]


async def test_once_sent_the_bodies_are_blank_and_the_mail_is_not_sent_again(database, now, mailboxes):
    taken, smtp = mailboxes
    mail_id = await queue(database, now)
    send = runner_of(database, smtp)
    await send({"mail_id": mail_id})
    await send({"mail_id": mail_id})
    mail = await mail_of(database, mail_id)
    assert len(taken.received) == 1
    assert mail.sent_at is not None
    assert (mail.text_body, mail.html_body) == ("", "")


async def test_a_mail_sent_twice_by_a_crash_carries_one_message_id(database, now, mailboxes):
    """The crash fell between the server's yes and our note of it, so the second worker cannot know."""
    taken, smtp = mailboxes
    mail_id = await queue(database, now)
    send = runner_of(database, smtp)
    await asyncio.gather(send({"mail_id": mail_id}), send({"mail_id": mail_id}))
    assert {message["Message-ID"] for message in taken.received} == {f"<{mail_id}@tollway.example>"}


async def test_a_busy_server_is_asked_again_later_and_once_for_each_try(database, now, mailboxes):
    taken, smtp = mailboxes
    taken.answers = ["451 later", "250 taken"]
    mail_id = await queue(database, now)
    send = runner_of(database, smtp)
    await send({"mail_id": mail_id})
    mail = await mail_of(database, mail_id)
    assert (mail.attempt_count, mail.sent_at, mail.failed_at) == (1, None, None)
    assert "later" in mail.last_failure
    assert mail.text_body == MAIL.text_body
    (first, _), (payload, delay) = await waiting_jobs(database)
    assert first == {"mail_id": mail_id}
    assert payload == {"mail_id": mail_id, "attempt": 1}
    assert delay == timedelta(seconds=RETRY_DELAYS_SECONDS[0])

    # The first job, taken again after a crash, must not start a second row of tries.
    await send({"mail_id": mail_id})
    assert taken.received == []
    assert len(await waiting_jobs(database)) == 2

    await send(payload)
    assert len(taken.received) == 1
    assert (await mail_of(database, mail_id)).sent_at is not None


async def test_a_mail_is_given_up_after_the_last_delay(database, now, mailboxes, capsys):
    taken, smtp = mailboxes
    taken.answers = ["451 later"] * (len(RETRY_DELAYS_SECONDS) + 1)
    mail_id = await queue(database, now)
    send = runner_of(database, smtp)
    for attempt in range(len(RETRY_DELAYS_SECONDS) + 1):
        assert (await mail_of(database, mail_id)).failed_at is None
        await send({"mail_id": mail_id, "attempt": attempt})
    mail = await mail_of(database, mail_id)
    assert mail.failed_at is not None
    assert mail.sent_at is None
    assert (mail.text_body, mail.html_body) == ("", "")
    delays = [delay.total_seconds() for _, delay in await waiting_jobs(database)]
    assert delays == [0, *RETRY_DELAYS_SECONDS]


async def test_a_mailbox_that_does_not_exist_is_given_up_at_once(database, now, mailboxes):
    taken, smtp = mailboxes
    taken.answers = ["550 no such mailbox"]
    mail_id = await queue(database, now)
    await runner_of(database, smtp)({"mail_id": mail_id})
    mail = await mail_of(database, mail_id)
    assert mail.failed_at is not None
    assert "no such mailbox" in mail.last_failure
    assert len(await waiting_jobs(database)) == 1


async def test_a_server_that_is_not_there_is_tried_again(database, now, mailboxes):
    mail_id = await queue(database, now)
    nobody = SmtpSettings("127.0.0.1", 1, "none", "no-reply@tollway.example")
    await runner_of(database, nobody)({"mail_id": mail_id})
    mail = await mail_of(database, mail_id)
    assert mail.failed_at is None
    assert mail.attempt_count == 1


@pytest.fixture(params=["starttls", "tls"])
def guarded(request, tmp_path, monkeypatch) -> Iterator[tuple[Mailboxes, SmtpSettings, list]]:
    """A server that takes mail only over TLS, with a certificate that this test's machine trusts, and by password."""
    certificate, key = make_certificate(tmp_path)
    # OpenSSL reads from here which authorities the machine trusts.
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    taken, seen, port = Mailboxes(), [], free_port()

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        seen.append((auth.login, auth.password))
        return AuthResult(success=auth.password == b"secret words")

    if request.param == "tls":
        # Encrypted from the first byte, which aiosmtpd does not take for TLS; so it must not ask for it.
        guards = {"ssl_context": context, "auth_require_tls": False}
    else:
        guards = {"tls_context": context, "require_starttls": True, "auth_required": True}
    controller = Controller(taken, hostname="localhost", port=port, authenticator=authenticate, **guards)
    controller.start()
    yield (
        taken,
        SmtpSettings("localhost", port, request.param, "no-reply@tollway.example", "postman", "secret words"),
        seen,
    )
    controller.stop()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    private_key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin = datetime.now(UTC) - timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private_key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private_key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    files[1].write_bytes(private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


async def test_mail_goes_out_encrypted_and_with_credentials(database, now, guarded):
    taken, smtp, seen = guarded
    mail_id = await queue(database, now)
    await runner_of(database, smtp)({"mail_id": mail_id})
    assert (await mail_of(database, mail_id)).last_failure == ""
    assert seen == [(b"postman", b"secret words")]
    assert len(taken.received) == 1
    assert "secret words" not in repr(smtp)


async def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(
    database, now, guarded, monkeypatch
):
    taken, smtp, seen = guarded
    monkeypatch.delenv("SSL_CERT_FILE")
    mail_id = await queue(database, now)
    await runner_of(database, smtp)({"mail_id": mail_id})
    assert "certificate" in (await mail_of(database, mail_id)).last_failure.lower()
    assert (taken.received, seen) == ([], [])


async def test_without_a_server_the_link_is_printed_and_the_mail_stays_readable(database, now, capsys):
    mail_id = await queue(database, now)
    send = runner_of(database, None)
    await send({"mail_id": mail_id})
    await send({"mail_id": mail_id})
    assert capsys.readouterr().out == (
        "mail to ana@example.com · Verify your address · https://tollway.example/verify?token=abc\n"
    )
    mail = await mail_of(database, mail_id)
    assert mail.sent_at is not None
    assert mail.text_body == MAIL.text_body
    async with database.transaction() as tx:
        page = await notifications.list_mails(tx)
    assert [one.public_id for one in page.items] == [mail_id]


async def test_in_production_a_missing_server_is_a_failure_and_no_link_is_printed(database, now, capsys):
    mail_id = await queue(database, now)
    await runner_of(database, None, in_production=True)({"mail_id": mail_id})
    assert "token=" not in capsys.readouterr().out
    mail = await mail_of(database, mail_id)
    assert mail.sent_at is None
    assert "SMTP_HOST" in mail.last_failure


async def test_a_job_whose_mail_is_gone_does_nothing(database):
    await runner_of(database, None)({"mail_id": "mail_0000000000000000"})


async def test_mails_are_forgotten_after_a_month(database, now):
    old = await queue(database, now - timedelta(days=31))
    new = await queue(database, now)
    async with database.transaction() as tx:
        assert await notifications.delete_old_mails(tx, now) == 1
        assert [mail.public_id for mail in (await notifications.list_mails(tx)).items] == [new]
    assert old != new
