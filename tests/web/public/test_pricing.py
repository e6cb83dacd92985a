"""The public prices: every number is the catalogue's."""

import re
from html import unescape
from pathlib import Path

import pytest
from tests.web.conftest import Visitor

from tollway.kit.money import format_whole
from tollway.plans.catalog import read_catalog, read_products
from tollway.plans.entities import UNVERIFIED_REQUESTS_INCLUDED, Feature
from tollway.web.plan_views import FEATURE_WORDS, extra_price
from tollway.web.public.pricing import COUNTED

LIMITS_GUIDE = Path(__file__).parents[3] / "docs/guides/limits.md"
CONTENT = [one.content for one in read_catalog() if one.content["public"]]
PRODUCTS = [one.product for one in read_products()]


def text_of(markup: str) -> str:
    """What people read, with single spaces."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def table_of(page: str, product: str) -> dict[str, list[str]]:
    """The comparison of a product: each row's cells by its label."""
    section = page.split(f'<section class="section" id="{product}"')[1].split("</section>", maxsplit=1)[0]
    table = section.split('<table class="table compare">')[1].split("</table>")[0]
    rows: dict[str, list[str]] = {"Plan": [text_of(one) for one in re.findall(r"<b>(.*?)</b>", table)]}
    for label, cells in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table, re.DOTALL):
        rows[text_of(label)] = [text_of(one) for one in re.findall(r"<td.*?>(.*?)</td>", cells, re.DOTALL)]
    return rows


def written(amount: int | None, without: str = "– none") -> str:
    return f"{amount:,}" if amount else without


@pytest.fixture
async def page(stranger: Visitor) -> str:
    answer = await stranger.get("/api-pricing")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.promise("B38", "B53", "B54", "B55", "B56", "C11", "C42", "C43", "C44", "D10", "D11")
async def test_every_plan_on_sale_stands_there_with_the_numbers_of_the_catalogue(page: str) -> None:
    for product in PRODUCTS:
        rows = table_of(page, product)
        for plan in (one for one in CONTENT if one["product"] == product):
            column = rows["Plan"].index(plan["name"])
            limits = plan["limits"]
            expected = {
                "API keys that work at once": written(limits["api_keys_max"]),
                "Iterations a run": written(limits["iterations_max"]),
                "Runs at once": written(limits["runs_at_once_max"]),
                "At most a day": written(limits["requests_per_day_max"], "No limit"),
                "At most a minute": written(limits["requests_per_minute_max"], "No limit"),
                "Agents": written(limits["agents_max"]),
                "Help": plan["support"],
                "First answer within": f"{plan['support_response_hours']} hours",
                "Uptime": f"{plan['uptime_sla']} %" if plan["uptime_sla"] else "– none",
            }
            found = {label: rows[label][column] for label in expected if label in rows}
            assert found == {label: expected[label] for label in found}, (product, plan["tier"])
            assert {expected[label] for label in set(expected) - set(found)} <= {"– none", "No limit"}
            requests = written(plan["requests_included"]) if plan["requests_included"] else "Unlimited"
            assert rows["Requests a month"][column].startswith(requests)
            if plan["overage"] != "stop":
                assert rows["Beyond them"][column].startswith(f"${plan['overage_rate']} each")
            included = {label for label, cells in rows.items() if "not" not in cells[column].split()} & set(
                FEATURE_WORDS.values()
            )
            assert included == {FEATURE_WORDS[Feature(gate)] for gate in plan["gates"]}
            if plan["price_minor"] is not None:
                assert f'<p class="price">{format_whole(plan["price_minor"], plan["currency"])}' in page


@pytest.mark.promise("C12", "C13")
async def test_what_is_sold_beside_the_plans_stands_there_with_its_price(page: str) -> None:
    words = text_of(page)
    extras = [extra for product in read_products() for extra in product.extras]
    assert extras
    for extra in extras:
        assert f"{extra.name} {extra.description} {extra_price(extra)}" in words
    assert "from $500, once" in words
    assert "$1,000 to $5,000, once" in words
    assert "$0.0002 each" in words


@pytest.mark.promise("A6", "A8", "A49", "B57")
async def test_large_customers_are_led_to_a_person(page: str, stranger: Visitor) -> None:
    custom = page.split('id="custom"')[1].split("</section>", maxsplit=1)[0]
    arranged = [one.content for one in read_catalog() if one.content["price_minor"] is None]
    assert len(re.findall("<article", custom)) == len(arranged)
    for plan in arranged:
        assert all(feature in text_of(custom) for feature in plan["features"])
    links = re.findall(r'href="(/support\?subject=[^"]+)"', custom)
    assert len(links) == len(arranged)
    assert 'value="Monte Carlo API: the plan Custom"' in (await stranger.get(unescape(links[0]))).text


async def test_what_counts_as_a_request_is_what_the_guide_says(page: str) -> None:
    guide = LIMITS_GUIDE.read_text()
    assert all(f"| {call} | {requests} |" in guide for call, requests in COUNTED)
    assert all(call in page for call, _ in COUNTED)
    assert f"your key makes {UNVERIFIED_REQUESTS_INCLUDED} requests" in page
    assert f"{14} days, 100 requests a month, no card" in page


@pytest.mark.promise("D29")
async def test_an_api_key_is_one_step_away(page: str, stranger: Visitor, ana: Visitor) -> None:
    assert re.search(r'<a [^>]*href="/signup">.*?Get API Key</a>', page)
    landing = (await stranger.get("/")).text
    plans = landing.split('id="plans"')[1].split("</section>", maxsplit=1)[0]
    assert re.search(r'href="#signup">Get API Key', plans)
    for product in read_products():
        assert f'href="/api-pricing#{product.product}">{product.name}</a>' in plans
    mine = (await ana.get("/api-pricing")).text
    assert 'href="/billing/upgrade?product=wallet"' in mine
    assert 'href="/signup"' not in mine


async def test_what_brought_a_visitor_is_handed_on_to_the_sign_up_form(stranger: Visitor) -> None:
    page = (await stranger.get("/api-pricing?utm_source=newsletter")).text
    assert 'href="/signup?utm_source=newsletter"' in page


def test_every_feature_has_words() -> None:
    assert set(FEATURE_WORDS) == set(Feature)
    assert len(set(FEATURE_WORDS.values())) == len(Feature)
