"""What administrators are told first is counted without a look at everything."""

from collections import Counter
from datetime import datetime, timedelta

from tests.metering.calls import log_call
from tests.parties import make_party

from tollway.administration import operations as administration
from tollway.kit.db import Database, Transaction
from tollway.metering import retention_operations

CALLS = 20_000


async def test_what_failed_within_a_day_is_counted_by_an_index(database: Database, now: datetime) -> None:
    party = await make_party(database, now)
    async with database.transaction() as tx:
        await retention_operations.make_partitions(tx, now)
    await log_call(database, party.customer_id, now - timedelta(hours=2), status_code=500)
    await log_call(database, party.customer_id, now - timedelta(days=2), status_code=503)
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO api_usage_logs (endpoint, method, status_code, response_time_ms, request_timestamp,
                user_agent, customer_id, product, mode, units, request_id)
            SELECT '/things', 'GET', 200, 1, %(now)s - n * interval '1 second', 'tests', %(customer)s, 'montecarlo',
                'live', 0, 'req_' || n
            FROM generate_series(1, %(count)s) n
            """,
            {"now": now, "customer": party.customer_id, "count": CALLS},
        )
        await tx.execute("ANALYZE api_usage_logs")
    async with database.transaction() as tx:
        # A table of a few rows is read whole where it may be; with many it would not be.
        await tx.execute("SET LOCAL enable_seqscan = off")
        before = await count_scans(tx)
        counts = await administration.get_counts(tx, now)
        used = (await count_scans(tx)) - before
    assert (counts.calls_failed_last_day, counts.runs_failed_last_day) == (1, 0)
    assert used["api_usage_logs_failed"] > 0
    assert used["runs_failed"] == 1
    assert not used["api_usage_logs"] + used["runs"], "neither is read from its beginning"


async def count_scans(tx: Transaction) -> Counter[str]:
    """Count how often this connection read each table whole, and each index; partitions under their table's name."""
    rows = await tx.list_rows(
        """
        SELECT coalesce(root.relname, one.relname)::text AS name,
            sum(pg_stat_get_xact_numscans(one.oid))::int AS scans
        FROM pg_class one LEFT JOIN pg_class root ON root.oid = pg_partition_root(one.oid)
        WHERE one.relkind IN ('r', 'i') GROUP BY 1
        """
    )
    return Counter({row["name"]: row["scans"] for row in rows})
