"""`/auth`: register, sign in, stay signed in and sign out, for programs that act for a person."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from tollway.authentication import flows as authentication
from tollway.authentication.entities import (
    FACTOR_CODE_LENGTH_MAX,
    RefreshTokenRefused,
    SecondFactorCodeNeeded,
)
from tollway.authentication.token_operations import REFRESH_TOKEN_LENGTH_MAX
from tollway.customers import operations as customers
from tollway.customers.callers import Caller
from tollway.customers.entities import (
    EMAIL_LENGTH_MAX,
    NAME_LENGTH_MAX,
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    AddressTaken,
    CodeExpired,
    CodeUsedUp,
    CodeWrong,
    PasswordNotAccepted,
    SignInRefused,
    TooManyAttempts,
    Visit,
)
from tollway.customers.guard import Needs
from tollway.customers.permissions import Permission
from tollway.kit.http import ReplayingRoute, client_address, database_of
from tollway.kit.idempotency import KEY_LENGTH_MAX, BadIdempotencyKey, IdempotencyKeyReused
from tollway.kit.openapi import problem_responses
from tollway.lifecycle import auth_flows
from tollway.lifecycle.auth_flows import AuthParts, Profile

CODE_TEXT_LENGTH_MAX = 20

router = APIRouter(prefix="/auth", route_class=ReplayingRoute, tags=["Sign-in"])

Own = Annotated[Caller, Depends(Needs(Permission.OWN))]
Email = Annotated[str, Field(max_length=EMAIL_LENGTH_MAX, examples=["ana@example.com"])]


class RegisterIn(BaseModel):
    """Who signs up."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: str = Field(
        min_length=PASSWORD_LENGTH_MIN,
        max_length=PASSWORD_LENGTH_MAX,
        examples=["correct horse battery staple"],
    )
    name: str = Field("", max_length=NAME_LENGTH_MAX, examples=["Ana Example"])


