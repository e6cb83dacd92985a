"""The tables of the specification (B9 to B14) stand in the database under their names, with their types."""

import pytest

from tollway.kit.db import Database

INTEGER = {"integer", "bigint"}
TEXT = {"character varying", "text"}
TIME = {"timestamp with time zone"}
STRING_LENGTH = 255

# Written down by hand from the specification: column by column, the types that hold what it asks for. Columns
# that we add stand beside them. An identity is a bigint, and a time knows its zone.
TABLES = {
    "api_customers": {
        "id": INTEGER,
        "user_id": INTEGER,
        "stripe_customer_id": TEXT,
        "company_name": TEXT,
        "billing_email": TEXT,
        # Sealed, and so longer than the 255 characters of the specification: docs/decisions/0014.
        "tax_id": {"text"},
        "billing_address": {"jsonb"},
        "created_at": TIME,
        "updated_at": TIME,
    },
    "api_subscriptions": {
        "id": INTEGER,
        "customer_id": INTEGER,
        "stripe_subscription_id": TEXT,
        "stripe_price_id": TEXT,
        "status": TEXT,
        "current_period_start": TIME,
        "current_period_end": TIME,
        "trial_end": TIME,
        "cancel_at": TIME,
        "created_at": TIME,
        "updated_at": TIME,
    },
    "api_keys": {
        "id": INTEGER,
        "customer_id": INTEGER,
        "key_id": TEXT,
        "key_hash": TEXT,
        "name": TEXT,
        "status": TEXT,
        "rate_limit_tier": TEXT,
        "last_used_at": TIME,
        "expires_at": TIME,
        "created_at": TIME,
        "updated_at": TIME,
    },
    "api_usage_logs": {
        "id": INTEGER,
        "api_key_id": INTEGER,
        "endpoint": TEXT,
        "method": TEXT,
        "status_code": INTEGER,
        "response_time_ms": INTEGER,
        "credits_consumed": {"integer"},
        "request_timestamp": TIME,
        "ip_address": {"inet"},
        "user_agent": {"text"},
    },
    "usage_quotas": {
        "id": INTEGER,
        "subscription_id": INTEGER,
        "period_start": TIME,
        "period_end": TIME,
        "requests_included": INTEGER,
        "requests_used": INTEGER,
        "overage_rate": {"numeric(10,4)"},
        "created_at": TIME,
    },
}
# Columns that must refuse a second row with the same value, and those that point at another table.
UNIQUE = {
    ("api_customers", "stripe_customer_id"),
    ("api_subscriptions", "stripe_subscription_id"),
    ("api_keys", "key_id"),
}
REFERENCES = {
    ("api_customers", "user_id"): "users",
    ("api_subscriptions", "customer_id"): "api_customers",
    ("api_keys", "customer_id"): "api_customers",
    # Not api_usage_logs.api_key_id: 0004_admission.sql says why the log has no foreign keys.
    ("usage_quotas", "subscription_id"): "api_subscriptions",
}
# name: type, length, default.
USERS_COLUMNS = {
    "user_type": ("character varying", 50, "'regular'::character varying"),
    "stripe_customer_id": ("character varying", 255, None),
    "api_enabled": ("boolean", None, "false"),
}
USER_TYPES = {"regular", "api_customer", "enterprise", "admin", "super_admin"}


async def columns_of(database: Database, table: str) -> dict[str, dict]:
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT * FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %(table)s",
            {"table": table},
        )
    return {row["column_name"]: row for row in rows}


def type_of(column: dict) -> str:
    if column["data_type"] == "numeric":
        return f"numeric({column['numeric_precision']},{column['numeric_scale']})"
    return column["data_type"]


@pytest.mark.promise("B9", "B10", "B11", "B12", "B13")
@pytest.mark.parametrize("table", TABLES)
async def test_a_table_has_the_columns_of_the_specification(database: Database, table: str) -> None:
    found = await columns_of(database, table)
    assert {name for name in TABLES[table] if name not in found} == set()
    wrong = {
        name: type_of(found[name])
        for name, types in TABLES[table].items()
        if type_of(found[name]) not in types
    }
    assert wrong == {}
    narrow = {
        name: column["character_maximum_length"]
        for name, column in found.items()
        if name in TABLES[table]
        and column["data_type"] == "character varying"
        and column["character_maximum_length"] < STRING_LENGTH
        and name not in {"status", "rate_limit_tier", "method"}
    }
    assert narrow == {}


@pytest.mark.promise("B14")
async def test_users_have_the_three_further_columns(database: Database) -> None:
    found = await columns_of(database, "users")
    assert {
        name: (
            found[name]["data_type"],
            found[name]["character_maximum_length"],
            found[name]["column_default"],
        )
        for name in USERS_COLUMNS
    } == USERS_COLUMNS
    async with database.transaction() as tx:
        check = await tx.find_value(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'users_user_type_check'"
        )
    assert all(f"'{one}'" in check for one in USER_TYPES)
    assert check.count("::character varying") == len(USER_TYPES)


@pytest.mark.promise("B9", "B10", "B11")
async def test_what_must_be_unique_is(database: Database) -> None:
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            """
            SELECT conrelid::regclass::text AS in_table, attname FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
            WHERE contype = 'u' AND cardinality(conkey) = 1
            """
        )
    assert {(row["in_table"], row["attname"]) for row in rows} >= UNIQUE


@pytest.mark.promise("B9", "B10", "B11", "B12", "B13")
async def test_what_points_at_another_table_is_held_to_it(database: Database) -> None:
    async with database.transaction() as tx:
        rows = await tx.list_rows(
            """
            SELECT conrelid::regclass::text AS in_table, attname, confrelid::regclass::text AS of_table
            FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
            WHERE contype = 'f' AND cardinality(conkey) = 1
            """
        )
    found = {(row["in_table"], row["attname"]): row["of_table"] for row in rows}
    assert {key: found.get(key) for key in REFERENCES} == REFERENCES
