"""The OpenAPI document: what FastAPI reads off the endpoints, completed with what it cannot see.

Beside each endpoint's own answers stand those of the layers around it: who must call, the limits, failures.
Errors are Problems in every document, never FastAPI's own shape.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from tollway.admission.entities import (
    MANAGEMENT_PREFIXES,
    AddressLimitReached,
    AddressNotAllowed,
    ApiKeyTooFast,
)
from tollway.admission.operations import call_of
from tollway.authentication.entities import AccessTokenRefused
from tollway.customers.entities import (
    AddressNotVerified,
    CustomerDeactivated,
    CustomerSuspended,
    PermissionMissing,
    ReadOnlyImpersonation,
    SecondFactorNeeded,
    SignInAgain,
)
from tollway.customers.guard import READING_METHODS, Needs
from tollway.customers.permissions import Scope
from tollway.keys.entities import (
    ApiKeyAwaitsPayment,
    ApiKeyMalformed,
    ApiKeyMissing,
    ApiKeyOfAnotherProduct,
    ApiKeySuspended,
    ApiKeyUnknown,
)
from tollway.kit.openapi import PROBLEM_SCHEMA, PROBLEM_TYPE, problem_response_of, problem_responses
from tollway.kit.problems import Invalid, NotFound, Problem, TooLarge, Unauthenticated, Unavailable
from tollway.plans.entities import FreeTrialEnded, SubscriptionEnded

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
SECURITY_SCHEMES: dict[str, Any] = {
    "apiKey": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, as `Authorization: Bearer mc_test_...`. The product's endpoints take a key alone.",
    },
    "accessToken": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a person who signed in with `POST /auth/login`.",
    },
}
ANYWHERE = (AddressLimitReached, Problem, Unavailable)
BY_KEY = (ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown)
BY_CALLER = (Unauthenticated, ApiKeyMissing, ApiKeyMalformed, ApiKeyUnknown, AccessTokenRefused)
REFUSED = (
    ApiKeyAwaitsPayment,
    SubscriptionEnded,
    FreeTrialEnded,
    PermissionMissing,
    CustomerSuspended,
    CustomerDeactivated,
    ApiKeySuspended,
    AddressNotAllowed,
    ApiKeyTooFast,
)
# FastAPI's own shapes of an error, which no endpoint of ours answers with.
FOREIGN_SCHEMAS = ("HTTPValidationError", "ValidationError")
# Notes for whoever reads the code: lines of the specification, and paragraphs about rows, errors and tests.
_SPECIFICATION = re.compile(r"\s*\([A-Z]\d+(?:(?:, | )[A-Z]?\d+)*\)")
_FOR_ENGINEERS = re.compile(r"(?:Raises|Writes|Defers|INVARIANT|Args|Returns|Source):")

# Who must call: somebody whom `Needs` lets through, or (None) the holder of any API key.
Access = Needs | None


class DocumentedApi(FastAPI):
    """A FastAPI whose document is complete and true; made once, at the first look."""

    def openapi(self) -> dict[str, Any]:
        """Return the whole document."""
        kept: dict[str, Any] | None = getattr(self.state, "openapi_document", None)
        if kept is None:
            kept = complete(super().openapi(), dict(_accesses(self)))
            self.state.openapi_document = kept
        return kept


def complete(document: dict[str, Any], accesses: dict[tuple[str, str], Access]) -> dict[str, Any]:
    """Add to a document what the layers around the endpoints answer.

    Args:
        document: as FastAPI makes it; it is changed.
        accesses: who must call, by (path, method); what is open to anybody is left out.
    """
    _clean(document)
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in FOREIGN_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = copy.deepcopy(PROBLEM_SCHEMA)
    components["securitySchemes"] = SECURITY_SCHEMES
    for path, method, operation in operations(document):
        _describe_success(operation["responses"], schemas)
        problems: list[type[Problem]] = []
        if (path, method) in accesses:
            problems = _refusals_of(accesses[path, method], method)
            _secure(operation, accesses[path, method], method)
        elif path.startswith(MANAGEMENT_PREFIXES):
            # Nobody must say who they are, but who does so wrongly is told.
            problems = [*BY_CALLER, *REFUSED]
        _complete_operation(path, operation, problems)
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give (path, method, operation) of everything in a document."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _describe_success(responses: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say what a good answer is in the words of its schema, where the endpoint says nothing of its own."""
    for declared in responses.values():
        schema = declared.get("content", {}).get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        if declared.get("description") == "Successful Response":
            declared["description"] = (
                schemas.get(name, {}).get("description", "").partition("\n")[0] or "Done."
            )