class LoginIn(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid")

    email: Email
    password: str = Field(max_length=PASSWORD_LENGTH_MAX, examples=["correct horse battery staple"])
    code: str = Field(
        "",
        max_length=FACTOR_CODE_LENGTH_MAX,
        description="Of the authenticator, or a recovery code, where a second factor is set up.",
    )


class RefreshIn(BaseModel):
    """A refresh token, which is used up."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: str = Field(max_length=REFRESH_TOKEN_LENGTH_MAX)


class CodeIn(BaseModel):
    """The code of the newest mail."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=CODE_TEXT_LENGTH_MAX, examples=["042042"])


class ProfileIn(BaseModel):
    """What may be changed here; the address changes on the page Profile, by a mailed link."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=NAME_LENGTH_MAX, examples=["Ana Example"])


class UserOut(BaseModel):
    """A user in few words."""

    id: str
    email: str
    name: str
    role: str = Field(description="`ADMIN` for those who administer this installation, else `USER`.")
    subscription: str = Field(description="The tier of the wallet product, in capitals.")


class ProfileOut(UserOut):
    """A user as they see themselves."""

    isActive: bool  # noqa: N815 - as clients of this API read it
    createdAt: datetime  # noqa: N815 - likewise
    lastLoginAt: datetime | None  # noqa: N815 - likewise


class TokensOut(BaseModel):
    """The tokens of a session."""

    message: str
    user: UserOut
    token: str = Field(description="Send it as `Authorization: Bearer`.")
    refresh_token: str = Field(description="Works once, at `POST /auth/refresh`.")
    expires_in: int = Field(description="Seconds until `token` stops working.")


class RegisteredOut(TokensOut):
    """The tokens of a new user."""

    customer_id: str


class ProfileAnswer(BaseModel):
    """The user who calls."""

    user: ProfileOut


class ChangedProfile(BaseModel):
    """The user who calls, as they are now."""

    message: str
    user: ProfileOut


class Done(BaseModel):
    """What was done."""

    message: str


@router.post(
    "/register",
    status_code=201,
    summary="Register",
    responses=problem_responses(
        BadIdempotencyKey, IdempotencyKeyReused, AddressTaken, PasswordNotAccepted, TooManyAttempts
    ),
)
async def register(
    request: Request,
    body: RegisterIn,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=KEY_LENGTH_MAX)] = None,
) -> RegisteredOut:
    """Sign somebody up, with a token that works at once and a mail that verifies the address (C23).

    The answer is the same whether or not the address is known. Verify it with `POST /auth/verify`; the
    password signs in from then on. Where the mailed link is opened instead, the password given here is
    forgotten: only the code proves that who registered reads the mailbox.
    """
    registered = await auth_flows.register(
        database_of(request),
        _parts(request),
        body.email,
        body.password,
        body.name,
        _visit(request),
        idempotency_key=idempotency_key,
    )
    return RegisteredOut(
        message="Registered. Enter the code that we mailed to verify the address.",
        user=_user_out(registered.profile),
        token=registered.tokens.access_token,
        refresh_token=registered.tokens.refresh_token,
        expires_in=registered.tokens.expires_in,
        customer_id=registered.customer.public_id,
    )


@router.post(
    "/verify",
    summary="Verify the address",
    responses=problem_responses(CodeWrong, CodeExpired, CodeUsedUp, AddressTaken),
)
async def verify(request: Request, caller: Own, body: CodeIn) -> Done:
    """Prove with the mailed code that the address is yours; every other session of yours ends."""
    await auth_flows.verify(database_of(request), _parts(request), caller, body.code, _visit(request))
    return Done(message="Your address is verified.")


@router.post(
    "/login",
    summary="Sign in",
    responses=problem_responses(SignInRefused, SecondFactorCodeNeeded, TooManyAttempts),
)
async def log_in(request: Request, body: LoginIn) -> TokensOut:
    """Sign in with address and password, and the code of a second factor where one is set up.

    A refusal never tells which part was wrong. The code is asked for only after the right password.
    """
    profile, pair = await auth_flows.log_in(
        database_of(request), _parts(request), body.email, body.password, body.code, _visit(request)
    )
    return TokensOut(
        message="Signed in.",
        user=_user_out(profile),
        token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=pair.expires_in,
    )


@router.post("/refresh", summary="Stay signed in", responses=problem_responses(RefreshTokenRefused))
async def refresh(request: Request, body: RefreshIn) -> TokensOut:
    """Get new tokens for a refresh token, which works once, within seven days.

    One that was used before and comes again may have been stolen: its whole session ends.
    """
    visit = _visit(request)
    user, pair = await authentication.refresh_tokens(
        database_of(request), _parts(request).token_keys, body.refresh_token, visit
    )
    async with database_of(request).transaction() as tx:
        customer = await customers.find_customer_of(tx, user.id)
        profile = await auth_flows.get_profile(tx, user, customer.id if customer else None, visit.now)
    return TokensOut(
        message="New tokens.",
        user=_user_out(profile),
        token=pair.access_token,
        refresh_token=pair.refresh_token,
        expires_in=pair.expires_in,
    )


@router.post("/logout", summary="Sign out")
async def log_out(request: Request, caller: Own) -> Done:
    """End the session of the token: neither it nor its refresh token work any more."""
    await auth_flows.log_out(database_of(request), caller, _visit(request))
    return Done(message="Signed out.")


@router.get("/profile", summary="Who am I")
async def show_profile(request: Request, caller: Own) -> ProfileAnswer:
    """Show the user whom the token belongs to."""
    assert caller.user is not None, "only a person's session reaches this"
    async with database_of(request).transaction() as tx:
        profile = await auth_flows.get_profile(tx, caller.user, caller.customer_id, _visit(request).now)
    return ProfileAnswer(user=_profile_out(profile))


@router.put("/profile", summary="Change my name")
async def change_profile(request: Request, caller: Own, body: ProfileIn) -> ChangedProfile:
    """Change the name of the user whom the token belongs to."""
    profile = await auth_flows.rename(database_of(request), caller, body.name, _visit(request))
    return ChangedProfile(message="Profile changed.", user=_profile_out(profile))


def _user_out(profile: Profile) -> UserOut:
    return UserOut(**_words(profile))


def _profile_out(profile: Profile) -> ProfileOut:
    return ProfileOut(
        **_words(profile),
        isActive=profile.user.disabled_at is None,
        createdAt=profile.user.created_at,
        lastLoginAt=profile.last_sign_in_at,
    )


def _words(profile: Profile) -> dict[str, Any]:
    user = profile.user
    return {
        "id": user.public_id,
        "email": user.email,
        "name": user.name,
        "role": user.user_type.role_name,
        "subscription": profile.subscription,
    }


def _parts(request: Request) -> AuthParts:
    state = request.app.state
    return AuthParts(state.lifecycle, state.token_keys, state.passwords)


def _visit(request: Request) -> Visit:
    return Visit(client_address(request), request.headers.get("user-agent", ""), request.scope["received_at"])
