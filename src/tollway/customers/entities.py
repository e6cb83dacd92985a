"""Users, customers, who is calling, and the rules by which a stranger becomes one of them."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.kit.problems import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
)

EMAIL_LENGTH_MAX = 254  # RFC 5321 4.5.3.1.3, as errata 1690 corrects it
EMAIL_LOCAL_LENGTH_MAX = 64
COMPANY_LENGTH_MAX = 255
USER_AGENT_LENGTH_MAX = 500

SESSION_DAYS = 30
# How long after signing in a person counts as present, for what a borrowed browser must not do.
FRESH_SESSION_MINUTES = 15

CODE_LENGTH = 6
CODE_MINUTES = 15
VERIFY_LINK_HOURS = 24
SIGN_IN_LINK_MINUTES = 15
# Five guesses at a million codes, for at most five codes an hour.
CODE_ATTEMPTS_MAX = 5

PASSWORD_LENGTH_MIN = 10
PASSWORD_LENGTH_MAX = 200

# What mailboxes in use look like: dots between atoms, a domain with a dot, letters at its end. Quoted
# local parts and address literals are legal and nobody's.
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]"
)


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


@dataclass(frozen=True, slots=True)
class Visit:
    """Where and when a person's request arrived, as the edge saw it."""

    address: str
    user_agent: str
    now: datetime


@dataclass(frozen=True, slots=True)
class UserSession:
    """One browser that is signed in; its secret is in the browser alone."""

    id: int
    user_id: int
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether its user proved who they are so lately that they are taken to be still there."""
        return now - self.created_at < timedelta(minutes=FRESH_SESSION_MINUTES)


@dataclass(frozen=True, slots=True)
class SessionCaller:
    """Who a session cookie belongs to; an administrator may be no customer."""

    user: User
    customer: Customer | None
    session: UserSession

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
        )


@dataclass(frozen=True, slots=True)
class SignUp:
    """The three fields of the sign-up form (A26), found good."""

    email: str
    company: str
    use_case: UseCase

    @classmethod
    def checked(cls, email: str, company: str, use_case: str) -> "SignUp":
        """Read the three fields; raises Invalid with one error for each that cannot be used."""
        email, company = normal_email(email), company.strip()
        faults = {
            "/email": email_fault(email),
            "/company": company_fault(company),
            "/use_case": "" if use_case in set(UseCase) else f"Choose one of: {', '.join(UseCase)}.",
        }
        errors = tuple(FieldError(pointer, fault) for pointer, fault in faults.items() if fault)
        if errors:
            fields = " ".join(f"{one.pointer[1:]}: {one.message}" for one in errors)
            raise Invalid(f"The sign-up cannot be used as it is. {fields}", errors=errors)
        return cls(email, company, UseCase(use_case))


def normal_email(text: str) -> str:
    """Write an address the one way we keep it: no space around it, lower case."""
    return text.strip().lower()


def email_fault(email: str) -> str:
    """Say what is wrong with an address, or nothing."""
    if not email:
        return "Enter your email address."
    if len(email) > EMAIL_LENGTH_MAX:
        return f"An address has at most {EMAIL_LENGTH_MAX} characters; this one has {len(email)}."
    if len(email.partition("@")[0]) > EMAIL_LOCAL_LENGTH_MAX or not _EMAIL.fullmatch(email):
        return "This is not an email address. It should look like ana@example.com."
    return ""


def company_fault(company: str) -> str:
    """Say what is wrong with a company's name, or nothing."""
    if not company:
        return "Enter the name of your company."
    if len(company) > COMPANY_LENGTH_MAX:
        return f"Use at most {COMPANY_LENGTH_MAX} characters; this name has {len(company)}."
    if not company.isprintable():
        return "The name holds a line break or another character that cannot be shown. Type it without."
    return ""


# Links and codes ----------------------------------------------------------------------------------


class ChallengePurpose(enum.StrEnum):
    """What a mailed link or code is for."""

    VERIFY = "verify"
    SIGN_IN = "sign_in"

    @property
    def link_lifetime(self) -> timedelta:
        """How long its link works; a link that signs in lives no longer than its code."""
        if self is ChallengePurpose.VERIFY:
            return timedelta(hours=VERIFY_LINK_HOURS)
        return timedelta(minutes=SIGN_IN_LINK_MINUTES)


@dataclass(frozen=True, slots=True)
class IssuedChallenge:
    """A new challenge together with its secrets, which go into one mail and are forgotten."""

    public_id: str
    link_token: str
    code: str

    def __repr__(self) -> str:
        return f"IssuedChallenge({self.public_id})"


def password_fault(password: str, email: str, company: str) -> str:
    """Say why a password cannot be used, or nothing. Length is all that NIST SP 800-63B asks for besides."""
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Use at least {PASSWORD_LENGTH_MIN} characters; this password has {len(password)}."
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"Use at most {PASSWORD_LENGTH_MAX} characters; this password has {len(password)}."
    if password.strip().casefold() in {email.casefold(), company.casefold()}:
        return "Whoever knows you guesses this password: it is your address or your company's name."
    return ""


# Problems -----------------------------------------------------------------------------------------


class AddressTaken(Conflict):
    """The address already belongs to a customer."""

    code = "address-taken"
    title = "This address already has a customer"


class AddressNotVerified(Forbidden):
    """It needs an address that is proven to be the caller's."""

    code = "address-not-verified"
    title = "Verify your address first"


class LinkUnknown(NotFound):
    """A link that we never mailed, or mailed long ago."""

    code = "link-unknown"
    title = "That link is not one of ours"


class LinkUsed(Conflict):
    """A link that was used before."""

    code = "link-used"
    title = "That link was already used"


class LinkExpired(Conflict):
    """A link that is too old."""

    code = "link-expired"
    title = "That link is too old"


class CodeWrong(Invalid):
    """Not the code of the newest mail."""

    code = "code-wrong"
    title = "That is not the code"


class CodeExpired(Conflict):
    """There is no code that could still be entered."""

    code = "code-expired"
    title = "That code does not work any more"


class CodeUsedUp(Conflict):
    """Too many wrong codes were entered."""

    code = "code-used-up"
    title = "Too many wrong codes"


class TooManyAttempts(TooMany):
    """Something that strangers may do was done too often."""

    code = "too-many-attempts"
    title = "Too many attempts"


class SignInRefused(Unauthenticated):
    """Address and password, or address and code, do not belong together; which of them is never told."""

    code = "sign-in-refused"
    title = "That sign-in did not work"


class SignInAgain(Forbidden):
    """Something that a borrowed browser must not do."""

    code = "sign-in-again"
    title = "Sign in again first"


class PasswordNotAccepted(Invalid):
    """A password that is too short, too long or too easily guessed."""

    code = "password-not-accepted"
    title = "That password cannot be used"
