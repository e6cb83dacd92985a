"""The pages of a team and of its keys, as owners and as those with less to say see them."""

from collections.abc import AsyncIterator

from tests.journeys.tour import new_address
from tests.journeys.walks import Walk, link_in


async def team(walk: Walk) -> AsyncIterator[str]:
    """An owner who invites a viewer and lets them go again; the viewer in between."""
    page, owner, viewer = walk.page, new_address("owner"), new_address("viewer")
    await walk.sign_up(owner, "Example & Söhne Vermögensverwaltung GmbH")
    await walk.open("/data/erase")
    yield "erase-unverified"
    await walk.verify(owner)
    await walk.open("/team")
    yield "team-alone"
    await invite(walk, owner, "developer")
    await page.locator(".field-error, .alert.bad").first.wait_for()
    yield "team-refused"
    await invite(walk, viewer, "viewer")
    await page.get_by_role("status").wait_for()
    yield "team-invited"
    invitation = link_in(await walk.read_mail(viewer, "on Tollway"), "/invitation")
    await page.goto(invitation)
    yield "invitation-of-another-nothing"
    owner_session = await walk.step_aside()
    await page.goto(invitation)
    yield "invitation"
    await page.get_by_role("button", name="Accept and join").click()
    await page.wait_for_url("**/dashboard")
    for path, name in (
        ("/dashboard", "viewer-dashboard"),
        ("/models", "viewer-models"),
        ("/team", "viewer-team"),
        ("/support", "viewer-support"),
        ("/profile", "viewer-profile"),
        ("/start", "start"),
        ("/company", "problem-403"),
    ):
        await walk.open(path)
        yield name
    viewer_session = await walk.step_back(owner_session)
    await walk.open("/team")
    yield "team"
    await walk.follow(page.get_by_role("link", name=f"Remove {viewer}"))
    yield "team-remove"
    await page.get_by_role("button", name="Remove").click()
    await page.get_by_role("status").wait_for()
    await walk.step_back(viewer_session)
    for path, name in (
        ("/dashboard", "start-without-team"),
        ("/security", "security-without-team"),
        ("/security/second-factor", "second-factor-without-team"),
    ):
        await walk.open(path)
        yield name


async def invite(walk: Walk, email: str, role: str) -> None:
    """Fill in and send the form of the team's page."""
    await walk.page.get_by_label("Address").fill(email)
    await walk.page.locator("#field-role").select_option(role)
    await walk.page.get_by_role("button", name="Invite").click()


async def make_key(walk: Walk, name: str, mode: str = "test") -> str:
    """Make a key by the form and return its secret."""
    await walk.open("/api-keys/manage")
    await walk.page.locator("#field-name").fill(name)
    await walk.page.locator("#field-mode").select_option(mode)
    await walk.page.get_by_role("button", name="Make the key").click()
    return await walk.page.locator("#made-secret").inner_text()


async def keys(walk: Walk) -> AsyncIterator[str]:
    """Somebody who makes a key, gets a form wrong, and replaces the key."""
    page, email = walk.page, new_address("keys")
    await walk.sign_up(email)
    await walk.verify(email)
    await walk.open("/api-keys/manage")
    yield "api-keys"
    await make_key(walk, "Reports on the build server of the third floor, which has a long name", "live")
    yield "api-key-made"
    await page.get_by_label("Takes calls from").fill("nowhere")
    await page.locator("#field-name").fill("x")
    await page.get_by_role("button", name="Make the key").click()
    await page.locator(".field-error").wait_for()
    yield "api-keys-refused"
    await walk.follow(page.get_by_role("link", name="Reports"))
    yield "api-key"
    await page.get_by_label("How long both keys work").select_option("24 hours")
    await page.get_by_role("button", name="Rotate the key").click()
    await page.locator("#made-secret").wait_for()
    yield "api-key-rotated"
    await walk.follow(page.get_by_role("link", name="Revoke"))
    yield "api-key-revoke-asked"
    await page.get_by_role("button", name="Revoke").click()
    await page.get_by_role("status").wait_for()
    yield "api-key-over"
    await walk.follow(page.get_by_role("link", name="Delete"))
    yield "api-key-delete-asked"
    await walk.open("/api-keys/manage")
    yield "api-keys-some"
