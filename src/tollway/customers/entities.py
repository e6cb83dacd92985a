"""Users, customers, and the rules by which a stranger becomes one of them."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers.permissions import Role, UserType
from tollway.kit.problems import (
    Conflict,
    FieldError,
    Forbidden,
    Invalid,
    NotFound,
    Problem,
    TooMany,
    Unauthenticated,
)

EMAIL_LENGTH_MAX = 254  # RFC 5321 4.5.3.1.3, as errata 1690 corrects it
EMAIL_LOCAL_LENGTH_MAX = 64
COMPANY_LENGTH_MAX = 255
NAME_LENGTH_MAX = 100
USER_AGENT_LENGTH_MAX = 500
BROWSER_LENGTH_MAX = 120

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
# Guesses that an attacker who knows what people choose needs; zxcvbn calls less than this very guessable.
PASSWORD_GUESSES_MIN = 1_000_000
# The time that weighing takes grows with the length, and nobody guesses so far.
PASSWORD_LENGTH_WEIGHED = 72

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
    has_second_factor: bool
    created_at: datetime
    # An administrator keeps them from signing in.
    disabled_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "user_type", UserType(self.user_type))

    @property
    def verified(self) -> bool:
        """Whether the address is proven to be theirs."""
        return self.email_verified_at is not None


class CustomerState(enum.StrEnum):
    """Whether a customer may act at all."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    DEACTIVATED = "deactivated"
    ERASED = "erased"


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
    suspended_at: datetime | None = None
    suspended_reason: str = ""
    deactivated_at: datetime | None = None
    erased_at: datetime | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "use_case", UseCase(self.use_case))

    @property
    def state(self) -> CustomerState:
        """Whether they may act; what is gravest counts."""
        if self.erased_at is not None:
            return CustomerState.ERASED
        if self.deactivated_at is not None:
            return CustomerState.DEACTIVATED
        return CustomerState.ACTIVE if self.suspended_at is None else CustomerState.SUSPENDED

    def refusal(self) -> Problem | None:
        """Return what to tell whoever acts for a customer that may not act; None where it may."""
        match self.state:
            case CustomerState.ACTIVE:
                return None
            case CustomerState.SUSPENDED:
                reason = f": {self.suspended_reason.rstrip('.')}" if self.suspended_reason else ""
                return CustomerSuspended(
                    f"{self.company_name} was suspended by the people who run this service{reason}. "
                    "Nothing was deleted. Write to support to have it looked at again."
                )
            case _:
                return CustomerDeactivated(
                    f"{self.company_name} was deactivated by one of its owners. Write to support to have it reopened."
                )


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a customer, and what they are there."""

    customer_id: int
    user_id: int
    user_public_id: str
    email: str
    name: str
    role: Role
    created_at: datetime
    last_sign_in_at: datetime | None
    has_second_factor: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True)
class Membership:
    """One customer that a person belongs to."""

    customer_id: int
    customer_public_id: str
    company_name: str
    role: Role

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Role(self.role))


@dataclass(frozen=True, slots=True)
class Visit:
    """Where and when a person's request arrived, as the edge saw it."""

    address: str
    user_agent: str
    now: datetime


def browser_of(visit: Visit) -> str:
    """Return what a browser calls itself, cut to a line that can be shown."""
    shown = "".join(one for one in visit.user_agent if one.isprintable())
    return shown[:BROWSER_LENGTH_MAX]


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


def name_fault(name: str) -> str:
    """Say what is wrong with a person's name, or nothing; nobody has to have one."""
    if len(name) > NAME_LENGTH_MAX:
        return f"Use at most {NAME_LENGTH_MAX} characters; this name has {len(name)}."
    if not name.isprintable():
        return "The name holds a line break or another character that cannot be shown. Type it without."
    return ""


# Links and codes ----------------------------------------------------------------------------------


class ChallengePurpose(enum.StrEnum):
    """What a mailed link or code is for."""

    VERIFY = "verify"
    SIGN_IN = "sign_in"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, no password
    CHANGE_EMAIL = "change_email"

    @property
    def link_lifetime(self) -> timedelta:
        """How long its link works; a link that signs in lives no longer than its code."""
        if self in (ChallengePurpose.VERIFY, ChallengePurpose.CHANGE_EMAIL):
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
    """Say why a password cannot be used, or nothing.

    Length, and that it is not among the first that are tried: zxcvbn knows the commonest passwords, words, names,
    dates, rows of keys, and the usual disguises of them (NIST SP 800-63B-4 3.1.1.2, ASVS 6.2.4).
    """
    if len(password) < PASSWORD_LENGTH_MIN:
        return f"Use at least {PASSWORD_LENGTH_MIN} characters; this password has {len(password)}."
    if len(password) > PASSWORD_LENGTH_MAX:
        return f"Use at most {PASSWORD_LENGTH_MAX} characters; this password has {len(password)}."
    if password.strip().casefold() in {email.casefold(), company.casefold()}:
        return "Whoever knows you guesses this password: it is your address or your company's name."
    # Late: its lists take a moment to load, which only whoever sets a password has to wait for.
    from zxcvbn import zxcvbn

    weighed = password[:PASSWORD_LENGTH_WEIGHED]
    known = [email, *re.split(r"[@.\s]+", f"{email} {company}"), "".join(company.split())]
    if zxcvbn(weighed, user_inputs=known)["guesses"] < PASSWORD_GUESSES_MIN:
        return "This password is among the first that are tried. Use a few words that do not belong together."
    return ""


# Problems -----------------------------------------------------------------------------------------


class AddressTaken(Conflict):
    """The address already belongs to a customer."""

    code = "address-taken"
    title = "This address already has a customer"


class CustomerSuspended(Forbidden):
    """An administrator stopped everything that this customer does."""

    code = "customer-suspended"
    title = "This customer is suspended"


class CustomerDeactivated(Forbidden):
    """One of its owners closed this customer."""

    code = "customer-deactivated"
    title = "This customer is deactivated"


class NoCustomer(Forbidden):
    """Somebody is signed in who belongs to no customer, and opened a page of one."""

    code = "no-customer"
    title = "You belong to no team"


class CustomerFounded(Conflict):
    """A user wanted to make a second customer."""

    code = "customer-founded"
    title = "You made a customer before"


class LastOwner(Conflict):
    """A customer would be left without an owner."""

    code = "last-owner"
    title = "There must be an owner"


class LastSuperAdministrator(Conflict):
    """Nobody would be left who may do everything."""

    code = "last-super-administrator"
    title = "There must be a super administrator"


class NotOnOneself(Conflict):
    """Administrators leave what concerns themselves to another."""

    code = "not-on-oneself"
    title = "Somebody else must do that"


class PermissionMissing(Forbidden):
    """The caller is known, and neither role nor scope lets them."""

    code = "permission-missing"
    title = "You may not do that"


class SecondFactorNeeded(Forbidden):
    """Administration asks for a second factor."""

    code = "second-factor-needed"
    title = "A second factor is needed"


class ReadOnlyImpersonation(Forbidden):
    """An administrator who looks at a customer's pages changes nothing there."""

    code = "read-only-impersonation"
    title = "You are only looking"


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
