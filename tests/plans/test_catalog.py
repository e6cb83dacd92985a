"""catalog.toml says what X1 says, and a broken one is refused with the place named."""

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tollway.plans.catalog import FILE, CatalogRefused, read_catalog, read_products
from tollway.plans.entities import Feature, Plan

# Decision X1, whole; X11 for what a minute allows, X14 for support and what is promised, D11 for keys.
# Prices in whole dollars; `-` is none: no bound, no promise, no rate.
TABLE = """
    product    tier          price  month   day minute over   rate   premium iterate   mb  once agents keys hours sla
    montecarlo trial         0      100     -   -      stop   0      -       100000    10  2    0      10   4     -
    montecarlo free_existing 0      100     -   -      opt_in 0.05   -       100000    10  1    0      10   48    -
    montecarlo starter       99     1000    68  -      always 0.05   -       1000000   10  10   0      10   4     99.9
    montecarlo professional  499    10000   668 -      always 0.05   -       10000000  50  25   0      25   4     99.95
    montecarlo enterprise    2999   -       -   -      stop   0      -       100000000 500 100  0      100  4     99.99
    montecarlo custom        custom -       -   -      stop   0      -       100000000 500 100  0      100  4     99.99
    wallet     free          0      1000    -   100    opt_in 0.0001 -       0         0   0    0      10   48    -
    wallet     professional  29     100000  -   1000   always 0.0001 0.0002  0         0   0    0      25   24    -
    wallet     enterprise    199    1000000 -   10000  always 0.0001 0.0002  0         0   0    0      100  4     99.9
    wallet     custom        custom -       -   10000  stop   0      -       0         0   0    0      100  4     99.9
    agents     free          0      -       -   10     stop   0      -       0         0   0    5      1    48    -
    agents     starter       99     -       -   100    stop   0      -       0         0   0    50     5    4     99.9
    agents     professional  499    -       -   1000   stop   0      -       0         0   0    500    20   4     99.95
    agents     enterprise    custom -       -   10000  stop   0      -       0         0   0    5000   100  4     99.99
"""
LINES = [line.split() for line in TABLE.strip().splitlines()[1:]]
PLANS = {(plan.product, plan.tier): Plan.from_content(1, 1, plan.content) for plan in read_catalog()}


def number(written: str) -> int | None:
    return None if written == "-" else int(written)


@pytest.mark.promise(
    "X1", "A37", "A47", "A48", "A49", "B6", "B15", "B16", "B17", "B18", "B47", "B53", "B54", "B55", "B56", "B57",
    "B62", "C11", "C12", "D10", "D11", "X2", "X6", "X11", "X14"
)  # fmt: skip
@pytest.mark.parametrize("line", LINES, ids=lambda line: "-".join(line[:2]))
def test_each_plan_is_as_decided(line: list[str]) -> None:
    product, tier, price, requests, day, minute, overage, rate, premium, *rest = line
    iterations, megabytes, at_once, agents, keys, hours, sla = rest
    plan = PLANS[product, tier]
    assert plan.price_minor == (None if price == "custom" else int(price) * 100)
    assert plan.free == (price == "0")
    assert plan.currency == "USD"
    assert plan.requests_included == number(requests)
    assert plan.overage == overage
    assert plan.overage_rate == Decimal(rate)
    assert plan.premium_rate == (None if premium == "-" else Decimal(premium))
    assert plan.limits.requests_per_day_max == number(day)
    assert plan.limits.requests_per_minute_max == number(minute)
    assert plan.limits.iterations_max == int(iterations)
    assert plan.limits.file_bytes_max == int(megabytes) * 1_000_000
    assert plan.limits.runs_at_once_max == int(at_once)
    assert plan.limits.agents_max == int(agents)
    assert plan.limits.api_keys_max == int(keys)
    assert plan.support_response_hours == int(hours)
    assert plan.uptime_sla == (None if sla == "-" else Decimal(sla))


def test_no_other_plan_is_on_sale() -> None:
    assert list(PLANS) == [(line[0], line[1]) for line in LINES]


def test_plans_that_nobody_may_choose_are_these() -> None:
    private = {key for key, plan in PLANS.items() if not plan.public}
    assert private == {("montecarlo", "free_existing"), ("montecarlo", "custom")}


@pytest.mark.promise("A49", "X14")
def test_who_buys_the_largest_plan_is_called_within_a_day_and_asked_about_fair_use() -> None:
    enterprise = PLANS["montecarlo", "enterprise"]
    assert (enterprise.sales_call_hours, enterprise.fair_use_requests) == (24, 100_000)


# Beside what the next smaller plan of the product has.
GATES = """
    montecarlo/trial
    montecarlo/free_existing
    montecarlo/starter
    montecarlo/professional   priority webhooks phone_support advanced_documentation
    montecarlo/enterprise     reserved_workers custom_integrations custom_sla dedicated_support
    montecarlo/custom         dedicated_addresses custom_endpoints on_premise
    wallet/free
    wallet/professional       premium_routing priority_support live_chat integration_help
    wallet/enterprise         phone_support emergency_line dedicated_support custom_integrations
    wallet/custom
    agents/free               basic_analytics
    agents/starter            advanced_analytics priority_support
    agents/professional       realtime_analytics phone_support webhooks custom_integrations
    agents/enterprise         custom_sla dedicated_support on_premise
"""


