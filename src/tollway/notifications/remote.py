"""The mail server, spoken to over SMTP."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib

from tollway.kit.net import assert_network_allowed
from tollway.notifications.entities import MailRefused, MailServerFailed, OutboxMail, SmtpSettings

SMTP_SECONDS_MAX = 30.0


async def send(smtp: SmtpSettings, mail: OutboxMail) -> None:
    """Give one mail to the server.

    Raises: MailRefused where it never will take it, MailServerFailed where trying again may help.
    """
    assert_network_allowed()
    try:
        await aiosmtplib.send(
            message_of(mail, smtp.sender),
            hostname=smtp.host,
            port=smtp.port,
            username=smtp.username or None,
            password=smtp.password or None,
            use_tls=smtp.security == "tls",
            start_tls=smtp.security == "starttls",
            timeout=SMTP_SECONDS_MAX,
        )
    except aiosmtplib.SMTPRecipientsRefused as failure:
        # One recipient, so one answer.
        raise _kind_of(failure.recipients[0].code)(str(failure.recipients[0])) from failure
    except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPSenderRefused) as failure:
        raise _kind_of(failure.code)(f"{failure.code} {failure.message}") from failure
    except (aiosmtplib.SMTPException, OSError) as failure:
        raise MailServerFailed(f"{type(failure).__name__}: {failure}") from failure


def message_of(mail: OutboxMail, sender: str) -> EmailMessage:
    """Lay a mail out. Its Message-ID comes from its public id, so a mailbox drops a second copy."""
    name, address = parseaddr(sender)
    message = EmailMessage()
    message["From"] = Address(name, addr_spec=address)
    message["To"] = Address(addr_spec=mail.to_address)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.public_id}@{address.rpartition('@')[2]}>"
    # Answering machines leave such mail alone (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text_body)
    message.add_alternative(mail.html_body, subtype="html")
    return message


def _kind_of(code: int) -> type[MailRefused] | type[MailServerFailed]:
    """Read a reply code: 5 means never, 4 means later (RFC 5321 4.2.1)."""
    return MailRefused if code >= 500 else MailServerFailed
