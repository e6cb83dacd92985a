"""The company's details on their page."""

import re

import pytest
from tests.web.conftest import Visitor

FULL = {
    "name": "Example plc",
    "billing_email": "Bills@example.com",
    "tax_id": "GB 123 4567 89",
    "line1": "1 High Street",
    "line2": "",
    "postal_code": "AB1 2CD",
    "city": "London",
    "region": "",
    "country": "GB",
}


@pytest.mark.promise("B9", "B45")
async def test_details_are_saved_and_shown_again(ana: Visitor) -> None:
    page = (await ana.get("/company")).text
    assert 'value="Example Ltd"' in page
    assert 'value="ana@example.com"' in page
    saved = await ana.post("/company", FULL)
    assert saved.headers["location"] == "/company?notice=saved"
    page = (await ana.get("/company?notice=saved")).text
    assert "The details are saved." in page
    for value in ("Example plc", "bills@example.com", "GB 123 4567 89", "1 High Street", "AB1 2CD", "London"):
        assert f'value="{value}"' in page
    assert re.search(r'<option value="GB" selected>United Kingdom</option>', page)
    async with ana.parts.database.transaction() as tx:
        row = (await tx.list_rows("SELECT company_name, tax_id, billing_address FROM api_customers"))[0]
    assert row["company_name"] == "Example plc"
    assert "4567" not in repr(row)
    assert list(row["billing_address"]) == ["sealed"]


async def test_what_cannot_be_used_is_said_beside_its_field_and_kept(ana: Visitor) -> None:
    answer = await ana.post("/company", FULL | {"city": "", "country": "", "tax_id": "<b>"})
    assert answer.status_code == 422
    for name in ("city", "country", "tax_id"):
        assert f'id="error-{name}"' in answer.text
    assert 'value="1 High Street"' in answer.text
    assert 'value="&lt;b&gt;"' in answer.text


async def test_an_address_is_taken_away_by_emptying_it(ana: Visitor) -> None:
    await ana.post("/company", FULL)
    await ana.post("/company", {"name": "Example plc", "billing_email": "bills@example.com"})
    async with ana.parts.database.transaction() as tx:
        assert await tx.find_value("SELECT billing_address FROM api_customers") is None


async def test_a_form_of_another_site_changes_nothing(ana: Visitor) -> None:
    answer = await ana.client.post("/company", data=FULL, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
