"""A customer of one's own, for whoever belongs to none."""

import re

from tests.web.conftest import Visitor, visiting

from tollway.app import Parts

FORM = {"company": "My own Ltd", "use_case": "Stress Testing"}


async def join_and_leave(ana: Visitor, colleague: Visitor) -> None:
    """Become somebody who was in a team and is not any more."""
    await ana.post("/team/invitations", {"email": "colleague@example.com", "role": "developer"})
    link = re.search(r"/invitation\?token=([\w-]+)", await ana.newest_mail("colleague@example.com"))
    assert link
    await colleague.post("/invitation", {"token": link[1]})
    mine = re.findall(r"/team/members/(usr_\w+)/remove", (await ana.get("/team")).text)[-1]
    assert (await ana.post(f"/team/members/{mine}/remove")).status_code == 303


async def test_whoever_belongs_to_no_team_may_start_one(ana: Visitor, parts: Parts) -> None:
    async with visiting(parts, "127.0.0.3") as colleague:
        await join_and_leave(ana, colleague)
        assert (await colleague.get("/dashboard")).headers["location"] == "/start"
        assert "You belong to no team" in (await colleague.get("/start")).text
        assert (await colleague.post("/start", FORM)).headers["location"] == "/dashboard"
        dashboard = (await colleague.get("/dashboard")).text
        assert "My own Ltd" in dashboard
        assert "14 days left" in dashboard


async def test_nobody_starts_a_second_one(ana: Visitor) -> None:
    answer = await ana.post("/start", FORM)
    assert answer.status_code == 409
    assert "made a customer before" in answer.text


async def test_what_is_missing_is_said_beside_the_field(ana: Visitor, parts: Parts) -> None:
    async with visiting(parts, "127.0.0.3") as colleague:
        await join_and_leave(ana, colleague)
        answer = await colleague.post("/start", {"company": "", "use_case": "Nothing"})
        assert answer.status_code == 422
        assert 'id="error-company"' in answer.text
        assert 'id="error-use_case"' in answer.text
