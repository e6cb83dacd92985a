"""People who ask and people who answer, over the API."""

from dataclasses import dataclass
from datetime import datetime

import httpx
import pytest
from tests.parties import SEALER

from tollway.app import Parts
from tollway.authentication import operations as authentication
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import Caller, SessionKind
from tollway.customers.entities import Customer, Mode, User, Visit
from tollway.customers.permissions import Role, Scope, UserType
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.db import Database
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus
from tollway.support import operations
from tollway.support.entities import SupportDesk, Ticket, TicketDraft

DESK = SupportDesk("staff@example.com", "https://tollway.example")
TICKET = {"topic": "integration", "subject": "Timeouts", "message": "Uploads end with 413."}


@dataclass(frozen=True)
class Help:
    """A database where people ask and answer."""

    database: Database

    async def customer(
        self, email: str, now: datetime, *, tiers: dict[str, str] | None = None, verified: bool = True
    ) -> tuple[User, Customer]:
        """Make a user with a customer that holds `tiers`, by product."""
        async with self.database.transaction() as tx:
            user, customer = await customers.create_user_and_customer(tx, email, "Example Ltd", "Other", now)
            for product, tier in (tiers or {"montecarlo": "starter"}).items():
                await plans.subscribe(tx, customer.id, product, tier, SubscriptionStatus.ACTIVE, now)
            if verified:
                user, _ = await customers.mark_verified(tx, user.id, now)
        return user, customer

    async def caller(self, email: str, now: datetime, **more: object) -> Caller:
        """A new customer's owner, signed in."""
        return self.as_caller(*await self.customer(email, now, **more))

    def as_caller(self, user: User, customer: Customer | None, role: Role = Role.OWNER) -> Caller:
        return Caller(
            customer_id=customer.id if customer else None,
            user_id=user.id,
            user_type=user.user_type,
            verified=user.verified,
            mode=Mode.TEST,
            api_key_id=None,
            address="192.0.2.7",
            customer=customer,
            user=user,
            role=role,
        )

    async def administrator(self, now: datetime) -> Caller:
        async with self.database.transaction() as tx:
            user = await customers.create_administrator(tx, "staff@example.net", UserType.ADMIN, now)
        return self.as_caller(user, None)

    async def colleague(self, customer: Customer, email: str, role: Role, now: datetime) -> User:
        async with self.database.transaction() as tx:
            user = await customers.create_verified_user(tx, email, UserType.API_CUSTOMER, now)
            await members.add_member(tx, customer.id, user.id, role, now)
        return user

    async def open(self, caller: Caller, now: datetime, **changed: str) -> Ticket:
        async with self.database.transaction() as tx:
            return await operations.open_ticket(
                tx, DESK, caller, TicketDraft.checked(**{**TICKET, **changed}), now
            )

    async def reply(self, caller: Caller, ticket: Ticket, now: datetime, message: str = "More.") -> Ticket:
        async with self.database.transaction() as tx:
            return await operations.reply(tx, DESK, caller, ticket.public_id, message, now)

    async def answer(self, staff: Caller, ticket: Ticket, now: datetime, message: str = "So.") -> Ticket:
        async with self.database.transaction() as tx:
            return await operations.answer_ticket(tx, DESK, staff, ticket.public_id, message, now)

    async def close(self, caller: Caller, ticket: Ticket, now: datetime) -> Ticket:
        async with self.database.transaction() as tx:
            return await operations.close_ticket(tx, DESK, caller, ticket.public_id, now)

    async def mails(self) -> list[dict]:
        return await self.rows(
            "SELECT to_address, template, subject, text_body, html_body FROM outbox_mails ORDER BY id"
        )

    async def rows(self, query: str) -> list[dict]:
        async with self.database.transaction() as tx:
            return await tx.list_rows(query)


@pytest.fixture
async def desk(database: Database, now: datetime) -> Help:
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now)
    return Help(database)


@dataclass(frozen=True)
class Speaker:
    """Somebody who calls the API, with what proves it."""

    headers: dict[str, str]
    customer: Customer
    user: User


async def speaker(desk: Help, parts: Parts, email: str) -> Speaker:
    """A new customer's owner with an access token."""
    now = read_now()
    user, customer = await desk.customer(email, now)
    return await speaking(desk, parts, user, customer)


async def speaking(desk: Help, parts: Parts, user: User, customer: Customer) -> Speaker:
    """Sign a user in and hand out an access token."""
    now = read_now()
    async with desk.database.transaction() as tx:
        _, session = await customers.open_session(
            tx, user.id, SessionKind.PROGRAM, Visit("127.0.0.1", "a program", now)
        )
    issued = authentication.issue_access_token(parts.token_keys, user, session, now)
    return Speaker({"Authorization": f"Bearer {issued}"}, customer, user)


async def api_key(desk: Help, customer: Customer, *scopes: Scope) -> dict[str, str]:
    """Give a customer a key of some scopes; return the header that shows it."""
    async with desk.database.transaction() as tx:
        issued = await keys.issue_api_key(
            tx,
            SEALER,
            customer.id,
            product="montecarlo",
            mode=Mode.TEST,
            name="A program",
            tier="starter",
            now=read_now(),
        )
        await tx.execute(
            "UPDATE api_keys SET scopes = %(scopes)s WHERE id = %(id)s",
            {"scopes": [one.value for one in scopes], "id": issued.api_key.id},
        )
    return {"Authorization": f"Bearer {issued.secret}"}


@pytest.fixture
async def ana(desk: Help, parts: Parts) -> Speaker:
    return await speaker(desk, parts, "ana@example.com")


@pytest.fixture
async def ben(desk: Help, parts: Parts) -> Speaker:
    return await speaker(desk, parts, "ben@example.com")


@pytest.fixture
async def ticket(client: httpx.AsyncClient, ana: Speaker) -> dict:
    """A ticket of Ana's, as the API tells it."""
    answer = await client.post("/api/support/tickets", json=TICKET, headers=ana.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()
