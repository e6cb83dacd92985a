"""Sign up, verify, sign in and out, set a password: as forms."""

import re

import pytest
from tests.web.conftest import HTML, Visitor, visiting

from tollway.app import Parts
from tollway.web.public.account import safe_path


@pytest.mark.promise("A28")
async def test_faults_stand_beside_their_fields_and_nothing_typed_is_lost(stranger: Visitor) -> None:
    answer = await stranger.post(
        "/signup", {"email": "not an address", "company": "Ab & Co", "use_case": "Nothing"}
    )
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "It should look like" in answer.text
    assert 'value="Ab &amp; Co"' in answer.text


@pytest.mark.promise("A29", "A30", "X4")
async def test_the_code_verifies_and_leads_to_the_dashboard(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    before = (await stranger.get("/dashboard")).text
    assert "not verified yet" in before
    answer = await stranger.verify("new@example.com")
    assert answer.headers["location"] == "/dashboard?welcome=1"
    after = (await stranger.get("/dashboard?welcome=1")).text
    assert "Your address is verified" in after
    assert "14 <small>days left" in after


async def test_the_link_verifies_in_another_browser(stranger: Visitor, parts: Parts) -> None:
    await stranger.sign_up("new@example.com")
    link = re.search(
        r"http://localhost:\d+(/verify\?token=\S+)", await stranger.newest_mail("new@example.com")
    )
    assert link
    async with visiting(parts, "127.0.0.9") as elsewhere:
        # Programs open links before people do: that alone proves nothing and spends nothing.
        for _ in range(2):
            assert (await elsewhere.get(link.group(1))).status_code == 200
        answer = await elsewhere.post("/verify/open", {"token": link.group(1).partition("=")[2]})
        assert answer.headers["location"] == "/dashboard?welcome=1"
        assert (await elsewhere.get("/dashboard")).status_code == 200
        again = await elsewhere.get(link.group(1))
        assert again.headers["location"] == "/dashboard"


async def test_a_link_that_is_too_old_offers_a_new_one_in_place(stranger: Visitor, parts: Parts) -> None:
    await stranger.sign_up("new@example.com")
    link = re.search(r"(/verify\?token=(\S+))", await stranger.newest_mail("new@example.com"))
    assert link
    async with parts.database.transaction() as tx:
        await tx.execute("UPDATE email_challenges SET expires_at = expires_at - interval '2 days'")
        await tx.execute("UPDATE attempt_counts SET window_start = window_start - interval '2 hours'")
    async with visiting(parts, "127.0.0.8") as elsewhere:
        refused = await elsewhere.get(link.group(1))
        assert refused.status_code == 409
        assert "Send a new link" in refused.text
        renewed = await elsewhere.post("/verify/renew", {"token": link.group(2)})
        assert "A new link is on its way" in renewed.text
    newer = re.search(r"(/verify\?token=\S+)", await stranger.newest_mail("new@example.com"))
    assert newer
    assert newer.group(1) != link.group(1)
    answer = await stranger.post("/verify/open", {"token": newer.group(1).partition("=")[2]})
    assert answer.headers["location"] == "/dashboard?welcome=1"


async def test_a_wrong_code_says_so_beside_the_field(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    answer = await stranger.post("/verify", {"code": "000000"})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text


async def test_a_new_code_may_be_asked_for_a_minute_after_the_last(stranger: Visitor) -> None:
    await stranger.sign_up("new@example.com")
    answer = await stranger.post("/verify/resend")
    assert answer.status_code == 429
    assert "data-countdown" in answer.text
    async with stranger.parts.database.transaction() as tx:
        await tx.execute("UPDATE attempt_counts SET window_start = window_start - interval '61 seconds'")
    answer = await stranger.post("/verify/resend")
    assert answer.status_code == 200
    assert "A new code is on its way" in answer.text


async def test_a_mailed_link_and_a_mailed_code_sign_in(ana: Visitor, parts: Parts) -> None:
    async with visiting(parts, "127.0.0.3") as elsewhere:
        asked = await elsewhere.post("/signin/link", {"email": "ana@example.com"})
        assert asked.status_code == 200
        mail = await ana.newest_mail("ana@example.com")
        code = re.search(r"^(\d{6})$", mail, re.MULTILINE)
        assert code
        answer = await elsewhere.post("/signin/code", {"email": "ana@example.com", "code": code.group(1)})
        assert answer.status_code == 303
        assert (await elsewhere.get("/dashboard")).status_code == 200


async def test_asking_for_a_link_tells_nothing_about_addresses(ana: Visitor, parts: Parts) -> None:
    async with visiting(parts, "127.0.0.4") as elsewhere:
        known = await elsewhere.post("/signin/link", {"email": "ana@example.com"})
        unknown = await elsewhere.post("/signin/link", {"email": "xyz@example.com"})
    assert known.text.replace("ana@", "?@") == unknown.text.replace("xyz@", "?@")


async def test_a_password_signs_in_and_a_wrong_one_never_tells_which_part(ana: Visitor, parts: Parts) -> None:
    assert (await ana.post("/password", {"password": "correct horse battery"})).status_code == 303
    async with visiting(parts, "127.0.0.5") as elsewhere:
        wrong = await elsewhere.post("/signin", {"email": "ana@example.com", "password": "wrong password"})
        unknown = await elsewhere.post("/signin", {"email": "who@example.com", "password": "wrong password"})
        assert wrong.status_code == unknown.status_code == 401
        assert wrong.text.replace("ana@", "?@") == unknown.text.replace("who@", "?@")
        right = await elsewhere.post(
            "/signin", {"email": "ana@example.com", "password": "correct horse battery", "next": "/runs"}
        )
        assert right.headers["location"] == "/runs"


async def test_a_password_that_is_too_short_is_refused_beside_its_field(ana: Visitor) -> None:
    answer = await ana.post("/password", {"password": "short"})
    assert answer.status_code == 422
    assert "at least 10 characters" in answer.text


async def test_signing_up_again_leaves_no_session_behind(stranger: Visitor) -> None:
    await stranger.sign_up("first@example.com")
    earlier = stranger.client.cookies["tollway_session"]
    await stranger.sign_up("second@example.com")
    assert (await stranger.get("/dashboard")).status_code == 200
    stranger.client.cookies.set("tollway_session", earlier)
    assert (await stranger.get("/dashboard")).status_code == 303


async def test_signing_out_ends_the_session(ana: Visitor) -> None:
    cookie = ana.client.cookies["tollway_session"]
    assert (await ana.post("/signout")).status_code == 303
    ana.client.cookies.set("tollway_session", cookie)
    answer = await ana.get("/dashboard")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/runs", "/runs"),
        ("/docs/limits?x=1", "/docs/limits?x=1"),
        ("//evil.example", "/dashboard"),
        ("//[", "/dashboard"),
        ("http://[", "/dashboard"),
        ("https://evil.example/", "/dashboard"),
        ("/\\evil.example", "/dashboard"),
        ("javascript:alert(1)", "/dashboard"),
        ("/a\nb", "/dashboard"),
        ("", "/dashboard"),
    ],
)
def test_nobody_is_led_to_another_site(asked: str, led_to: str) -> None:
    assert safe_path(asked) == led_to


@pytest.mark.parametrize(
    "path", ["/signup", "/demo", "/signin", "/signin/link", "/signin/code", "/signin/open", "/signout",
             "/verify/open", "/support", "/verify", "/verify/resend",
             "/password", "/dashboard/key", "/models", "/models/samples", "/models/mdl_x/runs",
             "/models/mdl_x/delete", "/runs/sim_x/cancel"]
)  # fmt: skip
async def test_forms_of_other_sites_are_refused(ana: Visitor, path: str) -> None:
    answer = await ana.client.post(
        path,
        data={"email": "x@example.com"},
        headers=HTML | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403, answer.text
