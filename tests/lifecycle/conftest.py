"""A new customer's path, as far as each test needs it."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from tests.parties import SEALER
from tests.web.conftest import ben, catalog, stranger

from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import Visit
from tollway.kit.db import Database
from tollway.lifecycle import flows
from tollway.lifecycle.entities import LifecycleParts, SignedUp, SignUpForm
from tollway.notifications import operations as notifications
from tollway.notifications.entities import OutboxMail
from tollway.plans import operations as plans

# Fixtures that tests of endpoints take too.
__all__ = ["ben", "catalog", "stranger"]
BASE = "http://localhost:6789"


@dataclass(frozen=True)
class Town:
    """Where strangers arrive: a database with the catalogue, and what sign-up needs."""

    database: Database
    parts: LifecycleParts
    now: datetime

    def visit(self, now: datetime | None = None, address: str = "192.0.2.7") -> Visit:
        return Visit(address, "a browser", now or self.now)

    async def sign_up(self, email: str = "ana@example.com", **more: str) -> SignedUp:
        form = SignUpForm(email, "Example Ltd", "Stress Testing", **more)
        return await flows.sign_up(self.database, self.parts, form, self.visit())

    async def caller(self, secret: str | None, now: datetime | None = None) -> SessionCaller | None:
        assert secret is not None
        async with self.database.transaction() as tx:
            return await customers.find_session_caller(tx, secret, now or self.now)

    async def verified(self, email: str = "ana@example.com") -> SessionCaller:
        """Sign up and type the code."""
        caller = await self.caller((await self.sign_up(email)).session_secret)
        verified = await flows.verify_by_code(
            self.database, self.parts, caller, code_in(await self.newest_mail()), self.visit()
        )
        return await self.caller(verified.session_secret)

    async def mails(self) -> list[OutboxMail]:
        """Every mail, the oldest first."""
        async with self.database.transaction() as tx:
            return (await notifications.list_mails(tx, limit=100)).items[::-1]

    async def newest_mail(self) -> OutboxMail:
        return (await self.mails())[-1]

    async def rows(self, query: str) -> list[dict]:
        async with self.database.transaction() as tx:
            return await tx.list_rows(query)


def code_in(mail: OutboxMail) -> str:
    return re.search(r"^\d{6}$", mail.text_body, re.MULTILINE).group()


def link_token_in(mail: OutboxMail) -> str:
    return re.search(r"token=([\w-]+)", mail.text_body).group(1)


@pytest.fixture
async def town(database: Database, now: datetime) -> AsyncIterator[Town]:
    async with database.transaction() as tx:
        await plans.load_catalog(tx, now)
    return Town(
        database,
        LifecycleParts(
            base_url=BASE, sealer=SEALER, code_key=b"thirty-two bytes for code hashes", free_trial_days=14
        ),
        now,
    )
