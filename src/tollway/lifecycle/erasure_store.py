"""SQL that forgets the people of one customer: the one file that knows every column where they may stand.

tests/lifecycle/test_erasure.py puts a trace into every one of them, and then looks through the whole database.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from tollway.kit.db import Transaction
from tollway.lifecycle.store import THINGS

ERASED_NAME = "Erased customer"
ERASED_KEY_NAME = "Erased key"
ERASED_DOMAIN = "erased.invalid"
# One statement stays well below the time that a statement may take.
USAGE_ROWS_PER_STATEMENT = 20_000


@dataclass(frozen=True, slots=True)
class Leaving:
    """One person who belongs to a customer that is erased.

    `stays`: they belong to another customer too, or administer the installation, and only leave this one.
    """

    user_id: int
    public_id: str
    email: str
    verified: bool
    stays: bool


async def list_leaving(tx: Transaction, customer_id: int) -> list[Leaving]:
    """List and lock everyone who belongs to a customer."""
    return await tx.list_all(
        Leaving,
        """
        SELECT u.id AS user_id, u.public_id, u.email, u.email_verified_at IS NOT NULL AS verified,
            u.user_type IN ('admin', 'super_admin') OR EXISTS (
                SELECT FROM customer_members o WHERE o.user_id = u.id AND o.customer_id <> %(id)s) AS stays
        FROM users u WHERE u.id IN (SELECT user_id FROM customer_members WHERE customer_id = %(id)s)
        ORDER BY u.id FOR UPDATE OF u
        """,
        {"id": customer_id},
    )


async def list_known_addresses(tx: Transaction, customer_id: int) -> list[str]:
    """List addresses that the customer wrote down: where invoices go, and who was invited."""
    rows = await tx.list_rows(
        """
        SELECT lower(billing_email) AS email FROM api_customers WHERE id = %(id)s
        UNION SELECT email FROM invitations WHERE customer_id = %(id)s
        """,
        {"id": customer_id},
    )
    return [str(row["email"]) for row in rows]


_ANSWERS: tuple[LiteralString, ...] = (
    # Stored answers hold what was asked and made; the last ones are those of signing up.
    "DELETE FROM idempotency_records WHERE scope LIKE %(id)s || '/%%'",
    """
    DELETE FROM idempotency_records
    WHERE split_part(scope, '/', 1) IN (
        SELECT 'user:' || unnest(%(user_public_ids)s::text[])
        UNION ALL SELECT 'api_key:' || key_id FROM api_keys WHERE customer_id = %(id)s)
    """,
    """
    DELETE FROM idempotency_records
    WHERE scope LIKE 'signup/%%' AND (body ->> 'user_id')::bigint = ANY(%(user_ids)s::bigint[])
    """,
    "DELETE FROM idempotency_records WHERE scope LIKE 'register/%%' AND body ->> 'customer_id' = %(public_id)s",
)

# The books stay whole: what was held, used and changed, without whom and where from.
_BOOKS: tuple[LiteralString, ...] = (
    "UPDATE analytics_events SET referrer = '', campaign = '', properties = '{}' WHERE customer_id = %(id)s",
    "UPDATE entitlement_adjustments SET reason = '' WHERE customer_id = %(id)s",
    """
    UPDATE subscription_changes SET reason = ''
    WHERE subscription_id IN (SELECT id FROM api_subscriptions WHERE customer_id = %(id)s)
    """,
    """
    UPDATE subscription_changes SET status = 'withdrawn', settled_at = %(now)s
    WHERE status IN ('pending_payment', 'scheduled')
        AND subscription_id IN (SELECT id FROM api_subscriptions WHERE customer_id = %(id)s)
    """,
    """
    UPDATE api_subscriptions SET status = 'cancelled', cancel_at = coalesce(cancel_at, %(now)s), updated_at = %(now)s
    WHERE customer_id = %(id)s AND status <> 'cancelled'
    """,
    # A tombstone: which key made which call can still be told, and no secret is that key's any more.
    """
    UPDATE api_keys SET status = 'deleted', key_hash = NULL, sealed_secret = NULL, name = %(key_name)s,
        allowed_networks = '{}', suspended_reason = '', revoked_at = coalesce(revoked_at, %(now)s),
        updated_at = %(now)s
    WHERE customer_id = %(id)s
    """,
    """
    UPDATE api_customers SET company_name = %(name)s, billing_email = %(public_id)s || '@' || %(domain)s,
        tax_id = NULL, billing_address = NULL, use_case = 'Other', suspended_reason = '', erased_at = %(now)s,
        updated_at = %(now)s
    WHERE id = %(id)s
    """,
    "UPDATE user_sessions SET customer_id = NULL WHERE customer_id = %(id)s",
    """
    UPDATE user_sessions SET impersonated_customer_id = NULL, impersonated_until = NULL
    WHERE impersonated_customer_id = %(id)s
    """,
    "DELETE FROM customer_members WHERE customer_id = %(id)s",
)

# People who belong to nobody else: nothing is left of them but an id that nobody can be found by.
_PEOPLE: tuple[LiteralString, ...] = (
    "DELETE FROM user_sessions WHERE user_id = ANY(%(user_ids)s::bigint[])",
    "DELETE FROM email_challenges WHERE user_id = ANY(%(user_ids)s::bigint[])",
    "DELETE FROM recovery_codes WHERE user_id = ANY(%(user_ids)s::bigint[])",
    # Counts by network tell nobody's name, belong to everyone behind it, and last a day.
    """
    DELETE FROM attempt_counts
    WHERE split_part(subject, '/', -1) = ANY(%(own_addresses)s::text[] || %(user_public_ids)s::text[])
        OR subject = ANY(SELECT 'invitation/email/' || unnest(%(known_addresses)s::text[]))
    """,
    """
    UPDATE users SET email = 'erased-' || public_id || '@' || %(domain)s, name = '', password_hash = NULL,
        totp_sealed = NULL, totp_confirmed_at = NULL, email_verified_at = NULL, last_sign_in_at = NULL,
        erased_at = %(now)s, updated_at = %(now)s
    WHERE id = ANY(%(user_ids)s::bigint[])
    """,
)

# A mail that waits is kept from leaving only where it is one to or from the people who go, or tells of the company
# to somebody whose address it wrote down: nobody can stop another's mail by naming their company after it.
_MAILS: LiteralString = """
    DELETE FROM outbox_mails
    WHERE to_address = ANY(%(own_addresses)s::text[])
        OR EXISTS (
            SELECT FROM unnest(%(address_patterns)s::text[]) AS pattern
            WHERE lower(concat_ws(' ', subject, text_body, html_body)) ~ pattern)
        OR to_address = ANY(%(known_addresses)s::text[])
            AND (sent_at IS NOT NULL OR failed_at IS NOT NULL
                OR concat_ws(' ', subject, text_body) ~ %(company_pattern)s)
        OR (sent_at IS NOT NULL OR failed_at IS NOT NULL)
            AND (concat_ws(' ', subject, text_body, html_body) ~ %(company_pattern)s
                OR html_body ~ %(company_in_html_pattern)s)
