"""`POST /signup`, for forms and for programs."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from tollway.customers.entities import SESSION_DAYS, TooManyAttempts, UseCase, Visit
from tollway.kit.cookies import read_session_cookie, set_session_cookie
from tollway.kit.http import (
    CrossSiteRequest,
    ReplayingRoute,
    client_address,
    database_of,
    foreign_referrer,
    refuse_cross_site,
)
from tollway.kit.idempotency import BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import IDEMPOTENCY_HEADER, problem_responses
from tollway.kit.problems import FieldError, Invalid, WrongType
from tollway.lifecycle import flows
from tollway.lifecycle.entities import LifecycleParts, SignedUp, SignUpForm

JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"
FORM_FIELDS_MAX = 20
DASHBOARD = "/dashboard"

# The page again, with what was typed and what is wrong with it, by field; `web` supplies it.
RenderSignUp = Callable[[Request, dict[str, str], dict[str, str]], Response]

router = APIRouter(route_class=ReplayingRoute)

_FIELDS = {
    "email": {"type": "string", "format": "email", "maxLength": 254},
    "company": {"type": "string", "minLength": 1, "maxLength": 255},
    "use_case": {"type": "string", "enum": [one.value for one in UseCase]},
    "referrer": {"type": "string", "description": "Where the customer came from; else the Referer header."},
    "campaign": {"type": "string", "description": "Or utm_campaign, here or in the query."},
}
_DONE = {
    "type": "object",
    "required": ["success", "redirect"],
    "properties": {"success": {"type": "boolean"}, "redirect": {"type": "string"}},
}
_REFUSALS = problem_responses(
    CrossSiteRequest, BadIdempotencyKey, IdempotencyKeyReused, WrongType, Invalid, TooManyAttempts
)
# A form that cannot be used is shown again, with what is wrong beside each field.
_REFUSALS[422]["content"]["text/html"] = {"schema": {"type": "string"}}
_SCHEMA = {"schema": {"type": "object", "required": ["email", "company", "use_case"], "properties": _FIELDS}}


@router.post(
    "/signup",
    summary="Sign up",
    tags=["Sign-up"],
    openapi_extra={
        "requestBody": {"required": True, "content": {JSON_TYPE: _SCHEMA, FORM_TYPE: _SCHEMA}},
        "parameters": [IDEMPOTENCY_HEADER],
    },
    responses=_REFUSALS
    | {
        200: {
            "description": "A customer was made; the cookie of a session comes along.",
            "content": {JSON_TYPE: {"schema": _DONE, "example": {"success": True, "redirect": DASHBOARD}}},
        },
        303: {"description": "A form was sent; the dashboard is next."},
    },
)
async def sign_up(request: Request) -> Response:
    """Make a customer with a test key and a session, and mail a link that verifies the address (A28, A40).

    The answer is the same whether or not the address is known.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON_TYPE:
        signed_up = await _sign_up(request, _read_json(await request.body()))
        return _signed_in(request, signed_up, JSONResponse({"success": True, "redirect": DASHBOARD}))
    if kind != FORM_TYPE:
        raise WrongType(f"Send the sign-up as {JSON_TYPE} or as {FORM_TYPE}; {kind or 'no type'!r} came.")
    refuse_cross_site(request)
    values = _read_form(await request.body())
    try:
        signed_up = await _sign_up(request, values)
    except Invalid as problem:
        render: RenderSignUp = request.app.state.render_signup
        response = render(request, values, {one.pointer[1:]: one.message for one in problem.errors})
        response.status_code = problem.status
        return response
    return _signed_in(request, signed_up, RedirectResponse(DASHBOARD, status_code=303))


async def _sign_up(request: Request, values: Mapping[str, str]) -> SignedUp:
    origin = dict(request.query_params) | dict(values) | {"Referer": foreign_referrer(request)}
    form = SignUpForm(
        email=values.get("email", ""),
        company=values.get("company", ""),
        use_case=values.get("use_case", ""),
        referrer=_first(origin, "referrer", "utm_source", "ref", "Referer"),
        campaign=_first(origin, "campaign", "utm_campaign"),
    )
    visit = Visit(
        client_address(request), request.headers.get("user-agent", ""), request.scope["received_at"]
    )
    parts: LifecycleParts = request.app.state.lifecycle
    return await flows.sign_up(
        database_of(request),
        parts,
        form,
        visit,
        idempotency_key=request.headers.get("idempotency-key"),
        earlier_secret=read_session_cookie(request, secure=parts.secure),
    )


def _signed_in(request: Request, signed_up: SignedUp, response: Response) -> Response:
    parts: LifecycleParts = request.app.state.lifecycle
    if signed_up.session_secret is not None:
        set_session_cookie(
            response, signed_up.session_secret, secure=parts.secure, seconds_max=SESSION_DAYS * 86_400
        )
    return response


def _read_json(body: bytes) -> dict[str, str]:
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise Invalid(f"The body is not JSON: {failure}.") from failure
    if not isinstance(content, dict):
        raise Invalid('The body must be a JSON object: {"email": ..., "company": ..., "use_case": ...}.')
    errors = tuple(
        FieldError(f"/{name}", "This must be text.")
        for name in _FIELDS
        if not isinstance(content.get(name, ""), str)
    )
    if errors:
        raise Invalid(f"{errors[0].pointer}: {errors[0].message}", errors=errors)
    return {name: value for name, value in content.items() if isinstance(value, str)}


def _read_form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX
        )
    except ValueError as failure:
        raise Invalid(f"A form of at most {FORM_FIELDS_MAX} fields was expected.") from failure
    return dict(pairs)


def _first(values: Mapping[str, str], *names: str) -> str:
    """Return the first of these that is filled in, cut to what can be printed."""
    found = next((values[name] for name in names if values.get(name, "").strip()), "")
    return "".join(character for character in found.strip() if character.isprintable())
