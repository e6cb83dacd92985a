"""What a caller gets when a command cannot be carried out (RFC 9457 `application/problem+json`).

A Problem has two texts: `message` for the caller, and `log_message` for the log alone. Kinds carry
the status; leaves live beside the rule they guard, in each domain's `entities.py`, and carry the code.
Every code has a page in docs/problems/, which `type` points at; a test holds the two together.

    Problem
    ├── Invalid 422          ├── NotFound 404        ├── TooMany 429
    ├── Unauthenticated 401  ├── Conflict 409        ├── UpstreamFailed 502
    ├── PaymentRequired 402  ├── TooLarge 413        └── Unavailable 503
    └── Forbidden 403        └── WrongType 415
"""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one part of the input; `pointer` is a JSON pointer (RFC 6901) into the body."""

    pointer: str
    message: str


class Problem(Exception):
    """Base of everything a caller may be told; raised, never returned."""

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong on our side"
    code: ClassVar[str] = "internal-error"

    def __init__(
        self,
        message: str,
        *,
        log_message: str = "",
        errors: tuple[FieldError, ...] = (),
        retry_after_seconds: int | None = None,
        members: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.log_message = log_message
        self.errors = errors
        self.retry_after_seconds = retry_after_seconds
        self.members = members or {}


class Invalid(Problem):
    """What was sent cannot be understood or breaks a rule; `errors` points at the parts."""

    status = 422
    title = "That input cannot be used"
    code = "invalid-input"


class Unauthenticated(Problem):
    """Who calls is not known."""

    status = 401
    title = "Who are you?"
    code = "unauthenticated"


class PaymentRequired(Problem):
    """The plan does not include it until something is paid."""

    status = 402
    title = "Payment is needed"
    code = "payment-required"


class Forbidden(Problem):
    """The caller is known and may not."""

    status = 403
    title = "That is not allowed"
    code = "forbidden"


class NotFound(Problem):
    """It does not exist, or it is not the caller's: the same answer, so that nobody can probe."""

    status = 404
    title = "There is nothing here"
    code = "not-found"


class Conflict(Problem):
    """The state of the thing does not allow it now."""

    status = 409
    title = "That does not fit the present state"
    code = "conflict"


class TooLarge(Problem):
    """More than the limit; `members` carries `limit_bytes`, or `limit_fields` or `limit_files` of a form."""

    status = 413
    title = "That is too large"
    code = "too-large"


class WrongType(Problem):
    """A media type or file format that is not accepted."""

    status = 415
    title = "That type is not accepted"
    code = "wrong-type"


class TooMany(Problem):
    """A limit was reached; the message names it and `retry_after_seconds` says when it frees."""

    status = 429
    title = "A limit was reached"
    code = "too-many-requests"


class UpstreamFailed(Problem):
    """A third party that we asked did not answer as it should."""

    status = 502
    title = "A service that we depend on failed"
    code = "upstream-failed"


class Unavailable(Problem):
    """We cannot do it now; trying again later may work."""

    status = 503
    title = "That is not available at the moment"
    code = "unavailable"


def problem_document(problem: Problem, *, docs_url: str, path: str, request_id: str) -> dict[str, Any]:
    """Lay a Problem out as the JSON document a caller reads.

    Beside RFC 9457's members stand those that clients of the earlier systems read: `error` (the code
    under `/api`, the title elsewhere), `code`, `message`, `path` and `retry_after`.
    """
    document: dict[str, Any] = {
        "type": f"{docs_url}/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.message,
        "instance": path,
        "error": legacy_code(problem.code) if path.startswith("/api/") else problem.title,
        "code": problem.code,
        "message": problem.message,
        "documentation_url": f"{docs_url}/problems/{problem.code}",
        "path": path,
        "request_id": request_id,
    }
    if problem.errors:
        document["errors"] = [{"pointer": one.pointer, "detail": one.message} for one in problem.errors]
    if problem.retry_after_seconds is not None:
        document["retry_after"] = problem.retry_after_seconds
    return document | problem.members


def legacy_code(code: str) -> str:
    """Write a code as clients of the agents API know it: `not-found` as `NOT_FOUND`."""
    return code.replace("-", "_").upper()
