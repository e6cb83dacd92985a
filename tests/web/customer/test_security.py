"""`/security` and `/profile`: sessions, the second factor, name and address."""

import re

import pytest
from tests.web.conftest import HTML, Visitor, visiting

from tollway.app import Parts
from tollway.authentication.entities import totp_code
from tollway.kit.clock import read_now

PASSWORD = "correct horse battery"


async def set_up(visitor: Visitor) -> tuple[str, list[str]]:
    """Set a second factor up as the pages ask for it; return its secret and the recovery codes."""
    assert (await visitor.post("/security/second-factor")).status_code == 303
    page = await visitor.get("/security/second-factor")
    secret = re.search(r"<code>([A-Z2-7 ]{32,})</code>", page.text)
    assert secret
    plain = secret.group(1).replace(" ", "")
    shown = await visitor.post("/security/second-factor/confirm", {"code": totp_code(plain, read_now())})
    assert shown.status_code == 200, shown.text
    return plain, re.findall(r"\b[2-9a-z]{5}-[2-9a-z]{5}\b", shown.text)


async def test_a_second_factor_is_set_up_and_the_codes_are_shown_once(ana: Visitor) -> None:
    assert (await ana.get("/security/second-factor/qr.svg")).status_code == 404
    assert (await ana.post("/security/second-factor")).status_code == 303
    drawn = await ana.get("/security/second-factor/qr.svg")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.headers["cache-control"] == "no-store"
    assert b"style=" not in drawn.content
    wrong = await ana.post("/security/second-factor/confirm", {"code": "000000"})
    assert wrong.status_code == 422
    _, codes = await set_up(ana)
    assert len(codes) == 10
    page = await ana.get("/security/second-factor")
    assert not [code for code in codes if code in page.text]
    assert (await ana.get("/security/second-factor/qr.svg")).status_code == 404
    assert "10 recovery codes left" in (await ana.get("/security")).text
    renewed = await ana.post("/security/second-factor/recovery-codes")
    assert not [code for code in codes if code in renewed.text]
    refused = await ana.post("/security/second-factor/remove", {"code": codes[0]})
    assert refused.status_code == 422
    newer = re.findall(r"\b[2-9a-z]{5}-[2-9a-z]{5}\b", renewed.text)
    removed = await ana.post("/security/second-factor/remove", {"code": newer[0]})
    assert removed.headers["location"] == "/security?notice=removed"


