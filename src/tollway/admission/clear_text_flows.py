"""What happens when an API key was sent over HTTP: others may have read it, so its owners must know."""

from tollway.audit import operations as audit
from tollway.customers import flows as customer_flows
from tollway.customers import member_operations as members
from tollway.customers.entities import Visit
from tollway.keys import operations as keys
from tollway.kit.db import Database
from tollway.kit.log import log
from tollway.kit.mail import queue_mail
from tollway.kit.problems import Problem
from tollway.notifications import sign_in_mail_operations as mails


async def tell_of_clear_text(
    database: Database, authorization: str | None, base_url: str, visit: Visit
) -> None:
    """Log, audit and mail that a key of ours was sent in clear; once a day for each key, else nothing.

    Writes: audit_entries, outbox_mails, attempt_counts. Defers: the mails.
    """
    try:
        async with database.transaction() as tx:
            api_key = await keys.recognise(tx, authorization)
        await customer_flows.count_clear_text(database, api_key.key_id, visit)
    except Problem:
        # No key, none of ours, or one whose owners know already.
        return
    log.warning("api key sent in clear", key_id=api_key.key_id, client=visit.address)
    async with database.transaction() as tx:
        await audit.record_entry(
            tx,
            action="api_key.sent_in_clear",
            customer_id=api_key.customer_id,
            actor=f"api_key:{api_key.key_id}",
            subject=api_key.key_id,
            address=visit.address,
            now=visit.now,
        )
        for email in await members.list_owner_emails(tx, api_key.customer_id):
            mail = mails.compose_key_in_clear(
                email,
                key_id=api_key.key_id,
                at=visit.now,
                address=visit.address,
                keys_link=f"{base_url}/api-keys/manage",
            )
            await queue_mail(tx, mail, visit.now)
