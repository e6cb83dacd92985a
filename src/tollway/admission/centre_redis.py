"""The centre of rate limits in Redis or Valkey, for workers on several machines.

One script answers everything (`centre.lua`), by the server's clock. What Redis holds may be lost: it is restarted,
fails over, is emptied or restored from an older file. So the state has an epoch, which PostgreSQL knows, and belongs to
one run of the server. Where either is another, a new state begins with every bucket empty; with full ones only the
first time of all.
"""

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from tollway.admission import centre_store
from tollway.admission.centre import NAMES, SLOT_SECONDS, Answer, CentreGone, Question, Sweep
from tollway.kit.db import Database
from tollway.kit.log import log

STATE_KEY = "tollway:rates"
SCRIPT = Path(__file__).with_name("centre.lua").read_bytes()
SCRIPT_SHA = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()
ANSWER_SECONDS_MAX = 1.0
# So long another worker may take to begin an epoch that it has claimed.
CLAIM_GRACE_SECONDS = 2.0
CLAIM_PAUSE_SECONDS = 0.02
KEY_IN_POSTGRESQL = "redis"


class Epochs:
    """Which epoch of the centre counts, as PostgreSQL knows it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self) -> str | None:
        """Return the epoch that counts, or None before the first."""
        async with self._database.transaction() as tx:
            return await centre_store.find_epoch(tx, KEY_IN_POSTGRESQL)

    async def claim(self, replaces: str | None) -> str | None:
        """Write a new epoch in place of the one that was lost, or return None where another worker does so."""
        epoch = secrets.token_hex(8)
        async with self._database.transaction() as tx:
            if replaces is None:
                claimed = await centre_store.claim_first_epoch(tx, KEY_IN_POSTGRESQL, epoch)
            else:
                claimed = await centre_store.claim_next_epoch(
                    tx, KEY_IN_POSTGRESQL, epoch, replaces=replaces, grace_seconds=CLAIM_GRACE_SECONDS
                )
        return epoch if claimed else None


class RedisCentre:
    """A connection to the centre in Redis; asked by one task at a time.

    Args:
        url: redis://, rediss:// (TLS) or unix://, with user, password and database where they are needed.
    """

    def __init__(self, url: str, epochs: Epochs) -> None:
        self._url = url
        self._epochs = epochs
        self._connection: AbstractConnection | None = None
        self._run = ""
        self._epoch: str | None = None
        self._cursor = 0

    async def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions in one round trip. Raises: CentreGone."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX + CLAIM_GRACE_SECONDS):
                return await self._ask(questions)
        except (RedisError, OSError, TimeoutError, psycopg.Error, psycopg_pool.PoolTimeout) as failure:
            await self._disconnect()
            raise CentreGone(f"Redis: {failure}") from failure
        except BaseException:
            # Cancelled between question and answer: the next one must not read this one's answer.
            await self._disconnect()
            raise

    async def close(self) -> None:
        """Give the connection back."""
        await self._disconnect()

    async def _ask(self, questions: Sequence[Question]) -> list[Answer]:
        connection = await self._connected()
        parts: list[Any] = []
        for question in questions:
            parts.append(NAMES[type(question)])
            if isinstance(question, Sweep):
                parts.append(self._cursor)
            parts.extend(question)
        while True:
            answer = await self._run_script(
                connection, "ask", self._run, self._epoch or "", SLOT_SECONDS, *parts
            )
            if answer[0]:
                break
            await self._begin(connection, stands=answer[1].decode())
        for question, one in zip(questions, answer[1:], strict=True):
            if isinstance(question, Sweep):
                (self._cursor,) = one
        return [tuple(one) for one in answer[1:]]

    async def _connected(self) -> AbstractConnection:
        """Return a connection of which it is known to which run of the server it leads."""
        present = self._connection
        if present is not None and present.is_connected:
            return present
        await self._disconnect()
        connection = _connection_of(self._url)
        self._connection = connection
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py gives it no types
        told = await _call(connection, "INFO", "server")
        self._run = next(
            line.partition(":")[2] for line in told.decode().splitlines() if line.startswith("run_id:")
        )
        self._cursor = 0
        self._epoch = await self._epochs.find()
        return connection

    async def _begin(self, connection: AbstractConnection, *, stands: str) -> None:
        """Learn the epoch that counts, or begin one where the state of the last is gone."""
        known = await self._epochs.find()
        if known != self._epoch:
            # Another worker was first; perhaps it has not told Redis yet.
            self._epoch = known
            return
        claimed = await self._epochs.claim(known)
        if claimed is None:
            await asyncio.sleep(CLAIM_PAUSE_SECONDS)
            return
        is_first = known is None
        log.warning("rate limits begin anew", centre="redis", buckets="full" if is_first else "empty")
        # Where another state was begun meanwhile, this does nothing, and the next question shows it.
        await self._run_script(connection, "begin", self._run, claimed, stands, int(is_first))
        self._epoch = claimed

    async def _run_script(self, connection: AbstractConnection, *values: Any) -> Any:
        try:
            return await _call(connection, "EVALSHA", SCRIPT_SHA, 1, STATE_KEY, *values)
        except NoScriptError:
            return await _call(connection, "EVAL", SCRIPT, 1, STATE_KEY, *values)

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)


def _connection_of(url: str) -> AbstractConnection:
    """Read a URL; nothing is connected yet. What fails is not tried again unseen: it may be another server then."""
    pool = ConnectionPool.from_url(
        url,
        protocol=2,
        client_name="tollway",
        socket_timeout=ANSWER_SECONDS_MAX,
        socket_connect_timeout=ANSWER_SECONDS_MAX,
        retry=Retry(NoBackoff(), 0),
    )
    made: AbstractConnection = pool.connection_class(**pool.connection_kwargs)
    return made


async def _call(connection: AbstractConnection, *words: Any) -> Any:
    await connection.send_command(*words, check_health=False)
    return await connection.read_response()


async def find_fault(url: str) -> str | None:
    """Say in one sentence why the Redis at a URL cannot be used, or None where it can."""
    connection = _connection_of(url)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # redis-py gives it no types
        await _call(connection, "INFO", "server")
    except (RedisError, OSError, TimeoutError) as failure:
        return str(failure) or type(failure).__name__
    finally:
        with contextlib.suppress(RedisError, OSError):
            await connection.disconnect(nowait=True)
    return None
