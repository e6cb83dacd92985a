"""catalog.toml says what X1 says, and a broken one is refused with the place named."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tollway.plans.catalog import FILE, CatalogRefused, read_catalog

# Decision X1, the rows of the Monte Carlo API.
TABLE = """
    tier           price  requests  day   overage  rate  iterations   megabytes  at_once
    trial          0      100       -     stop     0     100000       10         2
    free_existing  0      100       -     opt_in   0.05  100000       10         1
    starter        99     1000      68    always   0.05  1000000      10         10
    professional   499    10000     668   always   0.05  10000000     50         25
    enterprise     2999   -         -     stop     0     100000000    500        100
"""


@pytest.mark.promise(
    "X1", "A37", "A47", "A48", "A49", "B6", "B15", "B16", "B17", "B18", "B47", "B62", "X2", "X6"
)
@pytest.mark.parametrize("line", TABLE.strip().splitlines()[1:], ids=lambda line: line.split()[0])
def test_each_plan_is_as_decided(line: str) -> None:
    tier, price, requests, day, overage, rate, iterations, megabytes, at_once = line.split()
    (plan,) = (plan for plan in read_catalog() if (plan.product, plan.tier) == ("montecarlo", tier))
    assert plan.content["price_minor"] == int(price) * 100
    assert plan.content["currency"] == "USD"
    assert plan.content["requests_included"] == (None if requests == "-" else int(requests))
    assert plan.content["overage"] == overage
    assert float(plan.content["overage_rate"]) == float(rate)
    assert plan.content["limits"] | {"workbook_days": 0, "result_days": 0} == {
        "iterations_max": int(iterations),
        "file_bytes_max": int(megabytes) * 1_000_000,
        "runs_at_once_max": int(at_once),
        "requests_per_day_max": None if day == "-" else int(day),
        "workbook_days": 0,
        "result_days": 0,
    }


def test_no_other_plan_is_on_sale() -> None:
    named = {line.split()[0] for line in TABLE.strip().splitlines()[1:]}
    assert {plan.tier for plan in read_catalog() if plan.product == "montecarlo"} == named


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
        ('name = "Monte Carlo API"', "", "montecarlo.name"),
        ('currency = "USD"', "", "currency"),
        ('currency = "USD"', 'currency = "dollars"', "currency"),
        ('currency = "USD"', 'currency = "USD"\nstray = 1', "stray"),
        ("[montecarlo]", "[montecarlo", "catalog.toml"),
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