def _secure(operation: dict[str, Any], access: Access, method: str) -> None:
    operation["security"] = [{"apiKey": []}]
    if access is None:
        scope = Scope.READ if method.upper() in READING_METHODS else Scope.WRITE
        operation.setdefault("x-scope", scope.value)
        return
    operation["security"].append({"accessToken": []})
    operation.setdefault("x-permission", access.permission.value)


def _refusals_of(access: Access, method: str) -> list[type[Problem]]:
    """List how a caller is refused before the endpoint works."""
    if access is None:
        return [*BY_KEY, *REFUSED, ApiKeyOfAnotherProduct]
    refusals: list[type[Problem]] = [*BY_CALLER, *REFUSED]
    if access.permission.is_administrative:
        refusals.append(SecondFactorNeeded)
    if method.upper() not in READING_METHODS:
        refusals.append(ReadOnlyImpersonation)
    if access.proven:
        refusals.append(SignInAgain)
    if access.verified:
        refusals.append(AddressNotVerified)
    return refusals


def _complete_operation(path: str, operation: dict[str, Any], problems: list[type[Problem]]) -> None:
    if "{" in path:
        problems.append(NotFound)
    if "requestBody" in operation:
        problems.append(TooLarge)
    if "requestBody" in operation or operation.get("parameters"):
        problems.append(Invalid)
    _declare(operation["responses"], [*problems, *ANYWHERE])


def _declare(responses: dict[str, Any], general: list[type[Problem]]) -> None:
    """Give each error of an operation its media type and codes; general codes follow its own."""
    for status, declared in list(responses.items()):
        if "HTTPValidationError" in str(declared):
            del responses[status]
        elif status[0] in "45" and "content" not in declared:
            responses[status] = problem_response_of() | declared
    for number, declared in problem_responses(*general).items():
        present = responses.setdefault(str(number), problem_response_of())
        present["content"].setdefault(PROBLEM_TYPE, declared["content"][PROBLEM_TYPE])
        known = present.setdefault("x-problems", [])
        known += [one for one in declared["x-problems"] if one not in known]
        present["description"] = present.get("description") or declared["description"]
    ordered = sorted(responses.items())
    responses.clear()
    responses.update(ordered)


def _clean(part: Any) -> None:
    """Write every description in a document for readers of the API."""
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        _clean(value)
    if isinstance(part, dict) and isinstance(part.get("description"), str):
        part["description"] = _for_readers(part["description"])


def _for_readers(docstring: str) -> str:
    """Leave out of a docstring what is there for whoever changes the code."""
    paragraphs = _SPECIFICATION.sub("", docstring).split("\n\n")
    return "\n\n".join(one for one in paragraphs if not _FOR_ENGINEERS.match(one.strip()))


def _accesses(api: FastAPI) -> Iterator[tuple[tuple[str, str], Access]]:
    """Read off each mounted endpoint who must call: what lets callers in is among its dependencies."""
    for route in iter_route_contexts(api.routes):
        if not isinstance(route.original_route, APIRoute):
            continue
        for call in _calls(route.original_route.dependant):
            if call is call_of or isinstance(call, Needs):
                access = call if isinstance(call, Needs) else None
                for method in route.methods or ():
                    yield (str(route.path_format), method.lower()), access


def _calls(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
