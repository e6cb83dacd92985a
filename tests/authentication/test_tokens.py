"""Access tokens and refresh tokens: what is refused, and what ends what."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from tests.authentication.conftest import TOKEN_KEYS, Person

from tollway.authentication import flows
from tollway.authentication.entities import (
    ALGORITHM,
    AUDIENCE,
    ISSUER,
    TOKEN_TYPE,
    AccessTokenRefused,
    RefreshTokenRefused,
    TokenPair,
)
from tollway.authentication.operations import recognise_access_token
from tollway.authentication.token_operations import open_program_session
from tollway.customers import operations as customers
from tollway.customers.callers import SessionCaller, Via

HOUR = timedelta(hours=1)


async def signed_in(person: Person) -> TokenPair:
    async with person.database.transaction() as tx:
        pair, _ = await open_program_session(tx, TOKEN_KEYS, person.user, person.visit())
    return pair


async def recognised(person: Person, token: str, after: timedelta = timedelta()) -> SessionCaller:
    async with person.database.transaction() as tx:
        return await recognise_access_token(tx, TOKEN_KEYS, token, person.now + after)


async def refused(person: Person, token: str, after: timedelta = timedelta()) -> bool:
    try:
        await recognised(person, token, after)
    except AccessTokenRefused as problem:
        return not token or token not in problem.message
    return False


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def signed(claims: dict[str, Any], key: bytes | None = None, **headers: Any) -> str:
    return jwt.encode(
        claims, key or TOKEN_KEYS.signing_key, algorithm=ALGORITHM, headers={"typ": TOKEN_TYPE} | headers
    )


@pytest.mark.promise("C31", "X13", "X27")
async def test_a_token_names_its_user_as_the_wallets_clients_read_it(person: Person) -> None:
    pair = await signed_in(person)
    claims = claims_of(pair.access_token)
    assert claims["userId"] == claims["sub"] == person.user.public_id
    assert (claims["email"], claims["role"]) == (person.user.email, "USER")
    assert (claims["iss"], claims["aud"]) == (ISSUER, AUDIENCE)
    assert claims["exp"] - claims["iat"] == pair.expires_in == 3_600
    caller = (await recognised(person, pair.access_token)).as_caller("192.0.2.7")
    assert (caller.via, caller.user_id) == (Via.TOKEN, person.user.id)


@pytest.mark.promise("C31")
async def test_it_works_until_the_last_second_and_not_one_longer(person: Person) -> None:
    token = (await signed_in(person)).access_token
    assert not await refused(person, token, HOUR - timedelta(seconds=1))
    assert await refused(person, token, HOUR)


@pytest.mark.promise("C31")
async def test_a_forged_token_is_refused(person: Person) -> None:
    token = (await signed_in(person)).access_token
    claims = claims_of(token)
    head, body, signature = token.split(".")

    def encoded(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    unsigned = encoded({"alg": "none", "typ": TOKEN_TYPE})
    forged = {
        "alg none": f"{unsigned}.{body}.",
        "alg none, with a signature": f"{unsigned}.{body}.{signature}",
        "another algorithm of the same family": jwt.encode(
            claims, TOKEN_KEYS.signing_key * 2, algorithm="HS512", headers={"typ": TOKEN_TYPE}
        ),
        "said to be RS256": f"{encoded({'alg': 'RS256', 'typ': TOKEN_TYPE})}.{body}.{signature}",
        "another key": signed(claims, b"thirty-two bytes of somebody else"),
        "another audience": signed(claims | {"aud": "elsewhere"}),
        "no audience": signed({name: value for name, value in claims.items() if name != "aud"}),
        "another issuer": signed(claims | {"iss": "elsewhere"}),
        "another type": signed(claims, typ="JWT"),
        "no end": signed({name: value for name, value in claims.items() if name != "exp"}),
        "an end in words": signed(claims | {"exp": "never"}),
        "another session": signed(claims | {"sid": "ses_0000000000000000"}),
        "a session of the wrong kind": signed(claims | {"sid": ["x"]}),
        "an unknown critical header": signed(claims, crit=["b64"], b64=False),
        "a changed body": f"{head}.{encoded(claims | {'role': 'ADMIN'})}.{signature}",
        "nothing": "..",
        "too long": token + "A" * 3_000,
    }
    assert [name for name, one in forged.items() if not await refused(person, one)] == []
    assert not await refused(person, token)


async def test_a_browsers_session_is_no_programs(person: Person) -> None:
    caller = await person.caller(await person.sign_in())
    claims = claims_of((await signed_in(person)).access_token)
    assert await refused(person, signed(claims | {"sid": caller.session.public_id}))


async def test_a_token_ends_with_its_session(person: Person) -> None:
    token = (await signed_in(person)).access_token
    async with person.database.transaction() as tx:
        await customers.end_other_sessions(tx, person.user.id, person.now)
    assert await refused(person, token)


async def test_a_token_of_a_disabled_user_is_refused(person: Person) -> None:
    token = (await signed_in(person)).access_token
    async with person.database.transaction() as tx:
        await tx.execute("UPDATE users SET disabled_at = now()")
    assert await refused(person, token)


# Refresh tokens ----------------------------------------------------------------------------------


async def refresh(person: Person, token: str, after: timedelta = timedelta()) -> TokenPair:
    _, pair = await flows.refresh_tokens(person.database, TOKEN_KEYS, token, person.visit(person.now + after))
    return pair


@pytest.mark.promise("C31", "X27")
async def test_a_refresh_token_is_replaced_and_the_session_stays(person: Person) -> None:
    first = await signed_in(person)
    second = await refresh(person, first.refresh_token, HOUR)
    assert second.refresh_token != first.refresh_token
    assert claims_of(first.access_token)["sid"] == claims_of(second.access_token)["sid"]
    assert not await refused(person, second.access_token, HOUR)
    await refresh(person, second.refresh_token, timedelta(days=7))


@pytest.mark.promise("X27")
async def test_one_that_comes_again_ends_the_whole_session(person: Person) -> None:
    first = await signed_in(person)
    second = await refresh(person, first.refresh_token)
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, first.refresh_token)
    assert await refused(person, second.access_token)
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, second.refresh_token)


@pytest.mark.promise("X27")
async def test_one_refresh_token_works_once_in_parallel(person: Person) -> None:
    first = await signed_in(person)
    answers = await asyncio.gather(
        *(refresh(person, first.refresh_token) for _ in range(8)), return_exceptions=True
    )
    assert sum(isinstance(one, TokenPair) for one in answers) == 1
    assert all(isinstance(one, TokenPair | RefreshTokenRefused) for one in answers)


@pytest.mark.parametrize("token", ["", "nothing", "x" * 5_000, "a\0b"])
async def test_what_is_no_refresh_token_is_refused(person: Person, token: str) -> None:
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, token)


async def test_a_browsers_secret_refreshes_nothing(person: Person) -> None:
    secret = await person.sign_in()
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, secret)
    assert await person.caller(secret)


async def test_it_runs_out_after_seven_days_and_for_good_after_ninety(person: Person) -> None:
    pair = await signed_in(person)
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, pair.refresh_token, timedelta(days=7))
    pair, days = await signed_in(person), 0
    for days in range(6, 90, 6):
        pair = await refresh(person, pair.refresh_token, timedelta(days=days))
    with pytest.raises(RefreshTokenRefused):
        await refresh(person, pair.refresh_token, timedelta(days=90))
