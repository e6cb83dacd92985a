"""Customers with keys, in front of the whole application; conftests make its fixtures their own."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.parties import Party, make_party

from tollway.app import Parts
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.entities import Customer, Mode, Visit
from tollway.customers.permissions import Role, Scope
from tollway.keys import operations as keys
from tollway.keys.entities import IssuedApiKey
from tollway.plans.entities import SubscriptionStatus


@dataclass(frozen=True)
class Firm:
    """One customer, its keys and its people, and the application that they speak to."""

    parts: Parts
    client: httpx.AsyncClient
    party: Party
    customer: Customer

    @property
    def headers(self) -> dict[str, str]:
        return self.party.headers

    async def key(self, **chosen: Any) -> IssuedApiKey:
        """Issue a further key, as the bare verb does."""
        wanted = {"product": "montecarlo", "mode": Mode.TEST, "name": "Further", "tier": "starter"} | chosen
        async with self.parts.database.transaction() as tx:
            return await keys.issue_api_key(
                tx, self.parts.sealer, self.customer.id, now=datetime.now(UTC), **wanted
            )

    async def person(self, role: Role = Role.OWNER, *, proven: bool = True, verified: bool = True) -> str:
        """Sign somebody in who has a role, and return the cookie header of their browser."""
        now = datetime.now(UTC)
        async with self.parts.database.transaction() as tx:
            user_id = self.customer.user_id
            member = (await members.list_members(tx, self.customer.id))[0]
            await tx.execute(
                "UPDATE customer_members SET role = %(role)s WHERE user_id = %(id)s",
                {"role": role.value, "id": member.user_id},
            )
            if verified:
                await tx.execute("UPDATE users SET email_verified_at = %(now)s WHERE id = %(id)s",
                                 {"now": now, "id": user_id})  # fmt: skip
            secret = await customers.create_session(tx, user_id, Visit("127.0.0.1", "a browser", now))
            if not proven:
                await tx.execute("UPDATE user_sessions SET proven_at = now() - interval '1 hour'")
        return secret

    async def as_person(
        self, method: str, path: str, secret: str, json: Any = None, **more: str
    ) -> httpx.Response:
        headers = {"Cookie": f"tollway_session={secret}", "Origin": "http://localhost"} | more
        return await self.client.request(method, path, json=json, headers=headers)

    async def rows(self, query: str) -> list[dict[str, Any]]:
        # What was served last may still be in the journal.
        await self.parts.gatehouse.ship()
        async with self.parts.database.transaction() as tx:
            return await tx.list_rows(query)

    async def execute(self, statement: str) -> None:
        async with self.parts.database.transaction() as tx:
            await tx.execute(statement)


MakeFirm = Callable[..., Awaitable[Firm]]


@pytest.fixture
def make_firm(parts: Parts, client: httpx.AsyncClient) -> MakeFirm:
    async def make(
        tier: str = "starter", status: SubscriptionStatus = SubscriptionStatus.ACTIVE, **more: Any
    ) -> Firm:
        party = await make_party(parts.database, datetime.now(UTC), tier=tier, status=status, **more)
        async with parts.database.transaction() as tx:
            customer = await customers.get_customer(tx, party.customer_id)
        return Firm(parts, client, party, customer)

    return make


@pytest.fixture
async def firm(make_firm: MakeFirm) -> Firm:
    return await make_firm()


@pytest.fixture
async def other(make_firm: MakeFirm) -> Firm:
    return await make_firm()


ALL = frozenset(Scope)
