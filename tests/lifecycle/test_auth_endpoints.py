"""`/auth` through the whole application."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tollway.app import Parts, build_app
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication.entities import totp_code
from tollway.customers import operations as customers
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.crypto import hash_password
from tollway.plans import operations as plans

PASSWORD = "correct horse battery"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class Program:
    """A program at some address."""

    def __init__(self, client: httpx.AsyncClient, parts: Parts) -> None:
        self.client, self.parts = client, parts

    async def send(self, path: str, token: str = "", method: str = "POST", **body: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.request(method, path, json=body or None, headers=headers)

    async def register(self, email: str = "ana@example.com", **more: str) -> dict[str, Any]:
        answer = await self.send("/auth/register", email=email, password=PASSWORD, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def verified(self, email: str = "ana@example.com") -> dict[str, Any]:
        registered = await self.register(email)
        answer = await self.send(
            "/auth/verify", registered["token"], code=await self.mailed(email, r"^\d{6}$")
        )
        assert answer.status_code == 200, answer.text
        return registered

    async def log_in(
        self, email: str = "ana@example.com", password: str = PASSWORD, **more: str
    ) -> httpx.Response:
        return await self.send("/auth/login", email=email, password=password, **more)

    async def mailed(self, email: str, pattern: str) -> str:
        async with self.parts.database.transaction() as tx:
            text = await tx.find_value(
                "SELECT text_body FROM outbox_mails WHERE to_address = %(email)s AND template = 'verify_address' "
                "ORDER BY id DESC LIMIT 1",
                {"email": email},
            )
        return re.search(pattern, text, re.MULTILINE).group()

    async def give_factor(self, email: str = "ana@example.com") -> None:
        async with self.parts.database.transaction() as tx:
            user = await customers.find_verified_user(tx, email)
            await second_factor.give_second_factor(
                tx, self.parts.factor_keys, user, SECRET, ("abcde-fghjk",), read_now()
            )


@pytest.fixture
async def program(parts: Parts) -> AsyncIterator[Program]:
    async with parts.database.transaction() as tx:
        await plans.load_catalog(tx, read_now())
    transport = httpx.ASGITransport(
        app=build_app(parts), raise_app_exceptions=False, client=("192.0.2.9", 50000)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield Program(client, parts)


@pytest.mark.promise("C23", "X4", "X13")
async def test_registering_gives_a_token_at_once(program: Program) -> None:
    answer = await program.register(name="Ana Example")
    assert set(answer) == {"message", "user", "token", "refresh_token", "expires_in", "customer_id"}
    assert answer["user"] | {"id": ""} == {
        "id": "",
        "email": "ana@example.com",
        "name": "Ana Example",
        "role": "USER",
        "subscription": "FREE",
    }
    assert answer["customer_id"].startswith("cus_")
    profile = await program.send("/auth/profile", answer["token"], "GET")
    assert profile.status_code == 200
    assert set(profile.json()["user"]) == {
        "id", "email", "name", "role", "subscription", "isActive", "createdAt", "lastLoginAt"
    }  # fmt: skip
    # The password signs nobody in before the address is proven.
    assert (await program.log_in()).status_code == 401


@pytest.mark.promise("X4")
async def test_a_known_address_is_answered_like_an_unknown_one(program: Program) -> None:
    await program.verified()
    known, unknown = await program.register(), await program.register("bob@example.com")
    for answer in (known, unknown):
        for secret in ("token", "refresh_token", "customer_id"):
            answer.pop(secret)
        answer["user"].pop("id")
        answer["user"].pop("email")
    assert known == unknown


async def test_a_registration_that_is_sent_twice_makes_one_customer(program: Program) -> None:
    headers = {"Idempotency-Key": "7f3c"}
    body = {"email": "ana@example.com", "password": PASSWORD}
    first, second = [
        await program.client.post("/auth/register", json=body, headers=headers) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["customer_id"] == second.json()["customer_id"]
    assert first.json()["token"] != second.json()["token"]
    other = await program.client.post(
        "/auth/register", json=body | {"email": "bob@example.com"}, headers=headers
    )
    assert other.status_code == 409
    # Whoever shares the network and guesses the header is not signed in as whom they do not know the password of.
    stranger = await program.client.post(
        "/auth/register", json=body | {"password": "another horse battery"}, headers=headers
    )
    assert (stranger.status_code, stranger.json()["code"]) == (409, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/email", "/password"]),
        ({"email": "nothing", "password": PASSWORD}, ["/email"]),
        ({"email": "ana@example.com", "password": "short"}, ["/password"]),
        ({"email": "ana@example.com", "password": "ana@example.com"}, ["/password"]),
        ({"email": "ana@example.com", "password": PASSWORD, "name": "a\nb"}, ["/name"]),
        ({"email": "ana@example.com", "password": PASSWORD, "role": "ADMIN"}, ["/role"]),
        ({"email": "ana@example.com", "password": PASSWORD, "user_type": "super_admin"}, ["/user_type"]),
    ],
)
async def test_faults_are_pointed_at(program: Program, body: dict, pointers: list[str]) -> None:
    answer = await program.client.post("/auth/register", json=body)
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json()["errors"]] == pointers


@pytest.mark.promise("X4")
async def test_what_a_stranger_registered_is_worthless_once_the_mailboxs_owner_verifies(
    program: Program,
) -> None:
    """Somebody registers with another's address; its owner opens the mailed link in their own browser."""
    stranger = await program.register()
    token = (await program.mailed("ana@example.com", r"token=[\w-]+")).removeprefix("token=")
    opened = await program.client.post("/verify/open", data={"token": token})
    assert opened.headers["location"] == "/dashboard?welcome=1"
    assert (await program.log_in()).status_code == 401
    assert (await program.send("/auth/profile", stranger["token"], "GET")).status_code == 401
    assert (await program.send("/auth/refresh", refresh_token=stranger["refresh_token"])).status_code == 401
    async with program.parts.database.transaction() as tx:
        left = await tx.find_value("SELECT count(*) FROM users WHERE password_hash IS NOT NULL")
        keys = await tx.list_rows("SELECT status FROM api_keys ORDER BY id")
    assert left == 0
    assert [one["status"] for one in keys] == ["revoked", "active"]


