"""One customer with somebody in every role and a key of every scope, another customer, and administrators."""

import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from tests.parties import Party, make_party

from tollway.app import Parts
from tollway.authentication import operations as authentication
from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.callers import SessionKind
from tollway.customers.entities import Mode, User, Visit
from tollway.customers.permissions import (
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    USER_TYPE_PERMISSIONS,
    Permission,
    Role,
    Scope,
    UserType,
)
from tollway.keys import operations as keys
from tollway.kit.clock import read_now
from tollway.kit.db import Transaction

COOKIE = "tollway_session"


@dataclass(frozen=True)
class Someone:
    """One kind of caller; `credentials` makes them anew, so that no request can spend another's."""

    name: str
    may: frozenset[Permission]
    kind: str  # person, token, key or nobody
    # Whether what they look at is the customer whose things the matrix asks for.
    is_at_home: bool = True
    user: User | None = None
    customer_id: int = 0
    scope: Scope | None = None
    product: str = "montecarlo"

    @property
    def administers(self) -> bool:
        return self.user is not None and self.user.user_type.administers


@dataclass
class House:
    """Everybody, and the ids of the things that they ask for."""

    parts: Parts
    home: Party
    other: Party
    everybody: list[Someone] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> Someone:
        return next(one for one in self.everybody if one.name == name)

    async def headers(self, someone: Someone) -> dict[str, str]:
        """Fresh credentials: a session of their own for people, a key of their own for programs."""
        if someone.kind == "nobody":
            return {}
        now = read_now()
        async with self.parts.database.transaction() as tx:
            if someone.kind == "key":
                return {"Authorization": f"Bearer {await self._new_key(tx, someone)}"}
            assert someone.user
            kind = SessionKind.PROGRAM if someone.kind == "token" else SessionKind.BROWSER
            visit = Visit("127.0.0.1", "matrix", now)
            secret, session = await customers.open_session(
                tx, someone.user.id, kind, visit, second_factor=someone.administers
            )
            if someone.kind == "token":
                token = authentication.issue_access_token(self.parts.token_keys, someone.user, session, now)
                return {"Authorization": f"Bearer {token}"}
        return {"Cookie": f"{COOKIE}={secret}"}

    async def _new_key(self, tx: Transaction, someone: Someone) -> str:
        assert someone.scope
        issued = await keys.issue_api_key(
            tx,
            self.parts.sealer,
            someone.customer_id,
            product=someone.product,
            mode=Mode.TEST,
            name=secrets.token_hex(4),
            tier="trial",
            now=read_now(),
            scopes=frozenset({someone.scope}),
        )
        return issued.secret


async def build_house(parts: Parts) -> House:
    """Make two customers with everybody in them."""
    now = read_now() - timedelta(minutes=5)
    house = House(
        parts,
        await make_party(parts.database, now, sealer=parts.sealer),
        await make_party(parts.database, now, sealer=parts.sealer),
    )
    house.everybody.append(Someone("nobody", frozenset(), "nobody"))
    async with parts.database.transaction() as tx:
        for role in Role:
            user = await _person(tx, role.value, UserType.API_CUSTOMER)
            await members.add_member(tx, house.home.customer_id, user.id, role, now)
            house.everybody.append(Someone(role.value, ROLE_PERMISSIONS[role], "person", user=user))
            if role is Role.OWNER:
                house.everybody.append(Someone("owner's token", ROLE_PERMISSIONS[role], "token", user=user))
        for scope in Scope:
            house.everybody.append(
                Someone(
                    f"{scope.value} key",
                    SCOPE_PERMISSIONS[scope],
                    "key",
                    customer_id=house.home.customer_id,
                    scope=scope,
                )
            )
        stranger, _ = await customers.mark_verified(
            tx, (await members.list_members(tx, house.other.customer_id))[0].user_id, now
        )
        house.everybody.append(
            Someone("other owner", ROLE_PERMISSIONS[Role.OWNER], "person", is_at_home=False, user=stranger)
        )
        house.everybody.append(
            Someone(
                "other key",
                SCOPE_PERMISSIONS[Scope.ADMIN],
                "key",
                is_at_home=False,
                customer_id=house.other.customer_id,
                scope=Scope.ADMIN,
            )
        )
        for user_type in (UserType.ADMIN, UserType.SUPER_ADMIN):
            user = await customers.create_administrator(tx, f"{user_type.value}@example.net", user_type, now)
            permissions = USER_TYPE_PERMISSIONS[user_type] | {Permission.OWN}
            house.everybody.append(
                Someone(user_type.value, permissions, "person", is_at_home=False, user=user)
            )
    return house


async def _person(tx: Transaction, name: str, user_type: UserType) -> User:
    return await customers.create_verified_user(tx, f"{name}@example.com", user_type, read_now())
