"""Links to the results of a run that need no API key: who may have one, and what one opens."""

import secrets
from datetime import datetime

from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.kit.crypto import sha256
from tollway.kit.db import Transaction
from tollway.simulation import download_store, operations, store
from tollway.simulation.downloads import (
    TOKEN_LENGTH_MAX,
    TOKEN_TTL,
    TOKENS_PER_RUN_MAX,
    DownloadToken,
    DownloadTokenRefused,
    DownloadTokensAtOnce,
    SamplesNotKept,
)
from tollway.simulation.entities import Run, RunStatus

# 256 bits, so that an unkeyed fast hash can be stored.
TOKEN_BYTES = 32


async def issue_download_token(tx: Transaction, caller: Caller, run_id: str, now: datetime) -> DownloadToken:
    """Make a token for the results of a finished run, for an hour. Writes: download_tokens.

    Raises: RunNotFound, RunNotFinished, RunFailed, ResultsDeleted, DownloadTokensAtOnce.
    """
    run = await operations.get_finished_run(tx, caller, run_id)
    # Two at once count one after the other.
    await store.find_run_by_id(tx, run.id, lock=True)
    expiries = await download_store.list_expiries(tx, run.id, now)
    if len(expiries) >= TOKENS_PER_RUN_MAX:
        wait = max(1, int((expiries[0] - now).total_seconds()))
        raise DownloadTokensAtOnce(
            f"{len(expiries)} download links of this run work, the most that may at once. Use one of them again, "
            f"or wait until {expiries[0]:%H:%M:%S} UTC, when the first expires.",
            retry_after_seconds=wait,
            members={"limit": "download_tokens", "limit_value": TOKENS_PER_RUN_MAX, "used": len(expiries)},
        )
    token = DownloadToken(secrets.token_urlsafe(TOKEN_BYTES), now + TOKEN_TTL)
    await download_store.insert_token(
        tx, sha256(token.secret), run.id, run.customer_id, now, token.expires_at
    )
    return token


async def get_run_of_token(tx: Transaction, secret: str, now: datetime) -> Run:
    """Return the run whose results a token opens.

    Whatever is wrong gets the same answer: no such token, its hour is over, its run is gone or its results were
    deleted, its customer is suspended, closed or erased. Raises: DownloadTokenRefused.
    """
    run_id = None
    if len(secret) <= TOKEN_LENGTH_MAX and secret.isascii():
        run_id = await download_store.find_run_id(tx, sha256(secret), now)
    run = None if run_id is None else await store.find_run_by_id(tx, run_id)
    if run is not None and run.readable and run.status is not RunStatus.FAILED:
        customer = await customers.get_customer(tx, run.customer_id)
        if customer.refusal() is None:
            return run
    raise DownloadTokenRefused(
        f"This link does not work: links expire {TOKEN_TTL.seconds // 3600} hour after they are made, and end with "
        "the results that they lead to. Ask whoever sent it for a new one."
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
