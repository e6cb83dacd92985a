"""The pages of webhooks: made once, shown once, tested with the result shown, turned off, deleted after a question."""

import re

import httpx
import pytest
from tests.web.conftest import Visitor, visiting
from tests.webhooks.receivers import Receiver, receiving, standard_signature

from tollway.app import Parts
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.settings import Settings
from tollway.webhooks.entities import Event

PAGE = "/webhooks"
FORM = {
    "name": "Results to the warehouse",
    "url": "https://example.com/hooks",
    "mode": "test",
    "events": ["simulation.completed"],
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As on a developer's machine that receives its own webhooks."""
    return settings.model_copy(update={"webhook_allow_private": True})


async def give_webhooks(visitor: Visitor, amount: int = 1) -> None:
    """Let the customer's plan have webhooks."""
    now = read_now()
    async with visitor.parts.database.transaction() as tx:
        customer_id = await tx.find_value("SELECT min(id) FROM api_customers")
        await plans.grant(
            tx,
            customer_id,
            "montecarlo",
            "feature:webhooks",
            amount,
            reason="x",
            created_by="system:tests",
            now=now,
        )


@pytest.fixture
async def eve(ana: Visitor) -> Visitor:
    """A customer with webhooks."""
    await give_webhooks(ana)
    return ana


def shown_secret(answer: httpx.Response, where: str = "made-secret") -> str:
    found = re.search(rf'id="{where}">(whsec_[\w+/=]+)<', answer.text)
    assert found, answer.text
    return found[1]


async def make(visitor: Visitor, **changed: object) -> tuple[str, str]:
    """Make a webhook by the form and return the address of its page and its secret."""
    answer = await visitor.post(PAGE, FORM | changed)
    assert answer.status_code == 200, answer.text
    address = re.findall(r'href="(/webhooks/whk_\w+)"', answer.text)
    return address[0], shown_secret(answer)


async def test_a_plan_without_webhooks_says_so_and_which_has_them(ana: Visitor) -> None:
    page = await ana.get(PAGE)
    assert page.status_code == 200
    assert "does not include webhooks. The plan Professional has it." in page.text
    assert 'href="/billing/upgrade"' in page.text
    assert "Make the webhook" not in page.text
    refused = await ana.post(PAGE, FORM)
    assert refused.status_code == 402
    assert "The plan Professional has it." in refused.text


async def test_with_the_plan_and_no_webhook_there_is_a_first_step(eve: Visitor) -> None:
    page = await eve.get(PAGE)
    assert "No webhooks" in page.text
    assert 'href="/docs/webhooks"' in page.text
    assert page.text.count('name="events"') == len(Event)


@pytest.mark.promise("X28")
async def test_a_webhook_is_made_and_its_secret_is_on_one_page_alone(eve: Visitor) -> None:
    address, secret = await make(eve)
    listed, one = await eve.get(PAGE), await eve.get(address)
    assert "Results to the warehouse" in listed.text
    assert "https://example.com/hooks" in one.text
    assert secret not in listed.text + one.text


async def test_a_form_that_is_sent_twice_makes_one_webhook(eve: Visitor) -> None:
    once = re.search(r'name="once" value="([\w-]+)"', (await eve.get(PAGE)).text)
    assert once
    first = await eve.post(PAGE, FORM | {"once": once[1]})
    second = await eve.post(PAGE, FORM | {"once": once[1]})
    assert shown_secret(first)
    assert "sent a second time" in second.text
    assert second.text.count('class="row-link"') == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"url": "ftp://x"}, "url"),
        ({"events": []}, "events"),
        ({"mode": "x"}, "mode"),
    ],
)
async def test_what_cannot_be_used_is_told_beside_its_field(
    eve: Visitor, changed: dict[str, object], field: str
) -> None:
    answer = await eve.post(PAGE, FORM | changed)
    assert answer.status_code == 422
    assert f'id="error-{field}"' in answer.text
    # What was typed is kept.
    if field != "name":
        assert 'value="Results to the warehouse"' in answer.text


async def test_the_test_button_shows_how_the_server_answered(eve: Visitor) -> None:
    async with receiving() as receiver:
        address, secret = await make(eve, url=receiver.url)
        sent = await eve.post(f"{address}/test")
        assert sent.status_code == 303
        worked = await eve.get(sent.headers["location"])
        assert "Your server answered 200" in worked.text
        # Loaded again, it sends nothing again.
        await eve.get(sent.headers["location"])
        (came,) = receiver.received
        assert came.headers["webhook-signature"] == standard_signature(secret, came)
        receiver.answers = [500]
        failed = await eve.get((await eve.post(f"{address}/test")).headers["location"])
        assert "The test did not get through." in failed.text
        assert "The answer was 500" in failed.text
        page = await eve.get(address)
        assert page.text.count("webhook.test") >= 2
        assert "Send again" in page.text
        await _resend(eve, page, receiver)


