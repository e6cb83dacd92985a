"""PostgreSQL: a pool, a transaction, and the only code that commits.

Connections are in autocommit; a transaction is an explicit block. SQL is written by hand in each
domain's `store.py` with psycopg's `%(name)s` parameters.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.rows import class_row, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tollway.kit.scope import transaction_open

# What stands before and after the rows of a binary COPY.
COPY_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"

Row = TypeVar("Row")
Parameters = Mapping[str, Any]

POOL_CONNECTIONS_MAX = 20
POOL_WAIT_SECONDS_MAX = 10.0
STATEMENT_SECONDS_MAX = 30

# PostgreSQL asks the client to run these again (SQLSTATE 40001 and 40P01).
REPLAYABLE = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
REPLAY_COUNT_MAX = 3
# The database was there, and would not take these values (SQLSTATE classes 22 and 23): trying again does not help.
UNFIT = (psycopg.DataError, psycopg.IntegrityError)
# It was not there, or went away.
GONE = (psycopg.OperationalError, PoolTimeout)


class _IntegersDumper(Dumper):
    """Sends an array of numpy as a bigint[] in PostgreSQL's own format: no integer becomes an object on the way."""

    format = Format.BINARY
    oid = psycopg.adapters.types["int8"].array_oid

    def dump(self, obj: NDArray[np.integer[Any]]) -> Buffer:
        """Lay an array out: dimensions, no nulls, the type of elements, how many from 1 on, and each with its size."""
        header = np.array([1, 0, psycopg.adapters.types["int8"].oid, len(obj), 1], ">i4")
        elements = np.empty(len(obj), [("size", ">i4"), ("value", ">i8")])
        elements["size"] = 8
        elements["value"] = obj
        return header.tobytes() + elements.tobytes()


psycopg.adapters.register_dumper(np.ndarray, _IntegersDumper)


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction. Whoever opened it commits it by leaving the block; nobody else can."""

    connection: AsyncConnection[Any]

    async def execute(self, query: LiteralString, parameters: Parameters | None = None) -> int:
        """Run a statement and return how many rows it touched."""
        cursor = await self.connection.execute(query, parameters)
        return cursor.rowcount

    async def execute_many(self, query: LiteralString, rows: list[dict[str, Any]]) -> None:
        """Run a statement once for each row, in one round trip where the protocol allows."""
        async with self.connection.cursor() as cursor:
            await cursor.executemany(query, rows)

    async def copy_rows(self, query: LiteralString, chunks: Iterable[bytes]) -> None:
        """Send rows to a `COPY ... FROM STDIN (FORMAT BINARY)`; chunks hold the rows alone, each one whole."""
        async with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            await copy.write(COPY_BEGIN)
            for chunk in chunks:
                await copy.write(chunk)
            await copy.write(COPY_END)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Mark a part that an exception undoes alone; what stands before it in the transaction stays."""
        async with self.connection.transaction():
            yield

    async def find_one(
        self, row: type[Row], query: LiteralString, parameters: Parameters | None = None
    ) -> Row | None:
        """Return the first row as an instance of the class `row`, or None."""
        async with self.connection.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchone()

    async def get_one(
        self, row: type[Row], query: LiteralString, parameters: Parameters | None = None
    ) -> Row:
        """Return the one row that a statement must yield."""
        found = await self.find_one(row, query, parameters)
        if found is None:
            raise LookupError(f"expected one row of {row.__name__}")
        return found

    async def list_all(
        self, row: type[Row], query: LiteralString, parameters: Parameters | None = None
    ) -> list[Row]:
        """Return every row as instances of the class `row`; the statement bounds how many."""
        async with self.connection.cursor(row_factory=class_row(row)) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def list_rows(
        self, query: LiteralString, parameters: Parameters | None = None
    ) -> list[dict[str, Any]]:
        """Return every row as a dictionary, for shapes that have no entity of their own."""
        async with self.connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, parameters)
            return await cursor.fetchall()

    async def find_value(self, query: LiteralString, parameters: Parameters | None = None) -> Any:
        """Return the first column of the first row, or None."""
        cursor = await self.connection.execute(query, parameters)
        found = await cursor.fetchone()
        return None if found is None else found[0]


class Database:
    """A pool of connections to one database, opened and closed with the process."""

    def __init__(self, url: str, *, connections_max: int = POOL_CONNECTIONS_MAX) -> None:
        self.url = url
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            url,
            open=False,
            min_size=1,
            max_size=connections_max,
            timeout=POOL_WAIT_SECONDS_MAX,
            kwargs={
                "autocommit": True,
                "options": f"-c statement_timeout={STATEMENT_SECONDS_MAX * 1000} -c timezone=UTC",
                "application_name": "tollway",
            },
        )

    async def open(self) -> None:
        """Connect; raises psycopg_pool.PoolTimeout where the database cannot be reached."""
        await self._pool.open(wait=True, timeout=POOL_WAIT_SECONDS_MAX)

    async def close(self) -> None:
        """Give every connection back."""
        await self._pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; leaving the block commits it, an exception rolls it back."""
        async with self._pool.connection() as connection, connection.transaction():
            with transaction_open():
                yield Transaction(connection)

    async def connect(self) -> AsyncConnection[Any]:
        """Open a connection of its own outside the pool, for listening; the caller closes it."""
        return await AsyncConnection.connect(self.url, autocommit=True, application_name="tollway listener")
