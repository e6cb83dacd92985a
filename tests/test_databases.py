"""A database that a test is lent is as the migrations leave one, whatever the test before did to it."""

import psycopg
import pytest
from tests.databases import Databases


def name_of(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


def test_what_one_test_left_is_not_there_for_the_next(databases: Databases) -> None:
    with databases.lend() as url, psycopg.connect(url, autocommit=True) as connection:
        first_name = name_of(url)
        oid = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        connection.execute("INSERT INTO discarded_blobs VALUES ('one', now())")
        connection.execute("INSERT INTO admission_changes (customer_id) VALUES (1), (2)")
        # Nobody who is still there keeps it.
        connection.execute("BEGIN")
        connection.execute("SELECT pg_advisory_lock(1)")
    with databases.lend() as url, psycopg.connect(url, autocommit=True) as connection:
        assert name_of(url) != first_name
        same = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        assert same == oid, "emptied, not cloned again"
        assert connection.execute("SELECT count(*) FROM discarded_blobs").fetchone() == (0,)
        added = connection.execute("INSERT INTO admission_changes (customer_id) VALUES (1) RETURNING id")
        assert added.fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE left_behind (id int)",
        "ALTER TABLE users ADD COLUMN left_behind int",
        "DROP INDEX runs_by_customer",
        """
        CREATE OR REPLACE FUNCTION add_counts(earlier bigint[], later bigint[]) RETURNS bigint[]
        LANGUAGE sql IMMUTABLE AS $$ SELECT later $$
        """,
        "ALTER TABLE audit_entries DISABLE TRIGGER ALL",
        "UPDATE alembic_version SET version_num = '0000'",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''1MB''', current_database()); END $$",
    ],
)
def test_a_database_that_was_changed_itself_is_not_lent_again(databases: Databases, change: str) -> None:
    with databases.lend() as url, psycopg.connect(url, autocommit=True) as connection:
        oid = connection.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
        connection.execute(change.encode())
    with databases.lend() as url, psycopg.connect(url, autocommit=True) as connection:
        other = connection.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert other != oid
