"""How endpoints write down what they answer: their Problems by status, and headers that many share.

`responses=problem_responses(ModelNotFound, ...)` names the leaves that one endpoint may raise. What every
endpoint may answer besides (no caller, a limit, a failure) `web.openapi_document` adds to the whole document.
"""

from typing import Any

from tollway.kit.idempotency import KEPT_HOURS, KEY_LENGTH_MAX
from tollway.kit.problems import Problem

PROBLEM_TYPE = "application/problem+json"
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong, after RFC 9457. Further members say more about some errors.",
    "required": ["type", "title", "status", "detail", "instance", "error", "code", "message", "request_id"],
    "properties": {
        "type": {"type": "string", "description": "The page that explains this error code."},
        "title": {"type": "string", "description": "The kind of error, the same for each of its kind."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened here, and what to do."},
        "instance": {"type": "string", "description": "The path that was called."},
        "error": {
            "type": "string",
            "description": "The title; under `/api/` the code in capitals, as clients of that API read it.",
        },
        "code": {"type": "string", "description": "The error code, for programs to decide by."},
        "message": {"type": "string", "description": "The same text as `detail`."},
        "documentation_url": {"type": "string", "description": "The same address as `type`."},
        "path": {"type": "string", "description": "The same path as `instance`."},
        "request_id": {"type": "string", "description": "Quote it when you write to support."},
        "errors": {
            "type": "array",
            "description": "Each fault of the input.",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where, as a JSON pointer (RFC 6901)."},
                    "detail": {"type": "string", "description": "What is wrong there."},
                },
            },
        },
        "retry_after": {"type": "integer", "description": "Seconds after which trying again may work."},
    },
}

# For `openapi_extra`, beside an endpoint that hands its content to `kit.idempotency`.
IDEMPOTENCY_HEADER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": f"A text of your own, such as a UUID. The same request with the same header within {KEPT_HOURS} "
    "hours has no second effect and gets the first one's answer.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX},
}


def problem_responses(*problems: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Declare the Problems that an endpoint may answer with, for its `responses=`; several may share a status."""
    by_status: dict[int | str, dict[str, Any]] = {}
    for problem in problems:
        declared = by_status.setdefault(problem.status, problem_response_of())
        declared["x-problems"].append({"code": problem.code, "title": problem.title})
    for declared in by_status.values():
        declared["description"] = "; ".join(one["title"] for one in declared["x-problems"]) + "."
    return by_status


def problem_response_of() -> dict[str, Any]:
    """Make the declaration of a Problem response that names no code yet."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": "", "content": {PROBLEM_TYPE: {"schema": schema}}, "x-problems": []}
