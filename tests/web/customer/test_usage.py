"""The usage page: meter, what a period comes to, by day, endpoint and key, and the spending cap."""

from datetime import timedelta

import pytest
from tests.metering.calls import RUN, log_call, log_refusal
from tests.web.conftest import Visitor

from tollway.customers import member_operations as members
from tollway.customers import operations as customers
from tollway.customers.entities import Mode
from tollway.customers.permissions import Role
from tollway.kit.clock import read_now
from tollway.plans import operations as plans
from tollway.plans.entities import SubscriptionStatus


async def customer_id_of(visitor: Visitor, email: str) -> int:
    async with visitor.parts.database.transaction() as tx:
        user = await customers.find_verified_user(tx, email)
        assert user
        customer = await customers.find_customer_of(tx, user.id)
    assert customer
    return customer.id


async def on_starter(visitor: Visitor, email: str, used: int = 0) -> int:
    """Put a customer on a plan that sells requests beyond its thousand, with so many of them used; return it."""
    customer_id, now = await customer_id_of(visitor, email), read_now()
    async with visitor.parts.database.transaction() as tx:
        change = await plans.request_change(tx, customer_id, "montecarlo", "starter", "system:tests", now)
        await plans.settle_payment(tx, change.public_id, now)
        held = await plans.get_entitlement(tx, customer_id, "montecarlo", now)
        assert held.subscription.status is SubscriptionStatus.ACTIVE
        quota = await plans.get_quota(tx, held, Mode.LIVE, now)
        await tx.execute(
            "UPDATE usage_quotas SET requests_used = %(used)s WHERE id = %(id)s",
            {"used": used, "id": quota.id},
        )
        # Long enough ago that the last days tell something.
        await tx.execute(
            "UPDATE api_subscriptions SET created_at = created_at - interval '30 days' WHERE customer_id = %(id)s",
            {"id": customer_id},
        )
    return customer_id


async def become(visitor: Visitor, email: str, role: Role) -> None:
    customer_id = await customer_id_of(visitor, email)
    async with visitor.parts.database.transaction() as tx:
        member = (await members.list_members(tx, customer_id))[0]
        await tx.execute(
            "UPDATE customer_members SET role = %(role)s WHERE user_id = %(id)s",
            {"role": role.value, "id": member.user_id},
        )


async def test_a_newcomer_reads_what_is_included_and_how_to_begin(ana: Visitor) -> None:
    page = await ana.get("/usage")
    assert page.status_code == 200
    assert '<a href="/usage" aria-current="page">' in page.text
    assert "of 100 included, 0%" in page.text
    assert "No test requests in this period" in page.text
    assert "Calls stop at 100; nothing is billed beyond the plan." in page.text
    assert "A projection to the end of the period follows" in page.text
    assert "Spending cap" not in page.text


@pytest.mark.promise("B28")
async def test_overage_is_written_as_a_multiplication_and_projected(ana: Visitor) -> None:
    customer_id = await on_starter(ana, "ana@example.com", used=1_120)
    await log_call(ana.parts.database, customer_id, read_now(), mode=Mode.LIVE)
    page = (await ana.get("/usage?mode=live")).text
    assert "1,120</b> <span>of 1,000 included, 112%" in page
    assert "120 × $0.05 = $6.00" in page
    assert "Calls go on beyond the plan, at $0.05 each." in page
    assert "at this pace" in page
    assert "The pace is the average of the last 7 days, today included" in page
    # Marks that were passed are told apart, and the bar says in words what it shows.
    assert page.count('class="passed"') == 3
    assert 'aria-label="1,120 of 1,000 requests used; ' in page


async def test_days_endpoints_and_keys_lead_to_their_requests(ana: Visitor) -> None:
    customer_id = await customer_id_of(ana, "ana@example.com")
    async with ana.parts.database.transaction() as tx:
        key = (await tx.list_rows("SELECT id, key_id, name FROM api_keys"))[0]
    now = read_now()
    await log_call(ana.parts.database, customer_id, now, api_key_id=key["id"], response_time_ms=40)
    await log_call(ana.parts.database, customer_id, now)
    await log_refusal(ana.parts.database, customer_id, now, api_key_id=key["id"])
    page = (await ana.get("/usage?mode=test")).text
    assert "By day" in page
    assert f"mode=test&amp;product=montecarlo&amp;from={now:%Y-%m-01}&amp;until={now:%Y-%m-%d}" in page
    assert f"endpoint={RUN.replace('/', '%2F')}&amp;method=POST" in page
    assert f"key={key['key_id']}" in page
    assert "key=page" in page
    assert "Started on pages" in page
    row = page.partition(f"<code>{RUN}</code>")[2].partition("</tr>")[0]
    assert [cell.partition("</td>")[0] for cell in row.split('<td class="number">')[1:]] == [
        "3", "2", "1", "0", "2", "21 ms", "50 ms",
    ]  # fmt: skip