@pytest.mark.promise("B53", "B54", "B55", "B57", "C42", "C43", "C44", "D28")
def test_each_plan_has_the_features_that_it_promises() -> None:
    expected: dict[tuple[str, str], set[Feature]] = {}
    held: dict[str, set[Feature]] = {}
    for line in GATES.strip().splitlines():
        name, *gates = line.split()
        product, _, tier = name.partition("/")
        held[product] = held.get(product, set()) | {Feature(gate) for gate in gates}
        expected[product, tier] = held[product]
    assert {key: set(plan.gates) for key, plan in PLANS.items()} == expected


@pytest.mark.promise("X5")
def test_each_product_says_how_its_keys_begin() -> None:
    assert {one.product: one.key_prefixes for one in read_products()} == {
        "montecarlo": {"test": "mc_test_", "live": "mc_live_"},
        "wallet": {"test": "wk_test_", "live": "wk_live_"},
        "agents": {"test": "sk-", "live": "sk-"},
    }


EXTRAS = """
    id                  from  to    open  every  gate
    advanced_analytics  5     -     no    month  advanced_analytics
    dedicated_support   200   -     no    month  dedicated_support
    setup_for_many      500   -     yes   once   -
    custom_integration  1000  5000  no    once   -
"""


@pytest.mark.promise("C12", "C13")
def test_what_is_sold_beside_the_wallets_plans_costs_what_was_decided() -> None:
    (wallet,) = (one for one in read_products() if one.product == "wallet")
    found = [
        [
            one.id,
            str(one.price_minor // 100),
            "-" if one.price_to_minor is None else str(one.price_to_minor // 100),
            "yes" if one.is_open else "no",
            one.every,
            one.gate.value if one.gate else "-",
        ]
        for one in wallet.extras
    ]
    assert found == [line.split() for line in EXTRAS.strip().splitlines()[1:]]


@pytest.mark.promise("B47")
def test_bursts_are_twice_the_daily_average() -> None:
    for plan in read_catalog():
        if burst := plan.content["limits"]["requests_per_day_max"]:
            average = -(-plan.content["requests_included"] // 30)
            assert burst == 2 * average, plan.tier


def test_money_is_never_a_float() -> None:
    def walk(value: Any) -> None:
        assert not isinstance(value, float), value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            walk(inner)

    walk(tomllib.loads(FILE.read_text()))


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("requests = 100\n", "requests = -5\n", "montecarlo.plans.trial.requests"),
        ('overage = "stop"', 'overage = "sometimes"', "montecarlo.plans.trial.overage"),
        ('price = "99"', 'price = "ninety"', "montecarlo.plans.starter.price"),
        ('price = "99"', 'price = "-1"', "montecarlo.plans.starter.price"),
        ('price = "99"', 'price = "99.001"', "montecarlo.plans.starter"),
        ('overage_rate = "0.05"', 'overage_rate = "0.00005"', "montecarlo.plans.free_existing.overage_rate"),
        ('overage = "always"\noverage_rate = "0.05"', 'overage = "always"', "montecarlo.plans.starter"),
        ("requests = 1_000\nrequests_per_day", "requests_per_day", "montecarlo.plans.starter"),
        ('price = "0"\nfree = true', 'price = "5"\nfree = true', "montecarlo.plans.trial"),
        ("runs_at_once = 2", "", "montecarlo.plans.trial.runs_at_once"),
        ("runs_at_once = 2", "runs_at_once = 2\nruns_at_noon = 3", "montecarlo.plans.trial.runs_at_noon"),
        ("runs_at_once = 2", "runs_at_once = 2\nagents = 3", "montecarlo.plans.trial.agents"),
        (
            'gates = ["priority", "webhooks"',
            'gates = ["priority", "hooks"',
            "montecarlo.plans.professional.gates",
        ),
        (
            'gates = ["priority", "webhooks"',
            'gates = ["webhooks", "webhooks"',
            "montecarlo.plans.professional",
        ),
        ("fair_use_requests = 100_000", "requests = 7\nfair_use_requests = 5", "montecarlo.plans.enterprise"),
        ("api_keys = 10", "api_keys = 3_000_000_000", "montecarlo.plans.trial.api_keys"),
        ('every = "month"', 'every = "blue moon"', "wallet.extras.advanced_analytics.every"),
        ('name = "Monte Carlo API"', "", "montecarlo.name"),
        ('currency = "USD"', "", "currency"),
        ('currency = "USD"', 'currency = "dollars"', "currency"),
        ('currency = "USD"', 'currency = "USD"\nstray = 1', "stray"),
        ("[montecarlo]", "[montecarlo", "catalog.toml"),
        ("[wallet]", "[lottery]", "lottery"),
    ],
)
def test_a_broken_catalogue_is_refused_and_the_place_named(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    text = FILE.read_text()
    assert old in text
    file = tmp_path / "catalog.toml"
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(CatalogRefused) as refused:
        read_catalog(file)
    assert place in str(refused.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "catalog.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CatalogRefused, match=r"catalog\.toml"):
        read_catalog(file)
