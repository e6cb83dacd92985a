"""What sign-up and sign-in take and give, and what an export is."""

import enum
from dataclasses import dataclass, field
from datetime import datetime

from tollway.customers.entities import Customer, User
from tollway.kit.crypto import Sealer
from tollway.kit.problems import Conflict, TooMany

PRODUCT = "montecarlo"
FREE_TRIAL_TIER = "trial"
API_KEY_NAME = "Default"
ORIGIN_LENGTH_MAX = 200
UNVERIFIED_KEPT_DAYS = 30
EXPORT_KEPT_DAYS = 7
EXPORTS_PER_DAY_MAX = 3


@dataclass(frozen=True, slots=True)
class LifecycleParts:
    """What these verbs need to know of the installation."""

    # Without a slash at its end.
    base_url: str
    sealer: Sealer
    # 32 bytes that the hashes of six-digit codes are keyed with.
    code_key: bytes
    free_trial_days: int

    @property
    def secure(self) -> bool:
        """Whether customers come over HTTPS."""
        return self.base_url.startswith("https://")

    def verify_link(self, link_token: str) -> str:
        """Return the address that a verification mail leads to."""
        return f"{self.base_url}/verify?token={link_token}"

    def sign_in_link(self, link_token: str) -> str:
        """Return the address that a sign-in mail leads to."""
        return f"{self.base_url}/signin/link?token={link_token}"

    def page(self, path: str) -> str:
        """Return the whole address of one of our pages."""
        return self.base_url + path


@dataclass(frozen=True, slots=True)
class SignUpForm:
    """What a stranger filled in, not looked at yet, and what brought them here."""

    email: str
    company: str
    use_case: str
    referrer: str = ""
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class SignedUp:
    """A new customer, and the secret of the session that the browser now has.

    No secret where a repeated request finds the address verified since: that takes a sign-in.
    """

    user: User
    customer: Customer
    session_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """A customer whose address is proven, and the session that replaces the browser's.

    No secret where the address was proven before: a link that was used once signs nobody in.
    """

    user: User
    customer: Customer
    session_secret: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user who proved who they are, and the secret of the new session."""

    user: User
    session_secret: str = field(repr=False)


# Exports ------------------------------------------------------------------------------------------


class ExportStatus(enum.StrEnum):
    """Where an export stands."""

    QUEUED = "queued"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Export:
    """A file with everything that is a customer's; `blob_name` and `size_bytes` once it is ready."""

    id: int
    public_id: str
    customer_id: int
    requested_by: int | None
    status: ExportStatus
    blob_name: str | None
    size_bytes: int | None
    created_at: datetime
    ready_at: datetime | None
    expires_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", ExportStatus(self.status))


class ExportUnderWay(Conflict):
    """One export is made at a time."""

    code = "export-under-way"
    title = "An export is being made already"


class TooManyExports(TooMany):
    """Exports are a lot of work, and the data does not change that fast."""

    code = "too-many-exports"
    title = "Too many exports"


class ExportNotAvailable(Conflict):
    """An export that is still being made, failed, or was deleted when its days were over."""

    code = "export-not-available"
    title = "That export cannot be downloaded"
