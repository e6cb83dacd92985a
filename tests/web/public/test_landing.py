"""The front page, its demo and the samples."""

import asyncio
import io
import re

import openpyxl
import pytest
from tests.web.conftest import Visitor

from tollway.customers.entities import UseCase


@pytest.mark.promise("A25", "A26", "A27", "D29")
async def test_the_front_page_has_the_sign_up_form_exactly(stranger: Visitor) -> None:
    page = (await stranger.get("/")).text
    form = re.search(r'<form[^>]*action="/signup".*?</form>', page, re.DOTALL)
    assert form
    assert re.findall(r'name="(\w+)"', form.group()) == ["email", "company", "use_case"]
    options = re.findall(r"<option>([^<]+)</option>", form.group())
    assert options == ["Portfolio Risk Analysis", "Stress Testing", "Financial Modeling", "Other"]
    assert [one.value for one in UseCase] == options
    assert "Get Free API Access" in form.group()


@pytest.mark.promise("A34")
async def test_what_brought_a_visitor_is_kept_until_they_sign_up(stranger: Visitor) -> None:
    page = (await stranger.get("/?utm_source=newsletter&utm_campaign=spring")).text
    action = re.search(r'action="(/signup\?[^"]+)"', page)
    assert action
    form = {"email": "new@example.com", "company": "Example", "use_case": "Other"}
    assert (await stranger.post(action.group(1).replace("&amp;", "&"), form)).status_code == 303
    async with stranger.parts.database.transaction() as tx:
        rows = await tx.list_rows(
            "SELECT referrer, campaign FROM analytics_events WHERE name = 'customer_signup'"
        )
    assert rows == [{"referrer": "newsletter", "campaign": "spring"}]


async def test_a_crowd_at_once_sees_the_front_page(stranger: Visitor) -> None:
    answers = await asyncio.gather(*(stranger.get("/") for _ in range(30)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_referrer_that_is_no_address_costs_nobody_the_front_page(stranger: Visitor) -> None:
    answer = await stranger.client.get("/", headers={"Accept": "text/html", "Referer": "http://["})
    assert answer.status_code == 200


@pytest.mark.promise("A25", "A61")
async def test_the_demo_runs_a_workbook_without_an_account(stranger: Visitor) -> None:
    answer = await stranger.client.post(
        "/demo", data={"sample": "portfolio"}, headers={"HX-Request": "true", "Accept": "text/html"}
    )
    assert answer.status_code == 200
    assert "20,000 iterations" in answer.text
    mean = re.search(r"<dt>Mean</dt><dd>([\d,]+)</dd>", answer.text)
    # The closed form is 1,050,000 with a standard deviation of 21,602: eight standard errors are allowed.
    assert mean
    assert abs(int(mean.group(1).replace(",", "")) - 1_050_000) < 8 * 21_602 / 20_000**0.5


async def test_the_demo_without_a_script_answers_with_the_whole_page(stranger: Visitor) -> None:
    answer = await stranger.post("/demo", {"sample": "stress"})
    assert answer.status_code == 200
    assert "demo-result" in answer.text
    assert "<svg" in answer.text.split('id="demo-result"')[1]


async def test_the_demo_is_bounded_for_each_address(stranger: Visitor) -> None:
    for _ in range(20):
        answer = await stranger.post("/demo", {"sample": "portfolio"})
        assert answer.status_code == 200
    answer = await stranger.post("/demo", {"sample": "portfolio"})
    assert answer.status_code == 429
    assert "demo runs from your network" in answer.text


async def test_an_unknown_sample_is_said_to_be_unknown(stranger: Visitor) -> None:
    answer = await stranger.post("/demo", {"sample": "nothing"})
    assert answer.status_code == 404
    assert "no sample called" in answer.text


@pytest.mark.promise("A38")
@pytest.mark.parametrize("name", ["portfolio", "stress", "financial"])
async def test_samples_are_real_workbooks(stranger: Visitor, name: str) -> None:
    answer = await stranger.get(f"/samples/{name}.xlsx")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames


async def test_a_sample_that_is_none_is_not_found(stranger: Visitor) -> None:
    assert (await stranger.get("/samples/other.xlsx")).status_code == 404
    assert (await stranger.get("/samples/portfolio.csv")).status_code == 404
