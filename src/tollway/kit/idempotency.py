"""`Idempotency-Key`: a request that is sent twice has one effect and gets one answer.

The stored answer and the effect commit together, so no crash can separate them. Two requests at the
same time: the second waits on the first one's row, then reads its answer. Follows
draft-ietf-httpapi-idempotency-key-header (a draft): 422 for a malformed header, and here 409 where
the same header comes with other content, as clients of this API were promised.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tollway.kit.db import Transaction
from tollway.kit.problems import Conflict, FieldError, Invalid

KEY_LENGTH_MAX = 255
KEPT_HOURS = 24


class BadIdempotencyKey(Invalid):
    """The header is empty or too long."""

    code = "bad-idempotency-key"
    title = "That Idempotency-Key cannot be used"


class IdempotencyKeyReused(Conflict):
    """The same header came with other content."""

    code = "idempotency-key-reused"
    title = "That Idempotency-Key was used for something else"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer that the first request got."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class _Record:
    request_digest: bytes
    status: int | None
    body: Any


def check_key(key: str) -> str:
    """Return the header's value, or raise BadIdempotencyKey."""
    if not 1 <= len(key) <= KEY_LENGTH_MAX or not key.isprintable():
        raise BadIdempotencyKey(
            f"The Idempotency-Key header must hold 1 to {KEY_LENGTH_MAX} printable characters, "
            f"but {len(key)} came. A UUID is a good choice.",
            errors=(FieldError("/headers/Idempotency-Key", f"1 to {KEY_LENGTH_MAX} printable characters"),),
        )
    return key


def digest(*parts: Any) -> bytes:
    """Hash the content of a request, independent of the order of its fields."""
    hasher = hashlib.sha256()
    for part in parts:
        encoded = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True, default=str).encode()
        hasher.update(len(encoded).to_bytes(8, "big") + encoded)
    return hasher.digest()


async def begin(
    tx: Transaction, scope: str, key: str, request_digest: bytes, now: datetime
) -> StoredAnswer | None:
    """Claim the key within `scope` (who calls what), or return the answer that it already has.

    Raises: IdempotencyKeyReused where the content differs. Writes: idempotency_records.
    """
    parameters = {
        "scope": scope,
        "key": check_key(key),
        "digest": request_digest,
        "now": now,
        "oldest": now - timedelta(hours=KEPT_HOURS),
    }
    await tx.execute(
        "DELETE FROM idempotency_records WHERE scope = %(scope)s AND key = %(key)s AND created_at < %(oldest)s",
        parameters,
    )
    # Waits here while another transaction holds the same key, until that one commits or rolls back.
    claimed = await tx.execute(
        """
        INSERT INTO idempotency_records (scope, key, request_digest, created_at)
        VALUES (%(scope)s, %(key)s, %(digest)s, %(now)s) ON CONFLICT DO NOTHING
        """,
        parameters,
    )
    if claimed:
        return None
    stored = await find_answer(tx, scope, key, request_digest, now)
    assert stored is not None, "a record commits together with its answer"
    return stored


async def find_answer(
    tx: Transaction, scope: str, key: str, request_digest: bytes, now: datetime
) -> StoredAnswer | None:
    """Return the answer that the key has, without claiming it where it has none.

    For work before the transaction of the effect, which must not refuse what was answered already.
    Raises: BadIdempotencyKey, IdempotencyKeyReused where the content differs.
    """
    record = await tx.find_one(
        _Record,
        """
        SELECT request_digest, status, body FROM idempotency_records
        WHERE scope = %(scope)s AND key = %(key)s AND created_at >= %(oldest)s
        """,
        {"scope": scope, "key": check_key(key), "oldest": now - timedelta(hours=KEPT_HOURS)},
    )
    if record is None:
        return None
    if bytes(record.request_digest) != request_digest:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was already used with other content. "
            "Send the first request unchanged, or choose a new key for a new request."
        )
    assert record.status is not None, "a record commits together with its answer"
    return StoredAnswer(record.status, record.body)


async def finish(tx: Transaction, scope: str, key: str, status: int, body: Any) -> None:
    """Store the answer beside the effect, in the transaction that `begin` ran in."""
    await tx.execute(
        """
        UPDATE idempotency_records SET status = %(status)s, body = %(body)s::jsonb
        WHERE scope = %(scope)s AND key = %(key)s
        """,
        {"scope": scope, "key": key, "status": status, "body": json.dumps(body, default=str)},
    )


async def delete_expired(tx: Transaction, now: datetime) -> int:
    """Delete records that no client may rely on any more."""
    return await tx.execute(
        "DELETE FROM idempotency_records WHERE created_at < %(oldest)s",
        {"oldest": now - timedelta(hours=KEPT_HOURS)},
    )


async def answer_once(
    tx: Transaction,
    scope: str,
    key: str | None,
    content: Any,
    now: datetime,
    work: Callable[[], Awaitable[dict[str, Any]]],
    without_secret: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, Any]:
    """Return what `work` makes and answers; a repeated key makes nothing, and is answered without its secret.

    Args:
        scope: who calls what.
        content: what was sent, as plain values.
        without_secret: returns what is kept of an answer.

    Raises: BadIdempotencyKey, IdempotencyKeyReused. Writes: idempotency_records, which never hold a secret.
    """
    if key is None:
        return await work()
    stored = await begin(tx, scope, key, digest(content), now)
    if stored is not None:
        found: dict[str, Any] = stored.body
        return found
    answer = await work()
    await finish(tx, scope, key, 201, without_secret(answer))
    return answer
