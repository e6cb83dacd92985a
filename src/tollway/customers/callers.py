"""Who is calling: sessions of people, keys of programs, and what each may do."""

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

from tollway.customers.entities import FRESH_SESSION_MINUTES, Customer, Mode, User
from tollway.customers.permissions import (
    IMPERSONATOR_PERMISSIONS,
    Permission,
    Role,
    Scope,
    UserType,
    permissions_of_key,
    permissions_of_person,
)


class Via(enum.StrEnum):
    """What a caller showed to be known."""

    KEY = "key"
    TOKEN = "token"  # noqa: S105 - the kind of proof, not one
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in or key-bearing party of one request; endpoints read it and never make one.

    `user_id` is None for a call with an API key, `api_key_id` is None for a person; an administrator
    who is no customer has no `customer_id`.
    """

    customer_id: int | None
    user_id: int | None
    user_type: UserType
    verified: bool
    mode: Mode
    api_key_id: int | None
    address: str
    via: Via = Via.SESSION
    customer: Customer | None = None
    user: User | None = None
    role: Role | None = None
    scopes: frozenset[Scope] = frozenset()
    key_id: str = ""
    # Of the key; a person is of none.
    product: str = ""
    session_id: int | None = None
    # When this person last proved who they are, and whether with a second factor; a key proves nothing more.
    proven_at: datetime | None = None
    second_factor: bool = False
    # The public id of the administrator who looks at this customer's things in its place.
    impersonator: str = ""

    @property
    def owner_id(self) -> int:
        """The customer whose things this caller sees; only for endpoints that customers reach."""
        assert self.customer_id is not None, "an administrator reached a customer's endpoint"
        return self.customer_id

    @property
    def actor(self) -> str:
        """How the audit list names this caller."""
        if self.via is Via.KEY:
            return f"api_key:{self.key_id}"
        return f"user:{self.impersonator or (self.user.public_id if self.user else '')}"

    @property
    def actor_name(self) -> str:
        """What people call this caller: an address, or nothing for a key."""
        return self.user.email if self.user else ""

    @property
    def on_behalf_of(self) -> str:
        """Whom an administrator stands in for; nothing for everyone else."""
        return self.customer.public_id if self.impersonator and self.customer else ""

    @property
    def permissions(self) -> frozenset[Permission]:
        """Everything that this caller may do, as far as roles, scopes and kinds of user tell."""
        if self.impersonator:
            return IMPERSONATOR_PERMISSIONS
        if self.via is Via.KEY:
            return permissions_of_key(self.scopes)
        return permissions_of_person(self.user_type, self.role)

    def may(self, permission: Permission) -> bool:
        """Whether this caller may do something."""
        return permission in self.permissions

    def is_fresh(self, now: datetime) -> bool:
        """Whether a person proved who they are so lately that they are taken to be still there."""
        return self.proven_at is not None and now - self.proven_at < timedelta(minutes=FRESH_SESSION_MINUTES)


class SessionKind(enum.StrEnum):
    """What holds a session's secret: a browser's cookie, or a program as its refresh token."""

    BROWSER = "browser"
    PROGRAM = "program"


@dataclass(frozen=True, slots=True)
class UserSession:
    """One browser or program that is signed in; its secret is there alone."""

    id: int
    public_id: str
    user_id: int
    kind: SessionKind
    customer_id: int | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    proven_at: datetime
    second_factor_at: datetime | None
    impersonated_customer_id: int | None
    impersonated_until: datetime | None
    ip_address: IPv4Address | IPv6Address | None
    user_agent: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", SessionKind(self.kind))

    def is_fresh(self, now: datetime) -> bool:
        """Whether its user proved who they are so lately that they are taken to be still there."""
        return now - self.proven_at < timedelta(minutes=FRESH_SESSION_MINUTES)

    def impersonates(self, now: datetime) -> bool:
        """Whether an administrator looks at a customer's things with it at the moment."""
        return self.impersonated_until is not None and now < self.impersonated_until


@dataclass(frozen=True, slots=True)
class SessionCaller:
    """Who a session belongs to, and the customer that is looked at; an administrator may be no customer."""

    user: User
    customer: Customer | None
    session: UserSession
    role: Role | None = None
    impersonating: bool = False

    def as_caller(self, address: str, mode: Mode = Mode.TEST) -> Caller:
        """Write it as the caller that operations read."""
        return Caller(
            customer_id=self.customer.id if self.customer else None,
            user_id=self.user.id,
            user_type=self.user.user_type,
            verified=self.user.verified,
            mode=mode,
            api_key_id=None,
            address=address,
            via=Via.TOKEN if self.session.kind is SessionKind.PROGRAM else Via.SESSION,
            customer=self.customer,
            user=self.user,
            role=self.role,
            session_id=self.session.id,
            proven_at=self.session.proven_at,
            second_factor=self.session.second_factor_at is not None,
            impersonator=self.user.public_id if self.impersonating else "",
        )
