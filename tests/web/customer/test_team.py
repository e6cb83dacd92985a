"""Inviting, joining, changing roles and leaving, as browsers do it."""

import re

import pytest
from tests.web.conftest import Visitor, visiting

from tollway.app import Parts

COLLEAGUE = "colleague@example.com"


async def invite(owner: Visitor, role: str = "developer", email: str = COLLEAGUE) -> str:
    """Invite somebody on the page and return the path of the mailed link."""
    answer = await owner.post("/team/invitations", {"email": email, "role": role})
    assert answer.headers["location"] == "/team?notice=invited"
    match = re.search(r"/invitation\?token=[\w-]+", await owner.newest_mail(email))
    assert match
    return match[0]


async def join(visitor: Visitor, link: str) -> None:
    assert "Join Example Ltd" in (await visitor.get(link)).text
    answer = await visitor.post("/invitation", {"token": link.partition("=")[2]})
    assert answer.headers["location"] == "/dashboard"


async def test_a_colleague_is_invited_joins_and_sees_the_same_things(ana: Visitor, parts: Parts) -> None:
    link = await invite(ana)
    async with visiting(parts, "127.0.0.3") as colleague:
        await join(colleague, link)
        assert "Example Ltd" in (await colleague.get("/dashboard")).text
        page = (await ana.get("/team")).text
        assert COLLEAGUE in page
        assert "Nobody is invited" in page


async def test_reading_the_link_does_not_spend_it(ana: Visitor, parts: Parts, stranger: Visitor) -> None:
    link = await invite(ana)
    for _ in range(2):
        assert (await stranger.get(link)).status_code == 200
    await join(stranger, link)


async def test_a_role_holds_from_the_next_request_on(ana: Visitor, parts: Parts) -> None:
    link = await invite(ana)
    async with visiting(parts, "127.0.0.3") as colleague:
        await join(colleague, link)
        assert (await colleague.get("/models/upload")).status_code == 200
        page = (await ana.get("/team")).text
        others = re.findall(r"/team/members/(usr_\w+)/remove", page)
        user_id = others[-1]
        assert (await ana.post(f"/team/members/{user_id}/role", {"role": "viewer"})).status_code == 303
        assert (await colleague.get("/models/upload")).status_code == 403
        assert (await colleague.get("/models")).status_code == 200
        assert (await colleague.get(f"/team/members/{user_id}/remove")).status_code == 403
        assert (await ana.post(f"/team/members/{user_id}/remove")).status_code == 303
        assert (await colleague.get("/models")).status_code == 303


@pytest.mark.parametrize("role", ["developer", "billing", "viewer"])
async def test_only_owners_change_the_team(ana: Visitor, parts: Parts, role: str) -> None:
    link = await invite(ana, role)
    async with visiting(parts, "127.0.0.3") as colleague:
        await join(colleague, link)
        assert (await colleague.get("/team")).status_code == 200
        answer = await colleague.post("/team/invitations", {"email": "x@example.com", "role": "owner"})
        assert answer.status_code == 403


async def test_what_was_typed_wrong_is_said_beside_the_field(ana: Visitor) -> None:
    answer = await ana.post("/team/invitations", {"email": "nobody", "role": "viewer"})
    assert answer.status_code == 422
    assert 'id="error-email"' in answer.text
    assert 'value="nobody"' in answer.text


async def test_the_only_owner_cannot_leave(ana: Visitor) -> None:
    page = (await ana.get("/team")).text
    match = re.search(r"/team/members/(usr_\w+)/remove", page)
    assert match
    assert "Leave Example Ltd?" in (await ana.get(match[0])).text
    answer = await ana.post(match[0])
    assert answer.status_code == 409
    assert "only owner" in answer.text


async def test_somebody_of_two_customers_chooses(ana: Visitor, ben: Visitor) -> None:
    link = await invite(ana, email="ben@example.com")
    assert "Join Example Ltd" in (await ben.get(link)).text
    answer = await ben.post("/invitation", {"token": link.partition("=")[2]})
    assert answer.headers["location"] == "/dashboard"
    page = (await ben.get("/dashboard")).text
    ids = re.findall(r'name="customer_id" value="(cus_\w+)"', page)
    assert "Example Ltd" in page
    assert len(ids) == 1
    assert (await ben.post("/team/switch", {"customer_id": ids[0]})).status_code == 303
    assert "Other Ltd" in (await ben.get("/team")).text
    assert (await ben.post("/team/switch", {"customer_id": "cus_unknown"})).status_code == 404


async def test_a_link_of_nobody_is_a_page_that_says_so(stranger: Visitor) -> None:
    answer = await stranger.get("/invitation?token=unknown")
    assert answer.status_code == 404
    assert "does not exist" in answer.text