"""


@dataclass(frozen=True, slots=True)
class Erasing:
    """One customer that is erased, and the people who go with it."""

    customer_id: int
    public_id: str
    company: str
    company_in_html: str
    user_ids: list[int]
    user_public_ids: list[str]
    # Proven to be those of the people who go, and those that the company only wrote down.
    own_addresses: list[str]
    known_addresses: list[str]


async def erase_rows(tx: Transaction, erasing: Erasing, now: datetime) -> None:
    """Delete what was made, strip the books of people, and empty the people."""
    parameters = {
        "id": erasing.customer_id,
        "public_id": erasing.public_id,
        "company_pattern": _whole_name(erasing.company),
        "company_in_html_pattern": _whole_name(erasing.company_in_html),
        "address_patterns": [_whole_address(one) for one in erasing.own_addresses],
        "user_ids": erasing.user_ids,
        "user_public_ids": erasing.user_public_ids,
        "own_addresses": erasing.own_addresses,
        "known_addresses": erasing.known_addresses,
        "name": ERASED_NAME,
        "key_name": ERASED_KEY_NAME,
        "domain": ERASED_DOMAIN,
        "now": now,
    }
    for statement in (_MAILS, *THINGS, *_ANSWERS, *_BOOKS, *_PEOPLE):
        await tx.execute(statement, parameters)


def _whole_name(name: str) -> str:
    """Write a pattern for PostgreSQL that finds a name, but not within a longer word."""
    return f"(^|[^[:alnum:]]){re.escape(name)}($|[^[:alnum:]])"


def _whole_address(address: str) -> str:
    """Write a pattern that finds an address, but not at the end of a longer one, nor as its beginning."""
    before, after = r"(^|[^[:alnum:].!#$%&'*+/=?^_`{|}~-])", r"($|[^[:alnum:].-]|\.($|[^[:alnum:]]))"
    return before + re.escape(address) + after


async def strip_usage(tx: Transaction, customer_id: int) -> int:
    """Take addresses and browsers out of the next rows of the usage log; return how many rows it was."""
    return await tx.execute(
        """
        WITH next AS (
            SELECT mode, request_timestamp, id FROM api_usage_logs
            WHERE customer_id = %(id)s AND (ip_address IS NOT NULL OR user_agent IS NOT NULL)
            LIMIT %(limit)s)
        UPDATE api_usage_logs l SET ip_address = NULL, user_agent = NULL
        FROM next
        WHERE l.customer_id = %(id)s AND l.mode = next.mode AND l.request_timestamp = next.request_timestamp
            AND l.id = next.id
        """,
        {"id": customer_id, "limit": USAGE_ROWS_PER_STATEMENT},
    )
