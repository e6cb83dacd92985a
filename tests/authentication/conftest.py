"""Users who are verified and signed in, and what second factors and tokens are checked with."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from tests.parties import SEALER

from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication.entities import FactorKeys, TokenKeys, totp_code
from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller
from tollway.customers.entities import User, Visit
from tollway.customers.flows import Passwords
from tollway.customers.permissions import UserType
from tollway.kit.db import Database

FACTOR_KEYS = FactorKeys(SEALER, b"thirty-two bytes for code hashes")
TOKEN_KEYS = TokenKeys(b"thirty-two bytes that sign tokens", 3_600)


@dataclass(frozen=True)
class Person:
    """One user, and the verbs that each test needs of them."""

    database: Database
    user: User
    now: datetime

    def visit(self, now: datetime | None = None, address: str = "192.0.2.7") -> Visit:
        return Visit(address, "a browser", now or self.now)

    async def sign_in(self, *, second_factor: bool = False, now: datetime | None = None) -> str:
        async with self.database.transaction() as tx:
            return await customers.create_session(
                tx, self.user.id, self.visit(now), second_factor=second_factor
            )

    async def caller(self, secret: str, now: datetime | None = None) -> SessionCaller | None:
        async with self.database.transaction() as tx:
            return await customers.find_session_caller(tx, secret, now or self.now)

    async def set_up_factor(self) -> str:
        """Set a second factor up and return the secret of the authenticator."""
        caller = await self.caller(await self.sign_in())
        assert caller
        async with self.database.transaction() as tx:
            await second_factor.begin_second_factor(tx, FACTOR_KEYS, caller.user, self.now)
            pending = await second_factor.find_pending(tx, FACTOR_KEYS, caller.user)
            assert pending
            await second_factor.confirm_second_factor(
                tx, FACTOR_KEYS, caller, totp_code(pending.secret, self.now), self.visit()
            )
        return pending.secret

    async def rows(self, query: str) -> list[dict]:
        async with self.database.transaction() as tx:
            return await tx.list_rows(query)


async def make_person(database: Database, now: datetime, kind: UserType = UserType.API_CUSTOMER) -> Person:
    async with database.transaction() as tx:
        user = await customers.create_verified_user(tx, f"{secrets.token_hex(6)}@example.org", kind, now)
    return Person(database, user, now)


@pytest.fixture
async def person(database: Database, now: datetime) -> Person:
    return await make_person(database, now)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    opened = Passwords()
    yield opened
    opened.close()
