"""Tables in the guides say what the code does: plans, roles, scopes, states of a key, named methods."""

import importlib
import re
from collections.abc import Iterator, Sequence

import pytest
from tests.rules.sources import ROOT

from tollway.customers.permissions import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Permission, Role, Scope
from tollway.keys.entities import ACCESS, CallKind, KeyState
from tollway.plans.catalog import ProductOnSale, read_catalog, read_products
from tollway.plans.entities import Plan
from tollway.web.plan_views import Cell, comparison_of, extra_price

GUIDES = ROOT / "docs" / "guides"
# What each permission of a customer is called in the guides; administrators' own stand in none.
WORDS = {
    Permission.OWN: "change their own profile, password, second factor and sessions",
    Permission.VIEW: "see models, runs, results and usage",
    Permission.USE: "upload, run, change and delete",
    Permission.KEYS_VIEW: "see API keys and webhooks",
    Permission.KEYS_MANAGE: "make, change, rotate, reveal and end API keys and webhooks",
    Permission.TEAM_VIEW: "see the team",
    Permission.TEAM_MANAGE: "invite, change roles, remove people",
    Permission.BILLING_VIEW: "see the plan and its limits",
    Permission.BILLING_MANAGE: "choose, change and cancel a plan",
    Permission.SUPPORT: "open and read tickets",
    Permission.ACTIVITY_VIEW: "read the activity",
    Permission.CUSTOMER_MANAGE: "change the company's details",
    Permission.CUSTOMER_DEACTIVATE: "close the company",
    Permission.DATA_EXPORT: "export everything",
    Permission.DATA_ERASE: "erase everything",
}
CALLS = {
    "test: read": CallKind.TEST_READ,
    "test: write": CallKind.TEST_WRITE,
    "live: read": CallKind.LIVE_READ,
    "live: write": CallKind.LIVE_WRITE,
    "choose a plan": CallKind.PAY,
    "revoke itself": CallKind.REVOKE_SELF,
}


def tables(guide: str) -> Iterator[list[list[str]]]:
    """Every table of a guide, as rows of cells, without the line under the head."""
    lines: list[list[str]] = []
    for line in [*(GUIDES / guide).read_text().splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
        elif lines:
            yield [lines[0], *lines[2:]]
            lines = []


def table_of(guide: str, *head: str) -> list[list[str]]:
    """The rows of the one table of a guide that has this head."""
    found = [rows[1:] for rows in tables(guide) if tuple(rows[0]) == head]
    assert len(found) == 1, f"{guide} has {len(found)} tables headed {head}"
    return found[0]


def plans_of(product: str) -> list[Plan]:
    contents = [one.content for one in read_catalog() if one.product == product and one.content["public"]]
    return [Plan.from_content(0, 0, content) for content in contents]


def expected_rows(product: str, name: str, plans: Sequence[Plan]) -> list[list[str]]:
    def text(cell: Cell) -> str:
        return {True: "yes", False: "", None: cell.text}[cell.is_included]

    rows = [["Price a month", *(plan.price_text.removesuffix(" a month") for plan in plans)]]
    for _, group in comparison_of(product, name, plans).groups:
        rows += [[row.label, *(text(cell) for cell in row.cells)] for row in group]
    return rows


@pytest.mark.promise("D13")
@pytest.mark.parametrize("product", read_products(), ids=lambda one: one.product)
def test_the_comparison_of_plans_is_the_catalogues(product: ProductOnSale) -> None:
    plans = plans_of(product.product)
    rows = table_of("SUBSCRIPTION_GUIDE.md", product.name, *(plan.name for plan in plans))
    assert rows == expected_rows(product.product, product.name, plans)


@pytest.mark.promise("D13")
def test_what_is_sold_beside_plans_costs_what_the_catalogue_says() -> None:
    extras = [extra for product in read_products() for extra in product.extras]
    rows = table_of("SUBSCRIPTION_GUIDE.md", "beside the wallet's plans", "price", "what it is")
    assert rows == [[extra.name, extra_price(extra), extra.description] for extra in extras]


@pytest.mark.promise("D12")
def test_the_short_comparison_of_plans_is_the_catalogues() -> None:
    expected = [
        [product.name if not position else "", plan.name, plan.price_text]
        for product in read_products()
        for position, plan in enumerate(plans_of(product.product))
    ]
    rows = table_of("GETTING_STARTED.md", "product", "plan", "price", "enough for")
    assert [row[:3] for row in rows] == expected


def test_roles_may_what_the_guide_says() -> None:
    rows = table_of("teams.md", "may", *Role)
    assert {row[0]: row[1:] for row in rows} == {
        words: ["yes" if permission in ROLE_PERMISSIONS[role] else "" for role in Role]
        for permission, words in WORDS.items()
    }


def test_scopes_may_what_the_guide_says() -> None:
    rows = table_of("keys.md", "may", *(f"`{scope}`" for scope in Scope))
    expected = {
        words: ["yes" if permission in SCOPE_PERMISSIONS[scope] else "" for scope in Scope]
        for permission, words in WORDS.items()
        if any(permission in SCOPE_PERMISSIONS[scope] for scope in Scope)
    }
    assert {row[0]: row[1:] for row in rows} == expected


def test_words_are_there_for_every_permission_of_a_customer() -> None:
    assert set(WORDS) == {one for one in Permission if not one.is_administrative}


@pytest.mark.promise("X9")
def test_states_of_a_key_allow_what_the_guide_says() -> None:
    rows = table_of("keys.md", "state", *CALLS)
    expected = [
        [
            f"`{state}`",
            *(
                "yes" if (kind := ACCESS[state][call]) is None else f"`{kind.status}`"
                for call in CALLS.values()
            ),
        ]
        for state in KeyState
    ]
    assert sorted(rows) == sorted(expected)


@pytest.mark.promise("B22", "X29")
def test_every_named_method_has_a_function_that_exists() -> None:
    rows = table_of("services.md", "named method", "does", "function")
    for name, _, functions in rows:
        named = re.findall(r"`(tollway[\w.]+)\.(\w+)`", functions)
        assert named, f"{name} leads to no function"
        for module, function in named:
            assert callable(getattr(importlib.import_module(module), function)), f"{module}.{function}"
