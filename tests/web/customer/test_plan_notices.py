"""What will change or end about a plan stands on the dashboard until it does (B61)."""

import pytest
from tests.web.conftest import Visitor

from tollway.kit.clock import read_now
from tollway.plans import operations as plans


@pytest.mark.promise("B61")
async def test_a_change_of_a_plan_that_is_held_stands_on_the_dashboard(ana: Visitor) -> None:
    assert "changes on" not in (await ana.get("/dashboard")).text
    async with ana.parts.database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO plan_versions (product, tier, version, content_hash, content, created_at)
            SELECT product, tier, version + 1, 'x', content || '{"requests_included": 120}', created_at
            FROM plan_versions WHERE product = 'montecarlo' AND tier = 'trial'
            """
        )
        moved = await plans.migrate_holders(
            tx, "montecarlo", "trial", at=None, by="system:command-line", now=read_now()
        )
    page = (await ana.get("/dashboard")).text
    assert f"Your plan Free trial changes on {moved.effective_at.day} {moved.effective_at:%B %Y}." in page
    assert "Requests a month: 100 becomes 120." in page


async def test_a_plan_that_waits_for_its_payment_stands_on_the_dashboard(ana: Visitor) -> None:
    async with ana.parts.database.transaction() as tx:
        customer_id = await tx.find_value("SELECT id FROM api_customers")
        await plans.request_change(tx, customer_id, "montecarlo", "starter", "user:usr_1", read_now())
    assert "Starter waits for its payment." in (await ana.get("/dashboard")).text
