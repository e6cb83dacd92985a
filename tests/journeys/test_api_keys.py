"""Keys in the browser: made, rotated under traffic without a failed call, revoked; with a script and without."""

import asyncio

import httpx
import pytest
from playwright.async_api import Browser, expect
from tests.journeys import tour
from tests.journeys.conftest import Product
from tests.journeys.tour_teams import make_key
from tests.journeys.walks import Walk, walking

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journeys"), pytest.mark.timeout(300)]


@pytest.mark.promise("B41")
async def test_a_key_is_rotated_under_traffic_and_no_call_fails(walk: Walk) -> None:
    email = tour.new_address("keys")
    await walk.sign_up(email)
    await walk.verify(email)
    in_use = [await make_key(walk, "Reports")]
    old_secret, statuses, stopped = in_use[0], [], asyncio.Event()

    async def go_on(client: httpx.AsyncClient) -> None:
        while not stopped.is_set():
            secret = in_use[-1]
            answer = await client.get(
                "/monte-carlo-api/models", headers={"Authorization": f"Bearer {secret}"}
            )
            statuses.append((secret, answer.status_code))

    async with httpx.AsyncClient(base_url=walk.url) as client:
        traffic = [asyncio.create_task(go_on(client)) for _ in range(2)]
        await walk.page.get_by_role("link", name="Reports").click()
        await walk.page.get_by_label("How long both keys work").select_option("1 hour")
        await walk.page.get_by_role("button", name="Rotate the key").click()
        new_secret = await walk.page.locator("#made-secret").inner_text()
        # The count goes up by itself while calls go on with the old key.
        count = walk.page.locator("#overlap")
        first = await count.text_content() or ""
        await expect(count).not_to_have_text(first, timeout=15_000)
        in_use.append(new_secret)
        while (new_secret, 200) not in statuses:
            await client.get("/monte-carlo-api/health")
        stopped.set()
        await asyncio.gather(*traffic)
        assert {status for _, status in statuses} == {200}
        # Nothing uses the old key any more: the count stays where it is.
        await walk.open(walk.path.removesuffix("/rotate"))
        # The last calls may still be on their way to the log when the page is opened.
        async with walk.page.expect_response("**/overlap"):
            pass
        last = await count.text_content() or ""
        async with walk.page.expect_response("**/overlap"):
            pass
        await expect(count).to_have_text(last)
        # Revoked, the old key fails at its next call and the new one goes on.
        await walk.page.get_by_role("link", name="Revoke").click()
        await walk.page.get_by_role("button", name="Revoke").click()
        await expect(walk.page.get_by_role("status")).to_contain_text("revoked")
        after = [
            (
                await client.get("/monte-carlo-api/models", headers={"Authorization": f"Bearer {one}"})
            ).status_code
            for one in (old_secret, new_secret)
        ]
    assert after == [401, 200]
    await walk.assert_sound()
    assert new_secret not in await walk.read_mail(email, "replaced")


async def test_keys_need_no_script(browser: Browser, product: Product) -> None:
    async with walking(browser, product.url, java_script_enabled=False) as walk:
        email = tour.new_address("keys")
        await walk.sign_up(email)
        await walk.verify(email)
        secret = await make_key(walk, "Reports")
        await walk.page.get_by_role("link", name="Reports").click()
        await walk.page.get_by_role("button", name="Reveal").click()
        await expect(walk.page.locator("#secret-text")).to_have_text(secret)
        await walk.page.get_by_role("button", name="Rotate the key").click()
        await expect(walk.page.locator("#overlap")).to_contain_text("0 calls")
        await walk.page.get_by_role("link", name="Revoke").click()
        await walk.page.get_by_role("button", name="Revoke").click()
        await expect(walk.page.get_by_role("status")).to_contain_text("revoked")
