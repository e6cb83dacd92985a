"""Signing in with a second factor, proving once more who one is, and forgotten passwords: as forms."""

import re
from collections.abc import AsyncIterator

import pytest
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts
from tollway.authentication import second_factor_operations as second_factor
from tollway.authentication.entities import totp_code
from tollway.customers import operations as customers
from tollway.customers.permissions import UserType
from tollway.kit.clock import read_now
from tollway.kit.crypto import hash_password

PASSWORD = "correct horse battery"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
COOKIE = "tollway_session"


@pytest.fixture
async def admin(parts: Parts, catalog: None) -> AsyncIterator[Visitor]:
    """An administrator with a second factor who is not signed in yet."""
    now = read_now()
    async with parts.database.transaction() as tx:
        user = await customers.create_administrator(tx, "root@example.org", UserType.ADMIN, now)
        await customers.give_password(tx, user, hash_password(PASSWORD), now)
        await second_factor.give_second_factor(tx, parts.factor_keys, user, SECRET, ("abcde-fghjk",), now)
    async with visiting(parts, "127.0.0.3") as visitor:
        yield visitor


async def sign_in(visitor: Visitor, next_path: str = "/admin/audit") -> None:
    answer = await visitor.post(
        "/signin", {"email": "root@example.org", "password": PASSWORD, "next": next_path}
    )
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/signin/second-factor?next={next_path}"


async def make_stale(parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET proven_at = proven_at - interval '16 minutes'")


@pytest.mark.promise("B4")
async def test_a_password_alone_opens_nothing_and_the_code_leads_on(admin: Visitor) -> None:
    await sign_in(admin)
    for path in ("/admin/audit", "/dashboard", "/security", "/profile"):
        assert (await admin.get(path)).headers["location"].startswith("/signin?next=")
    page = await admin.get("/signin/second-factor?next=/admin/audit")
    assert page.status_code == 200
    wrong = await admin.post("/signin/second-factor", {"code": "000000", "next": "/admin/audit"})
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    before = admin.client.cookies[COOKIE]
    right = await admin.post(
        "/signin/second-factor", {"code": totp_code(SECRET, read_now()), "next": "/admin/audit"}
    )
    assert right.headers["location"] == "/admin/audit"
    assert admin.client.cookies[COOKIE] != before
    assert (await admin.get("/admin/audit")).status_code == 200
    assert (await admin.get("/signin/second-factor")).headers["location"] == "/signin"


async def test_a_recovery_code_lets_in_once_and_is_mailed_about(admin: Visitor) -> None:
    await sign_in(admin)
    answer = await admin.post("/signin/second-factor", {"code": "ABCDE FGHJK", "next": "//evil.example"})
    assert answer.headers["location"] == "/dashboard"
    assert "A recovery code was used" in await admin.newest_mail("root@example.org")
    await sign_in(admin)
    again = await admin.post("/signin/second-factor", {"code": "abcde-fghjk"})
    assert again.status_code == 422


async def test_without_a_session_that_waits_no_code_is_asked_for(stranger: Visitor, ana: Visitor) -> None:
    for visitor in (stranger, ana):
        assert (await visitor.get("/signin/second-factor")).headers["location"] == "/signin"
    assert (await stranger.post("/signin/second-factor", {"code": "000000"})).status_code == 401


async def test_codes_are_refused_after_some_wrong_ones(admin: Visitor) -> None:
    await sign_in(admin)
    for _ in range(5):
        assert (await admin.post("/signin/second-factor", {"code": "00000"})).status_code == 422
    assert (await admin.post("/signin/second-factor", {"code": "abcde-fghjk"})).status_code == 429


# Once more ----------------------------------------------------------------------------------------


async def test_what_a_borrowed_browser_must_not_do_asks_for_the_password_again(
    ana: Visitor, parts: Parts
) -> None:
    assert (await ana.post("/password", {"password": PASSWORD})).status_code == 303
    assert (await ana.get("/signin/again?next=/security/second-factor")).headers["location"] == (
        "/security/second-factor"
    )
    await make_stale(parts)
    sent = await ana.get("/security/second-factor")
    assert sent.headers["location"] == "/signin/again?next=/security/second-factor"
    assert (await ana.get(sent.headers["location"])).status_code == 200
    wrong = await ana.post("/signin/again", {"password": "wrong password"})
    assert wrong.status_code == 403
    assert 'aria-invalid="true"' in wrong.text
    right = await ana.post("/signin/again", {"password": PASSWORD, "next": "/security/second-factor"})
    assert right.headers["location"] == "/security/second-factor"
    assert (await ana.get("/security/second-factor")).status_code == 200


async def test_a_mailed_code_proves_as_much(ana: Visitor, parts: Parts) -> None:
    await make_stale(parts)
    assert "Mail me a code" in (await ana.get("/signin/again")).text
    assert (await ana.post("/signin/again/mail", {"next": "/profile"})).status_code == 200
    code = re.search(r"^\d{6}$", await ana.newest_mail("ana@example.com"), re.MULTILINE)
    assert code
    proven = await ana.post("/signin/again", {"mailed_code": code.group(), "next": "/profile"})
    assert proven.headers["location"] == "/profile"
    assert (await ana.get("/security/second-factor")).status_code == 200


# Forgotten ----------------------------------------------------------------------------------------


async def test_a_forgotten_password_is_replaced_by_a_mailed_link(ana: Visitor, parts: Parts) -> None:
    cookie = ana.client.cookies[COOKIE]
    async with visiting(parts, "127.0.0.6") as elsewhere:
        known = await elsewhere.post("/password/forgot", {"email": "ana@example.com"})
        unknown = await elsewhere.post("/password/forgot", {"email": "xyz@example.com"})
        assert known.text.replace("ana@", "?@") == unknown.text.replace("xyz@", "?@")
        link = re.search(r"(/password/reset\?token=(\S+))", await ana.newest_mail("ana@example.com"))
        assert link
        for _ in range(2):
            assert (await elsewhere.get(link.group(1))).status_code == 200
        short = await elsewhere.post("/password/reset", {"token": link.group(2), "password": "short"})
        assert short.status_code == 422
        answer = await elsewhere.post("/password/reset", {"token": link.group(2), "password": PASSWORD})
        assert answer.headers["location"] == "/signin?notice=password_reset"
        used = await elsewhere.get(link.group(1))
        assert used.status_code == 409
        signed_in = await elsewhere.post("/signin", {"email": "ana@example.com", "password": PASSWORD})
        assert signed_in.headers["location"] == "/dashboard"
        assert "Sign-in from a new place" in await ana.newest_mail("ana@example.com")
    ana.client.cookies.set(COOKIE, cookie)
    assert (await ana.get("/dashboard")).status_code == 303


async def test_opening_a_sign_in_link_spends_nothing(ana: Visitor, parts: Parts) -> None:
    async with visiting(parts, "127.0.0.7") as elsewhere:
        await elsewhere.post("/signin/link", {"email": "ana@example.com"})
        link = re.search(r"(/signin/link\?token=(\S+))", await ana.newest_mail("ana@example.com"))
        assert link
        for _ in range(2):
            opened = await elsewhere.get(link.group(1))
            assert opened.status_code == 200
            assert COOKIE not in elsewhere.client.cookies
        answer = await elsewhere.post("/signin/open", {"token": link.group(2)})
        assert answer.headers["location"] == "/dashboard"
        assert (await elsewhere.post("/signin/open", {"token": link.group(2)})).status_code == 409
