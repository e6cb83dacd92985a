"""The schema comes from empty to its newest form, and running it again changes nothing."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tollway.kit.migrations import migrate, newest_revision, present_revision


@pytest.fixture
def empty_url(postgres: Any) -> Iterator[str]:
    name = f"empty_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield postgres.url(name)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


def test_an_empty_database_is_brought_to_the_newest_revision(empty_url: str) -> None:
    assert present_revision(empty_url) is None
    migrate(empty_url)
    assert present_revision(empty_url) == newest_revision()
    assert {
        "users",
        "api_customers",
        "api_subscriptions",
        "api_keys",
        "api_usage_logs",
        "usage_quotas",
    } <= tables(empty_url)


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    migrate(empty_url)
    before = tables(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute(
            "INSERT INTO attempt_counts (subject, window_start, attempts) VALUES ('kept', now(), 1)"
        )
    migrate(empty_url)
    assert tables(empty_url) == before
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM attempt_counts").fetchone() == (1,)


def test_two_processes_that_migrate_at_once_both_succeed(empty_url: str) -> None:
    program = "import sys; from tollway.kit.migrations import migrate; migrate(sys.argv[1])"
    children = [
        subprocess.Popen([sys.executable, "-c", program, empty_url], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for child in children:
        _, told = child.communicate(timeout=60)
        assert child.returncode == 0, told
    assert present_revision(empty_url) == newest_revision()


def test_the_other_spelling_of_a_database_url_works(empty_url: str) -> None:
    """Many hosts hand out `postgres://`, which libpq takes as well."""
    url = empty_url.replace("postgresql://", "postgres://", 1)
    migrate(url)
    assert present_revision(url) == newest_revision()


# B9 to B14, column for column.
COLUMNS = {
    "api_customers": """id user_id stripe_customer_id company_name billing_email tax_id billing_address
        created_at updated_at""",
    "api_subscriptions": """id customer_id stripe_subscription_id stripe_price_id status
        current_period_start current_period_end trial_end cancel_at created_at updated_at""",
    "api_keys": """id customer_id key_id key_hash name status rate_limit_tier last_used_at expires_at
        created_at updated_at""",
    "api_usage_logs": """id api_key_id endpoint method status_code response_time_ms credits_consumed
        request_timestamp ip_address user_agent""",
    "usage_quotas": """id subscription_id period_start period_end requests_included requests_used
        overage_rate created_at""",
    "users": "user_type stripe_customer_id api_enabled",
}


@pytest.mark.promise("B9", "B10", "B11", "B12", "B13", "B14", "X10")
def test_the_tables_keep_the_names_and_columns_that_were_promised(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for table, columns in COLUMNS.items():
            rows = connection.execute(
                "SELECT column_name, data_type, column_default, numeric_precision, numeric_scale "
                "FROM information_schema.columns WHERE table_name = %s",
                [table],
            ).fetchall()
            assert set(columns.split()) <= {row[0] for row in rows}, table
            found = {(table, row[0]): row[1:] for row in rows}
            match table:
                case "usage_quotas":
                    assert found[table, "overage_rate"][2:] == (10, 4)
                case "api_usage_logs":
                    assert found[table, "ip_address"][0] == "inet"
                    assert found[table, "credits_consumed"][0] == "integer"
                case "api_customers":
                    assert found[table, "billing_address"][0] == "jsonb"
                case "users":
                    assert "'regular'" in found[table, "user_type"][1]
                    assert found[table, "api_enabled"][1] == "false"


def test_a_row_is_deleted_without_reading_whole_tables(empty_url: str) -> None:
    """PostgreSQL looks for what refers to a deleted row; without an index it reads everything there is."""
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        found = connection.execute(
            """
            SELECT conrelid::regclass || '.' || attname FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
            WHERE contype = 'f' AND confrelid <> 'plan_versions'::regclass AND NOT EXISTS (
                SELECT 1 FROM pg_index
                WHERE indrelid = conrelid AND indkey[0] = conkey[1] AND indpred IS NULL)
            """
        ).fetchall()
    assert found == [], "versions of plans are never deleted; everything else is"


def test_the_sweep_reads_only_the_runs_that_wait_for_a_summary(empty_url: str) -> None:
    migrate(empty_url)
    with psycopg.connect(empty_url) as connection:
        connection.execute("SET enable_seqscan = off")
        plan = connection.execute(
            "EXPLAIN SELECT id FROM runs WHERE summarized_at IS NULL AND results_deleted_at IS NULL"
        ).fetchall()
    assert "runs_unsummarized" in str(plan)
