"""Quotas of an installation from before leases: each keeps its bound, and days under way keep what they used."""

import uuid
from datetime import UTC, datetime, timedelta

import psycopg
from alembic import command
from alembic.config import Config
from tests.conftest import Postgres

from tollway.kit.migrations import FOLDER

BEFORE = """
    INSERT INTO users (public_id, email, created_at, updated_at) VALUES ('usr_1', 'a@example.org', now(), now());
    INSERT INTO api_customers (user_id, company_name, billing_email, public_id, use_case, created_at, updated_at)
    SELECT id, 'A', email, 'cus_1', 'B', now(), now() FROM users;
    INSERT INTO plan_versions (product, tier, version, content_hash, content, created_at)
    VALUES ('montecarlo', 'free', 1, 'a', '{"overage": "opt_in"}', now()),
        ('montecarlo', 'starter', 1, 'b', '{"overage": "always"}', now());
    INSERT INTO api_subscriptions (public_id, customer_id, product, plan_version_id, status,
        current_period_start, current_period_end, created_at, updated_at)
    SELECT 'sub_' || v.tier, c.id, 'montecarlo', v.id, CASE v.tier WHEN 'free' THEN 'cancelled' ELSE 'active' END,
        now(), now() + interval '1 month', now(), now()
    FROM api_customers c, plan_versions v ORDER BY v.id;
    INSERT INTO usage_quotas (subscription_id, period_start, period_end, requests_included, requests_used,
        overage_rate, created_at, mode)
    SELECT s.id, now(), now() + interval '1 month', 100, 7, 0.05, now(), mode
    FROM api_subscriptions s, unnest(ARRAY['test', 'live']) AS mode ORDER BY s.id, mode;
"""


def test_bounds_and_days_under_way_are_taken_over(postgres: Postgres) -> None:
    name = f"before_leases_{uuid.uuid4().hex[:12]}"
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["url"] = url = postgres.url(name)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            command.upgrade(config, "0003")
            with psycopg.connect(url) as connection:
                connection.execute(BEFORE)
                for at, mode, units in (
                    (midnight, "live", 3),
                    (midnight + timedelta(seconds=1), "live", -1),
                    (midnight, "test", 1),
                    (midnight - timedelta(seconds=1), "live", 5),
                    (midnight - timedelta(seconds=1), "test", 0),
                    (midnight - timedelta(days=3), "live", 9),
                ):
                    connection.execute(
                        """
                        INSERT INTO api_usage_logs (endpoint, method, status_code, response_time_ms,
                            request_timestamp, customer_id, product, mode, units, request_id)
                        SELECT '/x', 'POST', 200, 1, %s, id, 'montecarlo', %s, %s, 'req' FROM api_customers
                        """,
                        [at, mode, units],
                    )
            command.upgrade(config, "head")
            with psycopg.connect(url) as connection:
                bounds = connection.execute(
                    """
                    SELECT s.public_id, q.mode, q.requests_max, q.requests_leased
                    FROM usage_quotas q JOIN api_subscriptions s ON s.id = q.subscription_id
                    ORDER BY s.public_id, q.mode
                    """
                ).fetchall()
                days = connection.execute(
                    """
                    SELECT s.public_id, d.mode, d.day, d.requests_used, d.requests_leased
                    FROM usage_quota_days d JOIN api_subscriptions s ON s.id = d.subscription_id
                    ORDER BY d.day, d.mode
                    """
                ).fetchall()
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    assert bounds == [
        ("sub_free", "live", 100, 0),
        ("sub_free", "test", 100, 0),
        ("sub_starter", "live", None, 0),
        ("sub_starter", "test", 100, 0),
    ]
    assert days == [
        ("sub_starter", "live", (midnight - timedelta(days=1)).date(), 5, 0),
        ("sub_starter", "live", midnight.date(), 2, 0),
        ("sub_starter", "test", midnight.date(), 1, 0),
    ]
