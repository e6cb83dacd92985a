"""Access tokens: what they say, and why one is refused."""

from dataclasses import dataclass, field

from tollway.kit.problems import Unauthenticated

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
