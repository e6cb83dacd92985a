"""Second factors, access tokens and refresh tokens: what they are, and why one is refused."""

import enum
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime

import pyotp

from tollway.kit.crypto import Sealer, equal_in_constant_time, keyed_hash
from tollway.kit.problems import Conflict, Forbidden, Invalid, Unauthenticated

ACCESS_TOKEN_LENGTH_MAX = 2_000
ISSUER = "tollway"
AUDIENCE = "tollway-api"
# RFC 9068: tells an access token from every other signed text.
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
ALGORITHM = "HS256"


class AccessTokenRefused(Unauthenticated):
    """An access token that is malformed, forged, too old, or whose session has ended."""

    code = "access-token-refused"
    title = "That access token does not work"


@dataclass(frozen=True, slots=True)
class TokenKeys:
    """What signs access tokens, and how long one works (C31, X27)."""

    # 32 bytes that serve nothing else.
    signing_key: bytes = field(repr=False)
    access_seconds: int = 3_600
    refresh_days: int = 7
    # However often it is refreshed, a program signs in anew after so long.
    session_days_max: int = 90


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a program holds that is signed in for a person."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    # Of the access token, in seconds.
    expires_in: int


class RefreshTokenRefused(Unauthenticated):
    """A refresh token that was used before, is too old, or whose session has ended."""

    code = "refresh-token-refused"
    title = "That refresh token does not work"


# Second factor -------------------------------------------------------------------------------------

# RFC 6238 with the values that every authenticator knows: SHA-1, six digits, thirty seconds.
STEP_SECONDS = 30
# A code of the step before or after still works, for clocks that differ.
STEPS_ASIDE = (0, -1, 1)
TOTP_DIGITS = 6
TOTP_ISSUER = "Tollway"

RECOVERY_CODE_COUNT = 10
# Two groups of five: 50 bits, of letters and digits that are not mistaken for each other.
RECOVERY_GROUP_LENGTH = 5
RECOVERY_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
FACTOR_CODE_LENGTH_MAX = 40


class Shown(enum.StrEnum):
    """What a person showed as second factor."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True, slots=True)
class FactorKeys:
    """What seals an authenticator's secret, and what recovery codes are hashed with."""

    sealer: Sealer = field(repr=False)
    # 32 bytes: recovery codes are typed by hand and too short for an unkeyed hash.
    code_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authenticator:
    """The second factor of a user as it is stored; unconfirmed until its first code was typed."""

    sealed: bytes = field(repr=False)
    confirmed_at: datetime | None
    last_step: int


@dataclass(frozen=True, slots=True)
class PendingAuthenticator:
    """What an authenticator app needs to know, shown while it is being set up."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)

    @property
    def secret_in_groups(self) -> str:
        """The secret as people type it."""
        return " ".join(self.secret[start : start + 4] for start in range(0, len(self.secret), 4))


def new_totp_secret() -> str:
    """Make the secret of an authenticator: 160 bits in base32."""
    return pyotp.random_base32()


def totp_uri(secret: str, email: str) -> str:
    """Write a secret as authenticator apps read it from a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=TOTP_ISSUER)


def totp_code(secret: str, now: datetime) -> str:
    """Return the code that an authenticator shows at that moment."""
    return pyotp.TOTP(secret).generate_otp(int(now.timestamp()) // STEP_SECONDS)


def totp_step_of(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step whose code that is, or None where it is of none that works now."""
    present = int(now.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for aside in STEPS_ASIDE:
        if equal_in_constant_time(totp.generate_otp(present + aside).encode(), code.encode()):
            return present + aside
    return None


def new_recovery_code() -> str:
    """Make a code such as `7kq2m-x9fha`."""
    groups = (
        "".join(secrets.choice(RECOVERY_ALPHABET) for _ in range(RECOVERY_GROUP_LENGTH)) for _ in range(2)
    )
    return "-".join(groups)


def normal_factor_code(text: str) -> str:
    """Read a code as people paste it: without spaces and dashes, in lower case."""
    return re.sub(r"[^0-9a-z]", "", text.lower())[:FACTOR_CODE_LENGTH_MAX]


def hash_of_recovery_code(code_key: bytes, user_public_id: str, code: str) -> bytes:
    """Hash a recovery code under a key, and for its user alone."""
    return keyed_hash(code_key, f"recovery/{user_public_id}:{normal_factor_code(code)}")


class SecondFactorCodeNeeded(Unauthenticated):
    """The password is right, and this user signs in with a second factor besides."""

    code = "second-factor-code-needed"
    title = "The code of your second factor is needed"


class SecondFactorCodeWrong(Invalid):
    """Not a code of the second factor, or one that was used before."""

    code = "second-factor-code-wrong"
    title = "That code does not work"


class SecondFactorThere(Conflict):
    """A second factor is set up already."""

    code = "second-factor-there"
    title = "There is a second factor already"


class SecondFactorMissing(Conflict):
    """There is no second factor to do that with."""

    code = "second-factor-missing"
    title = "There is no second factor"


class SecondFactorKept(Forbidden):
    """Administrators sign in with a second factor, and cannot remove it."""

    code = "second-factor-kept"
    title = "Administrators keep their second factor"