async def test_an_unverified_user_sets_none_up(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    answer = await stranger.post("/security/second-factor")
    assert answer.status_code == 403
    assert "Verify your address first" in answer.text


async def test_sessions_are_listed_and_ended_one_by_one_and_together(ana: Visitor, parts: Parts) -> None:
    await ana.post("/password", {"password": PASSWORD})
    async with visiting(parts, "127.0.0.5") as phone, visiting(parts, "127.0.0.6") as laptop:
        for one in (phone, laptop):
            await one.post("/signin", {"email": "ana@example.com", "password": PASSWORD})
        tokens = await phone.client.post(
            "/auth/login", json={"email": "ana@example.com", "password": PASSWORD}
        )
        bearer = {"Authorization": f"Bearer {tokens.json()['token']}"}
        page = (await ana.get("/security")).text
        assert page.count("Browser") == 3
        assert page.count("Program") == 1
        assert page.count("This one") == 1
        (laptops,) = re.findall(r"(/security/sessions/ses_\w+/end)\"[^<]*<button[^>]*127\.0\.0\.6", page)
        assert (await ana.post(laptops)).headers["location"] == "/security?notice=ended"
        assert (await laptop.get("/dashboard")).status_code == 303
        assert (await phone.get("/dashboard")).status_code == 200
        assert (await ana.post(laptops)).status_code == 404
        assert (await ana.post("/security/sessions/end-others")).status_code == 303
        assert (await phone.get("/dashboard")).status_code == 303
        assert (await phone.client.get("/auth/profile", headers=bearer)).status_code == 401
    assert (await ana.get("/dashboard")).status_code == 200


async def test_another_users_session_is_not_there(ana: Visitor, ben: Visitor) -> None:
    async with ana.parts.database.transaction() as tx:
        bens = await tx.find_value(
            "SELECT user_sessions.public_id FROM user_sessions JOIN users ON users.id = user_id "
            "WHERE email = 'ben@example.com' AND ended_at IS NULL"
        )
    assert (await ana.post(f"/security/sessions/{bens}/end")).status_code == 404
    assert (await ben.get("/dashboard")).status_code == 200


async def test_a_new_password_ends_every_other_session(ana: Visitor, parts: Parts) -> None:
    await ana.post("/password", {"password": PASSWORD})
    async with visiting(parts, "127.0.0.5") as phone:
        await phone.post("/signin", {"email": "ana@example.com", "password": PASSWORD})
        await ana.post("/password", {"password": "another horse battery"})
        assert (await phone.get("/dashboard")).status_code == 303


async def test_signing_in_gives_the_browser_another_session(ana: Visitor) -> None:
    await ana.post("/password", {"password": PASSWORD})
    planted = ana.client.cookies["tollway_session"]
    await ana.post("/signin", {"email": "ana@example.com", "password": PASSWORD})
    assert ana.client.cookies["tollway_session"] != planted
    ana.client.cookies.set("tollway_session", planted)
    assert (await ana.get("/dashboard")).status_code == 303


async def test_a_name_is_saved_and_one_that_is_too_long_is_refused(ana: Visitor) -> None:
    assert (await ana.post("/profile", {"name": "Ana Example"})).status_code == 303
    assert 'value="Ana Example"' in (await ana.get("/profile")).text
    assert (await ana.post("/profile", {"name": "x" * 101})).status_code == 422


async def test_an_address_changes_by_a_link_to_the_new_mailbox(ana: Visitor, parts: Parts) -> None:
    assert (await ana.post("/profile/email", {"email": "nothing"})).status_code == 422
    asked = await ana.post("/profile/email", {"email": "anna@example.com"})
    assert asked.headers["location"] == "/profile?notice=email_asked"
    assert "anna@example.com" in await ana.newest_mail("ana@example.com")
    link = re.search(r"(/profile/email/confirm\?token=(\S+))", await ana.newest_mail("anna@example.com"))
    assert link
    async with visiting(parts, "127.0.0.9") as elsewhere:
        assert "anna@example.com" in (await elsewhere.get(link.group(1))).text
        assert "ana@example.com" in (await ana.get("/profile")).text
        done = await elsewhere.post("/profile/email/confirm", {"token": link.group(2)})
        assert done.headers["location"] == "/signin?notice=email_changed"
        assert (await elsewhere.get(link.group(1))).status_code == 409
    assert "anna@example.com" in (await ana.get("/profile")).text


async def test_somebody_who_belongs_to_no_customer_has_both_pages(ana: Visitor, parts: Parts) -> None:
    async with parts.database.transaction() as tx:
        await tx.execute("DELETE FROM customer_members")
    for path in ("/security", "/profile", "/security/second-factor"):
        assert (await ana.get(path)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/profile", "/profile/email", "/security/second-factor", "/security/second-factor/confirm",
             "/security/second-factor/remove", "/security/second-factor/recovery-codes", "/signin/again",
             "/signin/again/mail", "/signin/second-factor", "/password/forgot", "/password/reset",
             "/security/sessions/end-others", "/security/sessions/ses_x/end", "/profile/email/confirm"]
)  # fmt: skip
async def test_forms_of_other_sites_are_refused(ana: Visitor, path: str) -> None:
    answer = await ana.client.post(path, headers=HTML | {"Origin": "https://evil.example"})
    assert answer.status_code == 403, answer.text
