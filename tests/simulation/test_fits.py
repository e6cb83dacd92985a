"""Fits through the Monte Carlo API: ranked, drawn, bounded, and refused by the value that is wrong."""

from typing import Any

import httpx
import numpy as np
import pytest
from tests.parties import Party
from tests.simulation.conftest import API

from tollway.app import Parts
from tollway.engine import distribution_text, fit_distributions, parse_distribution

WAITS = [round(float(value), 3) for value in np.random.default_rng(7).gamma(2, 3, 400)]


async def fit(client: httpx.AsyncClient, party: Party, **body: Any) -> httpx.Response:
    return await client.post(f"{API}/fits", headers=party.headers, json=body)


async def test_the_likeliest_distribution_comes_first_as_the_library_ranks_them(
    client: httpx.AsyncClient, party: Party, parts: Parts
) -> None:
    answer = await fit(client, party, values=WAITS)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    expected = fit_distributions(WAITS)
    assert [one["distribution"] for one in told["fits"]] == [one.distribution.as_json() for one in expected]
    first = told["fits"][0]
    assert first["aic"] == expected[0].aic
    assert first["kolmogorov_smirnov"] < 0.05
    assert distribution_text(parse_distribution(first["distribution"])) == first["text"]
    assert (told["count"], told["minimum"], told["maximum"]) == (400, min(WAITS), max(WAITS))
    assert sum(told["histogram"]["counts"]) == 400
    assert len(told["histogram"]["bin_edges"]) == len(told["histogram"]["counts"]) + 1
    async with parts.database.transaction() as tx:
        used = await tx.find_value("SELECT coalesce(sum(requests_used), 0) FROM usage_quotas")
    assert used == 0, "nothing is kept, so nothing is counted"


async def test_only_the_types_that_are_asked_for_are_tried(client: httpx.AsyncClient, party: Party) -> None:
    answer = await fit(client, party, values=WAITS, types=["normal", "gamma"])
    assert [one["distribution"]["type"] for one in answer.json()["fits"]] == ["gamma", "normal"]


async def test_counts_have_a_bin_for_every_whole_number(client: httpx.AsyncClient, party: Party) -> None:
    told = (await fit(client, party, values=[0, 1, 1, 2, 2, 2, 3, 3, 4, 7])).json()
    assert told["histogram"]["bin_edges"][:3] == [-0.5, 0.5, 1.5]
    assert told["histogram"]["counts"] == [1, 2, 3, 2, 1, 0, 0, 1]
    assert {"poisson", "geometric"} <= {one["distribution"]["type"] for one in told["fits"]}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"values": [1, 2, 2, 3, 3]}, "bad-fit-data", "/values"),
        ({"values": []}, "bad-fit-data", "/values"),
        ({"values": [1, 2, 3, 4, 1e301]}, "bad-fit-data", "/values"),
        ({"values": [1.5, 2, 3, 4, 5], "types": ["poisson"]}, "bad-fit-data", "/types"),
        ({"values": [1, 2, 3, 4, 5], "types": ["normal", "burr12"]}, "bad-fit-data", "/types/1"),
        ({"values": [1, 2, "3", 4, 5]}, "invalid-input", "/values/2"),
        ({"values": [1, 2, None, 4, 5]}, "invalid-input", "/values/2"),
        ({"values": [1, 2, True, 4, 5]}, "invalid-input", "/values/2"),
        ({"values": [1, 2, 3, 4, 5], "types": []}, "invalid-input", "/types"),
        ({"values": [1] * 100_001}, "invalid-input", "/values"),
        ({"numbers": [1, 2, 3, 4, 5]}, "invalid-input", "/values"),
    ],
)
async def test_what_cannot_be_fitted_is_named(
    client: httpx.AsyncClient, party: Party, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await fit(client, party, **body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == code
    assert answer.json()["errors"][0]["pointer"] == pointer
