"""Users, customers, and who is calling."""

import enum
from dataclasses import dataclass
from datetime import datetime


class Mode(enum.StrEnum):
    """Whether something is for trying out or for real; objects and usage carry the mode of their key."""

    TEST = "test"
    LIVE = "live"


class UserType(enum.StrEnum):
    """The five kinds of user (B1-B5)."""

    REGULAR = "regular"
    API_CUSTOMER = "api_customer"
    ENTERPRISE = "enterprise"
    ADMIN = "admin"
    SUPER_ADMIN = "super_admin"

    @property
    def administers(self) -> bool:
        """Whether this user may see every customer."""
        return self in (UserType.ADMIN, UserType.SUPER_ADMIN)


class UseCase(enum.StrEnum):
    """What a customer came for: the options of the sign-up form, exactly (A27)."""

    PORTFOLIO = "Portfolio Risk Analysis"
    STRESS = "Stress Testing"
    FINANCIAL = "Financial Modeling"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in."""

    id: int
    public_id: str
    email: str
    name: str
    user_type: UserType
    email_verified_at: datetime | None
    has_password: bool
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_type", UserType(self.user_type))

    @property
    def verified(self) -> bool:
        """Whether the address is proven to be theirs."""
        return self.email_verified_at is not None


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays and owns."""

    id: int
    public_id: str
    user_id: int
    company_name: str
    billing_email: str
    use_case: UseCase
    created_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "use_case", UseCase(self.use_case))


@dataclass(frozen=True, slots=True)
class Caller:
    """The signed-in or key-bearing party of one request; endpoints read it and never make one.

    `user_id` is None for a call with an API key, `api_key_id` is None on a page; an administrator
    who is no customer has no `customer_id`.
    """

    customer_id: int | None
    user_id: int | None
    user_type: UserType
    verified: bool
    mode: Mode
    api_key_id: int | None
    address: str

    @property
    def owner_id(self) -> int:
        """The customer whose things this caller sees; only for endpoints that customers reach."""
        assert self.customer_id is not None, "an administrator reached a customer's endpoint"
        return self.customer_id
