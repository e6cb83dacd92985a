"""What a shipper keeps others from while it carries a journal: as little as may be, for as short as may be."""

import asyncio
from datetime import datetime
from pathlib import Path

from tests.admission.journals import Written
from tests.admission.test_shipper import party_and_lease

from tollway.admission.journal import Journal
from tollway.admission.shipper import Shipper
from tollway.kit.db import Database

# Whoever waits for a lock on the log of this database.
WAITING = """
    SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.relation = 'api_usage_logs'::regclass AND NOT l.granted
"""


async def test_while_the_log_is_written_nobody_waits_for_a_quota_or_a_key(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    party, source_id, quota_id, lease_id = await party_and_lease(database, now, 10)
    journal = Journal.open(tmp_path, source_id)
    Written(customer_id=party.customer_id, api_key_id=party.api_key.id, lease_id=lease_id, units=3).append_to(
        journal
    )
    shipper = Shipper(database, tmp_path)
    async with database.transaction() as holding:
        # The shipper stands still where it begins to write to the log.
        await holding.execute("LOCK TABLE api_usage_logs IN SHARE MODE")
        shipping = asyncio.create_task(shipper.ship_once())
        while not await holding.find_value(WAITING):
            assert not shipping.done(), shipping
        async with database.transaction() as tx:
            # Each fails at once where the row is held.
            for row in ("api_keys WHERE id = %(key)s", "usage_quotas WHERE id = %(quota)s"):
                ids = {"key": party.api_key.id, "quota": quota_id}
                assert await tx.find_value(f"SELECT id FROM {row} FOR UPDATE NOWAIT", ids)
    assert await shipping == 1
    async with database.transaction() as tx:
        assert await tx.find_value("SELECT requests_used FROM usage_quotas") == 3
        assert await tx.find_value("SELECT last_used_at IS NOT NULL FROM api_keys")
    journal.close()
    shipper.close()
