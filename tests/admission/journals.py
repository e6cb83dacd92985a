"""Journals for tests: a source in the database, a journal in a folder, and calls to write into it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from tollway.admission import records
from tollway.admission.journal import Journal
from tollway.kit.db import Database
from tollway.metering import usage_operations

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COLUMNS = """api_key_id, endpoint, method, status_code, response_time_ms, credits_consumed, request_timestamp,
    host(ip_address) AS ip_address, user_agent, customer_id, product, mode, units, request_id, problem_code, path,
    limit_name, limit_value"""


@dataclass(frozen=True)
class Written:
    """One call, in the words of the usage log."""

    customer_id: int = 1
    api_key_id: int | None = 2
    lease_id: int = 0
    units: int = 0
    credits_consumed: int = 0
    status_code: int = 200
    response_us: int = 1500
    endpoint: str = "/things/{thing}"
    method: str = "GET"
    product: str = "montecarlo"
    mode: str = "test"
    user_agent: str = "test"
    problem_code: str | None = None
    limit_name: str | None = None
    limit_value: int | None = None
    ip_address: str | None = "203.0.113.9"
    request_id: str = "req_0123456789abcdef"
    path: str | None = None
    request_timestamp: datetime = field(default=datetime(2026, 6, 15, 12, 0, tzinfo=UTC))

    def append_to(self, journal: Journal) -> int:
        return journal.append(
            records.letterhead(
                customer_id=self.customer_id,
                api_key_id=self.api_key_id or 0,
                endpoint=journal.intern(self.endpoint),
                method_code=records.method_code(self.method),
                product=journal.intern(self.product),
                live=self.mode == "live",
                user_agent=journal.intern(self.user_agent),
                address=ip_address(self.ip_address).packed if self.ip_address else b"",
            ),
            (self.request_timestamp - EPOCH) // timedelta(microseconds=1),
            self.status_code,
            self.response_us,
            self.request_id,
            self.path or "",
            self.lease_id,
            self.units,
            records.remarks(
                credit_count=self.credits_consumed,
                problem=journal.intern(self.problem_code or ""),
                limit_name=journal.intern(self.limit_name or ""),
                limit_value=self.limit_value or 0,
            ),
        )

    def row(self) -> dict[str, Any]:
        """Return the row of the usage log that this call must become."""
        names = (
            "api_key_id", "endpoint", "method", "status_code", "credits_consumed", "request_timestamp", "ip_address",
            "user_agent", "customer_id", "product", "mode", "units", "request_id", "problem_code", "path", "limit_name",
            "limit_value",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {
            "response_time_ms": (self.response_us + 500) // 1000
        }


async def begin_source(database: Database, name: str, now: datetime) -> int:
    async with database.transaction() as tx:
        return await usage_operations.begin_source(tx, name, now)


async def make_customers(database: Database, count: int) -> None:
    """Make customers with the ids from 1 on, unless they are there: calls of nobody lose their addresses."""
    async with database.transaction() as tx:
        await tx.execute(
            """
            WITH made AS (
                INSERT INTO users (public_id, email, created_at, updated_at, user_type)
                SELECT 'usr_' || n, n || '@example.org', now(), now(), 'api_customer'
                FROM generate_series(1, %(count)s) n ON CONFLICT DO NOTHING RETURNING id, public_id)
            INSERT INTO api_customers (id, user_id, company_name, billing_email, created_at, updated_at, public_id,
                use_case)
            OVERRIDING SYSTEM VALUE
            SELECT substr(public_id, 5)::bigint, id, 'Example Ltd', 'a@example.org', now(), now(),
                'cus_' || substr(public_id, 5), 'Other'
            FROM made
            """,
            {"count": count},
        )


async def logged(database: Database) -> list[dict[str, Any]]:
    """Return the usage log in the order in which it was written."""
    async with database.transaction() as tx:
        return await tx.list_rows(f"SELECT {COLUMNS} FROM api_usage_logs ORDER BY id")  # type: ignore[arg-type]


async def source_row(database: Database, source_id: int) -> dict[str, Any]:
    async with database.transaction() as tx:
        (row,) = await tx.list_rows("SELECT * FROM usage_sources WHERE id = %(id)s", {"id": source_id})
    return row


def segments_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))
