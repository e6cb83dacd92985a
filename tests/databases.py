"""Databases for tests: each begins as the migrations leave one, and nobody else uses it.

To clone one costs about ten times as much as to empty it. So what a test had is emptied, takes a new name and is used
again, unless it differs from a clone in more than rows and sequences; then it goes, as it does after some uses.
"""

import contextlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier, Literal

# Deleted rows still take room, which a new clone does not have.
USES_MAX = 50
TERMINATION_MS_MAX = 5_000
# Whatever is defined in a database, added, changed or removed, shows in the rows of one of these.
CATALOGS = (
    "pg_attrdef", "pg_attribute", "pg_class", "pg_constraint", "pg_extension", "pg_index", "pg_namespace", "pg_policy",
    "pg_proc", "pg_rewrite", "pg_trigger", "pg_type",
)  # fmt: skip
STRUCTURE = SQL(" UNION ALL ").join(
    SQL("SELECT {}, count(*), sum(xmin::text::bigint) FROM {}").format(Literal(name), Identifier(name))
    for name in CATALOGS
) + SQL(
    """
    UNION ALL SELECT 'settings', count(*), 0 FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    WHERE d.datname = current_database()
    """
)
TABLES_WITH_ROWS = """
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND pg_relation_size(c.oid) > 0
"""
END_OTHERS = """
    SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# Renaming waits a tenth of a second where a connection that was closed is not gone yet; it is within a millisecond.
COUNT_CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
LOOKS_MAX = 100
RESTART_SEQUENCES = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"


@dataclass(slots=True)
class Databases:
    """Lends databases of one server, all alike; `url` has the server's maintenance database."""

    url: str
    template: str
    _spare: list[tuple[str, int]] = field(default_factory=list)
    _connection: Connection[Any] | None = None
    _structure: list[Any] = field(default_factory=list)
    # Tables that the migrations fill, with their content.
    _filled: dict[str, list[Any]] = field(default_factory=dict)

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """Give the URL of a database to one test, and take it back."""
        name, uses = self._spare.pop() if self._spare else (self._clone(), 0)
        try:
            yield self.url_of(name)
        finally:
            emptied = uses + 1 < USES_MAX and self._emptied(name)
            if emptied and (renamed := self._renamed(name)):
                self._spare.append((renamed, uses + 1))
            else:
                self._run(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))

    def url_of(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?")

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _clone(self) -> str:
        if not self._structure:
            with psycopg.connect(self.url_of(self.template), autocommit=True) as connection:
                self._structure = connection.execute(STRUCTURE).fetchall()
                self._filled = {name: _content(connection, name) for name in _tables_with_rows(connection)}
        name = _new_name()
        self._run(SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(self.template)))
        return name

    def _emptied(self, name: str) -> bool:
        """Make a database what a clone is, as far as rows and sequences go; False where that would not do."""
        try:
            with psycopg.connect(self.url_of(name), autocommit=True) as connection:
                connection.execute(END_OTHERS, [TERMINATION_MS_MAX])
                if connection.execute(STRUCTURE).fetchall() != self._structure:
                    return False
                tables = _tables_with_rows(connection)
                if any(_content(connection, table) != rows for table, rows in self._filled.items()):
                    return False
                # Neither triggers nor foreign keys: everything goes, in whatever order.
                connection.execute("SET session_replication_role = replica")
                with connection.transaction():
                    for table in tables:
                        if table not in self._filled:
                            connection.execute(SQL("DELETE FROM {}").format(SQL(table)))
                    connection.execute(RESTART_SEQUENCES)
        except psycopg.Error:
            # Somebody came back, or the server went: a new clone has no history.
            return False
        return True

    def _renamed(self, name: str) -> str | None:
        """Give it a new name, so that whoever is left of the last test finds nothing; None where one is there."""
        renamed = _new_name()
        for _ in range(LOOKS_MAX):
            if not self._run(COUNT_CONNECTIONS, [name]).fetchone()[0]:
                break
            time.sleep(0.001)
        try:
            self._run(SQL("ALTER DATABASE {} RENAME TO {}").format(Identifier(name), Identifier(renamed)))
        except psycopg.errors.ObjectInUse:
            return None
        return renamed

    def _run(self, statement: Any, values: Sequence[Any] | None = None) -> Cursor[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True)
        try:
            return self._connection.execute(statement, values)
        except psycopg.OperationalError:
            # A test that restarted the server cut us off too.
            if not self._connection.closed:
                raise
            self._connection = psycopg.connect(self.url, autocommit=True)
            return self._connection.execute(statement, values)


def _new_name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"


def _tables_with_rows(connection: Connection[Any]) -> list[str]:
    return [row[0] for row in connection.execute(TABLES_WITH_ROWS).fetchall()]


def _content(connection: Connection[Any], table: str) -> list[Any]:
    return connection.execute(SQL("SELECT t::text FROM {} t ORDER BY 1").format(SQL(table))).fetchall()
