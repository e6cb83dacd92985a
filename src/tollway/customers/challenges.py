"""Links and codes that prove that a mailbox is the user's: how long they work, and what a guess is worth."""

import enum
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from tollway.customers.entities import (
    CODE_ATTEMPTS_MAX,
    CODE_LENGTH,
    CODE_MINUTES,
    ChallengePurpose,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
)
from tollway.kit.crypto import equal_in_constant_time, keyed_hash
from tollway.kit.problems import FieldError, Problem


@dataclass(frozen=True, slots=True)
class EmailChallenge:
    """A link and a code that were mailed to a user, of which only hashes are kept."""

    id: int
    public_id: str
    user_id: int
    purpose: ChallengePurpose
    code_hash: bytes
    attempts_left: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    # The address that a link of CHANGE_EMAIL changes to.
    new_email: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "purpose", ChallengePurpose(self.purpose))

    def code_expired(self, now: datetime) -> bool:
        """Whether its code is too old, though its link may still work."""
        return now >= self.created_at + timedelta(minutes=CODE_MINUTES)

    def link_expired(self, now: datetime) -> bool:
        """Whether its link is too old."""
        return now >= self.expires_at

    def code_matches(self, code_key: bytes, code: str) -> bool:
        """Say whether this is the code that was mailed."""
        return equal_in_constant_time(bytes(self.code_hash), hash_of_code(code_key, self.public_id, code))


class CodeVerdict(enum.Enum):
    """What came of trying a code."""

    RIGHT = "right"
    WRONG = "wrong"
    EXPIRED = "expired"
    USED_UP = "used_up"


@dataclass(frozen=True, slots=True)
class CodeTrial:
    """The verdict on one code, and how many more may be tried; an answer, so that the guess stays counted."""

    verdict: CodeVerdict
    attempts_left: int = 0

    def refusal(self) -> Problem | None:
        """Return what to tell whoever tried, or None where the code was right."""
        match self.verdict:
            case CodeVerdict.RIGHT:
                return None
            case CodeVerdict.WRONG:
                left = (
                    f"{self.attempts_left} more {'try is' if self.attempts_left == 1 else 'tries are'} left"
                )
                message = f"This is not the code of our newest mail; {left}."
                return CodeWrong(message, errors=(FieldError("/code", message),))
            case CodeVerdict.EXPIRED:
                return CodeExpired(
                    f"This code does not work any more: a code works once, for {CODE_MINUTES} minutes, "
                    "and only the newest one does. Ask for a new one."
                )
            case CodeVerdict.USED_UP:
                return CodeUsedUp(
                    f"The code was typed wrongly {CODE_ATTEMPTS_MAX} times and does not work any more. "
                    "Ask for a new one."
                )


def hash_of_code(code_key: bytes, challenge_public_id: str, code: str) -> bytes:
    """Hash a code under a key, and for its challenge alone: a million codes are guessed in no time."""
    return keyed_hash(code_key, f"{challenge_public_id}:{code}")


def normal_code(text: str) -> str:
    """Read a code as people paste it: `123 456` and `123-456` are `123456`."""
    return re.sub(r"[^0-9]", "", text)[: CODE_LENGTH + 1]
