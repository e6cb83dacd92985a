"""What tests of alerts share: customers with usage, an owner's desk, and the mails that were written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from tests.parties import Party, make_party

from tollway.alerts.entities import AlertDesk
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import Mode
from tollway.customers.permissions import UserType
from tollway.kit.db import Database
from tollway.metering.entities import LATENCY_BOUNDS_MS
from tollway.plans.entities import SubscriptionStatus

DESK = AlertDesk("support@tollway.example", "https://tollway.example", has_webhook=True)
BUCKETS = len(LATENCY_BOUNDS_MS) + 1


@dataclass(frozen=True)
class House:
    """A database, and what tests do to it."""

    database: Database

    async def party(self, now: datetime, tier: str = "starter", mode: Mode = Mode.LIVE) -> Party:
        return await make_party(self.database, now, tier=tier, status=SubscriptionStatus.ACTIVE, mode=mode)

    async def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        async with self.database.transaction() as tx:
            return await tx.list_rows(query, values)

    async def execute(self, statement: str, **values: Any) -> int:
        async with self.database.transaction() as tx:
            return await tx.execute(statement, values)

    async def mails(self, template: str) -> list[dict[str, Any]]:
        return await self.rows("SELECT * FROM outbox_mails WHERE template = %(t)s ORDER BY id", t=template)

    async def add_hour(
        self, party: Party, hour: datetime, *, calls: int = 0, failed: int = 0, limited: int = 0
    ) -> None:
        """Write what a key did within an hour into the sums by hour."""
        await self.execute(
            """
            INSERT INTO usage_hours (hour, customer_id, product, mode, api_key_id, method, endpoint, succeeded,
                limited, refused, failed, units, credits, response_ms, latencies)
            VALUES (%(hour)s, %(customer)s, 'montecarlo', %(mode)s, %(key)s, 'GET', '/things', %(calls)s,
                %(limited)s, 0, %(failed)s, 0, 0, 0, '{}')
            """,
            hour=hour, customer=party.customer_id, mode=party.api_key.mode.value, key=party.api_key.id,
            calls=calls, failed=failed, limited=limited,
        )  # fmt: skip

    async def add_day(self, party: Party, day: datetime, *, calls: int, failed: int = 0) -> None:
        """Write what a customer did on a day into the sums by day."""
        await self.execute(
            """
            INSERT INTO usage_days (day, customer_id, product, mode, api_key_id, method, endpoint, succeeded,
                limited, refused, failed, units, credits, response_ms, latencies)
            VALUES (%(day)s, %(customer)s, 'montecarlo', 'live', %(key)s, 'GET', '/things', %(calls)s,
                0, 0, %(failed)s, 0, 0, 0, '{}')
            """,
            day=day.date(), customer=party.customer_id, key=party.api_key.id, calls=calls, failed=failed,
        )  # fmt: skip

    async def add_call(self, party: Party, at: datetime, address: str) -> None:
        """Write one call into the log."""
        await self.execute(
            """
            INSERT INTO api_usage_logs (api_key_id, endpoint, method, status_code, response_time_ms,
                request_timestamp, ip_address, user_agent, customer_id, product, mode, units, request_id)
            VALUES (%(key)s, '/things', 'GET', 200, 5, %(at)s, %(address)s, 'tests', %(customer)s, 'montecarlo',
                'live', 0, 'req_1')
            """,
            key=party.api_key.id, at=at, address=address, customer=party.customer_id,
        )  # fmt: skip

    async def set_totals(self, counts: list[int], *, failed: int = 0) -> None:
        """Set the counters since the beginning: calls by response time, and how many of all failed."""
        assert len(counts) == BUCKETS
        await self.execute("DELETE FROM usage_totals")
        await self.execute(
            """
            INSERT INTO usage_totals (product, method, endpoint, status_code, problem_code, calls, response_ms,
                latencies)
            VALUES ('montecarlo', 'GET', '/things', 200, '', %(calls)s, 0, %(counts)s),
                ('montecarlo', 'GET', '/things', 500, '', %(failed)s, 0, %(none)s)
            """,
            calls=sum(counts) - failed, failed=failed, counts=counts, none=[0] * BUCKETS,
        )  # fmt: skip


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
async def administrator(database: Database, now: datetime) -> Caller:
    """Somebody who runs the installation, at a browser."""
    async with database.transaction() as tx:
        user = await customers.create_administrator(tx, "root@example.org", UserType.ADMIN, now)
    return Caller(
        None, user.id, UserType.ADMIN, True, Mode.LIVE, None, "192.0.2.1", user=user, second_factor=True
    )
