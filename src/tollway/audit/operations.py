"""Write the audit list, read it, prove it, and forget the people beside it."""

import json
import secrets
from datetime import datetime
from typing import Any

from tollway.audit import store
from tollway.audit.entities import (
    ACTION_LENGTH_MAX,
    ACTOR_NAME_LENGTH_MAX,
    DETAILS_BYTES_MAX,
    SALT_BYTES,
    Entry,
    EntryFilter,
    Proof,
    commit_to,
    known_address,
    weigh,
)
from tollway.audit.wording import words_for
from tollway.kit.db import Transaction
from tollway.kit.paging import PAGE_SIZE, Page, decode_cursor, page_of
from tollway.kit.scope import request_id

EVERYTHING = EntryFilter()
# Files are read in larger pages than people turn.
BATCH_SIZE_MAX = 1_000


async def record_entry(
    tx: Transaction,
    *,
    action: str,
    customer_id: int | None,
    actor: str,
    subject: str,
    address: str | None,
    now: datetime,
    details: dict[str, Any] | None = None,
    on_behalf_of: str = "",
    actor_name: str = "",
    user_id: int | None = None,
) -> None:
    """Write down who did what; it commits together with the deed. Writes: audit_entries, audit_persons.

    Args:
        action: `thing.done`, such as `api_key.revealed`.
        customer_id: whose list it belongs to; None for the installation's own.
        actor: `user:usr_...`, `api_key:mc_test_...`, `job:...` or `system:...`.
        subject: public id of what it was done to.
        address: where the request came from; left out where it is no IP address.
        details: plain values, ids and numbers only: entries outlive the people they tell of.
        on_behalf_of: public id of the customer whose pages an administrator was looking at.
        actor_name: the actor's address of e-mail, or the key's name, for readers; erased with the customer.
        user_id: the user behind the actor, so that erasing the user finds this entry's person too.
    """
    assert 0 < len(action) <= ACTION_LENGTH_MAX, action
    details = details or {}
    assert len(json.dumps(details, ensure_ascii=False).encode()) <= DETAILS_BYTES_MAX, action
    actor_name = actor_name[:ACTOR_NAME_LENGTH_MAX]
    known = known_address(address)
    # Nothing personal: nothing to commit to, and nothing to erase.
    is_personal = bool(actor_name) or known is not None
    salt = secrets.token_bytes(SALT_BYTES)
    commitment = commit_to(salt, actor_name, known) if is_personal else None
    entry_id = await store.insert_entry(
        tx, action, customer_id, actor, on_behalf_of, subject, request_id.get(), details, commitment, now
    )
    if is_personal:
        await store.insert_person(tx, entry_id, customer_id, user_id, actor_name, known, salt)


async def list_entries(
    tx: Transaction,
    customer_id: int,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    chosen: EntryFilter = EVERYTHING,
) -> Page[Entry]:
    """List what was done for or to a customer, newest first, a page at a time. Raises: BadCursor."""
    assert 1 <= limit <= BATCH_SIZE_MAX, limit
    entries = await store.list_entries(tx, customer_id, chosen, decode_cursor(cursor), limit + 1)
    return page_of(entries, [entry.id for entry in entries], limit)


async def list_all_entries(
    tx: Transaction,
    cursor: str | None = None,
    limit: int = PAGE_SIZE,
    chosen: EntryFilter = EVERYTHING,
) -> Page[Entry]:
    """List what anybody did, as administrators read it, newest first, a page at a time. Raises: BadCursor."""
    assert 1 <= limit <= BATCH_SIZE_MAX, limit
    entries = await store.list_all_entries(tx, chosen, decode_cursor(cursor), limit + 1)
    return page_of(entries, [entry.id for entry in entries], limit)


async def prove_person(tx: Transaction, entry_id: int) -> Proof:
    """Say whether the person beside an entry is the one it was written with. Raises LookupError."""
    evidence = await store.find_evidence(tx, entry_id)
    if evidence is None:
        raise LookupError(f"there is no entry {entry_id}")
    return weigh(evidence)


async def erase_persons(
    tx: Transaction, *, customer_id: int | None = None, user_id: int | None = None
) -> int:
    """Forget the names, addresses and salts beside a customer's or a user's entries; return how many went.

    The entries stay, and so does their number; without its salt a commitment tells nothing any more.
    Writes: audit_persons.
    """
    return await store.delete_persons(tx, customer_id, user_id)


def describe_action(action: str) -> str:
    """Say an action in words that a reader knows; one without words keeps its name."""
    return words_for(action)