async def test_the_address_chooses_mode_product_and_period(ana: Visitor) -> None:
    customer_id = await on_starter(ana, "ana@example.com", used=7)
    async with ana.parts.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO usage_quotas (subscription_id, mode, period_start, period_end, requests_included,
                requests_used, overage_rate, terms_at, created_at)
            SELECT id, 'live', '2026-01-10T08:30Z', '2026-02-10T08:30Z', 1000, 1003, 0.05, now(), now()
            FROM api_subscriptions WHERE customer_id = %(id)s
            """,
            {"id": customer_id},
        )
    page = (await ana.get("/usage?mode=live&product=montecarlo&period=2026-01-10")).text
    assert '<option value="2026-01-10" selected>10 Jan 2026 to 10 Feb 2026</option>' in page
    assert "3 × $0.05 = $0.15" in page
    assert (
        "the first and the last hold what came before and after the period too" in page
        or "No live requests" in page
    )
    assert "at this pace" not in page
    # What is no period, no product and no mode shows the one under way.
    for path in (
        "/usage?mode=live&period=2020-01-01",
        "/usage?mode=live&period=soon",
        "/usage?mode=live&product=x",
    ):
        answer = await ana.get(path)
        assert answer.status_code == 200
        assert "<b>7</b>" in answer.text
    assert (await ana.get("/usage?mode=sideways")).status_code == 200


async def test_a_spending_cap_is_set_changed_and_taken_away(ana: Visitor) -> None:
    await on_starter(ana, "ana@example.com", used=1_010)
    page = (await ana.get("/usage?mode=live")).text
    assert 'name="cap"' in page
    answer = await ana.post("/usage/spending-cap", {"product": "montecarlo", "cap": "$25"})
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/usage?product=montecarlo&mode=live&notice=cap-set#spending-cap"
    page = (await ana.get(answer.headers["location"])).text
    assert "The spending cap is set." in page
    assert "$25.00 a period" in page
    assert "Calls stop at 1,500: your spending cap." in page
    answer = await ana.post("/usage/spending-cap", {"product": "montecarlo", "cap": ""})
    assert "notice=cap-removed" in answer.headers["location"]
    assert "Calls go on beyond the plan" in (await ana.get("/usage?mode=live")).text


async def test_a_cap_that_is_none_is_explained_beside_its_field(ana: Visitor) -> None:
    await on_starter(ana, "ana@example.com")
    for cap in ("much", "-1", "1.005", "1e9999", "NaN", "9" * 13, "²"):
        page = await ana.post("/usage/spending-cap", {"product": "montecarlo", "cap": cap})
        assert page.status_code == 422, cap
        assert 'id="error-cap"' in page.text
        assert f'value="{cap}"' in page.text


async def test_whoever_may_not_pay_reads_the_cap_and_sets_none(ana: Visitor) -> None:
    await on_starter(ana, "ana@example.com")
    await become(ana, "ana@example.com", Role.VIEWER)
    page = (await ana.get("/usage?mode=live")).text
    assert "Owners, and whoever has the role billing, set the cap." in page
    assert 'name="cap"' not in page
    answer = await ana.post("/usage/spending-cap", {"product": "montecarlo", "cap": "5"})
    assert answer.status_code == 403


async def test_a_plan_that_ended_can_still_be_read_and_has_no_cap_to_set(ana: Visitor) -> None:
    customer_id = await on_starter(ana, "ana@example.com", used=12)
    async with ana.parts.database.transaction() as tx:
        await tx.execute(
            "UPDATE api_subscriptions SET status = 'cancelled' WHERE customer_id = %(id)s",
            {"id": customer_id},
        )
    page = await ana.get("/usage?mode=live")
    assert page.status_code == 200
    assert "<b>12</b>" in page.text
    assert 'id="spending-cap"' not in page.text


async def test_a_customer_sees_no_usage_of_another(ana: Visitor, ben: Visitor) -> None:
    theirs = await customer_id_of(ben, "ben@example.com")
    await log_call(ben.parts.database, theirs, read_now() - timedelta(seconds=1), endpoint="/only-ben")
    assert "/only-ben" in (await ben.get("/usage?mode=test")).text
    assert "/only-ben" not in (await ana.get("/usage?mode=test")).text