async def _resend(eve: Visitor, page: httpx.Response, receiver: Receiver) -> None:
    action = re.findall(r'action="(/webhooks/whk_\w+/deliveries/whd_\w+/resend)"', page.text)
    answer = await eve.post(action[0])
    assert answer.headers["location"].endswith("?notice=resent")
    assert "sent once more" in (await eve.get(answer.headers["location"])).text
    again = await eve.post(action[0])
    assert again.headers["location"].endswith("?notice=under_way")
    assert len(receiver.received) == 2


async def test_a_webhook_is_changed_and_turned_off(eve: Visitor) -> None:
    address, _ = await make(eve)
    changed = {"name": "Other", "url": "https://example.org/", "events": ["model.failed", "model.uploaded"]}
    answer = await eve.post(f"{address}/change", changed)
    assert answer.headers["location"] == f"{address}?notice=changed"
    page = await eve.get(answer.headers["location"])
    assert "model.uploaded, model.failed" in page.text
    assert ">Off<" in page.text
    refused = await eve.post(f"{address}/change", changed | {"url": "nowhere"})
    assert refused.status_code == 422
    assert 'value="nowhere"' in refused.text


async def test_a_secret_is_rotated_and_shown_once(eve: Visitor) -> None:
    address, secret = await make(eve)
    rotated = shown_secret(await eve.post(f"{address}/rotate-secret"))
    assert rotated != secret
    page = await eve.get(address)
    assert rotated not in page.text
    assert "The former secret signs until" in page.text


async def test_the_signing_secret_of_runs_is_shown_to_whoever_proved_who_they_are(eve: Visitor) -> None:
    first = shown_secret(await eve.post(f"{PAGE}/signing-secret/reveal"), "signing-secret")
    again = shown_secret(await eve.post(f"{PAGE}/signing-secret/reveal"), "signing-secret")
    rotated = await eve.post(f"{PAGE}/signing-secret/rotate")
    assert first == again != shown_secret(rotated, "signing-secret")
    assert "The former one signs beside it for 24 hours." in rotated.text
    async with eve.parts.database.transaction() as tx:
        await tx.execute("UPDATE user_sessions SET proven_at = now() - interval '1 hour'")
    for action in ("reveal", "rotate"):
        answer = await eve.post(f"{PAGE}/signing-secret/{action}")
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/signin/again")


async def test_after_a_downgrade_the_page_says_that_nothing_is_delivered(eve: Visitor) -> None:
    address, _ = await make(eve)
    async with eve.parts.database.transaction() as tx:
        await tx.execute("UPDATE entitlement_adjustments SET ended_at = now()")
    listed, one = await eve.get(PAGE), await eve.get(address)
    for page in (listed, one):
        assert "Nothing is delivered." in page.text
        assert "Not in your plan" in page.text
    refused = await eve.post(f"{address}/test")
    assert refused.status_code == 402


async def test_a_webhook_that_was_turned_off_by_us_says_so(eve: Visitor) -> None:
    address, _ = await make(eve)
    async with eve.parts.database.transaction() as tx:
        await tx.execute("UPDATE webhooks SET enabled = false, turned_off_at = now()")
    assert "We turned it off." in (await eve.get(address)).text
    assert "Turned off by us" in (await eve.get(PAGE)).text


async def test_a_webhook_is_deleted_after_a_question(eve: Visitor) -> None:
    address, _ = await make(eve)
    assert "This cannot be undone." in (await eve.get(f"{address}/delete")).text
    answer = await eve.post(f"{address}/delete")
    assert answer.headers["location"] == f"{PAGE}?notice=deleted"
    assert (await eve.get(address)).status_code == 404


async def test_deliveries_are_paged(eve: Visitor) -> None:
    address, _ = await make(eve)
    async with eve.parts.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO webhook_deliveries (public_id, customer_id, webhook_id, mode, event_type, body, status,
                created_at)
            SELECT 'whd_' || n, customer_id, id, 'test', 'model.uploaded', '{}', 'delivered', now()
            FROM webhooks, generate_series(1, 45) n
            """
        )
    first = await eve.get(address)
    assert f"{address}?offset=20" in first.text
    last = await eve.get(f"{address}?offset=40")
    assert "5 shown" in last.text
    assert "?offset=60" not in last.text
    for offset in ("x", "-1", "9" * 30):
        assert (await eve.get(f"{address}?offset={offset}")).status_code == 404


async def test_the_end_of_runs_told_to_their_own_address_is_listed(eve: Visitor) -> None:
    async with eve.parts.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO webhook_deliveries (public_id, customer_id, url, mode, simulation_id, event_type, body, status,
                created_at)
            SELECT 'whd_run', id, 'https://example.com/one', 'test', 'sim_told', 'simulation.completed', '{}', 'failed',
                now()
            FROM api_customers
            """
        )
    assert "sim_told" in (await eve.get(PAGE)).text


async def test_another_customer_sees_none_of_it(eve: Visitor, parts: Parts) -> None:
    address, _ = await make(eve)
    async with visiting(parts, "127.0.0.2") as ben:
        await ben.sign_up("ben@example.com", "Other Ltd")
        assert (await ben.verify("ben@example.com")).status_code == 303
        assert (await ben.get(address)).status_code == 404
        assert (await ben.post(f"{address}/delete")).status_code == 404
    assert (await eve.get(address)).status_code == 200
