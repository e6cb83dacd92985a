"""Links to the results of a run that need no API key: who may have one, and what one opens."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.deed_operations import record_deed
from tollway.keys import operations as keys
from tollway.keys.entities import ApiKeyStatus
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction
from tollway.kit.ids import new_id
from tollway.simulation import download_store, operations, store
from tollway.simulation.downloads import (
    TOKEN_LENGTH_MAX,
    TOKEN_TTL,
    TOKENS_PER_RUN_MAX,
    DownloadLink,
    DownloadToken,
    DownloadTokenNotFound,
    DownloadTokenRefused,
    DownloadTokensAtOnce,
    SamplesNotKept,
)
from tollway.simulation.entities import Run, RunStatus

# 256 bits, so that an unkeyed fast hash can be stored.
TOKEN_BYTES = 32


async def issue_download_token(tx: Transaction, caller: Caller, run_id: str, now: datetime) -> DownloadToken:
    """Make a token for the results of a finished run, for an hour. Writes: download_tokens, audit_entries.

    Raises: RunNotFound, RunNotFinished, RunFailed, ResultsDeleted, DownloadTokensAtOnce.
    """
    run = await operations.get_finished_run(tx, caller, run_id)
    # Two at once count one after the other.
    await store.find_run_by_id(tx, run.id, lock=True)
    _assert_room_for_link(await _working_links(tx, run, now), now)
    token = DownloadToken(new_id("dlt"), secrets.token_urlsafe(TOKEN_BYTES), now + TOKEN_TTL)
    await download_store.insert_token(
        tx,
        sha256(token.secret),
        token.public_id,
        run.id,
        run.customer_id,
        caller.api_key_id,
        now,
        token.expires_at,
    )
    details = {"simulation_id": run.public_id, "expires_at": token.expires_at.isoformat()}
    await record_deed(
        tx, caller, "download_link.created", token.public_id, now, details, customer_id=run.customer_id
    )
    return token


def _assert_room_for_link(links: Sequence[DownloadLink], now: datetime) -> None:
    if len(links) < TOKENS_PER_RUN_MAX:
        return
    first = links[0].expires_at
    raise DownloadTokensAtOnce(
        f"{len(links)} download links of this run work, the most that may at once. Use one of them again, take one "
        f"back, or wait until {first:%H:%M:%S} UTC, when the first expires.",
        retry_after_seconds=max(1, int((first - now).total_seconds())),
        members={"limit": "download_tokens", "limit_value": TOKENS_PER_RUN_MAX, "used": len(links)},
    )


async def list_download_links(
    tx: Transaction, caller: Caller, run_id: str, now: datetime
) -> list[DownloadLink]:
    """List the links of a run that work now, the first to expire first. Raises: RunNotFound."""
    return await _working_links(tx, await operations.get_run(tx, caller, run_id), now)


async def revoke_download_link(
    tx: Transaction, caller: Caller, run_id: str, download_token_id: str, now: datetime
) -> None:
    """Make a link stop working at once. Writes: download_tokens, audit_entries.

    Raises: RunNotFound, DownloadTokenNotFound.
    """
    run = await operations.get_run(tx, caller, run_id)
    known = {one.public_id for one in await _working_links(tx, run, now)}
    # Of two that take it back at once, one alone did.
    if download_token_id not in known or not await download_store.delete_token(tx, run.id, download_token_id):
        raise DownloadTokenNotFound(
            f"The run {run.public_id} has no download link {download_token_id[:40]!r} that works. "
            f"GET /monte-carlo-api/simulations/{run.public_id}/download-tokens lists those that do."
        )
    details = {"simulation_id": run.public_id}
    await record_deed(
        tx, caller, "download_link.revoked", download_token_id, now, details, customer_id=run.customer_id
    )


async def _working_links(tx: Transaction, run: Run, now: datetime) -> list[DownloadLink]:
    """List the links of a run that are neither expired nor of a key that works no more."""
    links = await download_store.list_unexpired(tx, run.id, now)
    makers = {one.api_key_id for one in links}
    working = {one for one in makers if await _is_maker_working(tx, run.customer_id, one, now)}
    return [one for one in links if one.api_key_id in working]


async def _is_maker_working(tx: Transaction, customer_id: int, api_key_id: int | None, now: datetime) -> bool:
    """Say whether the key that made a link works; a link of before that was written down has its hour."""
    if api_key_id is None:
        return True
    api_key = await keys.find_own_api_key(tx, customer_id, api_key_id)
    return api_key is not None and api_key.status is ApiKeyStatus.ACTIVE and not api_key.ending(now)


async def get_run_of_token(tx: Transaction, secret: str, now: datetime) -> Run:
    """Return the run whose results a token opens.

    Whatever is wrong gets the same answer: no such token, it was taken back, its hour is over, the key that made it
    works no more, its run is gone or its results were deleted, its customer is suspended, closed or erased.

    INVARIANT: a link does no more than the key that made it
    (tests/simulation/test_downloads.py::test_a_link_ends_with_the_key_that_made_it).

    Raises: DownloadTokenRefused.
    """
    link = None
    if len(secret) <= TOKEN_LENGTH_MAX and secret.isascii():
        link = await download_store.find_by_hash(tx, sha256(secret), now)
    if link is not None and await _is_maker_working(tx, link.customer_id, link.api_key_id, now):
        run = await store.find_run_by_id(tx, link.run_id)
        customer = await customers.get_customer(tx, link.customer_id)
        is_there = run is not None and run.readable and run.status is not RunStatus.FAILED
        if run is not None and is_there and customer.refusal() is None:
            return run
    raise DownloadTokenRefused(
        f"This link does not work: links expire {TOKEN_TTL.seconds // 3600} hour after they are made, can be taken "
        "back, and end with the results that they lead to. Ask whoever sent it for a new one."
    )


def get_samples_blob(run: Run) -> str:
    """Return the name of the file with a run's samples. Raises: SamplesNotKept."""
    if run.samples_blob is not None:
        return run.samples_blob
    if run.keeps_samples:
        raise SamplesNotKept(
            f"The run {run.public_id} was stopped before any of its samples were computed, so there are none."
        )
    raise SamplesNotKept(
        f"The run {run.public_id} kept its statistics only. Start it again with simulation_config.keep_samples = true "
        f"and seed {run.seed}: it gives the same numbers, and keeps every one of them.",
        members={"seed": run.seed},
    )


async def sweep_download_tokens(tx: Transaction, now: datetime) -> int:
    """Delete the tokens whose hour is over; return how many. Writes: download_tokens."""
    return await download_store.delete_expired(tx, now)