@pytest.mark.promise("C23")
async def test_a_refusal_never_tells_which_part_was_wrong(program: Program) -> None:
    await program.verified()
    wrong, unknown = await program.log_in(password="wrong password"), await program.log_in("who@example.com")
    assert wrong.status_code == unknown.status_code == 401
    for answer in (wrong, unknown):
        assert answer.json()["code"] == "sign-in-refused"
    assert wrong.json()["detail"] == unknown.json()["detail"]
    signed_in = await program.log_in()
    assert signed_in.status_code == 200
    assert set(signed_in.json()) == {"message", "user", "token", "refresh_token", "expires_in"}


async def test_guesses_are_bounded_even_for_the_right_password(program: Program) -> None:
    await program.verified()
    for _ in range(10):
        assert (await program.log_in(password="wrong password")).status_code == 401
    answer = await program.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.promise("B4")
async def test_the_code_is_asked_for_only_after_the_right_password(program: Program) -> None:
    await program.verified()
    await program.give_factor()
    assert (await program.log_in(password="wrong password")).json()["code"] == "sign-in-refused"
    assert (await program.log_in()).json()["code"] == "second-factor-code-needed"
    assert (await program.log_in(code="000000x")).json()["code"] == "sign-in-refused"
    code = totp_code(SECRET, read_now())
    assert (await program.log_in(password="wrong password", code=code)).status_code == 401
    first = await program.log_in(code=code)
    assert first.status_code == 200, first.text
    assert (await program.send("/auth/profile", first.json()["token"], "GET")).status_code == 200
    assert (await program.log_in(code=code)).status_code == 401
    assert (await program.log_in(code="ABCDE fghjk")).status_code == 200


async def test_tokens_are_refreshed_and_a_stolen_one_ends_the_session(program: Program) -> None:
    first = await program.verified()
    second = await program.send("/auth/refresh", refresh_token=first["refresh_token"])
    assert second.status_code == 200
    again = await program.send("/auth/refresh", refresh_token=first["refresh_token"])
    assert again.status_code == 401
    assert again.json()["code"] == "refresh-token-refused"
    assert (await program.send("/auth/profile", second.json()["token"], "GET")).status_code == 401


async def test_signing_out_ends_both_tokens(program: Program) -> None:
    tokens = await program.verified()
    assert (await program.send("/auth/logout", tokens["token"])).status_code == 200
    assert (await program.send("/auth/profile", tokens["token"], "GET")).status_code == 401
    assert (await program.send("/auth/refresh", refresh_token=tokens["refresh_token"])).status_code == 401


async def test_a_name_is_changed_and_nothing_else(program: Program) -> None:
    tokens = await program.verified()
    answer = await program.send("/auth/profile", tokens["token"], "PUT", name=" Ana ")
    assert answer.json()["user"]["name"] == "Ana"
    for field in ("email", "role", "user_type", "subscription", "isActive"):
        refused = await program.send("/auth/profile", tokens["token"], "PUT", name="Ana", **{field: "x"})
        assert refused.status_code == 422
    too_long = await program.send("/auth/profile", tokens["token"], "PUT", name="x" * 101)
    assert too_long.json()["errors"][0]["pointer"] == "/name"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/auth/profile"), ("PUT", "/auth/profile"), ("POST", "/auth/logout"), ("POST", "/auth/verify")],
)
async def test_nobody_gets_nothing(program: Program, method: str, path: str) -> None:
    for token in ("", "a.b.c"):
        answer = await program.send(path, token, method, name="x")
        assert answer.status_code == 401


@pytest.mark.promise("X13")
async def test_an_administrators_token_carries_their_role(program: Program) -> None:
    now = read_now()
    async with program.parts.database.transaction() as tx:
        user = await customers.create_administrator(tx, "root@example.org", UserType.ADMIN, now)
        await customers.give_password(tx, user, hash_password(PASSWORD), now - timedelta(days=1))
    answer = await program.log_in("root@example.org")
    assert answer.json()["user"]["role"] == "ADMIN"
    # Without a second factor the administration stays closed.
    refused = await program.send("/api/admin/customers", answer.json()["token"], "GET")
    assert refused.json()["code"] == "second-factor-needed"
